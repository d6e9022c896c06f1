"""Edits of proposals, and verdicts on their candidates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from decaf_gui.core.entities import Grounding, Tracklet
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks
from decaf_gui.core.project.edits.draft import Draft, Edit
from decaf_gui.core.project.edits.parts import drop_object, label_id, provenance_id
from decaf_gui.core.project.rows import (
    AnswerRow,
    ClipRow,
    ExpressionRow,
    GroundingRow,
    MaskRow,
    ObjectRow,
    Project,
    TrackletRow,
    VerdictRow,
    pack_maps,
    pack_masks,
    unpack_masks,
)

OVERLAP = 0.7
"""A tracklet that overlaps an object by more (clip IoU) is probably that object."""


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
    source = provenance_id(draft, "proposed", details)
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
    label = label_id(draft, category)
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
        drop_object(draft, verdict.object)
    elif not any(draft.project.need(TrackletRow, v.tracklet).expression == row.expression for v in others):
        draft.drop(AnswerRow, verdict.object, row.expression)


def _verdict(draft: Draft, tracklet: int) -> VerdictRow:
    draft.project.need(TrackletRow, tracklet)
    return draft.find(VerdictRow, tracklet) or VerdictRow(tracklet, "open")


def tracklet_masks(project: Project, tracklet: int) -> Masks:
    """The masks of a candidate on the frames that it knows."""
    row = project.need(TrackletRow, tracklet)
    clip = project.need(ClipRow, project.need(ExpressionRow, row.expression).clip)
    return unpack_masks(row.masks, clip.size)
