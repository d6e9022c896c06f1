"""What `decaf-gui evaluate` does, apart from how it is typed (`cli.py`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from decaf_gui.console import Reporter
from decaf_gui.core.errors import BadInput

if TYPE_CHECKING:
    from decaf_gui.baselines.loc_head import Pair
    from decaf_gui.evaluation.methods import Method, Models
    from decaf_gui.evaluation.protocols import Protocol
    from decaf_gui.evaluation.report import Row
    from decaf_gui.evaluation.run import Report, Run
    from decaf_gui.formats.rvos.base import Split

SHOWN_FAILURES = 20
"""A report on the screen lists this many; the files list all."""


@dataclass(frozen=True, slots=True)
class EvaluateRun:
    """One call of `decaf-gui evaluate`: `method` predicts, or the masks in `predictions` are scored.

    `splits` and `protocols` are the dataset's own when empty (its first split, all its ways of averaging). `limit`
    takes the first videos of each split; `each` shows every expression in the table; `sheets` is how many expressions a
    sheet of the best and of the worst has; `heads` is Loc-Head's file.
    """

    dataset: str
    root: Path
    out: Path
    splits: tuple[str, ...] = ()
    method: str = "decaf"
    predictions: Path | None = None
    protocols: tuple[str, ...] = ()
    mllm: str = "demo"
    sam: str = "demo"
    device: str = "auto"
    preset: str = "paper"
    values: dict[str, str] | None = None
    heads: Path | None = None
    limit: int | None = None
    sheets: int = 8
    each: bool = False
    dtype: str = "auto"


def run_evaluate(run: EvaluateRun, *, as_json: bool) -> int:
    """Evaluates, prints the table, writes reports, sheets and submissions: the exit code, 1 when something failed.

    Raises BadInput for what is wrong from the start: unknown names, no such data, a folder of another run.
    """
    from decaf_gui.evaluation.report import rows_of, write_reports
    from decaf_gui.evaluation.run import pooled
    from decaf_gui.formats.rvos import dataset_named

    dataset = dataset_named(run.dataset)
    protocols = _protocols(run, dataset.protocols)
    reporter = Reporter(as_json=as_json)
    splits = [dataset.open(run.root, name) for name in dict.fromkeys(run.splits or (dataset.splits[0],))]
    method = None if run.predictions is not None else _method(run, reporter)
    reports: list[Report] = []
    written: list[Path] = []
    for split in splits:
        job = _job(run, split, method, protocols)
        reports.append(_evaluated(job, reporter))
        written += _pictures(job, reports[-1], run.sheets, reporter)
    public = [report for report in reports if report.public]
    rows = list(rows_of(reports, pooled(public, protocols) if public else ()))
    written += write_reports(rows, reports, run.out)
    _show(run, rows, reports, reporter)
    for path in written:
        reporter.say(f"wrote {path}")
    failed = sum(len(report.failures) for report in reports)
    reporter.result(written=[str(path) for path in written], failed=failed)
    return 1 if failed else 0


def _protocols(run: EvaluateRun, official: Sequence[str]) -> tuple[Protocol, ...]:
    from decaf_gui.evaluation.protocols import protocol_named

    return tuple(protocol_named(name) for name in dict.fromkeys(run.protocols or official))


def methods(heads: Path | None = None) -> dict[str, Callable[[Models], Method]]:
    """All that can be evaluated, by name: the evaluation's own and the baselines; `heads` is Loc-Head's file."""
    from decaf_gui.baselines.evaluated import Evaluated
    from decaf_gui.baselines.methods import METHODS as BASELINES
    from decaf_gui.baselines.settings import LocHeadSettings, MethodSettings
    from decaf_gui.evaluation.methods import METHODS

    def baseline(name: str) -> Callable[[Models], Method]:
        def made(models: Models) -> Method:
            if name.startswith("loc-head") and heads is None:
                raise BadInput(
                    "Loc-Head needs the heads of this model: find them with `decaf-gui heads`, give --heads FILE."
                )
            own = MethodSettings(loc_head=LocHeadSettings(heads_file=heads))
            return Evaluated(BASELINES[name], models, models.engine(), own)

        return made

    return {**{name: baseline(name) for name in BASELINES}, **METHODS}


def _method(run: EvaluateRun, reporter: Reporter) -> Method:
    """The method on its models. Raises BadInput for an unknown one, or models that are not on this machine."""
    from decaf_gui.evaluation.methods import Models, method_named
    from decaf_gui.pipeline.engine import check_device_name
    from decaf_gui.pipeline.models import card_of, source_of

    check_device_name(run.device)
    cards = (card_of("mllm", run.mllm), card_of("sam", run.sam))
    for card in cards:
        source_of(card)
    for note in dict.fromkeys(card.note for card in cards if card.note):
        reporter.say(f"Note: {note}")
    reporter.say("Loading...")  # torch takes seconds
    models = Models(run.mllm, run.sam, run.device, run.preset, run.values or {}, run.dtype)
    return method_named(run.method, models, methods(run.heads))


def _job(run: EvaluateRun, split: Split, method: Method | None, protocols: tuple[Protocol, ...]) -> Run:
    from decaf_gui.evaluation.run import Run

    return Run(split, run.out / split.name, protocols, method, run.predictions, run.limit)


def _evaluated(job: Run, reporter: Reporter) -> Report:
    from decaf_gui.evaluation.run import Finished, evaluate

    title = f"{job.split.dataset.title} {job.split.name}: {len(job.videos)} videos"
    for event in reporter.watch(evaluate(job), title):
        if isinstance(event, Finished):
            return event.report
    raise AssertionError("a run ends with its report")


def _pictures(job: Run, report: Report, count: int, reporter: Reporter) -> list[Path]:
    """Sheets where there is truth, else the submission, if all of it is there."""
    from decaf_gui.evaluation.report import write_submission
    from decaf_gui.evaluation.sheets import write_sheets

    if report.public:
        return write_sheets(job, report, count) if count else []
    if report.complete:
        return [write_submission(job)]
    missing = "all videos (without --limit) and all masks are needed; run it again to go on."
    reporter.say(f"No submission was written for {job.split.name}: {missing}", always=True)
    return []


def _show(run: EvaluateRun, rows: Sequence[Row], reports: Sequence[Report], reporter: Reporter) -> None:
    """The table, what the numbers count, their interval, and what failed."""
    from decaf_gui.evaluation.protocols import protocol_named
    from decaf_gui.evaluation.report import LEVELS, as_table, interval_of

    titles, cells = as_table(rows, LEVELS if run.each else LEVELS[1:])
    if cells:
        reporter.table(f"{run.dataset}, {run.predictions or run.method}, in percent", titles, cells)
    for name in dict.fromkeys(summary.protocol for report in reports for summary in report.summaries):
        reporter.say(f"{name}: {protocol_named(name).counts}")
    for report in reports:
        interval = interval_of(report)
        if interval is not None:
            low, high = (f"{100 * end:.2f}" for end in interval)
            reporter.say(f"{report.split}: the mean J&F of its expressions lies in {low} to {high} (95 %, bootstrap)")
        failures = report.failures
        for problem in failures[:SHOWN_FAILURES]:
            place = " ".join(filter(None, (problem.video, problem.expression)))
            reporter.say(f"skipped {place}: {problem.reason}" if place else problem.reason, always=True)
        if len(failures) > SHOWN_FAILURES:
            reporter.say(f"... and {len(failures) - SHOWN_FAILURES} more: report.json lists them all.", always=True)


SHAPES_PAIRS = 40
"""Pictures of the shapes world that heads are found in, one expression each."""
SHAPES_SEED = 22_000
"""Their first seed: neither trained on nor scored with."""


def find_heads(pairs: str, out: Path, mllm: str, device: str, limit: int | None, *, as_json: bool) -> None:
    """Finds a model's localization heads and saves them. Raises BadInput when `out` is there or pairs do not fit."""
    from decaf_gui.baselines.loc_head import HeadsFound, discover_heads
    from decaf_gui.pipeline.engine import Engine

    if out.exists():
        raise BadInput(f"{out} exists: choose another file.")
    found = shapes_pairs(limit or SHAPES_PAIRS) if pairs == "shapes" else read_pairs(Path(pairs))[:limit]
    reporter = Reporter(as_json=as_json)
    reporter.say("Loading...")
    engine = Engine(mllm, device=device)
    for event in reporter.watch(discover_heads(engine, found)):
        if isinstance(event, HeadsFound):
            event.heads.save(out)
            names = ", ".join(f"layer {layer} head {head}" for layer, head in event.heads.heads)
            reporter.say(f"{out}: {names}, of {len(found)} pairs")
            reporter.result(written=str(out), heads=[list(head) for head in event.heads.heads])


def shapes_pairs(count: int) -> list[Pair]:
    """The first frame of some clips of the shapes world, each with one of its expressions."""
    from decaf_gui.baselines.loc_head import Pair
    from decaf_gui.demo.shapes import make_clip

    clips = [make_clip(SHAPES_SEED + number, frames=2) for number in range(count)]
    return [Pair(clip.frames[0], clip.expressions[clip.seed % len(clip.expressions)].text) for clip in clips]


def read_pairs(path: Path) -> list[Pair]:
    """Pairs of a file of JSON lines; pictures lie beside it. Raises BadInput, naming the line that does not fit."""
    from decaf_gui.baselines.loc_head import Pair
    from decaf_gui.core.images import load_image

    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from None
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            image, text = str(entry["image"]), str(entry["text"])
        except (ValueError, KeyError, TypeError):
            told = 'give lines such as {"image": "a.jpg", "text": "the dog"}.'
            raise BadInput(f"Line {number} of {path} does not fit: {told}") from None
        found.append(Pair(load_image(path.parent / image), text))
    return found
