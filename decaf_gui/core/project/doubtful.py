"""How doubtful a project's masks are: everything that its rows know of an object, put to `core.doubt`."""

from __future__ import annotations

from decaf_gui.core.doubt import Doubt, doubts
from decaf_gui.core.project.rows import AnswerRow, MaskRow, Project


def object_doubts(project: Project, object_id: int) -> dict[int, Doubt]:
    """The doubt about an object on each of its frames, with the attention of an expression that it answers to."""
    rows = list(project.where(MaskRow, object=object_id))
    ious = {row.frame: row.iou for row in rows if row.iou is not None}
    present = {row.frame: row.present for row in rows if row.present is not None}
    answers = (project.attention(answer.expression) for answer in project.where(AnswerRow, object=object_id))
    maps, sampled = next((found for found in answers if found is not None), None) or (None, ())
    return doubts(project.masks(object_id), ious, present, maps, sampled)
