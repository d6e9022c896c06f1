"""What persons said of a project's candidates, expression by expression, and many accepted by their score at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from decaf_gui.core.calibration import Decision
from decaf_gui.core.entities import Scoring
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.edits import Edit
from decaf_gui.core.project.rows import (
    AnswerRow,
    Change,
    ExpressionRow,
    Key,
    Project,
    Row,
    State,
    TrackletRow,
    VerdictRow,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate that the scores selected: its score, and what was said of it.

    `above` is the score from which on it was accepted without being looked at, None where a person judged it.
    """

    tracklet: int
    score: float
    scoring: Scoring
    state: State = "open"
    above: float | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An expression with the candidates that the scores selected; `answers` are objects that answer to it."""

    id: int
    text: str
    no_target: bool
    answers: int
    candidates: tuple[Candidate, ...]

    @property
    def waiting(self) -> int:
        """How many candidates wait for a word."""
        return 0 if self.no_target else sum(candidate.state == "open" for candidate in self.candidates)

    @property
    def reviewed(self) -> bool:
        """Whether all has been said: of each candidate; where there is none, what the target is, or that none is."""
        return self.no_target or (not self.waiting and bool(self.candidates or self.answers))

    def decisions(self, scoring: Scoring) -> list[Decision]:
        """What persons decided on candidates scored in this way; without a target, none of them was right.

        Candidates that were accepted by their score alone are no decisions.
        """
        return [
            Decision(candidate.score, candidate.state == "accepted")
            for candidate in self.candidates
            if candidate.scoring == scoring
            and candidate.above is None
            and (candidate.state != "open" or self.no_target)
        ]


def asked_of(project: Project) -> tuple[Asked, ...]:
    """The expressions of a project (or a `glance` at one), in the order in which they were asked."""
    candidates: dict[int, list[Candidate]] = {}
    for row in project.where(TrackletRow, selected=True, suppressed=False):
        verdict = project.find(VerdictRow, row.id) or VerdictRow(row.id, "open")
        found = Candidate(row.id, row.scores.total, row.scoring, verdict.state, verdict.above)
        candidates.setdefault(row.expression, []).append(found)
    answers: dict[int, int] = {}
    for answer in project.rows(AnswerRow).values():
        answers[answer.expression] = answers.get(answer.expression, 0) + 1
    return tuple(
        Asked(row.id, row.text, row.no_target, answers.get(row.id, 0), tuple(candidates.get(row.id, ())))
        for row in project.where(ExpressionRow)
    )


def accept_above(project: Project, tracklets: Iterable[int], threshold: float) -> Edit:
    """Accepts those of the candidates that still wait and reach a score, as one edit; verdicts keep the threshold.

    A candidate that covers an object of its clip is linked to it, as `edits.OVERLAP` has it, others become objects.
    Raises BadInput when none of them waits any more.
    """
    after, made = project, []
    for tracklet in tracklets:
        row = after.find(TrackletRow, tracklet)
        if row is None or row.scores.total < threshold or not _waits(after, row):
            continue
        likely = edits.likely_objects(after, tracklet)
        edit = edits.accept(after, tracklet, likely[0][0] if likely else None)
        after = edit.apply(after)
        verdict = after.need(VerdictRow, tracklet)
        marked = replace(verdict, above=threshold)
        change = Change(VerdictRow, verdict.key, verdict, marked)
        after = after.changed([change])
        made += [*edit.changes, change]
    if not made:
        raise BadInput("None of these candidates waits for a word any more.")
    return Edit(f"accept candidates above {threshold:g}", _joined(made))


def _waits(project: Project, row: TrackletRow) -> bool:
    """Whether nobody has spoken of a candidate, nor said that its expression has no target."""
    verdict = project.find(VerdictRow, row.id)
    return (verdict is None or verdict.state == "open") and not project.need(ExpressionRow, row.expression).no_target


def _joined(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes that follow each other, each row from what it was at first to what it is in the end."""
    found: dict[tuple[type[Row], Key], Change] = {}
    for change in changes:
        place = (change.kind, change.key)
        first = found.get(place, change)
        found[place] = Change(change.kind, change.key, first.before, change.after)
    return tuple(change for change in found.values() if change.before != change.after)
