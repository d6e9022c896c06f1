"""How far the work is: of each expression and each clip, read from the project's rows alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from decaf_gui.core.project.rows import (
    AnswerRow,
    ClipRow,
    ExpressionRow,
    GroundingRow,
    ObjectRow,
    Project,
    TrackletRow,
    VerdictRow,
)

Progress = Literal["new", "to judge", "judged", "no target"]


@dataclass(frozen=True, slots=True)
class AskedFor:
    """One expression: candidates that wait for a word, objects that answer to it.

    "new": nothing was proposed yet. "to judge": selected candidates wait. "judged": all have a verdict.
    """

    id: int
    text: str
    progress: Progress
    waiting: int
    answers: int


@dataclass(frozen=True, slots=True)
class ClipState:
    """One clip: its objects, its expressions, how many candidates wait."""

    id: int
    path: str
    frames: int
    objects: int
    asked: tuple[AskedFor, ...]

    @property
    def waiting(self) -> int:
        """Candidates that wait for a word."""
        return sum(entry.waiting for entry in self.asked)

    @property
    def done(self) -> bool:
        """Whether everything that was asked has its answer; where nothing was asked, whether there is an object."""
        answered = all(entry.progress in ("judged", "no target") for entry in self.asked)
        return answered and bool(self.asked or self.objects)


def expressions_of(project: Project, clip: int) -> list[AskedFor]:
    """The expressions of a clip, in the order in which they were asked."""
    return [_asked(project, row) for row in project.where(ExpressionRow, clip=clip)]


def clip_states(project: Project) -> list[ClipState]:
    """All clips, in the order in which they were added."""
    return [
        ClipState(
            row.id,
            row.path,
            row.frames,
            sum(1 for _ in project.where(ObjectRow, clip=row.id)),
            tuple(expressions_of(project, row.id)),
        )
        for row in project.where(ClipRow)
    ]


def _asked(project: Project, row: ExpressionRow) -> AskedFor:
    candidates = [t for t in project.where(TrackletRow, expression=row.id) if t.selected and not t.suppressed]
    waiting = sum(project.find(VerdictRow, t.id) is None for t in candidates)
    answers = sum(1 for _ in project.where(AnswerRow, expression=row.id))
    progress: Progress = "judged"
    if row.no_target:
        progress = "no target"
    elif waiting:
        progress = "to judge"
    elif not answers and project.find(GroundingRow, row.id) is None:
        progress = "new"
    return AskedFor(row.id, row.text, progress, waiting, answers)
