"""What an edit did to the masks: the receipt that is shown after each correction."""

from __future__ import annotations

from dataclasses import dataclass

from decaf_gui.core.masks import Rle
from decaf_gui.core.project.edits import Edit
from decaf_gui.core.project.rows import ClipRow, MaskRow, ObjectRow, Project


@dataclass(frozen=True, slots=True)
class FrameEffect:
    """One changed mask: pixels before and after, pixels that differ, IoU of the two (a new mask: 0)."""

    object: int
    frame: int
    before: int
    after: int
    differing: int
    iou: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """All masks whose pixels an edit changed; masks that were stored again as they were are not among them."""

    effects: tuple[FrameEffect, ...]

    @property
    def objects(self) -> frozenset[int]:
        """The objects that changed."""
        return frozenset(effect.object for effect in self.effects)

    def __str__(self) -> str:
        if not self.effects:
            return "No mask changed."
        frames = sorted({effect.frame for effect in self.effects})
        most = max(self.effects, key=lambda effect: effect.differing)
        span = f"frame {frames[0]}" if len(frames) == 1 else f"{len(frames)} frames, {frames[0]} to {frames[-1]}"
        return f"Changed: {span}; most on frame {most.frame} ({most.differing} pixels, IoU {most.iou:.2f})."


def receipt(project: Project, edit: Edit) -> Receipt:
    """What `edit` changes; `project` is as it was before, or as it is after."""
    effects = []
    for change in edit.changes:
        if change.kind is MaskRow:
            owner, frame = (int(part) for part in change.key)
            size = _size(project, edit, owner)
            before, after = (_rle(row, size) for row in (change.before, change.after))
            differing = before.area + after.area - 2 * before.intersection(after)
            if differing:
                effects.append(FrameEffect(owner, frame, before.area, after.area, differing, before.iou(after)))
    return Receipt(tuple(sorted(effects, key=lambda effect: (effect.object, effect.frame))))


def _size(project: Project, edit: Edit, owner: int) -> tuple[int, int]:
    """The size of an object's masks, also of one that the edit makes or removes."""
    row = project.find(ObjectRow, owner)
    for change in edit.changes:
        if row is None and change.kind is ObjectRow and change.key == (owner,):
            found = change.after or change.before
            row = found if isinstance(found, ObjectRow) else None
    assert row is not None
    clip = project.find(ClipRow, row.clip)
    for change in edit.changes:
        if clip is None and change.kind is ClipRow and change.key == (row.clip,):
            gone = change.before or change.after
            clip = gone if isinstance(gone, ClipRow) else None
    assert clip is not None
    return clip.size


def _rle(row: object, size: tuple[int, int]) -> Rle:
    return Rle(size, row.counts) if isinstance(row, MaskRow) else Rle.empty(size)
