"""Edits of whole objects: made, taken over, named, merged, split, swapped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from decaf_gui.core.entities import Expression, Label, Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Rle
from decaf_gui.core.project.edits.draft import Draft, Edit
from decaf_gui.core.project.edits.parts import (
    FRAMED,
    FramedRow,
    check_locked,
    drop_object,
    expression_id,
    label_id,
    named,
    provenance_id,
)
from decaf_gui.core.project.rows import (
    NAMES,
    AnswerRow,
    ClipRow,
    CounterRow,
    ExpressionRow,
    LabelRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    Project,
    PromptRow,
    VerdictRow,
)

COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
LARGEST_LABEL = 1 << 31
"""Class ids from elsewhere are kept below it."""


def add_object(project: Project, clip: int, label: str, expression: int | None = None) -> Edit:
    """An object without masks, as the first click makes it; it answers to `expression` if one is given."""
    project.need(ClipRow, clip)
    draft = Draft(project)
    name = named(label, "label")
    object_id = draft.next_id(ObjectRow)
    draft.put(ObjectRow(object_id, clip, f"{name} {object_id}", label_id(draft, name)))
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
    source = provenance_id(draft, "imported", details)
    there = {mask.object for mask in project.rows(MaskRow).values() if mask.provenance == source}
    if any(project.need(ObjectRow, thing).clip == clip for thing in there):
        raise BadInput(f"These labels of {row.path} are in the project already: remove their objects first.")
    known = _kept_labels(draft, [*labels.entries, *(Label(0, new.label) for new in objects)])
    asked = {text: expression_id(draft, clip, text) for text in dict.fromkeys(Expression(text).text for text in texts)}
    for new in objects:
        object_id, label = draft.next_id(ObjectRow), named(new.label, "label")
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
    check_locked(project, object_id, project.locked(object_id))
    drop_object(draft, object_id)
    return draft.edit(f"remove {row.name}")


def rename(project: Project, object_id: int, name: str) -> Edit:
    """Another name for an object."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    draft.put(replace(row, name=named(name, "name")))
    return draft.edit(f"rename {row.name} to {name}")


def relabel(project: Project, object_id: int, label: str) -> Edit:
    """Another class for an object; a class that is new joins the list."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    draft.put(replace(row, label=label_id(draft, named(label, "label"))))
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
    check_locked(project, keep, free)
    _move(draft, other, keep, free)
    for answer in project.where(AnswerRow, object=other):
        draft.put(AnswerRow(keep, answer.expression))
    for verdict in project.where(VerdictRow, object=other):
        draft.put(replace(verdict, object=keep))
    drop_object(draft, other, verdicts=False)
    return draft.edit(f"merge {gone.name} into {kept.name}")


def split(project: Project, object_id: int, frame: int) -> Edit:
    """From `frame` on it is another object: masks, prompts and marks from there move to a new one."""
    row, draft = project.need(ObjectRow, object_id), Draft(project)
    later = {f for f in project.masks(object_id) if f >= frame}
    if not later or len(later) == len(project.masks(object_id)):
        raise BadInput(f"{row.name} cannot be split at frame {frame}: it needs masks before and from there on.")
    check_locked(project, object_id, later)
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
        check_locked(project, owner, (f for f in project.locked(owner) if f >= frame))
    keys = (key for kind in FRAMED for key in project.rows(kind))
    for at in {int(at) for owner, at in keys if owner in (one, other) and int(at) >= frame}:
        for kind in FRAMED:
            found = {owner: project.find(kind, owner, at) for owner in (one, other)}
            _hand_over(draft, kind, found[one], other, at)
            _hand_over(draft, kind, found[other], one, at)
    return draft.edit(f"swap {a.name} and {b.name} from frame {frame} on")


def _kept_labels(draft: Draft, labels: Iterable[Label]) -> dict[str, int]:
    """Name -> id of classes from elsewhere: those of the list; others join it, under their own ids where free."""
    ids = {row.name: row.id for row in draft.project.rows(LabelRow).values()}
    for label in labels:
        name = named(label.name, "label")
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
