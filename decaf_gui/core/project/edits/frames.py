"""Edits of what objects have on frames: prompts, masks and marks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from decaf_gui.core.entities import Box, Point
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Rle
from decaf_gui.core.project.edits.draft import Draft, Edit
from decaf_gui.core.project.edits.parts import FRAMED, check_frames, check_locked, mark, provenance_id, span
from decaf_gui.core.project.rows import MaskRow, ObjectRow, Origin, Project, PromptRow


def set_prompt(project: Project, object_id: int, frame: int, points: Sequence[Point], box: Box | None = None) -> Edit:
    """What SAM2 is told of an object on a frame: adds, moves and takes away points; none at all removes the prompt."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    check_frames(project, object_id, [frame])
    check_locked(project, object_id, [frame])
    if points or box is not None:
        draft.put(prompt_row(project, object_id, frame, points, box))
    else:
        draft.drop(PromptRow, object_id, frame)
    return draft.edit(f"prompt {row.name} on frame {frame}")


def remove_prompt(project: Project, object_id: int, frame: int) -> Edit:
    """Takes the prompt of a frame back: the mask that it corrected is there again, or none if there was none."""
    row, prompt = project.need(ObjectRow, object_id), project.need(PromptRow, object_id, frame)
    check_locked(project, object_id, [frame])
    draft = Draft(project)
    draft.drop(PromptRow, object_id, frame)
    if prompt.base is None:
        draft.drop(MaskRow, object_id, frame)
    else:
        draft.put(MaskRow(object_id, frame, prompt.base, provenance_id(draft, "tracked", "{}")))
    mark(draft, object_id, frame, reviewed=False, absent=False)
    return draft.edit(f"remove the prompt of {row.name} on frame {frame}")


def prompt_row(
    project: Project, object_id: int, frame: int, points: Sequence[Point], box: Box | None = None
) -> PromptRow:
    """All points of a frame as one prompt. Without a box they correct the mask that was there before the first."""
    given = tuple((float(x), float(y), bool(positive)) for x, y, positive in points)
    before, mask = project.find(PromptRow, object_id, frame), project.find(MaskRow, object_id, frame)
    base = None if mask is None or Rle(project.clip_of(object_id).size, mask.counts).area == 0 else mask.counts
    if before is not None:
        base = before.base
    return PromptRow(object_id, frame, given, box, None if box is not None else base)


@dataclass(frozen=True, slots=True)
class NewMask:
    """A mask that replaces one, and how sure SAM2 was of it (None: nobody asked it)."""

    rle: Rle
    iou: float | None = None
    present: float | None = None


def replace_masks(
    project: Project,
    object_id: int,
    masks: Mapping[int, NewMask],
    origin: Origin,
    details: str,
    prompt: PromptRow | None = None,
) -> Edit:
    """Masks of a span, with where they come from; with the `prompt` that they answer, if a click made them.

    Locked frames must not be among them. A person's word that the object is absent there, or that a frame was
    reviewed, goes with the mask that it was said of, where the new one differs; so do prompts where masks were drawn or
    imported.
    """
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    _put_masks(draft, object_id, masks, provenance_id(draft, origin, details))
    if origin in ("drawn", "imported"):
        for frame in masks:
            draft.drop(PromptRow, object_id, frame)
    if prompt is not None:
        if prompt.object != object_id:
            raise BadInput("The prompt belongs to another object.")
        check_frames(project, object_id, [prompt.frame])
        draft.put(prompt)
    return draft.edit(f"{origin} masks of {row.name} {span(masks)}")


def replace_tracked(project: Project, masks: Mapping[int, Mapping[int, NewMask]], details: str) -> Edit:
    """What one tracking job found, for all its objects (masks by object and frame): one edit."""
    draft = Draft(project)
    source = provenance_id(draft, "tracked", details)
    for object_id, found in masks.items():
        _put_masks(draft, object_id, found, source)
    names = ", ".join(project.need(ObjectRow, object_id).name for object_id in masks)
    return draft.edit(f"track {names} {span({frame for found in masks.values() for frame in found})}")


def _put_masks(draft: Draft, object_id: int, masks: Mapping[int, NewMask], source: int) -> None:
    project = draft.project
    size = project.clip_of(object_id).size
    check_frames(project, object_id, masks)
    check_locked(project, object_id, masks)
    for frame, mask in masks.items():
        if mask.rle.size != size:
            raise BadInput(f"The mask of frame {frame} is {mask.rle.size}, the clip is {size}: resize it.")
        before = draft.find(MaskRow, object_id, frame)
        draft.put(MaskRow(object_id, frame, mask.rle.counts, source, mask.iou, mask.present))
        if before is None or before.counts != mask.rle.counts:
            mark(draft, object_id, frame, reviewed=False, absent=False)


def revert_frames(project: Project, done: Edit, object_id: int, frames: Iterable[int]) -> Edit:
    """Takes back what an edit did to an object on some frames; what it did elsewhere stays.

    Raises BadInput when one of them is locked, or was changed again since.
    """
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), set(frames)
    check_locked(project, object_id, chosen)
    for change in done.changes:
        if change.kind not in FRAMED or change.key[0] != object_id or change.key[1] not in chosen:
            continue
        if project.find(change.kind, *change.key) != change.after:
            raise BadInput(f"Frame {change.key[1]} of {row.name} was changed again since: undo that first.")
        if change.before is None:
            draft.drop(change.kind, *change.key)
        else:
            draft.put(change.before)
    return draft.edit(f"revert {row.name} {span(chosen)}")


def delete_masks(project: Project, object_id: int, frames: Iterable[int]) -> Edit:
    """Masks and prompts on these frames: the object is unknown there again."""
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), sorted(set(frames))
    check_locked(project, object_id, chosen)
    for frame in chosen:
        draft.drop(MaskRow, object_id, frame)
        draft.drop(PromptRow, object_id, frame)
        mark(draft, object_id, frame, reviewed=False, absent=False)
    return draft.edit(f"delete masks of {row.name} {span(chosen)}")


def copy_mask(project: Project, object_id: int, source: int, target: int) -> Edit:
    """The mask of one frame on another, as drawn by a person."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    mask = project.need(MaskRow, object_id, source)
    check_frames(project, object_id, [target])
    check_locked(project, object_id, [target])
    made = provenance_id(draft, "drawn", f'{{"copied_from_frame": {source}}}')
    draft.put(MaskRow(object_id, target, mask.counts, made))
    draft.drop(PromptRow, object_id, target)
    mark(draft, object_id, target, reviewed=False, absent=False)
    return draft.edit(f"copy mask of {row.name} from frame {source} to {target}")


def mark_absent(project: Project, object_id: int, frames: Iterable[int]) -> Edit:
    """A person's word that the object is not to be seen on these frames: empty masks."""
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), sorted(set(frames))
    check_frames(project, object_id, chosen)
    check_locked(project, object_id, chosen)
    empty = Rle.empty(project.clip_of(object_id).size).counts
    source = provenance_id(draft, "drawn", "{}")
    for frame in chosen:
        draft.put(MaskRow(object_id, frame, empty, source))
        draft.drop(PromptRow, object_id, frame)
        mark(draft, object_id, frame, absent=True)
    return draft.edit(f"{row.name} is absent {span(chosen)}")


def set_locked(project: Project, object_id: int, frames: Iterable[int], locked: bool = True) -> Edit:
    """Locks frames of an object against every change, or unlocks them."""
    return _marked(project, object_id, frames, "lock" if locked else "unlock", locked=locked)


def set_reviewed(project: Project, object_id: int, frames: Iterable[int], reviewed: bool = True) -> Edit:
    """A person has seen these frames of an object and found them right (or takes that back)."""
    return _marked(project, object_id, frames, "reviewed:" if reviewed else "not reviewed:", reviewed=reviewed)


def _marked(project: Project, object_id: int, frames: Iterable[int], word: str, **said: bool) -> Edit:
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), sorted(set(frames))
    check_frames(project, object_id, chosen)
    for frame in chosen:
        mark(draft, object_id, frame, **said)
    return draft.edit(f"{word} {row.name} {span(chosen)}")
