"""A method on a dataset's split, or masks that there are already: predict, score, average; a generator of events.

A run's folder holds `scores.jsonl` (what is scored) and, unless masks were given, `predictions/` in the dataset's own
layout. A run that was killed goes on: masks that are there are not predicted again, scored ones not scored again.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.masks import Masks
from decaf_gui.evaluation.ledger import Ledger, stamp_of
from decaf_gui.evaluation.methods import Answer, Method
from decaf_gui.evaluation.protocols import Protocol, Summary
from decaf_gui.evaluation.scoring import Fault, ObjectOutcome, Outcome, absent, masks_folder, score, score_turn
from decaf_gui.formats.pngs import save_mask
from decaf_gui.formats.rvos.base import Ask, Problem, Split, Video

log = logging.getLogger(__name__)
LEDGER, PREDICTIONS, PARTIAL = "scores.jsonl", "predictions", ".partial"
Failures = dict[str, tuple[Fault, str]]
"""Folder of an expression -> what kept it from being predicted."""


@dataclass(frozen=True)
class Run:
    """What is evaluated: `method` predicts, or the masks in the folder `given` are scored (just one of both).

    `limit` takes the first videos only.
    """

    split: Split
    folder: Path
    protocols: tuple[Protocol, ...]
    method: Method | None = None
    given: Path | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        if (self.method is None) == (self.given is None):
            raise BadInput("Give either a method or --predictions.")
        if self.given is not None and not self.given.is_dir():
            raise BadInput(f"There is no folder {self.given} with predictions.")

    @property
    def predictions(self) -> Path:
        """The root of all predicted masks."""
        return self.given or self.folder / PREDICTIONS

    @property
    def videos(self) -> Sequence[Video]:
        """Those that are evaluated."""
        return self.split.videos[: self.limit]

    @property
    def identity(self) -> dict[str, Any]:
        """What decides about the results: only a run with the same one goes on in its folder."""
        data = {"dataset": self.split.dataset.name, "split": self.split.name, "root": str(self.split.root.resolve())}
        if self.method is not None:
            return {**data, "method": self.method.name, **self.method.identity}
        return {**data, "predictions": str(self.predictions.resolve())}


@dataclass(frozen=True, slots=True)
class Scored(Event):
    """One expression is done, well or not; without measures and without a fault: its masks are there, that is all."""

    outcome: Outcome


@dataclass(frozen=True)
class Report:
    """What came out: every expression, every object of label maps, the averages, and what could not be read."""

    dataset: str
    split: str
    made_by: Mapping[str, Any]
    outcomes: tuple[Outcome, ...]
    objects: tuple[ObjectOutcome, ...]
    summaries: tuple[Summary, ...]
    problems: tuple[Problem, ...]
    public: bool
    complete: bool

    @property
    def failures(self) -> tuple[Problem, ...]:
        """All that could not be read, predicted or scored, and why."""
        failed = tuple(Problem(o.video, o.id, o.problem) for o in self.outcomes if o.fault)
        return (*self.problems, *failed)


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The last event of a run."""

    report: Report


def evaluate(run: Run) -> Iterator[Event]:
    """`Stage`s, the method's too, one `Scored` per expression, `Finished` last.

    What fails is listed with its reason, the rest goes on; only what concerns everything raises: BadInput when the
    folder holds another run, DecafError when masks cannot be written. Closing it loses nothing that was scored.
    """
    ledger = Ledger.open(run.folder / LEDGER, run.identity)
    outcomes: list[Outcome] = []
    objects: list[ObjectOutcome] = []
    problems = list(run.split.problems)
    spoilt = {problem.video for problem in problems}
    for done, video in enumerate(run.videos):
        yield Stage("evaluate", done, len(run.videos), video.name)
        failures: Failures = {}
        if run.method is not None:
            yield from _predict(run, run.method, video, failures)
        found = [_outcome(run, ask, ledger, failures) for ask in video.asks]
        for outcome in found:
            yield Scored(outcome)
        outcomes += found
        if run.split.public and video.name not in spoilt:
            objects += _objects(run, video, ledger, problems)
    yield Stage("evaluate", len(run.videos), len(run.videos))
    yield Finished(_report(run, outcomes, objects, problems))


def _predict(run: Run, method: Method, video: Video, failures: Failures) -> Iterator[Event]:
    """Writes the masks of the expressions that have none yet."""
    waiting = [ask for ask in video.asks if not (run.predictions / ask.folder).is_dir()]
    if not waiting:
        return
    try:
        clip = video.open()
    except BadInput as error:
        failures.update({ask.folder: ("dataset", str(error)) for ask in waiting})
        return
    with clip:
        for number, ask in enumerate(waiting):
            yield Stage("expressions", number, len(waiting), ask.text, within=True)
            answer = yield from _answer(method, clip, ask, failures)
            if answer is not None:
                write_masks(answer, video, ask, run)
    method.free()


def _answer(method: Method, clip: Clip, ask: Ask, failures: Failures) -> Generator[Event, None, Masks | None]:
    """The method's stages (a log of thousands of expressions leaves them out), and its masks as the return value.

    What it raises becomes a failure of this expression.
    """
    found: Masks | None = None
    try:
        for event in method.predict(clip, ask.text):
            if isinstance(event, Answer):
                found = event.masks
            elif isinstance(event, Stage):
                yield replace(event, within=True)
        lacking = [i for i in range(len(clip)) if found is None or i not in found]
        if lacking:
            raise DecafError(f"{method.name} gave no mask of frame {lacking[0]}.")
    except Exception as error:  # whatever it is, the other expressions are not to suffer
        log.warning("%s: %s", ask.folder, error, exc_info=True)
        told = str(error) if isinstance(error, DecafError) else f"{type(error).__name__}: {error}"
        failures[ask.folder] = ("expression", " ".join(told.split()))
        return None
    return found


def write_masks(masks: Masks, video: Video, ask: Ask, run: Run) -> None:
    """One PNG per listed frame, made aside: the folder gets its name when all are there. Raises DecafError."""
    work, target = run.folder / PARTIAL / "masks", run.predictions / ask.folder
    try:
        if work.exists():
            shutil.rmtree(work)
        work.mkdir(parents=True)
        for index, frame in enumerate(video.frames):
            save_mask(np.ascontiguousarray(masks[index]), work / f"{frame}.png", run.split.dataset.ink)
        target.parent.mkdir(parents=True, exist_ok=True)
        work.replace(target)
        work.parent.rmdir()
    except OSError as error:
        raise DecafError(f"Masks cannot be written to {target}: {error.strerror or error}.") from error


def _outcome(run: Run, ask: Ask, ledger: Ledger, failures: Failures) -> Outcome:
    """Scored, remembered, or what was wrong."""
    if ask.folder in failures:
        fault, problem = failures[ask.folder]
        if fault != "dataset":
            fault = absent(ask, run.predictions)[0] or fault
        return Outcome(ask.video, ask.id, ask.text, ask.kind, {}, fault, problem, ask.folder)
    if ask.truth is None:
        fault, problem = absent(ask, run.predictions)
        return Outcome(ask.video, ask.id, ask.text, ask.kind, {}, fault, problem, ask.folder)
    stamp = stamp_of(masks_folder(ask, run.predictions))
    known = ledger.find(ask.folder, stamp)
    if known is not None:
        return Outcome(ask.video, ask.id, ask.text, ask.kind, known, folder=ask.folder)
    outcome = score(ask, run.predictions)
    if outcome.scored:
        ledger.add(ask.folder, stamp, dict(outcome.measures))
    return outcome


def _objects(run: Run, video: Video, ledger: Ledger, problems: list[Problem]) -> Iterator[ObjectOutcome]:
    """The objects of the video's label maps, under the rules of those protocols that want them.

    A video counts as a whole or not at all.
    """
    turns = sorted({ask.turn for ask in video.asks} - {""})
    for task in sorted({p.task for p in run.protocols if p.task is not None}):
        found: list[ObjectOutcome] = []
        try:
            for turn in turns:
                asks = [ask for ask in video.asks if ask.turn == turn]
                stamp = [number for ask in asks for number in stamp_of(masks_folder(ask, run.predictions))]
                key = f"{task}:{video.name}:{turn}"
                known = ledger.find(key, stamp)
                if known is None:
                    scores = score_turn(asks, run.predictions, task)
                    known = [[o.label, o.j, o.f] for o in scores]
                    ledger.add(key, stamp, known)
                found += [ObjectOutcome(video.name, turn, int(k), j, f, task) for k, j, f in known]
        except BadInput as error:
            problems.append(Problem(video.name, "", f"left out of the label maps ({task}): {error}"))
        else:
            yield from found


def _report(
    run: Run, outcomes: Sequence[Outcome], objects: Sequence[ObjectOutcome], problems: Iterable[Problem]
) -> Report:
    summaries = tuple(p(outcomes, objects) for p in run.protocols) if run.split.public else ()
    listed = tuple(problems)
    whole = len(run.videos) == len(run.split.videos) and not any(p.expression or p.video for p in listed)
    complete = whole and not any(outcome.fault for outcome in outcomes)
    split = run.split
    return Report(
        split.dataset.name,
        split.name,
        run.identity,
        tuple(outcomes),
        tuple(objects),
        summaries,
        listed,
        split.public,
        complete,
    )


def pooled(reports: Sequence[Report], protocols: Sequence[Protocol]) -> tuple[Summary, ...]:
    """The averages over several splits together."""
    outcomes = [outcome for report in reports for outcome in report.outcomes]
    objects = [entry for report in reports for entry in report.objects]
    found = (p(outcomes, objects) for p in protocols)
    return tuple(replace(s, total=replace(s.total, level="overall")) for s in found)
