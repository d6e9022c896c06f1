"""Trains soft prompts: the MLLM is frozen, two tensors learn to make its rollout maps lie on the object (SteerSeg).

The paper says: 64 embeddings each for frame inputs and video inputs, before the frozen model's input; BCE and Dice
between the rollout map of the response token and the object's mask on the token grid, at both granularities;
Ref-YouTube-VOS, one epoch. Where it is silent the choice is ours:

- embeddings begin as those of random tokens of the vocabulary;
- the object question is the one that grounding asks, without attributes;
- a sample is one expression on one clip: the video input of all sampled frames, and some of these frames as images,
  drawn among those that show the object (a map over its own maximum always points somewhere);
- AdamW without decay, a short linear warm-up, a cosine down to zero; the gradient of each prompt clipped to norm 1;
- a step is the mean over several samples, one after another;
- the prompts that are kept are those of the step at which the loss on held-out samples was lowest.

What a step sees depends on seed and step alone, and a checkpoint holds all that changes: a run that was broken off goes
on as it would have.
"""

from __future__ import annotations

import copy
import logging
import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor

from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event, Stage
from decaf_gui.grounding.families import Kind
from decaf_gui.grounding.mllm import Mllm
from decaf_gui.grounding.prompts import object_question
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.grounding.steering import NAMES, SoftPrompts, save_prompts
from decaf_gui.steering.losses import map_losses, map_meters, total
from decaf_gui.steering.passes import Rolling, steered_maps
from decaf_gui.steering.samples import Sample, Source, coverage_on
from decaf_gui.steering.seeing import Seeing, Seen

LOG = logging.getLogger(__name__)
KINDS: tuple[Kind, ...] = ("video", "image")
CHECKPOINT, PROMPTS, LOG_FILE = "checkpoint.pt", "prompts.safetensors", "log.jsonl"
STATE = frozenset({"about", "embeddings", "optimiser", "step", "seconds", "unsteered", "best"})
"""What a checkpoint holds."""
VISIBLE = 0.05
"""An input whose best covered token is covered by less than this share shows no object."""
IDLE_STEPS = 20
"""After so many steps in a row without one usable sample, something is wrong with all of them."""
SAVE_SECONDS, LOG_SECONDS = 120.0, 30.0


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: `steps` in all of `accumulate` samples each, at most at `rate`; `prompts` embeddings per kind of input.

    `frames` of a sample's frames are shown as images. Held-out samples are scored every `held_out_every` steps.
    """

    steps: int
    rate: float = 1e-3
    prompts: int = 64
    accumulate: int = 8
    frames: int = 2
    seed: int = 0
    held_out_every: int = 100

    def __post_init__(self) -> None:
        for name in ("steps", "prompts", "accumulate", "frames", "held_out_every"):
            if getattr(self, name) < 1:
                raise BadInput(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise BadInput(f"The rate must be above 0, not {self.rate}.")
        if self.seed < 0:
            raise BadInput(f"The seed must be 0 or more, not {self.seed}.")

    def rate_at(self, step: int) -> float:
        """Linear over the first twentieth (at most 100 steps), then a cosine down to 0 at the end."""
        warm = max(1, min(100, self.steps // 20))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm))) / 2


@dataclass(frozen=True, eq=False)
class Job:
    """What is trained on what. `settings` are grounding's, with the model's own input sizes filled in.

    `model` and `weights` name the model (`weights_hash`); `chunk_bytes` bounds the rollout's attention in memory, and
    `again` says whether layers are computed again for the backward pass (`Rolling`).
    """

    mllm: Mllm
    source: Source
    settings: GroundingSettings
    plan: Plan
    model: str
    weights: str
    chunk_bytes: int
    again: bool = True

    @property
    def first_layer(self) -> int:
        """The first rolled layer."""
        return self.mllm.layers // 2 if self.settings.start_layer is None else self.settings.start_layer

    @property
    def about(self) -> dict[str, Any]:
        """All that decides what the run does, as plain data."""
        chosen = ("frames", "video_tokens", "frame_scale", "rollout", "object_prompt", "input")
        settings = {name: getattr(self.settings, name) for name in chosen}
        made = {"model": self.model, "weights": self.weights, "source": self.source.name}
        return {**made, "plan": asdict(self.plan), "settings": {**settings, "start_layer": self.first_layer}}


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """A line of the log: means over the training steps since the line before (`values`), or held-out meters."""

    step: int
    minutes: float
    stage: str
    values: Mapping[str, float] = field(default_factory=dict)
    held_out: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As the log has it: `values` or `held_out`, whichever there is."""
        meters = {"values": dict(self.values)} if self.values else {"held_out": dict(self.held_out)}
        return {"step": self.step, "minutes": round(self.minutes, 3), "stage": self.stage, **meters}

    @property
    def loss(self) -> float | None:
        """The loss on held-out samples, of both kinds of input together; None where there are none."""
        losses = [value for name, value in self.held_out.items() if name.endswith(("_bce", "_dice"))]
        return sum(losses) if losses else None


class Trainee:
    """The two soft prompts and their optimiser; what was best so far, and how it is without prompts."""

    def __init__(self, job: Job) -> None:
        self.job = job
        table = job.mllm.model.get_input_embeddings().weight
        words = min(len(table), int(job.mllm.processor.tokenizer.vocab_size))
        random = np.random.default_rng(job.plan.seed)
        self.embeddings: dict[Kind, torch.nn.Parameter] = {}
        for kind in KINDS:
            chosen = torch.from_numpy(random.choice(words, job.plan.prompts, replace=words < job.plan.prompts))
            rows = table.detach()[chosen.to(table.device)].float()
            self.embeddings[kind] = torch.nn.Parameter(rows.clone())
        self.optimiser = torch.optim.AdamW(self.embeddings.values(), lr=0.0, weight_decay=0.0)
        self.step, self.seconds = 0, 0.0
        self.unsteered: float | None = None
        self.best: dict[str, Any] | None = None

    def judge(self, loss: float | None) -> None:
        """Keeps the prompts as they are when their held-out loss is the lowest so far."""
        if loss is not None and (self.best is None or loss < self.best["loss"]):
            self.best = {"loss": loss, "step": self.step, "embeddings": self._copied()}

    def _copied(self) -> dict[Kind, Tensor]:
        return {kind: tensor.detach().cpu().clone() for kind, tensor in self.embeddings.items()}

    def update(self) -> None:
        """One step along the gradients; they are forgotten."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.job.plan.rate_at(self.step)
        for embeddings in self.embeddings.values():
            torch.nn.utils.clip_grad_norm_([embeddings], 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1

    def state(self) -> dict[str, Any]:
        """A copy of everything that changes, and of what the run is."""
        found = {"step": self.step, "seconds": self.seconds, "unsteered": self.unsteered, "best": self.best}
        optimiser = copy.deepcopy(self.optimiser.state_dict())
        return {"about": self.job.about, "embeddings": self._copied(), "optimiser": optimiser, **found}

    def load(self, state: Mapping[str, Any]) -> None:
        """Takes a state over. Raises BadInput when it is one of another run."""
        if state["about"] != self.job.about:
            raise BadInput(f"The checkpoint is of another run ({_difference(state['about'], self.job.about)}).")
        try:
            with torch.no_grad():
                for kind, tensor in self.embeddings.items():
                    tensor.copy_(state["embeddings"][kind])
            self.optimiser.load_state_dict(state["optimiser"])
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.unsteered, self.best = state["unsteered"], state["best"]
        except (KeyError, ValueError, TypeError, RuntimeError) as error:
            raise BadInput("The checkpoint is damaged: remove it to begin anew.") from error


def _difference(there: Mapping[str, Any], here: Mapping[str, Any], room: str = "") -> str:
    """The first thing in which two descriptions differ, for people."""
    for name in here:
        if there.get(name) != here[name]:
            if isinstance(here[name], Mapping) and isinstance(there.get(name), Mapping):
                return _difference(there[name], here[name], f"{name} ")
            return f"{room}{name} {there.get(name)}, not {here[name]}"
    return "it has more settings"


def train(job: Job, out: Path, *, resume: bool = False) -> Generator[Stage | Measured, None, None]:
    """Trains to the end of the plan: a `Stage` for each step, `Measured` now and then.

    Checkpoint and prompts are written to `out` every two minutes, at the end, and when it is closed or fails: the state
    after the last whole step. Raises BadInput when `out` holds another run, or one that is not to be gone on with.
    """
    trainee = _begun(job, out, resume=resume)
    job.mllm.model.requires_grad_(False)
    seeing, clock = Seeing(job.mllm, job.settings), Clock()
    if trainee.step == 0:
        unsteered = _held_out(trainee, seeing, "without prompts", steered=False)
        trainee.unsteered = unsteered.loss
        yield unsteered
    kept, parts = trainee.state(), list[Mapping[str, float]]()
    try:
        while trainee.step < job.plan.steps:
            parts.append(take_step(trainee, seeing))
            _check_use(parts)
            trainee.seconds += clock.lap()
            note, lines = _note(parts[-1]), list(_measured(trainee, seeing, clock, parts))
            kept = trainee.state()
            yield Stage("steering", trainee.step, job.plan.steps, note)
            yield from lines
            if clock.due("save", SAVE_SECONDS):
                save(job, kept, out)
    finally:
        save(job, kept, out)


def _begun(job: Job, out: Path, *, resume: bool) -> Trainee:
    """A new run, or the one that `out` holds."""
    trainee, file = Trainee(job), out / CHECKPOINT
    if not file.exists():
        return trainee
    if not resume:
        raise BadInput(f"{out} holds a run already: go on with --resume, or choose another folder.")
    trainee.load(read_checkpoint(file, job.mllm.model.device))
    return trainee


def read_checkpoint(file: Path, device: torch.device) -> dict[str, Any]:
    """The state that `save` wrote. Raises BadInput when it is damaged, or something else."""
    try:
        state = torch.load(file, weights_only=True, map_location=device)
    except (OSError, RuntimeError, UnpicklingError, EOFError, ValueError, KeyError) as error:
        raise BadInput(f"{file} cannot be read as a checkpoint: remove it to begin anew.") from error
    if not isinstance(state, dict) or not state.keys() >= STATE:
        raise BadInput(f"{file} is no checkpoint of a training of soft prompts: remove it to begin anew.")
    return state


def save(job: Job, state: Mapping[str, Any], out: Path) -> None:
    """Checkpoint and prompts, each written beside its place and renamed into it."""
    out.mkdir(parents=True, exist_ok=True)
    beside = out / f".{CHECKPOINT}.new"
    torch.save(dict(state), beside)
    beside.replace(out / CHECKPOINT)
    save_prompts(prompts_of(job, state), out / PROMPTS)


def prompts_of(job: Job, state: Mapping[str, Any]) -> SoftPrompts:
    """The best prompts of a state (the last ones where nothing is held out), with the record of their training."""
    best = state["best"]
    chosen = best or state
    tensors = {NAMES[kind]: chosen["embeddings"][kind] for kind in KINDS}
    record = {name: value for name, value in job.about.items() if name not in ("model", "weights")}
    losses = {"held_out_loss": best["loss"], "unsteered_loss": state["unsteered"]} if best else {}
    training = {**record, "step": chosen["step"], "minutes": round(state["seconds"] / 60, 2), **losses}
    model_type = str(job.mllm.model.config.model_type)
    return SoftPrompts(**tensors, model=job.model, model_type=model_type, weights=job.weights, training=training)


def take_step(trainee: Trainee, seeing: Seeing) -> dict[str, float]:
    """The next step of a run: its mean losses by kind of input; none where no sample could be used."""
    plan, losses = trainee.job.plan, list[Mapping[str, float]]()
    random = np.random.default_rng((plan.seed, trainee.step))
    for place in range(plan.accumulate):
        sample = _sample(trainee.job.source, trainee.step * plan.accumulate + place)
        if sample is not None:
            losses += [_backward(trainee, shown) for shown in inputs_of(seeing, sample, plan.frames, random)]
    trainee.update()
    return mean_of(losses)


def _sample(source: Source, number: int) -> Sample | None:
    """A sample; None for one that cannot be read, which a long run must not end at."""
    try:
        return source.take(number)
    except BadInput as error:
        LOG.warning("sample %d is left out: %s", number, error)
        return None


@dataclass(frozen=True, eq=False)
class Shown:
    """Inputs of one kind with their question, and what their maps should cover (b, t, h, w)."""

    kind: Kind
    seen: Seen
    question: str
    coverage: Tensor
    settings: GroundingSettings


def inputs_of(seeing: Seeing, sample: Sample, frames: int, random: np.random.Generator) -> Iterator[Shown]:
    """The video of a sample, and up to `frames` frames that show its object; nothing where it cannot be seen."""
    question = object_question(Expression(sample.text), seeing.settings.object_prompt)
    seen = seeing.video(sample)
    coverage = coverage_on(seen[1], sample.masks)[None]
    if float(coverage.max()) < VISIBLE:
        return
    yield Shown("video", seen, question, coverage, seeing.settings)
    visible = np.flatnonzero(sample.masks.any(axis=(1, 2)))
    chosen = sorted(int(f) for f in random.choice(visible, min(frames, len(visible)), replace=False))
    seen = seeing.frames(sample, chosen)
    coverage = torch.stack([coverage_on(seen[1], sample.masks[[frame]]) for frame in chosen])
    if float(coverage.max()) >= VISIBLE:
        yield Shown("image", seen, question, coverage, seeing.settings)


def _maps(job: Job, shown: Shown, soft: Tensor | None) -> Tensor:
    how = Rolling(job.first_layer, job.settings.rollout, job.chunk_bytes, job.again)
    return steered_maps(job.mllm, *shown.seen, shown.question, soft, how)


def _backward(trainee: Trainee, shown: Shown) -> dict[str, float]:
    """Adds the gradient of one kind of input; its losses."""
    maps = _maps(trainee.job, shown, trainee.embeddings[shown.kind])
    losses = map_losses(maps, shown.coverage.to(maps.device))
    loss = total(losses)
    if not math.isfinite(float(loss.detach())):
        raise DecafError(f"The loss is no number at step {trainee.step}: lower the rate, or compute in float32.")
    (loss / trainee.job.plan.accumulate).backward()
    return _named(shown.kind, {name: float(value.detach()) for name, value in {"loss": loss, **losses}.items()})


def _named(kind: Kind, values: Mapping[str, float]) -> dict[str, float]:
    return {f"{NAMES[kind]}_{name}": value for name, value in values.items()}


def _check_use(parts: Sequence[Mapping[str, float]]) -> None:
    """Raises BadInput when the last steps found nothing to learn from."""
    if len(parts) >= IDLE_STEPS and not any(parts[-IDLE_STEPS:]):
        raise BadInput(f"No sample of the last {IDLE_STEPS} steps could be used: look at the log, check the dataset.")


def mean_of(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each value over the parts that have it."""
    found: dict[str, list[float]] = {}
    for part in parts:
        for name, value in part.items():
            found.setdefault(name, []).append(value)
    return {name: round(sum(values) / len(values), 5) for name, values in found.items()}


def _note(values: Mapping[str, float]) -> str:
    """Losses, for people."""
    shown = [f"{name} {values[f'{name}_loss']:.3f}" for name in NAMES.values() if f"{name}_loss" in values]
    return "loss: " + ", ".join(shown) if shown else "no usable sample"


def _measured(trainee: Trainee, seeing: Seeing, clock: Clock, parts: list[Mapping[str, float]]) -> Iterator[Measured]:
    """Lines of the log that are due; means over the steps since the last one empty `parts`."""
    plan = trainee.job.plan
    last = trainee.step == plan.steps
    if any(parts) and (last or clock.due("log", LOG_SECONDS)):
        yield Measured(trainee.step, trainee.seconds / 60, "steering", values=mean_of(parts))
        parts.clear()
    if last or trainee.step % plan.held_out_every == 0:
        found = _held_out(trainee, seeing, "steering")
        trainee.judge(found.loss)
        yield found
        clock.lap()  # scoring is no training


def _held_out(trainee: Trainee, seeing: Seeing, stage: str, *, steered: bool = True) -> Measured:
    """Losses and meters on held-out samples, with the prompts as they are now or without any."""
    parts: list[Mapping[str, float]] = []
    for number, sample in enumerate(trainee.job.source.held_out()):
        random = np.random.default_rng(number)  # the same frames each time
        for shown in inputs_of(seeing, sample, trainee.job.plan.frames, random):
            with torch.no_grad():
                maps = _maps(trainee.job, shown, trainee.embeddings[shown.kind] if steered else None)
                losses = map_losses(maps, shown.coverage.to(maps.device))
            values = {name: float(value) for name, value in losses.items()}
            parts.append(_named(shown.kind, values | map_meters(maps, shown.coverage)))
    return Measured(trainee.step, trainee.seconds / 60, stage, held_out=mean_of(parts))


class Clock:
    """Seconds between laps, and things that are due now and then."""

    def __init__(self) -> None:
        self._lap = time.monotonic()
        self._last: dict[str, float] = {}

    def lap(self) -> float:
        """Seconds since the last lap."""
        before, self._lap = self._lap, time.monotonic()
        return self._lap - before

    def due(self, name: str, every: float) -> bool:
        """Whether `every` seconds went by since this was last due."""
        now = time.monotonic()
        if now - self._last.setdefault(name, now) < every:
            return False
        self._last[name] = now
        return True
