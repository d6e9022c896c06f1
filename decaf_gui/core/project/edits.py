"""Everything that can be done to a project, as data: an `Edit` holds its rows before and after.

Each function looks at a project and returns the edit; nothing changes until somebody applies and stores it.
All raise BadInput when the edit cannot be: an unknown row, a locked frame, a mask of another size.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from decaf_gui.core.clip import Fingerprint
from decaf_gui.core.entities import Box, Expression, Grounding, Label, Labels, Point, Tracklet
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.project.rows import (
    NAMES,
    AnswerRow,
    Change,
    ClipRow,
    CounterRow,
    ExpressionRow,
    GroundingRow,
    Key,
    LabelRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    Origin,
    Project,
    PromptRow,
    ProvenanceRow,
    Row,
    TrackletRow,
    VerdictRow,
    pack_maps,
    pack_masks,
    unpack_masks,
)

R = TypeVar("R", bound=Row)
FramedRow = MaskRow | PromptRow | MarkRow
FRAMED: tuple[type[FramedRow], ...] = (MaskRow, PromptRow, MarkRow)
"""What an object has on a frame."""
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
LARGEST_LABEL = 1 << 31
"""Class ids from elsewhere are kept below it."""
OVERLAP = 0.7
"""A tracklet that overlaps an object by more (clip IoU) is probably that object."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of the work: what it did, in words, and the rows that it changed."""

    text: str
    changes: tuple[Change, ...]

    def apply(self, project: Project) -> Project:
        """The project after it."""
        return project.changed(self.changes)

    def revert(self, project: Project) -> Project:
        """The project before it."""
        return project.changed(self.undone.changes)

    @property
    def undone(self) -> Edit:
        """The edit that takes it back."""
        return Edit(f"undo {self.text}", tuple(change.undone for change in reversed(self.changes)))

    @property
    def touched(self) -> frozenset[tuple[type[Row], Key]]:
        """The rows that it changed: what has to be shown anew."""
        return frozenset((change.kind, change.key) for change in self.changes)

    @property
    def frames(self) -> dict[int, frozenset[int]]:
        """The frames of each object whose masks it changed."""
        found: dict[int, set[int]] = {}
        for change in self.changes:
            if change.kind is MaskRow:
                owner, frame = change.key
                found.setdefault(int(owner), set()).add(int(frame))
        return {owner: frozenset(frames) for owner, frames in found.items()}


class Draft:
    """An edit in the making: reads what the project would be, remembers what was there."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._before: dict[tuple[type[Row], Key], Row | None] = {}
        self._after: dict[tuple[type[Row], Key], Row | None] = {}

    def find(self, kind: type[R], *key: int | str) -> R | None:
        """A row as it would be, or None."""
        if (kind, key) in self._after:
            return self._after[kind, key]  # type: ignore[return-value]
        return self.project.find(kind, *key)

    def put(self, row: Row) -> None:
        """Adds or replaces a row."""
        self._set(type(row), row.key, row)

    def drop(self, kind: type[Row], *key: int | str) -> None:
        """Removes a row, if it is there."""
        self._set(kind, key, None)

    def next_id(self, kind: type[Row]) -> int:
        """A new id of a table, never given before."""
        name = NAMES[kind]
        counter = self.find(CounterRow, name) or CounterRow(name, 1)
        self.put(CounterRow(name, counter.next + 1))
        return counter.next

    def edit(self, text: str) -> Edit:
        """What was put and dropped, without what stayed the same. Raises BadInput when nothing changed."""
        changes = tuple(
            Change(kind, key, self._before[kind, key], after)
            for (kind, key), after in self._after.items()
            if self._before[kind, key] != after
        )
        if not changes:
            raise BadInput(f"Nothing to do: {text} would change nothing.")
        return Edit(text, changes)

    def _set(self, kind: type[Row], key: Key, row: Row | None) -> None:
        self._before.setdefault((kind, key), self.project.find(kind, *key))
        self._after[kind, key] = row


# --- clips, labels, expressions -----------------------------------------------------------------------------


def add_clip(project: Project, path: str, fingerprint: Fingerprint, size: tuple[int, int], fps: float) -> Edit:
    """A clip by its path relative to the project; all frames are to be worked on."""
    for row in project.rows(ClipRow).values():
        if row.path == path:
            raise BadInput(f"The clip {path} is in this project already.")
    draft = Draft(project)
    last = fingerprint.frames - 1
    numbers = (fingerprint.frames, *size, float(fps), 0, last, 1)
    draft.put(ClipRow(draft.next_id(ClipRow), path, fingerprint.bytes, fingerprint.sha256, *numbers))
    return draft.edit(f"add clip {path}")


def remove_clip(project: Project, clip: int) -> Edit:
    """A clip with everything that was made on it."""
    row, draft = project.need(ClipRow, clip), Draft(project)
    for expression in project.where(ExpressionRow, clip=clip):
        _drop_expression(draft, expression.id)
    for thing in project.where(ObjectRow, clip=clip):
        _drop_object(draft, thing.id)
    draft.drop(ClipRow, clip)
    return draft.edit(f"remove clip {row.path}")


def relink_clip(project: Project, clip: int, path: str, fingerprint: Fingerprint, size: tuple[int, int]) -> Edit:
    """The clip lies elsewhere now. Raises BadInput when frames or size differ: masks would not fit."""
    row, draft = project.need(ClipRow, clip), Draft(project)
    if (fingerprint.frames, size) != (row.frames, row.size):
        raise BadInput(
            f"{path} has {fingerprint.frames} frames of {size[1]}x{size[0]}, the clip of this project "
            f"{row.frames} of {row.width}x{row.height}: masks would not fit."
        )
    draft.put(replace(row, path=path, bytes=fingerprint.bytes, sha256=fingerprint.sha256))
    return draft.edit(f"relink clip to {path}")


def set_work_range(project: Project, clip: int, first: int, last: int, step: int = 1) -> Edit:
    """The frames to be worked on: first to last, both included, every `step`th."""
    row, draft = project.need(ClipRow, clip), Draft(project)
    if not 0 <= first <= last < row.frames or step < 1:
        raise BadInput(f"Frames {first} to {last} by {step} are no range of a clip of {row.frames} frames.")
    draft.put(replace(row, first=first, last=last, step=step))
    return draft.edit(f"work on frames {first} to {last}")


def add_label(project: Project, name: str) -> Edit:
    """A class of objects, at the end of the list."""
    draft = Draft(project)
    _label(draft, _named(name, "label"))
    return draft.edit(f"add label {name}")


def add_expression(project: Project, clip: int, text: str) -> Edit:
    """An expression on a clip."""
    project.need(ClipRow, clip)
    draft, wanted = Draft(project), Expression(text).text
    if any(row.text == wanted for row in project.where(ExpressionRow, clip=clip)):
        raise BadInput(f'"{wanted}" is asked of this clip already.')
    draft.put(ExpressionRow(draft.next_id(ExpressionRow), clip, wanted))
    return draft.edit(f'add expression "{wanted}"')


def remove_expression(project: Project, expression: int) -> Edit:
    """An expression with its grounding and candidates; objects that were accepted stay."""
    row, draft = project.need(ExpressionRow, expression), Draft(project)
    _drop_expression(draft, expression)
    return draft.edit(f'remove expression "{row.text}"')


def set_no_target(project: Project, expression: int, no_target: bool = True) -> Edit:
    """A person's word that nothing in the clip answers to the expression (or that this was wrong)."""
    row, draft = project.need(ExpressionRow, expression), Draft(project)
    if no_target and any(project.where(AnswerRow, expression=expression)):
        raise BadInput(f'"{row.text}" has accepted objects: reject them before you say that there is no target.')
    draft.put(replace(row, no_target=no_target))
    return draft.edit(f'"{row.text}" has {"no target" if no_target else "a target"}')


# --- proposals and verdicts ---------------------------------------------------------------------------------


def add_proposal(
    project: Project,
    expression: int,
    grounding: Grounding,
    tracklets: Sequence[Tracklet],
    details: str,
    packed: Mapping[int, bytes] | None = None,
) -> Edit:
    """Grounding and candidates of an expression. Earlier candidates go, but for the accepted ones.

    `packed` holds the masks of tracklets, by their id, as `pack_masks` makes them, where somebody did that before.
    """
    row, draft = project.need(ExpressionRow, expression), Draft(project)
    size = project.need(ClipRow, row.clip).size
    for old in project.where(TrackletRow, expression=expression):
        if _verdict(draft, old.id).state != "accepted":
            draft.drop(VerdictRow, old.id)
            draft.drop(TrackletRow, old.id)
    maps = pack_maps({"fused": grounding.maps, **grounding.parts})
    said = (grounding.category, grounding.answers, maps, grounding.attributes, grounding.reasons)
    draft.put(GroundingRow(expression, grounding.frames, *said))
    source = _provenance(draft, "proposed", details)
    for tracklet in tracklets:
        if tracklet.masks.size != size:
            raise BadInput(f"The masks are {tracklet.masks.size}, the clip is {size}: they do not belong together.")
        masks = (packed or {}).get(tracklet.id) or pack_masks(tracklet.masks)
        draft.put(_tracklet(draft.next_id(TrackletRow), expression, tracklet, source, masks))
    return draft.edit(f'propose "{row.text}"')


def _tracklet(id: int, expression: int, found: Tracklet, provenance: int, masks: bytes) -> TrackletRow:
    x, y = found.point
    scores = found.scores
    return TrackletRow(
        id=id,
        expression=expression,
        frame=found.frame,
        x=float(x),
        y=float(y),
        attention=float(scores.attention),
        sam=float(scores.sam),
        consistency=_number(scores.consistency),
        selected=found.selected,
        suppressed=found.suppressed,
        provenance=provenance,
        masks=masks,
        scoring=scores.scoring,
        video_correlation=_number(scores.video_correlation),
        frame_correlation=_number(scores.frame_correlation),
        correlation=_number(scores.correlation),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def likely_objects(project: Project, tracklet: int) -> list[tuple[int, float]]:
    """Objects of the clip that a tracklet overlaps by more than `OVERLAP`: (id, clip IoU), the best first."""
    row = project.need(TrackletRow, tracklet)
    clip = project.need(ClipRow, project.need(ExpressionRow, row.expression).clip)
    masks = unpack_masks(row.masks, clip.size)
    overlaps = ((thing.id, masks.iou(project.masks(thing.id))) for thing in project.where(ObjectRow, clip=clip.id))
    return sorted((pair for pair in overlaps if pair[1] > OVERLAP), key=lambda pair: -pair[1])


def accept(project: Project, tracklet: int, object_id: int | None = None) -> Edit:
    """A person takes a candidate: it becomes a new object, or `object_id` answers to its expression, too.

    Also promotes what the scores had not selected. A new object has the tracklet's masks; a linked one keeps its own.
    """
    row, draft = project.need(TrackletRow, tracklet), Draft(project)
    expression = project.need(ExpressionRow, row.expression)
    if _verdict(draft, tracklet).state == "accepted":
        raise BadInput(f"Candidate {tracklet} is accepted already.")
    if object_id is None:
        object_id = _object_of(draft, row, expression)
    elif project.need(ObjectRow, object_id).clip != expression.clip:
        raise BadInput(f"Object {object_id} belongs to another clip.")
    draft.put(AnswerRow(object_id, expression.id))
    draft.put(VerdictRow(tracklet, "accepted", object_id))
    draft.put(replace(expression, no_target=False))
    return draft.edit(f"accept candidate {tracklet}")


def reject(project: Project, tracklet: int) -> Edit:
    """A person refuses a candidate. The object that it had become goes, unless other candidates were linked to it."""
    draft = Draft(project)
    _withdraw(draft, tracklet)
    draft.put(VerdictRow(tracklet, "rejected"))
    return draft.edit(f"reject candidate {tracklet}")


def reopen(project: Project, tracklet: int) -> Edit:
    """Takes a verdict back."""
    draft = Draft(project)
    _withdraw(draft, tracklet)
    draft.drop(VerdictRow, tracklet)
    return draft.edit(f"reopen candidate {tracklet}")


def _object_of(draft: Draft, row: TrackletRow, expression: ExpressionRow) -> int:
    """A new object with a tracklet's masks, labelled with the expression's category."""
    grounding = draft.find(GroundingRow, expression.id)
    category = grounding.category if grounding is not None and grounding.category else expression.text
    label = _label(draft, category)
    object_id = draft.next_id(ObjectRow)
    draft.put(ObjectRow(object_id, expression.clip, f"{category} {object_id}", label))
    clip = draft.find(ClipRow, expression.clip)
    assert clip is not None
    masks = unpack_masks(row.masks, clip.size)
    for frame in masks:
        draft.put(MaskRow(object_id, frame, masks.rle(frame).counts, row.provenance, row.sam))
    return object_id


def _withdraw(draft: Draft, tracklet: int) -> None:
    row = draft.project.need(TrackletRow, tracklet)
    verdict = _verdict(draft, tracklet)
    if verdict.state != "accepted" or verdict.object is None:
        return
    draft.put(VerdictRow(tracklet, "open"))
    others = [v for v in draft.project.where(VerdictRow, object=verdict.object) if v.tracklet != tracklet]
    if not others:
        if draft.project.locked(verdict.object):
            raise BadInput(f"Object {verdict.object} has locked frames: unlock them before it is removed.")
        _drop_object(draft, verdict.object)
    elif not any(draft.project.need(TrackletRow, v.tracklet).expression == row.expression for v in others):
        draft.drop(AnswerRow, verdict.object, row.expression)


# --- objects ------------------------------------------------------------------------------------------------


def add_object(project: Project, clip: int, label: str, expression: int | None = None) -> Edit:
    """An object without masks, as the first click makes it; it answers to `expression` if one is given."""
    project.need(ClipRow, clip)
    draft = Draft(project)
    name = _named(label, "label")
    object_id = draft.next_id(ObjectRow)
    draft.put(ObjectRow(object_id, clip, f"{name} {object_id}", _label(draft, name)))
    if expression is not None:
        if project.need(ExpressionRow, expression).clip != clip:
            raise BadInput(f"Expression {expression} belongs to another clip.")
        draft.put(AnswerRow(object_id, expression))
    return draft.edit(f"add object {object_id}")


@dataclass(frozen=True, slots=True)
class NewObject:
    """An object from elsewhere: its class, its masks by frame of the clip, and the expressions that it answers to."""

    label: str
    masks: Mapping[int, Rle]
    expressions: tuple[str, ...] = ()


def import_objects(
    project: Project, clip: int, objects: Sequence[NewObject], labels: Labels, texts: Iterable[str], details: str
) -> Edit:
    """Objects with masks that others have made, their classes and expressions; those that are there are not changed.

    Classes keep their ids where these are free. Raises BadInput when masks do not fit the clip, or when the same
    (by `details`) is there already.
    """
    row, draft = project.need(ClipRow, clip), Draft(project)
    source = _provenance(draft, "imported", details)
    there = {mask.object for mask in project.rows(MaskRow).values() if mask.provenance == source}
    if any(project.need(ObjectRow, thing).clip == clip for thing in there):
        raise BadInput(f"These labels of {row.path} are in the project already: remove their objects first.")
    known = _kept_labels(draft, [*labels.entries, *(Label(0, new.label) for new in objects)])
    asked = {text: _asked(draft, clip, text) for text in dict.fromkeys(Expression(text).text for text in texts)}
    for new in objects:
        object_id, label = draft.next_id(ObjectRow), _named(new.label, "label")
        draft.put(ObjectRow(object_id, clip, f"{label} {object_id}", known[label]))
        for text in new.expressions:
            draft.put(AnswerRow(object_id, asked[Expression(text).text]))
        for frame, rle in new.masks.items():
            if rle.size != row.size or not 0 <= frame < row.frames:
                raise BadInput(
                    f"A mask of {rle.size[1]}x{rle.size[0]} on frame {frame} does not fit {row.path}, which has "
                    f"{row.frames} frames of {row.width}x{row.height}."
                )
            draft.put(MaskRow(object_id, frame, rle.counts, source))
    return draft.edit(f"import {len(objects)} objects")


def remove_object(project: Project, object_id: int) -> Edit:
    """An object with all its masks, prompts and marks; candidates that became it are open again."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    _check_locked(project, object_id, project.locked(object_id))
    _drop_object(draft, object_id)
    return draft.edit(f"remove {row.name}")


def rename(project: Project, object_id: int, name: str) -> Edit:
    """Another name for an object."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    draft.put(replace(row, name=_named(name, "name")))
    return draft.edit(f"rename {row.name} to {name}")


def relabel(project: Project, object_id: int, label: str) -> Edit:
    """Another class for an object; a class that is new joins the list."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    draft.put(replace(row, label=_label(draft, _named(label, "label"))))
    return draft.edit(f"label {row.name} {label}")


def recolour(project: Project, object_id: int, colour: str) -> Edit:
    """Another colour, "#rrggbb", or "" for its own."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    if colour and not COLOUR.fullmatch(colour):
        raise BadInput(f'"{colour}" is no colour: give it as #rrggbb.')
    draft.put(replace(row, colour=colour.lower()))
    return draft.edit(f"recolour {row.name}")


def set_answer(project: Project, object_id: int, expression: int, answers: bool) -> Edit:
    """Whether an object answers to an expression of its clip."""
    row, asked, draft = project.need(ObjectRow, object_id), project.need(ExpressionRow, expression), Draft(project)
    if row.clip != asked.clip:
        raise BadInput(f"{row.name} and the expression belong to different clips.")
    if answers:
        draft.put(AnswerRow(object_id, expression))
        draft.put(replace(asked, no_target=False))
    else:
        draft.drop(AnswerRow, object_id, expression)
    return draft.edit(f'{row.name} {"answers" if answers else "does not answer"} to "{asked.text}"')


def merge(project: Project, keep: int, other: int) -> Edit:
    """Two objects are one: `other`'s masks and prompts fill the frames that `keep` does not have (or is absent on)."""
    kept, gone, draft = project.need(ObjectRow, keep), project.need(ObjectRow, other), Draft(project)
    if kept.clip != gone.clip or keep == other:
        raise BadInput(f"{kept.name} and {gone.name} cannot be merged: give two objects of one clip.")
    mine = project.masks(keep)
    free = {f for f in project.masks(other) if f not in mine or mine.absent(f)}
    _check_locked(project, keep, free)
    _move(draft, other, keep, free)
    for answer in project.where(AnswerRow, object=other):
        draft.put(AnswerRow(keep, answer.expression))
    for verdict in project.where(VerdictRow, object=other):
        draft.put(replace(verdict, object=keep))
    _drop_object(draft, other, verdicts=False)
    return draft.edit(f"merge {gone.name} into {kept.name}")


def split(project: Project, object_id: int, frame: int) -> Edit:
    """From `frame` on it is another object: masks, prompts and marks from there move to a new one."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    later = {f for f in project.masks(object_id) if f >= frame}
    if not later or len(later) == len(project.masks(object_id)):
        raise BadInput(f"{row.name} cannot be split at frame {frame}: it needs masks before and from there on.")
    _check_locked(project, object_id, later)
    new = draft.next_id(ObjectRow)
    label = project.need(LabelRow, row.label)
    draft.put(ObjectRow(new, row.clip, f"{label.name} {new}", row.label))
    for answer in project.where(AnswerRow, object=object_id):
        draft.put(AnswerRow(new, answer.expression))
    _move(draft, object_id, new, later | _framed(project, object_id, frame))
    return draft.edit(f"split {row.name} at frame {frame}")


def swap(project: Project, one: int, other: int, frame: int) -> Edit:
    """From `frame` on the two objects were taken for each other: masks, prompts and marks change places."""
    a, b, draft = project.need(ObjectRow, one), project.need(ObjectRow, other), Draft(project)
    if a.clip != b.clip or one == other:
        raise BadInput(f"{a.name} and {b.name} cannot be swapped: give two objects of one clip.")
    for owner in (one, other):
        _check_locked(project, owner, (f for f in project.locked(owner) if f >= frame))
    keys = (key for kind in FRAMED for key in project.rows(kind))
    for at in {int(at) for owner, at in keys if owner in (one, other) and int(at) >= frame}:
        for kind in FRAMED:
            found = {owner: project.find(kind, owner, at) for owner in (one, other)}
            _hand_over(draft, kind, found[one], other, at)
            _hand_over(draft, kind, found[other], one, at)
    return draft.edit(f"swap {a.name} and {b.name} from frame {frame} on")


# --- prompts and masks --------------------------------------------------------------------------------------


def set_prompt(project: Project, object_id: int, frame: int, points: Sequence[Point], box: Box | None = None) -> Edit:
    """What SAM2 is told of an object on a frame: adds, moves and takes away points; none at all removes the prompt."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    _check_frames(project, object_id, [frame])
    _check_locked(project, object_id, [frame])
    if points or box is not None:
        draft.put(prompt_row(project, object_id, frame, points, box))
    else:
        draft.drop(PromptRow, object_id, frame)
    return draft.edit(f"prompt {row.name} on frame {frame}")


def remove_prompt(project: Project, object_id: int, frame: int) -> Edit:
    """Takes the prompt of a frame back: the mask that it corrected is there again, or none if there was none."""
    row, prompt = project.need(ObjectRow, object_id), project.need(PromptRow, object_id, frame)
    _check_locked(project, object_id, [frame])
    draft = Draft(project)
    draft.drop(PromptRow, object_id, frame)
    if prompt.base is None:
        draft.drop(MaskRow, object_id, frame)
    else:
        draft.put(MaskRow(object_id, frame, prompt.base, _provenance(draft, "tracked", "{}")))
    _mark(draft, object_id, frame, reviewed=False, absent=False)
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
    _put_masks(draft, object_id, masks, _provenance(draft, origin, details))
    if origin in ("drawn", "imported"):
        for frame in masks:
            draft.drop(PromptRow, object_id, frame)
    if prompt is not None:
        if prompt.object != object_id:
            raise BadInput("The prompt belongs to another object.")
        _check_frames(project, object_id, [prompt.frame])
        draft.put(prompt)
    return draft.edit(f"{origin} masks of {row.name} {_span(masks)}")


def replace_tracked(project: Project, masks: Mapping[int, Mapping[int, NewMask]], details: str) -> Edit:
    """What one tracking job found, for all its objects (masks by object and frame): one edit."""
    draft = Draft(project)
    source = _provenance(draft, "tracked", details)
    for object_id, found in masks.items():
        _put_masks(draft, object_id, found, source)
    names = ", ".join(project.need(ObjectRow, object_id).name for object_id in masks)
    return draft.edit(f"track {names} {_span({frame for found in masks.values() for frame in found})}")


def _put_masks(draft: Draft, object_id: int, masks: Mapping[int, NewMask], source: int) -> None:
    project = draft.project
    size = project.clip_of(object_id).size
    _check_frames(project, object_id, masks)
    _check_locked(project, object_id, masks)
    for frame, mask in masks.items():
        if mask.rle.size != size:
            raise BadInput(f"The mask of frame {frame} is {mask.rle.size}, the clip is {size}: resize it.")
        before = draft.find(MaskRow, object_id, frame)
        draft.put(MaskRow(object_id, frame, mask.rle.counts, source, mask.iou, mask.present))
        if before is None or before.counts != mask.rle.counts:
            _mark(draft, object_id, frame, reviewed=False, absent=False)


def revert_frames(project: Project, done: Edit, object_id: int, frames: Iterable[int]) -> Edit:
    """Takes back what an edit did to an object on some frames; what it did elsewhere stays.

    Raises BadInput when one of them is locked, or was changed again since.
    """
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), set(frames)
    _check_locked(project, object_id, chosen)
    for change in done.changes:
        if change.kind not in FRAMED or change.key[0] != object_id or change.key[1] not in chosen:
            continue
        if project.find(change.kind, *change.key) != change.after:
            raise BadInput(f"Frame {change.key[1]} of {row.name} was changed again since: undo that first.")
        if change.before is None:
            draft.drop(change.kind, *change.key)
        else:
            draft.put(change.before)
    return draft.edit(f"revert {row.name} {_span(chosen)}")


def delete_masks(project: Project, object_id: int, frames: Iterable[int]) -> Edit:
    """Masks and prompts on these frames: the object is unknown there again."""
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), sorted(set(frames))
    _check_locked(project, object_id, chosen)
    for frame in chosen:
        draft.drop(MaskRow, object_id, frame)
        draft.drop(PromptRow, object_id, frame)
        _mark(draft, object_id, frame, reviewed=False, absent=False)
    return draft.edit(f"delete masks of {row.name} {_span(chosen)}")


def copy_mask(project: Project, object_id: int, source: int, target: int) -> Edit:
    """The mask of one frame on another, as drawn by a person."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    mask = project.need(MaskRow, object_id, source)
    _check_frames(project, object_id, [target])
    _check_locked(project, object_id, [target])
    made = _provenance(draft, "drawn", f'{{"copied_from_frame": {source}}}')
    draft.put(MaskRow(object_id, target, mask.counts, made))
    draft.drop(PromptRow, object_id, target)
    _mark(draft, object_id, target, reviewed=False, absent=False)
    return draft.edit(f"copy mask of {row.name} from frame {source} to {target}")


def mark_absent(project: Project, object_id: int, frames: Iterable[int]) -> Edit:
    """A person's word that the object is not to be seen on these frames: empty masks."""
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), sorted(set(frames))
    _check_frames(project, object_id, chosen)
    _check_locked(project, object_id, chosen)
    empty = Rle.empty(project.clip_of(object_id).size).counts
    source = _provenance(draft, "drawn", "{}")
    for frame in chosen:
        draft.put(MaskRow(object_id, frame, empty, source))
        draft.drop(PromptRow, object_id, frame)
        _mark(draft, object_id, frame, absent=True)
    return draft.edit(f"{row.name} is absent {_span(chosen)}")


def set_locked(project: Project, object_id: int, frames: Iterable[int], locked: bool = True) -> Edit:
    """Locks frames of an object against every change, or unlocks them."""
    return _marked(project, object_id, frames, "lock" if locked else "unlock", locked=locked)


def set_reviewed(project: Project, object_id: int, frames: Iterable[int], reviewed: bool = True) -> Edit:
    """A person has seen these frames of an object and found them right (or takes that back)."""
    return _marked(project, object_id, frames, "reviewed:" if reviewed else "not reviewed:", reviewed=reviewed)


def _marked(project: Project, object_id: int, frames: Iterable[int], word: str, **said: bool) -> Edit:
    row, draft, chosen = project.need(ObjectRow, object_id), Draft(project), sorted(set(frames))
    _check_frames(project, object_id, chosen)
    for frame in chosen:
        _mark(draft, object_id, frame, **said)
    return draft.edit(f"{word} {row.name} {_span(chosen)}")


# --- helpers ------------------------------------------------------------------------------------------------


def _named(text: str, what: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise BadInput(f"An empty {what} helps nobody: write something.")
    return name


def _label(draft: Draft, name: str) -> int:
    """The id of a label, added when it is not in the list."""
    for row in draft.project.rows(LabelRow).values():
        if row.name == name:
            return row.id
    label = LabelRow(draft.next_id(LabelRow), name)
    draft.put(label)
    return label.id


def _kept_labels(draft: Draft, labels: Iterable[Label]) -> dict[str, int]:
    """Name -> id of classes from elsewhere: those of the list; others join it, under their own ids where free."""
    ids = {row.name: row.id for row in draft.project.rows(LabelRow).values()}
    for label in labels:
        name = _named(label.name, "label")
        if name in ids:
            continue
        if 0 < label.id < LARGEST_LABEL and label.id not in ids.values():
            counter = draft.find(CounterRow, NAMES[LabelRow]) or CounterRow(NAMES[LabelRow], 1)
            draft.put(replace(counter, next=max(counter.next, label.id + 1)))
            ids[name] = label.id
        else:
            ids[name] = draft.next_id(LabelRow)
        draft.put(LabelRow(ids[name], name))
    return ids


def _asked(draft: Draft, clip: int, text: str) -> int:
    """The id of an expression of a clip, added when it is not there."""
    known = next((row.id for row in draft.project.where(ExpressionRow, clip=clip, text=text)), None)
    if known is None:
        known = draft.next_id(ExpressionRow)
        draft.put(ExpressionRow(known, clip, text))
    return known


def _verdict(draft: Draft, tracklet: int) -> VerdictRow:
    draft.project.need(TrackletRow, tracklet)
    return draft.find(VerdictRow, tracklet) or VerdictRow(tracklet, "open")


def _provenance(draft: Draft, origin: Origin, details: str) -> int:
    """The id of where masks come from; equal sources share a row."""
    for row in draft.project.rows(ProvenanceRow).values():
        if (row.origin, row.details) == (origin, details):
            return row.id
    new = ProvenanceRow(draft.next_id(ProvenanceRow), origin, details)
    draft.put(new)
    return new.id


def _mark(draft: Draft, object_id: int, frame: int, **said: bool) -> None:
    mark = replace(draft.find(MarkRow, object_id, frame) or MarkRow(object_id, frame), **said)
    if mark.says_nothing:
        draft.drop(MarkRow, object_id, frame)
    else:
        draft.put(mark)


def _check_frames(project: Project, object_id: int, frames: Iterable[int]) -> None:
    count = project.clip_of(object_id).frames
    beyond = [frame for frame in frames if not 0 <= frame < count]
    if beyond:
        raise BadInput(f"There is no frame {beyond[0]}: the clip has {count}, counted from 0.")


def _check_locked(project: Project, object_id: int, frames: Iterable[int]) -> None:
    shut = sorted(project.locked(object_id) & set(frames))
    if shut:
        name = project.need(ObjectRow, object_id).name
        raise BadInput(f"{name} is locked {_span(shut)}: unlock it there first.")


def _framed(project: Project, object_id: int, frame: int) -> set[int]:
    """The frames from `frame` on where an object has a prompt or a mark."""
    keys = (*project.rows(PromptRow), *project.rows(MarkRow))
    return {int(at) for owner, at in keys if owner == object_id and int(at) >= frame}


def _move(draft: Draft, source: int, target: int, frames: Iterable[int]) -> None:
    """Masks, prompts and marks of one object on these frames become another's."""
    for frame in frames:
        for kind in FRAMED:
            draft.drop(kind, source, frame)
            _hand_over(draft, kind, draft.project.find(kind, source, frame), target, frame)


def _hand_over(draft: Draft, kind: type[FramedRow], row: FramedRow | None, target: int, frame: int) -> None:
    """A mask, prompt or mark of another object becomes that of `target`; so does there being none."""
    if row is None:
        draft.drop(kind, target, frame)
    else:
        draft.put(replace(row, object=target))


def _drop_object(draft: Draft, object_id: int, *, verdicts: bool = True) -> None:
    for kind in (MaskRow, PromptRow, MarkRow, AnswerRow):
        for key in draft.project.rows(kind):
            if key[0] == object_id:
                draft.drop(kind, *key)
    if verdicts:
        for verdict in draft.project.where(VerdictRow, object=object_id):
            draft.drop(VerdictRow, verdict.tracklet)
    draft.drop(ObjectRow, object_id)


def _drop_expression(draft: Draft, expression: int) -> None:
    for tracklet in draft.project.where(TrackletRow, expression=expression):
        draft.drop(VerdictRow, tracklet.id)
        draft.drop(TrackletRow, tracklet.id)
    for answer in draft.project.where(AnswerRow, expression=expression):
        draft.drop(AnswerRow, answer.object, expression)
    draft.drop(GroundingRow, expression)
    draft.drop(ExpressionRow, expression)


def _span(frames: Iterable[int]) -> str:
    listed = sorted(frames)
    if not listed:
        return "on no frame"
    return f"on frame {listed[0]}" if len(listed) == 1 else f"on {len(listed)} frames from {listed[0]} to {listed[-1]}"


def tracklet_masks(project: Project, tracklet: int) -> Masks:
    """The masks of a candidate on the frames that it knows."""
    row = project.need(TrackletRow, tracklet)
    clip = project.need(ClipRow, project.need(ExpressionRow, row.expression).clip)
    return unpack_masks(row.masks, clip.size)
