"""What several edits need: ids of named rows, checks, and rows that go together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from decaf_gui.core.errors import BadInput
from decaf_gui.core.project.edits.draft import Draft
from decaf_gui.core.project.rows import (
    AnswerRow,
    ExpressionRow,
    GroundingRow,
    LabelRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    Origin,
    Project,
    PromptRow,
    ProvenanceRow,
    TrackletRow,
    VerdictRow,
)

FramedRow = MaskRow | PromptRow | MarkRow
FRAMED: tuple[type[FramedRow], ...] = (MaskRow, PromptRow, MarkRow)
"""What an object has on a frame."""


def named(text: str, what: str) -> str:
    """A name without needless space. Raises BadInput where none is left."""
    name = " ".join(text.split())
    if not name:
        raise BadInput(f"An empty {what} helps nobody: write something.")
    return name


def label_id(draft: Draft, name: str) -> int:
    """The id of a label, added when it is not in the list."""
    for row in draft.project.rows(LabelRow).values():
        if row.name == name:
            return row.id
    label = LabelRow(draft.next_id(LabelRow), name)
    draft.put(label)
    return label.id


def expression_id(draft: Draft, clip: int, text: str) -> int:
    """The id of an expression of a clip, added when it is not there."""
    known = next((row.id for row in draft.project.where(ExpressionRow, clip=clip, text=text)), None)
    if known is None:
        known = draft.next_id(ExpressionRow)
        draft.put(ExpressionRow(known, clip, text))
    return known


def provenance_id(draft: Draft, origin: Origin, details: str) -> int:
    """The id of where masks come from; equal sources share a row."""
    for row in draft.project.rows(ProvenanceRow).values():
        if (row.origin, row.details) == (origin, details):
            return row.id
    new = ProvenanceRow(draft.next_id(ProvenanceRow), origin, details)
    draft.put(new)
    return new.id


def mark(draft: Draft, object_id: int, frame: int, **said: bool) -> None:
    """Says more of an object on a frame; a mark that says nothing any more goes."""
    mark = replace(draft.find(MarkRow, object_id, frame) or MarkRow(object_id, frame), **said)
    if mark.says_nothing:
        draft.drop(MarkRow, object_id, frame)
    else:
        draft.put(mark)


def check_frames(project: Project, object_id: int, frames: Iterable[int]) -> None:
    """Raises BadInput for frames beyond the clip."""
    count = project.clip_of(object_id).frames
    beyond = [frame for frame in frames if not 0 <= frame < count]
    if beyond:
        raise BadInput(f"There is no frame {beyond[0]}: the clip has {count}, counted from 0.")


def check_locked(project: Project, object_id: int, frames: Iterable[int]) -> None:
    """Raises BadInput where the object is locked on one of the frames."""
    shut = sorted(project.locked(object_id) & set(frames))
    if shut:
        name = project.need(ObjectRow, object_id).name
        raise BadInput(f"{name} is locked {span(shut)}: unlock it there first.")


def drop_object(draft: Draft, object_id: int, *, verdicts: bool = True) -> None:
    """An object with all that it has; with `verdicts`, those on its candidates are open again."""
    for kind in (MaskRow, PromptRow, MarkRow, AnswerRow):
        for key in draft.project.rows(kind):
            if key[0] == object_id:
                draft.drop(kind, *key)
    if verdicts:
        for verdict in draft.project.where(VerdictRow, object=object_id):
            draft.drop(VerdictRow, verdict.tracklet)
    draft.drop(ObjectRow, object_id)


def drop_expression(draft: Draft, expression: int) -> None:
    """An expression with its candidates."""
    for tracklet in draft.project.where(TrackletRow, expression=expression):
        draft.drop(VerdictRow, tracklet.id)
        draft.drop(TrackletRow, tracklet.id)
    for answer in draft.project.where(AnswerRow, expression=expression):
        draft.drop(AnswerRow, answer.object, expression)
    draft.drop(GroundingRow, expression)
    draft.drop(ExpressionRow, expression)


def span(frames: Iterable[int]) -> str:
    """Frames in words."""
    listed = sorted(frames)
    if not listed:
        return "on no frame"
    return f"on frame {listed[0]}" if len(listed) == 1 else f"on {len(listed)} frames from {listed[0]} to {listed[-1]}"
