"""Trains the bundled demo MLLM on the shapes world: `python -m decaf_gui.demo.mllm_training --out DIR --minutes N`.

One CPU core is enough; the run is resumable (`--resume`) and `--export FOLDER` writes the model in the layout of
the released ones. The curriculum goes from bare expressions on small inputs to the engine's own questions and sizes.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from decaf_gui.demo import mllm_architecture as architecture
from decaf_gui.demo.mllm_data import (
    SIZES,
    Generator,
    Targets,
    View,
    Wording,
    ask,
    choice_batch,
    pack,
    some_frames,
    view,
)
from decaf_gui.demo.mllm_held_out import HELD_OUT_SEED, HeldOut, evaluate
from decaf_gui.demo.mllm_losses import (
    DenseHead,
    Weights,
    answer_loss,
    dense_losses,
    dense_targets,
    mean_of,
    question_losses,
    weighted,
)
from decaf_gui.demo.mllm_packed import PackedQuestions, packed_forward, vision_tower
from decaf_gui.demo.shapes import make_clip

FIRST_SEED = 1_000_000
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """What one step shows and asks.

    `clips` give one frame each as an image of `frame_scale` times the video's grid, and the first `videos` of them
    a video of `frames` frames. No `questions` means that only the vision tower learns, to say what lies under each
    token. `full` questions are the engine's own, the others bare expressions.
    """

    clips: int
    videos: int
    questions: int = 6
    full: bool = True
    frames: int = 8
    frame_scale: int = 2


TOWER = Task(clips=24, videos=0, questions=0, frame_scale=1)
BARE = Task(clips=8, videos=4, full=False, frames=4, frame_scale=1)
SMALL = Task(clips=6, videos=3, frames=4, frame_scale=1)
BARE_LARGE = Task(clips=4, videos=2, full=False)
LARGE = Task(clips=4, videos=2)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the curriculum up to the share `until` of the run: tasks with how often they come."""

    until: float
    tasks: tuple[tuple[float, Task], ...]
    contrast: bool = False
    choices: bool = False

    def pick(self, random: Generator) -> Task:
        """One task by chance."""
        weights = np.array([weight for weight, _ in self.tasks])
        return self.tasks[int(random.choice(len(self.tasks), p=weights / weights.sum()))][1]


# A step of LARGE costs three of BARE, and what BARE teaches (which object is meant, what it is) carries over.
CURRICULUM = (
    Stage(0.06, ((1.0, TOWER),)),
    Stage(0.22, ((1.0, BARE),)),
    Stage(0.45, ((0.80, BARE), (0.12, SMALL), (0.08, BARE_LARGE)), contrast=True, choices=True),
    Stage(0.80, ((0.40, BARE), (0.15, SMALL), (0.45, LARGE)), contrast=True, choices=True),
    Stage(1.00, ((0.15, SMALL), (0.85, LARGE)), contrast=True, choices=True),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The run: `minutes` in all (earlier parts of a resumed run included), peak rate, seeds."""

    minutes: float
    rate: float = 1e-3
    warmup: int = 150
    decay_from: float = 0.6
    ema: float = 0.998
    seed: int = 1
    curriculum: tuple[Stage, ...] = CURRICULUM

    def stage(self, share: float) -> Stage:
        """The stage at `share` of the run."""
        return next((s for s in self.curriculum if share < s.until), self.curriculum[-1])

    def learning_rate(self, step: int, share: float) -> float:
        """Warm-up by steps, then constant, then linear to a fiftieth from `decay_from` on."""
        fall = max(0.02, 1 - max(0.0, share - self.decay_from) / (1 - self.decay_from))
        return self.rate * min(1.0, (step + 1) / self.warmup) * fall


class Trainee:
    """Model, dense head, optimiser and running average, as one thing to save and load."""

    def __init__(self, seed: int) -> None:
        self.model = architecture.build_mllm(seed)
        self.processor = architecture.build_processor(architecture.demo_tokenizer())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = self.model.config.text_config.hidden_size
            self.heads = torch.nn.ModuleList([DenseHead(width), DenseHead(width)])
            initialise(self.model)
        self.averaged = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.optimiser = torch.optim.AdamW(self._groups(), lr=0.0, betas=(0.9, 0.98), fused=True)
        self.step, self.seconds, self.next_seed, self.best = 0, 0.0, FIRST_SEED, -1.0

    def _groups(self) -> list[dict[str, Any]]:
        parameters = [*self.model.parameters(), *self.heads.parameters()]
        decayed = [p for p in parameters if p.ndim > 1]
        return [{"params": decayed, "weight_decay": 0.05}, {"params": [p for p in parameters if p.ndim < 2]}]

    def average(self, keep: float) -> None:
        """Moves the running average towards the model (faster in the beginning)."""
        keep = min(keep, (self.step + 1) / (self.step + 10))
        names, parameters = zip(*self.model.named_parameters(), strict=True)
        with torch.no_grad():
            torch._foreach_lerp_([self.averaged[n] for n in names], list(parameters), 1 - keep)

    def averaged_model(self) -> Any:
        """A model in evaluation mode with the running average's weights."""
        model = architecture.build_mllm(0)
        model.load_state_dict(self.averaged, strict=False)
        model.tie_weights()
        return model.eval()

    def save(self, path: Path) -> None:
        """Writes the state beside `path` and renames it into place."""
        state = {
            "model": self.model.state_dict(),
            "heads": self.heads.state_dict(),
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
            "counters": (self.step, self.seconds, self.next_seed, self.best),
        }
        beside = path.with_suffix(".part")
        torch.save(state, beside)
        beside.replace(path)

    def load(self, path: Path) -> None:
        """Reads a state written by `save`."""
        state = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.averaged = state["averaged"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.next_seed, self.best = state["counters"]


def initialise(model: Any) -> None:
    """Variance-preserving layers with quiet residual branches: transformers' 0.02 is too small for this width."""
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2:
            continue
        if "embed_tokens" in name:
            torch.nn.init.normal_(parameter, std=0.1)
        else:
            quiet = 0.4 if any(part in name for part in ("o_proj", "down_proj", "attn.proj")) else 1.0
            torch.nn.init.normal_(parameter, std=quiet * parameter[0].numel() ** -0.5)


class Pool:
    """Clips that several steps share: a quarter of each draw is new, so that drawing costs little and varies much."""

    def __init__(self, next_seed: int, per_size: int = 40) -> None:
        self.next_seed, self.per_size = next_seed, per_size
        self._views: dict[tuple[int, int], deque[View]] = {size: deque(maxlen=per_size) for size in SIZES}

    def draw(self, count: int, random: Generator) -> list[View]:
        """`count` different clips of one size, 8 frames each."""
        size = SIZES[random.integers(len(SIZES))]
        views = self._views[size]
        for _ in range(max(1, count // 4, count - len(views))):
            level = str(random.choice(["kind", "medium"], p=[0.85, 0.15]))
            views.append(view(make_clip(self.next_seed, level, frames=8, size=size)))
            self.next_seed += 1
        chosen = random.choice(len(views), size=count, replace=False)
        return [views[i] for i in chosen]


@dataclass(frozen=True, eq=False)
class Work:
    """One step: packed batches with their targets, and text-only choices (ids, answers) now and then.

    Unless `asked`, the questions are fillers and only the vision tower learns.
    """

    packs: tuple[tuple[PackedQuestions, Targets], ...]
    choices: tuple[Tensor, Tensor] | None
    asked: bool = True


def make_work(task: Task, wording: Wording, views: Sequence[View], random: Generator, *, choices: bool) -> Work:
    """One step on `views`, equal-sized clips."""
    questions = [ask(v.clip, max(task.questions, 3), random, full=task.full) for v in views]
    shown = [[int(random.integers(len(v.frames)))] for v in views]
    frames = task.frames if random.random() < 0.85 else int(random.integers(2, task.frames))
    videos = [some_frames(v, frames) for v in views[: task.videos]]
    packs = [pack(views, questions, "image", wording, shown, task.frame_scale)]
    if videos:
        packs.append(pack(videos, questions[: task.videos], "video", wording))
    clips = [v.clip for v in views]
    text = choice_batch((clips * 8)[:8], random, wording) if choices else None
    return Work(tuple(packs), text, asked=task.questions > 0)


def train_step(trainee: Trainee, work: Work, rate: float, *, contrast: bool, ema: float = 0.998) -> dict[str, float]:
    """One optimiser step; the losses and meters."""
    for group in trainee.optimiser.param_groups:
        group["lr"] = rate
    learn = partial(_backward, contrast=contrast) if work.asked else _backward_tower
    parts = [learn(trainee, batch, targets) for batch, targets in work.packs]
    if work.choices is not None:
        parts.append(_backward_choices(trainee, *work.choices))
    parameters = [p for group in trainee.optimiser.param_groups for p in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    trainee.optimiser.step()
    trainee.optimiser.zero_grad(set_to_none=True)
    trainee.average(ema)
    trainee.step += 1
    return mean_of([*parts, {"norm": float(norm)}])


def _backward(trainee: Trainee, batch: PackedQuestions, targets: Targets, *, contrast: bool) -> dict[str, float]:
    with torch.autocast("cpu", torch.bfloat16):
        result = packed_forward(trainee.model, batch)
        parts = question_losses(result, batch, targets, contrast=contrast)
        parts |= dense_losses(trainee.heads, [result.tower, result.seen], dense_targets(targets, batch))
    values = _backward_parts(parts) | _meters(result.logits, result.maps, targets)
    return {f"{batch.kind}_{name}": value for name, value in values.items()}


def _backward_tower(trainee: Trainee, batch: PackedQuestions, targets: Targets) -> dict[str, float]:
    with torch.autocast("cpu", torch.bfloat16):
        tower = vision_tower(trainee.model.model.visual, batch.pixels, batch.grid)
        parts = dense_losses(trainee.heads, [tower], dense_targets(targets, batch))
    return {f"{batch.kind}_{name}": value for name, value in _backward_parts(parts).items()}


def _backward_parts(parts: dict[str, Tensor]) -> dict[str, float]:
    """Half the weighted sum: a step sees two kinds of input."""
    total, values = weighted(parts, Weights())
    (total / 2).backward()
    return values


def _backward_choices(trainee: Trainee, ids: Tensor, answers: Tensor) -> dict[str, float]:
    with torch.autocast("cpu", torch.bfloat16):
        logits = trainee.model(input_ids=ids, use_cache=False).logits
    loss = answer_loss(logits.float()[:, None], answers[:, None])
    loss.backward()
    return {"choice": float(loss.detach())}


def _meters(logits: Tensor, maps: Tensor, targets: Targets) -> dict[str, float]:
    """Answers right (object questions whose shape is not named, background questions) and pointing."""
    right = (logits[:, :, 0].argmax(-1) == targets.answers[:, :, 0]).float()
    best = targets.maps[:, :, 0].gather(2, maps[:, :, 0].argmax(-1, keepdim=True))[..., 0]
    visible = targets.maps[:, :, 0].amax(-1) > 0.5
    chosen = {
        "unnamed": (right, (targets.pairs >= 0) & ~targets.named),
        "scene": (right, targets.pairs < 0),
        "pointing": ((best >= 0.5).float(), (targets.pairs >= 0) & visible),
    }
    return {name: float(values[where].mean()) for name, (values, where) in chosen.items() if bool(where.any())}


def train(out: Path, plan: Plan, *, resume: bool) -> Iterator[dict[str, Any]]:
    """Trains until `plan.minutes` are used up, saving to `out`; yields meters about every half minute."""
    out.mkdir(parents=True, exist_ok=True)
    trainee = Trainee(plan.seed)
    if resume and (out / "last.pt").exists():
        trainee.load(out / "last.pt")
    wording, pool = Wording(trainee.processor), Pool(trainee.next_seed)
    parts: list[dict[str, float]] = []
    clock = Clock(trainee.seconds)
    while (share := clock.seconds / (60 * plan.minutes)) < 1:
        stage = plan.stage(share)
        random = np.random.default_rng(pool.next_seed)
        task = stage.pick(random)
        choices = stage.choices and trainee.step % 8 == 0
        work = make_work(task, wording, pool.draw(task.clips, random), random, choices=choices)
        rate = plan.learning_rate(trainee.step, share)
        parts.append(train_step(trainee, work, rate, contrast=stage.contrast, ema=plan.ema))
        trainee.seconds, trainee.next_seed = clock.seconds, pool.next_seed
        if clock.due("meters", 30):
            yield {"step": trainee.step, "minutes": round(clock.seconds / 60, 2), **_rounded(mean_of(parts))}
            parts.clear()
        if clock.due("save", 180):
            trainee.save(out / "last.pt")
        if clock.due("held_out", 360):
            yield _held_out(trainee, out, seeds=16)
    yield _held_out(trainee, out, seeds=32)
    trainee.save(out / "last.pt")


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _held_out(trainee: Trainee, out: Path, seeds: int) -> dict[str, Any]:
    """Held-out meters; the best running average is kept apart."""
    model = trainee.averaged_model()
    found = evaluate(model, trainee.processor, range(HELD_OUT_SEED, HELD_OUT_SEED + seeds))
    if found.pointing > trainee.best:
        trainee.best = found.pointing
        torch.save(trainee.averaged, out / "best.part")
        (out / "best.part").replace(out / "best.pt")
    meters = {name: getattr(found, name) for name in HeldOut.__slots__}
    return {"step": trainee.step, "held_out": meters}


class Clock:
    """Wall-clock seconds of a run that may have been resumed, and things that are due now and then."""

    def __init__(self, earlier: float) -> None:
        self._start = time.monotonic() - earlier
        self._last: dict[str, float] = {}

    @property
    def seconds(self) -> float:
        """Seconds since the run's start, earlier parts included."""
        return time.monotonic() - self._start

    def due(self, name: str, every: float) -> bool:
        """Whether `every` seconds went by since this was last due."""
        now = self.seconds
        if now - self._last.setdefault(name, now) < every:
            return False
        self._last[name] = now
        return True


def export(out: Path, folder: Path, weights: str = "best.pt") -> None:
    """Writes the run's weights (`best.pt`, or `last.pt`'s running average) as a model folder."""
    trainee = Trainee(0)
    if (out / weights).exists():
        state = torch.load(out / weights, weights_only=True)
        trainee.averaged = state.get("averaged", state)
    model = trainee.averaged_model()
    architecture.export_folder(model, trainee.processor, folder, {"trained_on": "synthetic shapes only"})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="run folder: checkpoints and log")
    parser.add_argument("--minutes", type=float, default=0, help="length of the whole run; 0 only exports")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    parser.add_argument("--export", type=Path, help="model folder to write at the end")
    parser.add_argument("--weights", default="best.pt", help="what to export: best.pt or last.pt")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    if options.minutes > 0:
        for meters in train(options.out, Plan(options.minutes), resume=options.resume):
            LOG.info(json.dumps(meters))
    if options.export is not None:
        export(options.out, options.export, options.weights)


if __name__ == "__main__":
    main()
