"""What `decaf-gui steer train` does, apart from how it is typed (`cli.py`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from decaf_gui.console import Reporter
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage

if TYPE_CHECKING:
    from decaf_gui.grounding.mllm import Mllm
    from decaf_gui.pipeline.engine import Engine
    from decaf_gui.pipeline.settings import Settings
    from decaf_gui.steering.memory import Estimate
    from decaf_gui.steering.samples import Source
    from decaf_gui.steering.training import Job, Measured, Plan

SHAPES = "shapes"
SHAPES_STEPS = 300
"""Of the endless shapes world, where none are said."""
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class SteerRun:
    """One call of `decaf-gui steer train`: prompts, checkpoint, log and curves lie in `out`.

    `source` is "shapes" or the folder of a dataset. Of `steps` and `epochs` one is given at most: one epoch of a
    dataset and 300 steps of shapes are meant by neither. `chunk` in MiB; `held` clips are held out. `values` are
    settings by name.
    """

    source: str
    out: Path
    mllm: str = "demo"
    device: str = "auto"
    dtype: str = "auto"
    steps: int | None = None
    epochs: float | None = None
    rate: float = 1e-3
    prompts: int = 64
    accumulate: int = 8
    frames: int = 2
    seed: int = 0
    held: int = 32
    held_out_every: int = 100
    chunk: int = 64
    resume: bool = False
    values: Mapping[str, str] = field(default_factory=dict)


def run_steer_train(run: SteerRun, *, as_json: bool) -> None:
    """Trains soft prompts for an MLLM and writes `prompts.safetensors`, `log.jsonl` and `curves.png`.

    Raises BadInput for what is wrong from the start, OutOfMemory when the device has less than is needed.
    """
    from decaf_gui.pipeline.engine import check_device_name
    from decaf_gui.pipeline.models import card_of, source_of
    from decaf_gui.pipeline.settings import Settings

    _check(run)
    check_device_name(run.device)
    card = card_of("mllm", run.mllm)
    source_of(card)
    settings = Settings.preset("paper").changed(run.values)
    reporter = Reporter(as_json=as_json)
    if card.note:
        reporter.say(f"Note: {card.note}")
    reporter.say("Loading...")  # torch takes seconds
    job, need = _prepared(run, settings, reporter)
    last = _train(job, run, reporter)
    if last is not None:
        reporter.say(_kept(run.out / "prompts.safetensors"))
    curves = draw_curves(run.out)
    written = [str(run.out / name) for name in ("prompts.safetensors", "log.jsonl")] + [str(p) for p in curves]
    for path in written:
        reporter.say(f"wrote {path}")
    use = f"decaf-gui propose CLIP EXPRESSION --mllm {run.mllm} --set steering={written[0]}"
    reporter.say(f"Use them with: {use}")
    held_out = {} if last is None else dict(last.held_out)
    reporter.result(written=written, held_out=held_out, expected_bytes=need.total)


def _check(run: SteerRun) -> None:
    """Raises BadInput for what does not go together."""
    if run.steps is not None and run.epochs is not None:
        raise BadInput("Give --steps or --epochs, not both.")
    if run.epochs is not None and run.source == SHAPES:
        raise BadInput("The shapes world has no end: give --steps instead of --epochs.")
    if run.epochs is not None and not 0 < run.epochs < float("inf"):
        raise BadInput(f"--epochs must be above 0, not {run.epochs}.")
    if run.source != SHAPES and not Path(run.source).is_dir():
        raise BadInput(f'"{run.source}" is no source: give shapes, or the folder of a dataset as Ref-YouTube-VOS lies.')
    if (run.out / "checkpoint.pt").exists() and not run.resume:
        raise BadInput(f"{run.out} holds a run already: go on with --resume, or choose another folder.")


def _prepared(run: SteerRun, settings: Settings, reporter: Reporter) -> tuple[Job, Estimate]:
    """What is trained on what, after it is known to fit into memory."""
    from decaf_gui.pipeline.engine import Engine
    from decaf_gui.steering.training import Job

    engine = Engine(run.mllm, device=run.device, settings=settings, dtype=run.dtype)
    grounding = engine.resolved(settings).grounding
    source = _source(run, grounding.frames or 16)
    plan = _plan(run, source)
    held = f"{run.held} clips held out" if run.held else "nothing held out"
    reporter.say(f"{plan.steps} steps of {plan.accumulate} samples from {source.name}, {held}; device {engine.device}")
    need, again = _fits(engine, run, plan, reporter)
    mllm = _loaded(engine, reporter)
    made = engine.provenance(("mllm",))["mllm"]
    return Job(mllm, source, grounding, plan, made["id"], made["weights"], run.chunk * MIB, again), need


def _source(run: SteerRun, frames: int) -> Source:
    from decaf_gui.steering.samples import RefYoutubeVos, Shapes

    if run.source == SHAPES:
        return Shapes(frames, run.held, run.seed)
    return RefYoutubeVos(Path(run.source), frames, run.held, run.seed)


def _plan(run: SteerRun, source: Source) -> Plan:
    """The plan of a run: an epoch is all samples of the source once, its last step filled up from the next one."""
    from decaf_gui.steering.training import Plan

    steps = run.steps or SHAPES_STEPS
    if run.steps is None and source.length is not None:
        steps = -(-int(source.length * (run.epochs or 1)) // max(1, run.accumulate))
    given = {name: getattr(run, name) for name in ("rate", "prompts", "accumulate", "frames", "seed", "held_out_every")}
    return Plan(max(1, steps) if run.steps is None else run.steps, **given)


def _fits(engine: Engine, run: SteerRun, plan: Plan, reporter: Reporter) -> tuple[Estimate, bool]:
    """Says how much memory is needed, and whether layers are computed again. Raises OutOfMemory when there is less."""
    from decaf_gui.grounding.mllm import number_of
    from decaf_gui.pipeline.models import source_of
    from decaf_gui.steering.memory import available_bytes, estimate_of, require_memory

    quantise = run.dtype if run.dtype in ("8bit", "4bit") else "none"
    number = number_of("auto" if quantise != "none" else run.dtype, engine.device)
    settings = engine.resolved(engine.settings).grounding
    need = estimate_of(source_of(engine.mllm_card), settings, plan, number, quantise, run.chunk * MIB)  # type: ignore[arg-type]
    shown = "; ".join(f"{name} {size}" for name, size in need.lines())
    reporter.say(f"Memory for up to {need.batch} x {need.tokens} tokens: {shown}")
    available = available_bytes(engine.device)
    require_memory(need, engine.device, available)
    return need, available is None or need.keeping > available // 4  # what is kept saves a fifth of the time


def _loaded(engine: Engine, reporter: Reporter) -> Mllm:
    for _ in reporter.watch(engine.load(sam=False)):
        pass
    return engine.mllm


def _train(job: Job, run: SteerRun, reporter: Reporter) -> Measured | None:
    """Trains, every line of the log written at once: the last held-out line."""
    from decaf_gui.steering.training import Measured, train

    last: list[Measured] = []

    def stages() -> Iterator[Stage]:
        events = train(job, run.out, resume=run.resume)
        try:
            for event in events:
                if isinstance(event, Measured):
                    append_line(run.out / "log.jsonl", event)
                    last.extend([event] if event.held_out else [])
                    yield _stage_of(event, job.plan.steps)
                else:
                    yield event
        finally:
            events.close()

    for _ in reporter.watch(stages()):
        pass
    return last[-1] if last else None


def _kept(path: Path) -> str:
    """Which prompts were kept, and whether they are worth it."""
    from decaf_gui.grounding.steering import load_prompts

    told = load_prompts(path).training
    if "held_out_loss" not in told:
        return f"The prompts are those of step {told['step']}, the last one: nothing was held out."
    losses = f"held-out loss {told['held_out_loss']:.4f}, without prompts {told['unsteered_loss']:.4f}"
    return f"The prompts are those of step {told['step']}, the best one: {losses}."


def append_line(path: Path, event: Measured) -> None:
    """Adds a line to the log."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(event.as_dict()) + "\n")


def _stage_of(event: Measured, steps: int) -> Stage:
    """A line of the log as progress for people."""
    meters = event.values or event.held_out
    note = ", ".join(f"{name} {value:.3f}" for name, value in meters.items())
    name = "means" if event.values else f"held out, {event.stage}"
    return Stage(name, event.step, 0 if event.step == 0 else steps, note)


def draw_curves(out: Path) -> list[Path]:
    """`curves.png` of the log; nothing where there is no log yet."""
    from decaf_gui.pipeline.curves import draw, read_log

    path = out / "curves.png"
    if not (out / "log.jsonl").exists():
        return []
    draw(read_log(out), path)
    return [path]
