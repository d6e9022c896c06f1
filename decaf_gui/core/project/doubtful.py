"""How doubtful a project's masks are: everything that its rows know of an object, put to `core.doubt`."""

from __future__ import annotations

from decaf_gui.core.doubt import Doubt, doubts
from decaf_gui.core.project.edits import tracklet_masks
from decaf_gui.core.project.rows import AnswerRow, MaskRow, Project, TrackletRow, VerdictRow


def object_doubts(project: Project, object_id: int) -> dict[int, Doubt]:
    """The doubt about an object on each of its frames, with the attention of an expression that it answers to."""
    rows = list(project.where(MaskRow, object=object_id))
    ious = {row.frame: row.iou for row in rows if row.iou is not None}
    present = {row.frame: row.present for row in rows if row.present is not None}
    answers = (project.attention(answer.expression) for answer in project.where(AnswerRow, object=object_id))
    maps, sampled = next((found for found in answers if found is not None), None) or (None, ())
    return doubts(project.masks(object_id), ious, present, maps, sampled)


def candidate_doubts(project: Project, tracklet: int) -> dict[int, Doubt]:
    """The doubt about a candidate on each frame that its masks are known on, as it would be once it is accepted."""
    row, masks = project.need(TrackletRow, tracklet), tracklet_masks(project, tracklet)
    maps, sampled = project.attention(row.expression) or (None, ())
    return doubts(masks, dict.fromkeys(masks, row.sam), None, maps, sampled)


def doubtful_frame(project: Project, expression: int) -> int | None:
    """The most doubtful frame of the selected candidates that wait for a word; None when none waits."""
    rows = project.where(TrackletRow, expression=expression, selected=True)
    waiting = [row.id for row in rows if project.find(VerdictRow, row.id) is None]
    found = [(doubt.total, -frame) for thing in waiting for frame, doubt in candidate_doubts(project, thing).items()]
    return -max(found)[1] if found else None
