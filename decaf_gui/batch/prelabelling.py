"""The coordinator of a pre-labelling run: hands out the list's clips, records every report at once, writes exports.

Exports are written here and nowhere else, one clip after another from the finished projects: dataset files that many
clips share (COCO, ImageSets) then need no locks between workers, which network folders would not keep anyway.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from decaf_gui.batch.labelling import Plan
from decaf_gui.batch.reports import Failed, Labelled, Report, Runner
from decaf_gui.batch.worklist import EXPORTS, Problem, State, WorkList
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event
from decaf_gui.core.project.rows import ClipRow
from decaf_gui.core.project.store import Store
from decaf_gui.formats.base import Written
from decaf_gui.formats.projects import label_set_of_project
from decaf_gui.formats.registry import format_named
from decaf_gui.pipeline.models import card_of, source_of, weights_hash
from decaf_gui.pipeline.steering import prompts_digest

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Overall(Event):
    """How far the whole list is, in expressions; `left` is the time it may still take in seconds, None: unknown."""

    done: int
    failed: int
    total: int
    left: float | None


@dataclass(frozen=True, slots=True)
class Exported(Event):
    """A clip was written in a format."""

    clip: str
    format: str
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """The last event: how many expressions are done, of how many, and all that failed."""

    done: int
    total: int
    failures: tuple[Problem, ...]


def identity_of(plan: Plan) -> dict[str, Any]:
    """What decides about the results, as plain data: models by their weights, precision, settings but for memory.

    Raises BadInput for models that are not on this machine.
    """
    mllm, sam = card_of("mllm", plan.mllm), card_of("sam", plan.sam)
    models: dict[str, Any] = {
        card.kind: f"{card.id}, weights {weights_hash(source_of(card))[:16]}" for card in (mllm, sam)
    }
    rooms = {room: values for room, values in plan.settings.as_dict().items() if room != "memory"}
    settings = {f"{room}.{name}": value for room, values in rooms.items() for name, value in values.items()}
    steering = prompts_digest(plan.settings.grounding.steering, mllm) or "none"
    return {**models, "dtype": plan.dtype, **settings, "grounding.steering": steering}


def prelabel(worklist: WorkList, runner: Runner, plan: Plan, workers: int = 1) -> Generator[Event, None, None]:
    """Labels what waits in the list: every report, `Overall` after each clip, `Exported`s, last `Finished`.

    What fails is listed with its reason, the rest goes on. Closing it stops the workers and loses nothing that is
    recorded. Raises DecafError when the list cannot be written.
    """
    pace = Pace.begun(worklist)
    yield pace.overall(worklist)
    yield from _export(worklist, plan)
    while worklist.totals()["waiting"]:  # once more for what failed when no work was left to be handed out
        reports = runner(iter(worklist.take, None), plan, workers)
        try:
            for report in reports:
                record(worklist, report, plan)
                yield report
                if isinstance(report, Labelled | Failed):
                    yield pace.overall(worklist)
                    yield from _export(worklist, plan)
        finally:
            reports.close()
    totals = worklist.totals()
    yield Finished(totals["done"], sum(totals.values()), tuple(worklist.failures()))


def record(worklist: WorkList, report: Report, plan: Plan) -> None:
    """Writes down what a report says."""
    if isinstance(report, Labelled):
        worklist.finished(report.clip, report.results)
    elif isinstance(report, Failed):
        again = report.again and worklist.attempts(report.clip) < plan.attempts
        worklist.failed(report.clip, report.reason, again=again)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast this start gets on: when it began, and what was done before."""

    start: float
    before: int

    @classmethod
    def begun(cls, worklist: WorkList) -> Pace:
        """Now."""
        return cls(time.monotonic(), _settled(worklist.totals()))

    def overall(self, worklist: WorkList) -> Overall:
        """The list as it is, and how long the rest takes at the pace so far."""
        totals = worklist.totals()
        settled, total = _settled(totals), sum(totals.values())
        taken = time.monotonic() - self.start
        left = taken / (settled - self.before) * (total - settled) if settled > self.before else None
        return Overall(totals["done"], totals["failed"], total, left)


def _settled(totals: Mapping[State, int]) -> int:
    return totals["done"] + totals["failed"]


def _export(worklist: WorkList, plan: Plan) -> Iterator[Exported]:
    """Writes the clips that are done in the formats that they are not written in yet; a failure is noted."""
    for clip, form in worklist.unexported(plan.formats):
        try:
            written = export_clip(worklist, clip, form, frames=plan.frames)
        except (DecafError, OSError) as error:
            log.warning("%s as %s: %s", clip, form, error, exc_info=True)
            worklist.exported(clip, form, f"not written as {form}: {error}")
        else:
            worklist.exported(clip, form)
            yield Exported(clip, form, written.warnings)


def export_clip(worklist: WorkList, clip: str, form: str, *, frames: bool = False) -> Written:
    """Writes one clip in one format, from its project: what a person accepted, and what waits for a word.

    It replaces what is there of the clip. Raises DecafError when that cannot be done.
    """
    writer = format_named(form).writer
    assert writer is not None
    with Store.open(worklist.project(clip), read_only=True) as store:
        row = next(store.project.where(ClipRow, path=store.relative(worklist.media(clip))), None)
        if row is None:
            raise BadInput(f"{store.path} has no clip {worklist.media(clip)} any more: export it by hand.")
        with Clip.open(store.media(row), frames=row.work_frames) as opened:
            labels = replace(label_set_of_project(store.project, row, opened, "all"), name=clip)
            *_, written = writer(labels, opened, worklist.folder / EXPORTS, overwrite=True, frames=frames)
    assert isinstance(written, Written)
    return written
