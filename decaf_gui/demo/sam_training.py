"""Trains the tiny SAM2 of the demo on the shapes world, stage by stage (`sam_stages.py`), on a CPU core or a GPU.

    python -m decaf_gui.demo.sam_training --out runs/sam --export resources/models/demo-sam
    python -m decaf_gui.demo.sam_training --out runs/sam-fine --start resources/models/demo-sam --stage fine
    torchrun --standalone --nproc-per-node 2 -m decaf_gui.demo.sam_training --out runs/sam

A step depends on the seed, its number and the number of processes that share it, so the same command makes the same
run, and `--resume` with the same arguments goes on as if it had not been stopped. The run folder holds checkpoint.pt,
best.pt (the averaged weights with the best held-out composite) and log.jsonl: one line for the meters of every 25
steps, one for each held-out measure.
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from decaf_gui.demo.sam_data import Batch, Wanted, load_batch
from decaf_gui.demo.sam_held_out import composite, held_out
from decaf_gui.demo.sam_lessons import clip_losses, picture_losses
from decaf_gui.demo.sam_model import at_size, export, fresh_model, loosen_memory, prepare_masks, prepare_memory
from decaf_gui.demo.sam_prompts import as_logits
from decaf_gui.demo.sam_stages import STAGES, Stage, begin_of, learning_rate, lengthened, stage_at
from decaf_gui.demo.sam_steps import Teacher, encode
from decaf_gui.demo.sharing import ALONE, Share, average_gradients, shared
from decaf_gui.pipeline.engine import choose_device
from decaf_gui.tracking import load_sam

log = logging.getLogger("sam_training")
LOG_EVERY, WATCH_EVERY, WATCHED = 25, 500, 24
SAVE_SECONDS = 120
LONGEST = 0.5
"""The norm at which gradients are cut."""


Optimizers = tuple[torch.optim.Optimizer, ...]


@dataclass
class Run:
    """What a checkpoint holds: `place` is the stage's, `step` counts over all stages, `best` is a composite.

    `share` is this process's part of each step, and in no checkpoint.
    """

    model: Any
    average: Any
    optimizers: Optimizers
    place: int = 0
    step: int = 0
    minutes: float = 0.0
    best: float = -1.0
    share: Share = ALONE

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return torch.device(next(self.model.parameters()).device)


def new_run(stages: Sequence[Stage] = STAGES, seed: int = 0, device: str = "cpu") -> Run:
    """A run at step 0."""
    return begin_run(fresh_model(seed), stages, 0, device)


def begin_run(model: Any, stages: Sequence[Stage], step: int, device: str = "cpu") -> Run:
    """A run that begins with the weights of `model` at the first step of a stage."""
    place, _ = stage_at(tuple(stages), step)
    run = Run(model.to(device), copy.deepcopy(model).to(device), new_optimizers(model), -1, step)
    enter(run, stages, place)
    return run


def enter(run: Run, stages: Sequence[Stage], place: int) -> None:
    """Begins a stage from the averaged weights: its image size, a new optimiser, and what it wants fitted."""
    stage = stages[place]
    model = at_size(run.average, stage.image_size).to(run.device).train(False).requires_grad_(True)
    if stage.fits_memory or stage.fits_masks:
        batch = load_batch(np.random.default_rng(5), Wanted(32, 1, 1, stage.image_size, stage.drawn)).to(run.device)
        with torch.no_grad():
            features = encode(model, batch.images[0], 1)[0][-1].flatten(0, 1)
        if stage.fits_memory:
            prepare_memory(model, features, batch.masks[0, :, :1])
        if stage.fits_masks:
            prepare_masks(model, features, as_logits(batch.masks[0, :, 0]))
    loosen_memory(model, stage.near)
    run.model, run.average, run.place = model, copy.deepcopy(model), place
    run.optimizers = new_optimizers(model)


def new_optimizers(model: Any) -> Optimizers:
    """Muon for the matrices of linear layers, AdamW for all other weights, both at a rate of 0.

    Muon (Jordan et al., 2024) makes each step of a matrix orthogonal. Here that learns in half of the steps, see
    docs/demo-models.md. Its steps are as large as those of AdamW at the same rate (Liu et al., 2025).
    """
    matrices = [weights for weights in model.parameters() if _is_matrix(weights)]
    others = [weights for weights in model.parameters() if not _is_matrix(weights)]
    return (
        torch.optim.Muon(matrices, lr=0.0, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01),
    )


def _is_matrix(weights: Tensor) -> bool:
    return weights.ndim == 2 and min(weights.shape) > 1


def train_step(run: Run, teacher: Teacher, stage: Stage, progress: float, seed: int) -> dict[str, float]:
    """One update of the weights and of their average: the meters."""
    rng, batch, video = draw(np.random.default_rng((seed, run.step)), stage, run.share)
    lesson = clip_losses if video else picture_losses
    loss, meters = lesson(run.model, teacher, batch.to(run.device), rng, stage, progress)
    rate = learning_rate(stage, progress)
    run.model.zero_grad(set_to_none=True)
    loss.backward()
    average_gradients(run.model, run.share)
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), LONGEST)
    if torch.isfinite(norm):
        for optimizer in run.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
    with torch.no_grad():
        for mean, value in zip(run.average.parameters(), run.model.parameters(), strict=True):
            mean.lerp_(value, 1 - stage.keep)
    run.step += 1
    return {"loss": float(loss.detach()), "rate": rate, **meters}


def draw(rng: np.random.Generator, stage: Stage, share: Share = ALONE) -> tuple[np.random.Generator, Batch, bool]:
    """The process's part of what a step shows, whether that is clips, and chance for the rest of the step."""
    video = rng.random() < stage.videos
    frames = int(rng.integers(stage.lengths[0], stage.lengths[1] + 1)) if video else 1
    clips, objects = (stage.clips, stage.tracked) if video else (stage.pictures, 4)
    rng = share.own(rng)
    wanted = Wanted(
        share.part(clips),
        frames,
        objects,
        stage.image_size,
        stage.drawn,
        medium=stage.medium,
        lookalikes=stage.lookalikes,
        least=stage.least,
        leaving=stage.leaving,
        returning=stage.returning,
        crossing=stage.crossing,
        shuffled=stage.shuffled,
        lost=stage.lost,
        flickering=stage.flickering,
    )
    return rng, load_batch(rng, wanted), video


def train(run: Run, folder: Path, stages: Sequence[Stage] = STAGES, seed: int = 0) -> Iterator[dict[str, Any]]:
    """All steps that are left: yields the lines of the log, and writes them and the checkpoint.

    Of several processes that share the steps, only the first one does either.
    """
    stages = tuple(stages)
    folder.mkdir(parents=True, exist_ok=True)
    teacher, recent = Teacher(run.model), Recent()
    saved, last = time.monotonic(), sum(stage.steps for stage in stages)
    while run.step < last:
        began = time.monotonic()
        place, progress = stage_at(stages, run.step)
        if place != run.place:
            enter(run, stages, place)
            teacher = Teacher(run.model)
        recent.add(train_step(run, teacher, stages[place], progress, seed))
        run.minutes += (time.monotonic() - began) / 60
        if not run.share.first:
            continue
        told = {"step": run.step, "minutes": round(run.minutes, 3), "stage": stages[place].name}
        if run.step % LOG_EVERY == 0 or run.step == last:
            yield _write(folder, {**told, "values": recent.means()})
        if run.step % WATCH_EVERY == 0 or run.step == last:
            yield _write(folder, {**told, "held_out": _watch(run, folder)})
        if (run.step % LOG_EVERY == 0 and time.monotonic() - saved > SAVE_SECONDS) or run.step == last:
            save(run, folder, stages)
            saved = time.monotonic()


class Recent:
    """Meters since they were last told."""

    def __init__(self) -> None:
        self.values: dict[str, list[float]] = {}

    def add(self, meters: dict[str, float]) -> None:
        """Those of one step."""
        for name, value in meters.items():
            self.values.setdefault(name, []).append(value)

    def means(self) -> dict[str, float]:
        """Their means, and begins anew."""
        means = {name: round(float(np.mean(values)), 5) for name, values in self.values.items()}
        self.values.clear()
        return means


def _watch(run: Run, folder: Path) -> dict[str, float]:
    """Measures the averaged weights on the watched clips; keeps the best ones."""
    found = held_out(run.average, WATCHED)
    found.pop("objects", None)  # their number is no meter
    found["composite"] = composite(found)
    if found["composite"] > run.best:
        run.best = found["composite"]
        _replace(folder / "best.pt", {"average": run.average.state_dict(), "place": run.place, "step": run.step})
    return {name: round(value, 5) for name, value in found.items()}


def _write(folder: Path, line: dict[str, Any]) -> dict[str, Any]:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    return line


def _replace(path: Path, state: dict[str, Any]) -> None:
    """Writes `state` whole or not at all."""
    beside = path.with_suffix(".new")
    torch.save(state, beside)
    beside.replace(path)


def save(run: Run, folder: Path, stages: Sequence[Stage] = STAGES) -> None:
    """The whole run, and which of `stages` it has come through."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "model": run.model.state_dict(),
        "average": run.average.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in run.optimizers],
        "counters": (run.place, run.step, run.minutes, run.best),
        "stages": _begun(stages, run.place),
    }
    _replace(folder / "checkpoint.pt", state)


def _begun(stages: Sequence[Stage], place: int) -> list[tuple[str, int]]:
    """Names and steps of the stages up to the one at `place`."""
    return [(stage.name, stage.steps) for stage in stages[: place + 1]]


def resume(folder: Path, stages: Sequence[Stage] = STAGES, device: str = "cpu") -> Run:
    """The run that `save` wrote; ValueError when there is none, or when it has come through other stages than these."""
    if not (folder / "checkpoint.pt").exists():
        raise ValueError(f"There is no run to go on with in {folder}: leave --resume out to begin one.")
    state = torch.load(folder / "checkpoint.pt", map_location=device, weights_only=True)
    place, step, minutes, best = state["counters"]
    if state["stages"] != _begun(stages, place):
        stages_then = ", ".join(f"{steps} steps of {name}" for name, steps in state["stages"])
        raise ValueError(f"The run in {folder} has {stages_then}: go on with the --length it was begun with.")
    run = begin_run(at_size(fresh_model(), stages[place].image_size), stages, step, device)
    run.model.load_state_dict(state["model"])
    run.average.load_state_dict(state["average"])
    for optimizer, kept in zip(run.optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(kept)
    run.place, run.minutes, run.best = place, minutes, best
    return run


def rewind_log(folder: Path, step: int) -> None:
    """Lines of the log that were written after the checkpoint's step go: those steps are made again."""
    path = folder / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    path.write_text("".join(f"{line}\n" for line in lines if json.loads(line)["step"] <= step), encoding="utf-8")


def load_start(path: Path) -> Any:
    """The weights of a model folder, or the averaged ones of a checkpoint.pt or best.pt, as a model."""
    if path.is_dir():
        return load_sam(path)
    model = fresh_model()
    model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["average"])
    return model


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--seed", type=int, default=0, help="of the run; for the first weights, too")
    parser.add_argument("--length", type=float, default=1.0, help="so many times the steps of every stage")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--start", type=Path, help="begin with these weights: a model folder, checkpoint.pt or best.pt")
    parser.add_argument("--stage", choices=[s.name for s in STAGES], default="image", help="the stage to begin with")
    parser.add_argument("--export", type=Path, help="write the best weights to this model folder in the end")
    parser.add_argument("--only-export", action="store_true", help="no more training")
    given = parser.parse_args()
    if given.length <= 0:
        parser.error("--length wants a number above 0")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(1)
    with shared() as share:
        if not given.only_export:
            stages = lengthened(given.length)
            try:
                run = _first(given, stages, share)
            except ValueError as error:
                parser.error(str(error))
            for line in train(run, given.out, stages, given.seed):
                log.info(json.dumps(line))
        if given.export and share.first:
            state = torch.load(given.out / "best.pt", map_location="cpu", weights_only=True)
            export(at_size(load_start(given.out / "best.pt"), STAGES[state["place"]].image_size), given.export)


def _first(given: argparse.Namespace, stages: tuple[Stage, ...], share: Share) -> Run:
    """The run to train: the one that was stopped, or a new one."""
    device = choose_device(given.device)
    if given.resume:
        run = resume(given.out, stages, device)
        if share.first:
            rewind_log(given.out, run.step)
    else:
        model = load_start(given.start) if given.start else fresh_model(given.seed)
        run = begin_run(model, stages, begin_of(stages, given.stage), device)
    run.share = share
    return run


if __name__ == "__main__":
    main()
