"""Trains the bundled demo MLLM on the shapes world: `python -m decaf_gui.demo.mllm_training --out DIR --steps N`.

One CPU core is enough; what a step sees depends on seed and step alone, so a run that was broken off goes on as it
would have (`--resume`). `--export FOLDER` writes the model in the layout of the released ones. The curriculum goes from
bare expressions on small inputs to the engine's own questions and sizes.
"""

from __future__ import annotations

import argparse
import functools
import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from decaf_gui.demo import mllm_architecture as architecture
from decaf_gui.demo.mllm_data import (
    SIZES,
    Generator,
    Targets,
    View,
    Wording,
    ask,
    attribute_asks,
    choice_batch,
    pack,
    some_frames,
    view,
)
from decaf_gui.demo.mllm_held_out import HELD_OUT_SEED, evaluate
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
from decaf_gui.pipeline.engine import choose_device

FIRST_SEED = 1_000_000
TURN = 3
"""Steps after which each size has one more clip."""
DESCRIBED, REASONED = 0.35, 0.5
"""The share of object questions that name attributes, and of steps that ask for some, where a stage has them."""
HELD_OUT_EVERY, HELD_OUT_SEEDS = 400, range(HELD_OUT_SEED, HELD_OUT_SEED + 32)
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
TOWER_MOVING = Task(clips=4, videos=8, questions=0)
BARE = Task(clips=8, videos=4, full=False, frames=4, frame_scale=1)
BARE_MOVING = Task(clips=3, videos=6, full=False)
SMALL = Task(clips=6, videos=3, frames=4, frame_scale=1)
LARGE = Task(clips=3, videos=4)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the curriculum up to the share `until` of the run: tasks with how often they come.

    `contrast`: object and background maps are compared; `choices` of a category are asked for, too; `attributes` are
    asked for, and named in some of the object questions (SteerSeg).
    """

    name: str
    until: float
    tasks: tuple[tuple[float, Task], ...]
    contrast: bool = False
    choices: bool = False
    attributes: bool = False

    def pick(self, random: Generator) -> Task:
        """One task by chance."""
        weights = np.array([weight for weight, _ in self.tasks])
        return self.tasks[int(random.choice(len(self.tasks), p=weights / weights.sum()))][1]


# A step of LARGE costs three of BARE, and what BARE teaches (which object is meant, what it is) carries over. Forms are
# what the tower learns last and from many pictures best, hence the stage "shapes".
CURRICULUM = (
    Stage("tower", 0.11, ((0.6, TOWER), (0.4, TOWER_MOVING))),
    Stage("bare", 0.33, ((0.7, BARE), (0.3, BARE_MOVING))),
    Stage("mixed", 0.44, ((0.5, BARE), (0.3, BARE_MOVING), (0.2, SMALL)), contrast=True, choices=True),
    Stage("shapes", 0.6159, ((0.6, TOWER), (0.2, BARE_MOVING), (0.2, SMALL)), contrast=True, choices=True),
    Stage("full", 0.80, ((0.1, TOWER), (0.2, BARE_MOVING), (0.2, SMALL), (0.5, LARGE)), True, True, True),
    Stage("last", 1.00, ((0.15, SMALL), (0.85, LARGE)), True, True, True),
)
# From weights that know shapes and colours (`--start`): what the tower must still learn, then full questions.
CONTINUED = (
    Stage("tower", 0.12, ((0.3, TOWER), (0.7, TOWER_MOVING))),
    Stage("mixed", 0.40, ((0.35, BARE), (0.35, BARE_MOVING), (0.3, LARGE)), contrast=True, choices=True),
    Stage("full", 0.70, ((0.15, BARE), (0.25, BARE_MOVING), (0.6, LARGE)), True, True, True),
    Stage("last", 1.00, ((0.1, SMALL), (0.9, LARGE)), True, True, True),
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The run: `steps` in all (earlier parts of a resumed run included), peak rate, seed."""

    steps: int
    rate: float = 1e-3
    warmup: int = 150
    decay_from: float = 0.55
    ema: float = 0.998
    seed: int = 1
    curriculum: tuple[Stage, ...] = CURRICULUM

    def stage(self, step: int) -> Stage:
        """The stage of a step."""
        return next((s for s in self.curriculum if step < s.until * self.steps), self.curriculum[-1])

    def learning_rate(self, step: int) -> float:
        """Warm-up by steps, then constant, then linear to a fiftieth from `decay_from` on."""
        fall = max(0.02, 1 - max(0.0, step / self.steps - self.decay_from) / (1 - self.decay_from))
        return self.rate * min(1.0, (step + 1) / self.warmup) * fall


class Trainee:
    """Model, dense head, optimiser and running average, as one thing to save and load."""

    def __init__(self, seed: int, device: str = "cpu") -> None:
        self.device = torch.device(device)
        self.model = architecture.build_mllm(seed)
        self.processor = architecture.build_processor(architecture.demo_tokenizer())
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            width = self.model.config.text_config.hidden_size
            self.heads = torch.nn.ModuleList([DenseHead(width), DenseHead(width)])
            initialise(self.model)
        self.model.to(self.device)
        self.heads.to(self.device)
        self.averaged = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.optimiser = torch.optim.AdamW(self._groups(), lr=0.0, betas=(0.9, 0.98), fused=True)
        self.step, self.seconds, self.best, self.continued = 0, 0.0, -1.0, False

    def start_from(self, weights: Mapping[str, Tensor]) -> None:
        """Takes over a model's weights; heads, optimiser and counters stay as new."""
        self.continued = True
        self.model.load_state_dict(weights, strict=False)
        self.averaged = {name: p.detach().clone() for name, p in self.model.named_parameters()}

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
            "counters": (self.step, self.seconds, self.best, self.continued),
        }
        beside = path.with_suffix(".part")
        torch.save(state, beside)
        beside.replace(path)

    def load(self, path: Path) -> None:
        """Reads a state written by `save`."""
        state = torch.load(path, weights_only=True, map_location=self.device)
        self.model.load_state_dict(state["model"])
        self.heads.load_state_dict(state["heads"])
        self.averaged = state["averaged"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.seconds, self.best, self.continued = state["counters"]


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
    """Clips that steps share, so that drawing costs little.

    Step n sees some of `window` clips of one size, a new one each `TURN` steps. Which ones depends on the step and its
    random numbers alone, so a resumed run sees what it would have seen.
    """

    def __init__(self, window: int = 40) -> None:
        self.window = window
        self._view = functools.lru_cache(maxsize=window * len(SIZES) + 64)(training_view)

    def draw(self, step: int, count: int, random: Generator) -> list[View]:
        """`count` different clips of one size, 8 frames each."""
        size = int(random.integers(len(SIZES)))
        newest = self.window + step // TURN
        chosen = newest - random.choice(self.window, size=count, replace=False)
        return [self._view(FIRST_SEED + int(number) * len(SIZES) + size) for number in chosen]


def training_view(seed: int) -> View:
    """The clip of a training seed, whose size follows from the seed."""
    level = "medium" if np.random.default_rng(seed).random() < 0.15 else "kind"
    return view(make_clip(seed, level, frames=architecture.CARD.frames, size=SIZES[(seed - FIRST_SEED) % len(SIZES)]))


@dataclass(frozen=True, eq=False)
class Work:
    """One step: packed batches with their targets, now and then text-only choices (ids, answers), and attributes.

    Unless `asked`, the questions are fillers and only the vision tower learns.
    """

    packs: tuple[tuple[PackedQuestions, Targets], ...]
    choices: tuple[Tensor, Tensor] | None
    attributes: tuple[PackedQuestions, Targets] | None = None
    asked: bool = True

    def to(self, device: torch.device) -> Work:
        """The same on a device."""
        packs = tuple((batch.to(device), targets.to(device)) for batch, targets in self.packs)
        choices = None if self.choices is None else (self.choices[0].to(device), self.choices[1].to(device))
        attributes = None if self.attributes is None else (self.attributes[0].to(device), self.attributes[1].to(device))
        return replace(self, packs=packs, choices=choices, attributes=attributes)


def make_work(
    task: Task,
    wording: Wording,
    views: Sequence[View],
    random: Generator,
    *,
    choices: bool,
    attributes: bool = False,
) -> Work:
    """One step on `views`, equal-sized clips."""
    count = max(task.questions, 3)
    shown = [[int(random.integers(len(v.frames)))] for v in views]
    frames = task.frames if random.random() < 0.85 else int(random.integers(2, task.frames))
    videos = [some_frames(v, frames) for v in views[: task.videos]]
    stills = views[: task.clips]
    reasons = attributes and task.full and task.questions > 0
    described = DESCRIBED if reasons else 0.0
    asked = [ask(v.clip, count, random, "image", full=task.full, described=described) for v in stills]
    packs = [pack(stills, asked, "image", wording, shown[: task.clips], task.frame_scale)]
    if videos:
        asked = [ask(v.clip, count, random, "video", full=task.full, described=described) for v in videos]
        packs.append(pack(videos, asked, "video", wording))
    clips = [v.clip for v in views]
    text = choice_batch((clips * 8)[:8], random, wording) if choices else None
    told = reasons and random.random() < REASONED
    return Work(tuple(packs), text, _reasoning(videos[:2], wording, random) if told else None, task.questions > 0)


def _reasoning(videos: Sequence[View], wording: Wording, random: Generator) -> tuple[PackedQuestions, Targets]:
    """Questions for attributes on a few videos."""
    return pack(videos, [attribute_asks(v.clip, 3, random) for v in videos], "video", wording)


def train_step(trainee: Trainee, work: Work, rate: float, *, contrast: bool, ema: float = 0.998) -> dict[str, float]:
    """One optimiser step; the losses and meters."""
    for group in trainee.optimiser.param_groups:
        group["lr"] = rate
    learn = partial(_backward, contrast=contrast) if work.asked else _backward_tower
    work = work.to(trainee.device)
    parts = [learn(trainee, batch, targets) for batch, targets in work.packs]
    if work.choices is not None:
        parts.append(_backward_choices(trainee, *work.choices))
    if work.attributes is not None:
        parts.append(_backward_attributes(trainee, *work.attributes))
    parameters = [p for group in trainee.optimiser.param_groups for p in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
    trainee.optimiser.step()
    trainee.optimiser.zero_grad(set_to_none=True)
    trainee.average(ema)
    trainee.step += 1
    return mean_of([*parts, {"norm": float(norm)}])


def _backward(trainee: Trainee, batch: PackedQuestions, targets: Targets, *, contrast: bool) -> dict[str, float]:
    with torch.autocast(trainee.device.type, torch.bfloat16):
        result = packed_forward(trainee.model, batch)
        parts = question_losses(result, batch, targets, contrast=contrast)
        parts |= dense_losses(trainee.heads, [result.tower, result.seen], dense_targets(targets, batch))
    values = _backward_parts(parts) | _meters(result.logits, result.maps, targets)
    return {f"{batch.kind}_{name}": value for name, value in values.items()}


def _backward_tower(trainee: Trainee, batch: PackedQuestions, targets: Targets) -> dict[str, float]:
    with torch.autocast(trainee.device.type, torch.bfloat16):
        tower = vision_tower(trainee.model.model.visual, batch.pixels, batch.grid)
        parts = dense_losses(trainee.heads, [tower], dense_targets(targets, batch))
    return {f"{batch.kind}_{name}": value for name, value in _backward_parts(parts).items()}


def _backward_parts(parts: dict[str, Tensor]) -> dict[str, float]:
    """Half the weighted sum: a step sees two kinds of input."""
    total, values = weighted(parts, Weights())
    (total / 2).backward()
    return values


def _backward_choices(trainee: Trainee, ids: Tensor, answers: Tensor) -> dict[str, float]:
    with torch.autocast(trainee.device.type, torch.bfloat16):
        logits = trainee.model(input_ids=ids, use_cache=False).logits
    loss = answer_loss(logits.float()[:, None], answers[:, None])
    loss.backward()
    return {"choice": float(loss.detach())}


def _backward_attributes(trainee: Trainee, batch: PackedQuestions, targets: Targets) -> dict[str, float]:
    with torch.autocast(trainee.device.type, torch.bfloat16):
        logits = packed_forward(trainee.model, batch).logits
    loss = answer_loss(logits, targets.answers)
    loss.backward()
    return {"reasoning": float(loss.detach())}


def _meters(logits: Tensor, maps: Tensor, targets: Targets) -> dict[str, float]:
    """Answers right (object questions whose shape is not named, background questions) and pointing."""
    right = (logits[:, :, 0].argmax(-1) == targets.answers[:, :, 0]).float()
    best = targets.maps[:, :, 0].gather(2, maps[:, :, 0].argmax(-1, keepdim=True))[..., 0]
    visible = targets.maps[:, :, 0].amax(-1) > 0.5
    chosen = {
        "unnamed": (right, (targets.pairs >= 0) & ~targets.named & ~targets.blind),
        "scene": (right, targets.pairs < 0),
        "pointing": ((best >= 0.5).float(), (targets.pairs >= 0) & ~targets.blind & visible),
    }
    return {name: float(values[where].mean()) for name, (values, where) in chosen.items() if bool(where.any())}


def train(out: Path, plan: Plan, *, resume: bool, start: Path | None = None, device: str = "cpu") -> Iterator[Entry]:
    """Trains until step `plan.steps`, saving to `out`; yields meters about every half minute.

    `start` gives the weights to begin with (a model folder, or a run's .pt file).
    """
    out.mkdir(parents=True, exist_ok=True)
    trainee = Trainee(plan.seed, device)
    if resume and (out / "last.pt").exists():
        trainee.load(out / "last.pt")
    elif start is not None:
        trainee.start_from(weights_of(start))
    if trainee.continued:
        plan = replace(plan, curriculum=CONTINUED)
    wording, pool, clock = Wording(trainee.processor), Pool(), Clock(trainee.seconds)
    parts: list[dict[str, float]] = []
    while trainee.step < plan.steps:
        stage = plan.stage(trainee.step)
        parts.append(take_step(trainee, plan, wording, pool))
        trainee.seconds = clock.seconds
        if clock.due("meters", 30):
            yield _entry(trainee, stage, values=_rounded(mean_of(parts)))
            parts.clear()
        if trainee.step % HELD_OUT_EVERY == 0 or trainee.step == plan.steps:
            yield _entry(trainee, stage, held_out=_held_out(trainee, out))
        if clock.due("save", 120) or trainee.step == plan.steps:
            trainee.save(out / "last.pt")


def take_step(trainee: Trainee, plan: Plan, wording: Wording, pool: Pool) -> dict[str, float]:
    """The next step of a run: what it sees depends on the plan's seed and the step alone."""
    stage = plan.stage(trainee.step)
    random = np.random.default_rng((plan.seed, trainee.step))
    task = stage.pick(random)
    views = pool.draw(trainee.step, max(task.clips, task.videos), random)
    choices = stage.choices and trainee.step % 8 == 0
    work = make_work(task, wording, views, random, choices=choices, attributes=stage.attributes)
    return train_step(trainee, work, plan.learning_rate(trainee.step), contrast=stage.contrast, ema=plan.ema)


Entry = dict[str, Any]
"""A line of the log: step, minutes, stage, and `values` (means since the last line) or `held_out` meters."""


def _entry(trainee: Trainee, stage: Stage, **meters: dict[str, float]) -> Entry:
    return {"step": trainee.step, "minutes": round(trainee.seconds / 60, 2), "stage": stage.name, **meters}


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in values.items()}


def _held_out(trainee: Trainee, out: Path) -> dict[str, float]:
    """Held-out meters; the best running average is kept apart."""
    model = trainee.averaged_model()
    meters = evaluate(model, trainee.processor, HELD_OUT_SEEDS)
    if meters["pointing"] > trainee.best:
        trainee.best = meters["pointing"]
        torch.save(trainee.averaged, out / "best.part")
        (out / "best.part").replace(out / "best.pt")
    return meters


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


def weights_of(path: Path) -> dict[str, Tensor]:
    """A model's weights in float32, by the names of its parameters: of a model folder or of a run's .pt file."""
    if path.is_dir():
        loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(path, dtype=torch.float32)
        return {name: parameter.detach() for name, parameter in loaded.named_parameters()}
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    weights: dict[str, Tensor] = state.get("averaged", state)
    return weights


def export(out: Path, folder: Path, weights: str = "best.pt") -> None:
    """Writes the run's weights (`best.pt`, or `last.pt`'s running average) as a model folder."""
    trainee = Trainee(0)
    trainee.start_from(weights_of(out / weights))
    model = trainee.averaged_model()
    architecture.export_folder(model, trainee.processor, folder, {"trained_on": "synthetic shapes only"})


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, required=True, help="run folder: checkpoints and log.jsonl")
    parser.add_argument("--steps", type=int, default=0, help="length of the whole run; 0 only exports")
    parser.add_argument("--seed", type=int, default=1, help="of weights, clips and questions")
    parser.add_argument("--start", type=Path, help="begin with the weights of this model folder or .pt file")
    parser.add_argument("--resume", action="store_true", help="go on from the folder's last checkpoint")
    parser.add_argument("--device", default="auto", help="auto (a GPU when there is one), cpu, cuda")
    parser.add_argument("--threads", type=int, default=1, help="of the CPU")
    parser.add_argument("--export", type=Path, help="model folder to write at the end")
    parser.add_argument("--weights", default="best.pt", help="what to export: best.pt or last.pt")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(options.threads)
    if options.steps > 0:
        plan = Plan(options.steps, seed=options.seed)
        device = choose_device(options.device)
        entries = train(options.out, plan, resume=options.resume, start=options.start, device=device)
        write_log(entries, options.out / "log.jsonl")
    if options.export is not None:
        export(options.out, options.export, options.weights)


def write_log(entries: Iterable[Entry], path: Path) -> None:
    """Appends each entry as a line, at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for entry in entries:
            line = json.dumps(entry)
            LOG.info(line)
            file.write(line + "\n")
            file.flush()


if __name__ == "__main__":
    main()
