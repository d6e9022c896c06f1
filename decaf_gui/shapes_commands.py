"""What `decaf-gui evaluate shapes` and `decaf-gui ablate shapes` do."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decaf_gui.baselines.methods import METHODS as BASELINES
from decaf_gui.console import Reporter
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, Stage

if TYPE_CHECKING:
    from decaf_gui.core.clip import Clip
    from decaf_gui.demo.shapes_benchmark import Case, Ledger, Runner
    from decaf_gui.pipeline.engine import Engine
    from decaf_gui.pipeline.settings import Settings

SECONDS_PER_RUN = 0.4
"""Of the demo models on one CPU core, for the estimate before anything was measured."""


@dataclass(frozen=True, slots=True)
class ShapesRun:
    """One call of either command: reports and the lines that a further run goes on from lie in `out`.

    `clips` None is all of them; `overwrite` begins anew; `heads` is Loc-Head's file.
    """

    out: Path
    clips: int | None = None
    mllm: str = "demo"
    sam: str = "demo"
    device: str = "auto"
    preset: str = "paper"
    values: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False
    heads: Path | None = None


def run_evaluate_shapes(run: ShapesRun, methods: Sequence[str] = (), *, as_json: bool) -> None:
    """Scores methods (DecAF and its attention mask when none is named) on the held-out clips.

    Writes `shapes.md`, `.csv`, `.json` and `.jsonl`.

    Raises BadInput for unknown names, or when `out` holds lines of other models or settings.
    """
    from decaf_gui.demo import shapes_benchmark as benchmark

    chosen = tuple(dict.fromkeys(methods)) or tuple(benchmark.METHODS)
    makers = {name: baseline_runner(name, run.heads) for name in BASELINES} | dict(benchmark.METHODS)
    unknown = [name for name in chosen if name not in makers]
    if unknown:
        raise BadInput(f'There is no method "{unknown[0]}": choose from {", ".join(makers)}.')
    cases, reporter = benchmark.chosen_cases(run.clips), Reporter(as_json=as_json)
    engine, settings = _opened(run)
    runners = {name: makers[name](settings) for name in chosen}
    with benchmark.Ledger(_lines(run, "shapes"), benchmark.setup_of(engine, settings)) as ledger:
        _measure(engine, cases, runners, ledger, reporter)
    rows = benchmark.rows_of(ledger.of(chosen, cases))
    columns, cells = benchmark.table(rows)
    title = f"{_clips(cases)} of the shapes world; percent, 95 % intervals over clips in brackets"
    reporter.table(title, columns, cells)
    text = _heading("Shapes", title, engine, ledger.setup) + benchmark.markdown_table(columns, cells)
    whole = {"setup": ledger.setup, "clips": len(cases), "rows": benchmark.plain_rows(rows)}
    _write_reports(run.out, "shapes", text, whole, reporter)


def baseline_runner(name: str, heads: Path | None) -> Callable[[Settings], Runner]:
    """A baseline as the benchmark runs methods. Raises BadInput for Loc-Head without its heads."""
    from decaf_gui.baselines.methods import Predicted, method_named
    from decaf_gui.baselines.settings import LocHeadSettings, MethodSettings
    from decaf_gui.demo.shapes_benchmark import Found

    def with_settings(settings: Settings) -> Runner:
        if name.startswith("loc-head") and heads is None:
            raise BadInput("Loc-Head needs this model's heads: find them with `decaf-gui heads`, give --heads FILE.")
        own = MethodSettings(settings, LocHeadSettings(heads_file=heads))

        def run(engine: Engine, clip: Clip, text: str) -> Generator[Event, None, Found]:
            for event in method_named(name).predict(engine, clip, [text], own):
                if isinstance(event, Predicted):
                    masks = event.masks
                else:
                    yield event
            return Found({frame: masks[frame] for frame in masks})

        return run

    return with_settings


def run_ablate_shapes(run: ShapesRun, tables: Sequence[str] = (), *, as_json: bool) -> None:
    """Repeats ablations of the paper on the held-out clips: `ablations.md`, `.csv`, `.json` and `.jsonl`.

    `tables` as in the paper ("4", "5b"); none is all that the model can. Raises BadInput as `run_evaluate_shapes`,
    and for tables of wordings with the demo model.
    """
    from decaf_gui.demo import ablations
    from decaf_gui.demo import shapes_benchmark as benchmark

    cases, reporter = benchmark.chosen_cases(run.clips), Reporter(as_json=as_json)
    engine, settings = _opened(run)
    chosen = ablations.chosen_tables(tables, knows_wordings=ablations.knows_wordings(engine))
    standing, layers = ablations.standing_of(engine, settings), engine.mllm.layers
    variations = ablations.variations_of(chosen, standing, layers)
    with benchmark.Ledger(_lines(run, "ablations"), benchmark.setup_of(engine, standing)) as ledger:
        _measure(engine, cases, ablations.runners_of(variations, standing), ledger, reporter)
    lines = ablations.lines_of(chosen, ledger.of(variations, cases), standing, layers)
    title = f"{_clips(cases)} of the shapes world; J&F in percent, 95 % intervals over clips in brackets"
    columns, cells = ablations.cells_of(lines)
    reporter.table(title, columns, cells)
    text = _heading("Ablations", title, engine, ledger.setup) + ablations.ablation_markdown(lines)
    whole = {"setup": ledger.setup, "clips": len(cases), "rows": ablations.plain_lines(lines)}
    _write_reports(run.out, "ablations", text, whole, reporter)


def run_steerseg_shapes(run: ShapesRun, soft_prompts: Path | None, *, as_json: bool) -> None:
    """SteerSeg against DecAF, and each part alone, on the held-out clips: `steerseg.md`, `.csv`, `.json`, `.jsonl`.

    `soft_prompts` is a file of them, or the folder that they were learned in; None: those that come with the model.
    Raises BadInput as `run_evaluate_shapes`, and when there are none, or those of other weights.
    """
    from decaf_gui.demo import ablations, steerseg_table
    from decaf_gui.demo import shapes_benchmark as benchmark
    from decaf_gui.pipeline.settings import method_settings
    from decaf_gui.pipeline.steering import prompts_digest, prompts_file

    cases, reporter = benchmark.chosen_cases(run.clips), Reporter(as_json=as_json)
    engine, _ = _opened(run)
    settings = method_settings("decaf", run.preset, run.values)
    if soft_prompts is not None:
        given = str(prompts_file(soft_prompts))
        engine.soft_prompts(settings.changed({"steering": given}))  # refuses what does not fit
        engine.mllm_card = replace(engine.mllm_card, prompts=given)
    steerseg_table.check_prompts(engine.mllm_card)
    standing = ablations.standing_of(engine, settings)
    variations = steerseg_table.variations()
    setup = {**benchmark.setup_of(engine, standing), "soft_prompts": prompts_digest("auto", engine.mllm_card)}
    with benchmark.Ledger(_lines(run, "steerseg"), setup) as ledger:
        _measure(engine, cases, ablations.runners_of(variations, standing), ledger, reporter)
    lines = steerseg_table.lines_of(ledger.of(variations, cases))
    title = f"{_clips(cases)} of the shapes world; percent, 95 % intervals over clips in brackets"
    for masks, (columns, cells) in steerseg_table.tables(lines).items():
        reporter.table(f"{masks}: {title}", columns, cells)
    text = _heading("SteerSeg and DecAF", title, engine, ledger.setup) + steerseg_table.steerseg_markdown(lines)
    whole = {"setup": ledger.setup, "clips": len(cases), "rows": steerseg_table.plain_lines(lines)}
    _write_reports(run.out, "steerseg", text, whole, reporter)


def _clips(cases: Sequence[Case]) -> str:
    return "1 held-out clip" if len(cases) == 1 else f"{len(cases)} held-out clips"


def _opened(run: ShapesRun) -> tuple[Engine, Settings]:
    """The engine and the settings of a run."""
    from decaf_gui.pipeline.engine import Engine
    from decaf_gui.pipeline.settings import Settings

    settings = Settings.preset(run.preset).changed(run.values)
    return Engine(run.mllm, run.sam, run.device, settings=settings), settings


def _lines(run: ShapesRun, name: str) -> Path:
    """The file of what was measured, gone when it is to be begun anew."""
    path = run.out / f"{name}.jsonl"
    if run.overwrite:
        path.unlink(missing_ok=True)
    return path


def _measure(
    engine: Engine, cases: Sequence[Case], runners: Mapping[str, Runner], ledger: Ledger, reporter: Reporter
) -> None:
    """Runs what is not measured yet, and says before how much that is."""
    from decaf_gui.demo.shapes_benchmark import duration, missing, run_cases

    todo = missing(cases, runners, ledger)
    known = len(ledger.of(runners, cases))
    if known:
        reporter.say(f"{known} results are there already, in {ledger.path}.")
    if todo:
        reporter.say(f"{todo} runs to go: {duration(todo * SECONDS_PER_RUN)} with the demo models on one CPU core.")
    stages = (event for event in run_cases(engine, cases, runners, ledger) if isinstance(event, Stage))
    for _ in reporter.watch(stages):
        pass


def _heading(title: str, about: str, engine: Engine, setup: Mapping[str, Any]) -> str:
    """What a report opens with: what was measured, with which models, and what must be said of them."""
    models = ", ".join(f"{kind} {setup[kind]['id']}" for kind in ("mllm", "sam"))
    made = f"{setup['program']}, {models}, device {setup['device']}."
    return f"# {title}\n\n{about}.\n\n{made} {engine.notice}".rstrip() + "\n\n"


def _write_reports(out: Path, name: str, text: str, whole: Mapping[str, Any], reporter: Reporter) -> None:
    """Markdown, the rows as CSV, and all as JSON, each written beside its place and renamed into it."""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, list(whole["rows"][0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(whole["rows"])
    texts = {"md": text, "csv": sheet.getvalue(), "json": json.dumps(whole, indent=1) + "\n"}
    written = []
    for suffix, content in texts.items():
        path = out / f"{name}.{suffix}"
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(content, encoding="utf-8")
        written.append(str(beside.replace(path)))
        reporter.say(f"wrote {path}")
    reporter.result(written=written)
