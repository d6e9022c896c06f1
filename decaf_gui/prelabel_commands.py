"""What `decaf-gui prelabel` does, apart from how it is typed (`cli.py`)."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from decaf_gui.console import Reporter
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event

if TYPE_CHECKING:
    from decaf_gui.batch.labelling import Plan
    from decaf_gui.batch.prelabelling import Finished, Overall
    from decaf_gui.batch.reports import Failed, Labelled, Progressed, Runner
    from decaf_gui.batch.worklist import Problem, WorkList

SHOWN_FAILURES = 50
"""A report on the screen lists this many; JSON and the work list have all."""
TERMINATED = 143
"""Exit code of a process that was asked to end (SIGTERM), as batch systems do."""


@dataclass(frozen=True, slots=True)
class PrelabelRun:
    """One call of `decaf-gui prelabel`: projects, exports and the work list go to `out`.

    What is wanted of `source` is said by a `table`, by `expressions` for every clip, or by the `dataset` (its format's
    name) itself, of which `split` is taken. `formats` are the exports, with the clips' `frames` if so. `workers` 0 is
    one per device. `values` are settings by name.
    """

    source: Path
    out: Path
    table: Path | None = None
    expressions: tuple[str, ...] = ()
    dataset: str = ""
    split: str = ""
    formats: tuple[str, ...] = ()
    frames: bool = False
    mllm: str = "demo"
    sam: str = "demo"
    device: str = "auto"
    dtype: str = "auto"
    preset: str = "paper"
    values: Mapping[str, str] = field(default_factory=dict)
    workers: int = 0
    threads: int = 0
    ray: str = ""
    attempts: int = 3
    accept_damage: bool = False


def run_prelabel(run: PrelabelRun, *, as_json: bool) -> int:
    """Pre-labels what waits, and shows it: the exit code, 1 when something failed.

    Raises BadInput for what is wrong from the start: unknown names, a bad table, a folder of another run, or one that
    another process works on.
    """
    from decaf_gui.batch.prelabelling import identity_of, prelabel
    from decaf_gui.batch.sources import read_source
    from decaf_gui.batch.worklist import WorkList

    plan = plan_of(run)
    identity = identity_of(plan)
    source = read_source(run.source, run.table, run.expressions, run.dataset, run.split)
    reporter = Reporter(as_json=as_json)
    with _ended_by_signal(), WorkList.begin(run.out, {**source.identity, **identity}) as worklist:
        worklist.add(source.clips, source.problems)
        _say_what_waits(plan, worklist, reporter)
        finished = _watched(prelabel(worklist, _runner(run), plan, run.workers), reporter)
    _show_failures(finished.failures, reporter)
    reporter.say(f"{finished.done} of {finished.total} expressions are done; projects in {run.out / 'projects'}")
    reporter.result(done=finished.done, total=finished.total, failed=len(finished.failures), out=str(run.out))
    return 1 if finished.failures else 0


def plan_of(run: PrelabelRun) -> Plan:
    """How clips are labelled. Raises BadInput for names that there are not."""
    from decaf_gui.batch.labelling import Plan
    from decaf_gui.formats.registry import format_named
    from decaf_gui.pipeline.engine import check_device_name
    from decaf_gui.pipeline.settings import Settings

    formats = tuple(dict.fromkeys(run.formats))
    if unwritable := [name for name in formats if format_named(name).writer is None]:
        raise BadInput(f"{unwritable[0]} can only be read: choose another --export.")
    plan = Plan(
        run.out.absolute(),
        formats,
        run.mllm,
        run.sam,
        run.device,
        run.dtype,
        Settings.preset(run.preset).changed(run.values),
        run.threads,
        run.attempts,
        run.accept_damage,
        run.frames,
    )
    if not plan.devices:
        raise BadInput("--device is empty: give auto, cpu, cuda:0, or several as cuda:0,cuda:1.")
    for name in plan.devices:
        check_device_name(name)
    return plan


def _runner(run: PrelabelRun) -> Runner:
    """Where the work is done."""
    if run.ray:
        from decaf_gui.batch.on_ray import run_on_ray

        return partial(run_on_ray, address=run.ray)
    from decaf_gui.batch.local import run_local

    return run_local


@contextmanager
def _ended_by_signal() -> Iterator[None]:
    """Lets a batch system's SIGTERM end the run in order, as Ctrl+C does."""

    def end(_number: int, _frame: FrameType | None) -> None:
        sys.exit(TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say_what_waits(plan: Plan, worklist: WorkList, reporter: Reporter) -> None:
    from decaf_gui.pipeline.models import card_of

    cards = (card_of("mllm", plan.mllm), card_of("sam", plan.sam))
    for note in dict.fromkeys(card.note for card in cards if card.note):
        reporter.say(f"Note: {note}")
    totals = worklist.totals()
    already = f", {totals['done']} are done already" if totals["done"] else ""
    reporter.say(f"{len(worklist.clips())} clips, {sum(totals.values())} expressions{already}; loading...")


# --- the list alone --------------------------------------------------------------------------------------------


def show_status(out: Path, *, as_json: bool) -> None:
    """What a work list says: how many expressions are in each state, and what failed. No model is loaded."""
    from decaf_gui.batch.worklist import WorkList

    reporter = Reporter(as_json=as_json)
    with WorkList.open(out, read_only=True) as worklist:
        totals, failures, clips = worklist.totals(), worklist.failures(), len(worklist.clips())
    reporter.table(f"{out}: {clips} clips", ["state", "expressions"], totals.items())
    _show_failures(failures, reporter)
    reporter.result(**totals, failures=len(failures), clips=clips)


def _show_failures(failures: Iterable[Problem], reporter: Reporter) -> None:
    listed = list(failures)
    shown = listed if reporter.as_json else listed[:SHOWN_FAILURES]
    if listed:
        rows = [(problem.clip, problem.expression, problem.reason) for problem in shown]
        reporter.table(f"{len(listed)} failed", ["clip", "expression", "reason"], rows)
    if len(shown) < len(listed):
        reporter.say(f"... and {len(listed) - len(shown)} more: --status --json lists them all.", always=True)


# --- while it runs ---------------------------------------------------------------------------------------------


def _watched(events: Generator[Event, None, None], reporter: Reporter) -> Finished:
    """Shows the events as they pass by: the last one."""
    from decaf_gui.batch.prelabelling import Finished

    last: Event | None = None
    with closing(events), Board(reporter) as board:
        for last in events:
            board.show(last)
    assert isinstance(last, Finished)
    return last


class Board:
    """Progress on the screen: one bar over all and one per worker; plain lines or JSON lines elsewhere."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        what, note = (TextColumn(f"{{task.{field}}}", markup=False) for field in ("description", "fields[note]"))
        live = reporter.console.is_terminal and not reporter.as_json
        self._live = Progress(what, BarColumn(), note, console=reporter.console, disable=not live)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Board:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, event: Event) -> None:
        """Shows one event."""
        from decaf_gui.batch.prelabelling import Exported, Finished, Overall
        from decaf_gui.batch.reports import Failed, Labelled, Progressed

        if self._reporter.as_json:
            if not isinstance(event, Finished):
                self._reporter.line(event=type(event).__name__, **asdict(event))
        elif isinstance(event, Overall):
            self._show_overall(event)
        elif isinstance(event, Progressed):
            self._show_progress(event)
        elif isinstance(event, Labelled | Failed):
            self._show_end(event)
        elif isinstance(event, Exported):
            for warning in event.warnings:
                self._reporter.say(f"{event.clip} as {event.format}: {warning}")

    def _show_overall(self, event: Overall) -> None:
        settled = event.done + event.failed
        failed = f", {event.failed} failed" if event.failed else ""
        note = f"{settled}/{event.total}{failed}{_left(event.left)}"
        if self._live.disable and settled:
            self._reporter.say(note)
        self._bar("all", "all", settled, event.total, note)

    def _show_progress(self, event: Progressed) -> None:
        self._bar(event.worker, f"{event.worker}  {event.clip}", event.done, event.total, event.stage)

    def _show_end(self, event: Labelled | Failed) -> None:
        """A line for each clip that is through."""
        from decaf_gui.batch.reports import Failed

        if isinstance(event, Failed):
            told = f"{event.clip}: failed: {event.reason}"
        else:
            selected = sum(result.selected for result in event.results)
            told = f"{event.clip}: {len(event.results)} expressions, {selected} selected, {event.seconds:.1f} s"
            told += "".join(f"; {warning}" for warning in event.warnings)
        self._reporter.say(told)

    def _bar(self, key: str, what: str, done: int, total: int, note: str) -> None:
        if key not in self._tasks:
            self._tasks[key] = self._live.add_task(what, note=note)
        self._live.update(self._tasks[key], description=what, completed=done, total=total or None, note=note)


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", about {timedelta(seconds=round(seconds))} left"
