"""Trains the tiny SAM2 of the demo on the shapes world, from nothing, on a CPU.

    python -m decaf_gui.demo.sam_training --out runs/sam --minutes 60 [--resume] [--export resources/models/demo-sam]

First clicks and boxes on single pictures, then clips with memory. Both stages are time boxed; a checkpoint is
written every two minutes, and `--resume` goes on from it.
"""

from __future__ import annotations

import argparse
import copy
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from decaf_gui.demo.sam_data import (
    HELD_OUT_SEED,
    OBJECTS,
    Batch,
    corrected_prompt,
    first_prompt,
    load_batch,
    random_clicks,
)
from decaf_gui.demo.sam_losses import balanced_loss, dice_loss, focal_loss, identity_loss, mask_iou, pixel_loss
from decaf_gui.demo.sam_model import IMAGE_SIZE, export, fresh_model, prepare_memory

log = logging.getLogger("sam_training")
CLIP_LENGTH = 30
"""Clips count as this long in the pointers' time code, as in a longer clip at use."""


@dataclass
class Run:
    """What a checkpoint holds."""

    model: Any
    average: Any
    optimizer: torch.optim.Optimizer
    step: int = 0
    stage: str = "image"
    seconds: dict[str, float] = field(default_factory=lambda: {"image": 0.0, "video": 0.0})


# --- one step of the model ---------------------------------------------------------------------------------------


class Teacher:
    """Hooks the mask decoder: keeps its raw outputs, and passes the true presence on while training.

    Without it SAM2 replaces the mask of an object that it believes absent, and its gradient is lost.
    """

    def __init__(self, model: Any) -> None:
        self.truth: Tensor | None = None
        self.masks = self.ious = self.scores = torch.empty(0)
        self.handle = model.sam_mask_decoder.register_forward_hook(self._hook)

    def _hook(self, _module: Any, _inputs: Any, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self.masks, self.ious, tokens, self.scores = output
        if self.truth is None:
            return output
        forced = torch.where(self.truth[:, None] > 0, 10.0, -10.0)
        return self.masks, self.ious, tokens, forced


def encode(model: Any, images: Tensor, repeat: int) -> tuple[list[Tensor], list[Tensor], list[Any]]:
    """Features of B images for B * repeat objects, as the tracking step takes them."""
    out = model.forward_image(images)
    out["backbone_fpn"] = [level.repeat_interleave(repeat, 0) for level in out["backbone_fpn"]]
    out["vision_pos_enc"] = [p.repeat_interleave(repeat, 0) for p in out["vision_pos_enc"]]
    _, features, positions, sizes = model._prepare_backbone_features(out)
    return features, positions, sizes


def step_frame(
    model: Any,
    vision: tuple[list[Tensor], list[Tensor], list[Any]],
    index: int,
    bank: dict[str, dict[int, Any]],
    prompt: dict[str, Tensor] | None,
    mask: Tensor | None = None,
    previous: Tensor | None = None,
) -> tuple[Tensor, ...]:
    """SAM2's tracking step on one frame: its head outputs."""
    initial = prompt is not None or mask is not None
    _, heads, _, _ = model._track_step(index, initial, *vision, prompt, mask, bank, CLIP_LENGTH, False, previous)
    return tuple(heads)


def remember(model: Any, vision: Any, heads: tuple[Tensor, ...], *, prompted: bool) -> dict[str, Any]:
    """An output as the memory bank holds it."""
    features, positions = model._encode_new_memory(vision[0], vision[2], heads[4], heads[6], prompted)
    return {"maskmem_features": features, "maskmem_pos_enc": positions, "obj_ptr": heads[5]}


def upsampled(low: Tensor) -> Tensor:
    """Decoder logits (N, 1, h, w) at the model's size: (N, S, S)."""
    side = (IMAGE_SIZE, IMAGE_SIZE)
    return functional.interpolate(low, size=side, mode="bilinear", align_corners=False)[:, 0]


# --- losses of a stage -------------------------------------------------------------------------------------------


def mask_losses(logits: Tensor, truth: Tensor, ious: Tensor, progress: float) -> Tensor:
    """Mask and IoU losses of present objects: a scalar. `progress` in [0, 1] moves the weights along."""
    fade = max(0.0, 1 - progress / 0.4)
    loss = dice_loss(logits, truth) + 4 * pixel_loss(logits, truth) + 4 * fade * balanced_loss(logits, truth)
    if progress > 0.6:
        loss = loss + 10 * focal_loss(logits, truth)
    estimate = (ious[:, 0] - mask_iou(logits, truth)).abs()
    return (loss + estimate).mean()


def image_losses(
    model: Any, teacher: Teacher, batch: Batch, rng: np.random.Generator, progress: float
) -> tuple[Tensor, dict[str, float]]:
    """A prompt and, at least half of the time, a correction on single images.

    Half of the corrections see the first mask, as the sam2 package gives it; the others only all clicks together, as
    our session does.
    """
    truth = batch.masks[0].flatten(0, 1)
    teacher.truth = torch.ones(len(truth))
    vision = encode(model, batch.images[0], OBJECTS)
    empty: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    prompt = first_prompt(rng, truth)
    step_frame(model, vision, 0, empty, prompt)
    low, logits = teacher.masks, upsampled(teacher.masks)
    named = logits.unflatten(0, (-1, OBJECTS))
    identity = identity_loss(named, batch.masks[0])
    loss = mask_losses(logits, truth, teacher.ious, progress) + (1.0 if progress < 0.5 else 0.5) * identity
    presence = functional.softplus(-teacher.scores).mean()
    meters = {"identity": float(identity.detach()), "click": float(mask_iou(logits, truth).mean())}
    if progress >= 0.8 or rng.random() < 0.5:
        prompt = corrected_prompt(rng, prompt, logits.detach(), truth)
        previous = low.detach().clamp(-32, 32) if rng.random() < 0.5 else None
        step_frame(model, vision, 0, empty, prompt, previous=previous)
        logits = upsampled(teacher.masks)
        loss = loss + mask_losses(logits, truth, teacher.ious, progress)
        meters["corrected"] = float(mask_iou(logits, truth).mean())
    return loss + 0.2 * presence, meters


def video_losses(
    model: Any, teacher: Teacher, batch: Batch, rng: np.random.Generator, progress: float
) -> tuple[Tensor, dict[str, float]]:
    """The first frame is prompted (a third with its true mask), the others are tracked.

    In half of the clips memory holds what the model itself believed present, as it will in use.
    """
    truths = batch.masks.flatten(1, 2)
    bank: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    total = torch.zeros(())
    overlaps: list[Tensor] = []
    present_right: list[Tensor] = []
    absent_right: list[Tensor] = []
    told = rng.random() < 0.5
    for t, truth in enumerate(truths):
        present = (truth.flatten(1).sum(1) > 8).float()
        teacher.truth = present if told else None
        vision = encode(model, batch.images[t], OBJECTS)
        prompt, mask = None, None
        if t == 0 and rng.random() < 0.34:
            mask = truth[:, None]
        elif t == 0:
            prompt = first_prompt(rng, truth)
        heads = step_frame(model, vision, t, bank, prompt, mask)
        where = "cond_frame_outputs" if t == 0 else "non_cond_frame_outputs"
        bank[where][t] = remember(model, vision, heads, prompted=t == 0)
        if mask is not None:
            continue
        logits, here = upsampled(teacher.masks), present > 0
        weight = torch.where(here, 1.0, 1.5)
        scores = functional.binary_cross_entropy_with_logits(teacher.scores[:, 0], present, weight=weight)
        total = total + scores
        if bool(here.any()):
            total = total + mask_losses(logits[here], truth[here], teacher.ious[here], max(progress, 0.41))
            overlaps.append(mask_iou(logits[here], truth[here]).detach())
            present_right.append((teacher.scores[here] > 0).float())
        absent_right.append((teacher.scores[~here] <= 0).float())
    meters = {
        "next": float(torch.cat(overlaps[1:] or overlaps).mean()),
        "present": float(torch.cat(present_right).mean()),
    }
    absent = torch.cat(absent_right)
    if absent.numel():
        meters["absent"] = float(absent.mean())
    return total / len(truths), meters


# --- the loop ----------------------------------------------------------------------------------------------------


def new_run(seed: int = 0) -> Run:
    """A run at step 0."""
    model = fresh_model(seed)
    return Run(model, copy.deepcopy(model), _optimizer(model, 1.5e-3))


def _optimizer(model: Any, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)


def train_step(run: Run, teacher: Teacher, rng: np.random.Generator, progress: float) -> dict[str, float]:
    """One update of the weights and of their average: the meters."""
    video = run.stage == "video" and rng.random() < 0.7
    if video:
        batch = load_batch(rng, 4, int(rng.integers(3, 7)))
        loss, meters = video_losses(run.model, teacher, batch, rng, progress)
    else:
        batch = load_batch(rng, 16, 1)
        loss, meters = image_losses(run.model, teacher, batch, rng, progress if run.stage == "image" else 0.8)
    top = 1.5e-3 if run.stage == "image" else 8e-4
    warm = min(1.0, (run.step + 1) / 50)
    for group in run.optimizer.param_groups:
        group["lr"] = top * warm * (0.06 + 0.94 * (1 + math.cos(math.pi * min(progress, 1))) / 2)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0 if run.stage == "image" else 0.5)
    if torch.isfinite(norm):
        run.optimizer.step()
    _average(run.model, run.average, 0.99)
    run.step += 1
    return {"loss": float(loss.detach()), **meters}


@torch.no_grad()
def _average(model: Any, average: Any, keep: float) -> None:
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - keep)


def begin_video(run: Run) -> None:
    """From the averaged image weights: the memory path is scaled to their features."""
    rng = np.random.default_rng(5)
    run.model.load_state_dict(run.average.state_dict())
    with torch.no_grad():
        features = encode(run.model, load_batch(rng, 32, 1).images[0], 1)[0][-1].flatten(0, 1)
    prepare_memory(run.model, features)
    run.average.load_state_dict(run.model.state_dict())
    run.optimizer = _optimizer(run.model, 8e-4)
    run.stage = "video"


@torch.no_grad()
def held_out(model: Any, clips: int = 24, frames: int = 12) -> dict[str, float]:
    """Held-out clicks, and their tracking over short clips without a teacher."""
    rng = np.random.default_rng(11)
    batch = load_batch(rng, clips, frames, HELD_OUT_SEED)
    truths = batch.masks.flatten(1, 2)
    bank: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    clicks = {"point_coords": random_clicks(rng, truths[0]), "point_labels": torch.ones(len(truths[0]), 1).int()}
    found: dict[str, list[Tensor]] = {"click": [], "J": [], "present": [], "absent": []}
    for t, truth in enumerate(truths):
        vision = encode(model, batch.images[t], OBJECTS)
        heads = step_frame(model, vision, t, bank, clicks if t == 0 else None)
        bank["cond_frame_outputs" if t == 0 else "non_cond_frame_outputs"][t] = remember(
            model, vision, heads, prompted=t == 0
        )
        overlap, here = mask_iou(heads[4][:, 0], truth), truth.flatten(1).sum(1) > 8
        found["click" if t == 0 else "J"].append(overlap)
        if t:
            found["present"].append((heads[6][here] > 0).float())
            found["absent"].append((heads[6][~here] <= 0).float())
    return {name: float(torch.cat(values).mean()) for name, values in found.items() if values and sum(map(len, values))}


def save(run: Run, folder: Path) -> None:
    """The whole run, atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {
        "model": run.model.state_dict(),
        "average": run.average.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "step": run.step,
        "stage": run.stage,
        "seconds": run.seconds,
    }
    beside = folder / "checkpoint.pt.new"
    torch.save(state, beside)
    beside.replace(folder / "checkpoint.pt")


def resume(folder: Path) -> Run:
    """The run that `save` wrote."""
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    run = new_run()
    run.model.load_state_dict(state["model"])
    run.average.load_state_dict(state["average"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.step, run.stage, run.seconds = state["step"], state["stage"], dict(state["seconds"])
    return run


def train(run: Run, minutes: dict[str, float], folder: Path) -> Iterator[dict[str, float]]:
    """Both stages until their time is used up; yields the meters of every step, saves every two minutes."""
    teacher = Teacher(run.model)
    rng = np.random.default_rng((7, run.step))
    saved = time.monotonic()
    for stage in ("image", "video"):
        if stage == "video" and run.stage == "image":
            begin_video(run)
        while run.stage == stage and run.seconds[stage] < minutes[stage] * 60:
            began = time.monotonic()
            meters = train_step(run, teacher, rng, run.seconds[stage] / (minutes[stage] * 60))
            run.seconds[stage] += time.monotonic() - began
            yield meters
            if time.monotonic() - saved > 120:
                save(run, folder)
                saved = time.monotonic()
    teacher.handle.remove()
    save(run, folder)


def calibrate_presence(model: Any, wanted: float = 0.95) -> float:
    """Shifts the object score's bias so that `wanted` of the present objects of held-out clips count as present."""
    rng = np.random.default_rng(23)
    scores: list[Tensor] = []
    with torch.no_grad():
        for _ in range(4):
            batch = load_batch(rng, 12, 10, HELD_OUT_SEED)
            scores.append(_present_scores(model, batch, rng))
    shift = float(-torch.cat(scores).quantile(1 - wanted))
    shift = max(-3.0, min(3.0, shift))
    with torch.no_grad():
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.add_(shift)
    return shift


def _present_scores(model: Any, batch: Batch, rng: np.random.Generator) -> Tensor:
    """Object scores on tracked frames that show the object."""
    truths = batch.masks.flatten(1, 2)
    bank: dict[str, dict[int, Any]] = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    found = []
    for t, truth in enumerate(truths):
        vision = encode(model, batch.images[t], OBJECTS)
        clicks = {"point_coords": random_clicks(rng, truth), "point_labels": torch.ones(len(truth), 1).int()}
        heads = step_frame(model, vision, t, bank, clicks if t == 0 else None)
        bank["cond_frame_outputs" if t == 0 else "non_cond_frame_outputs"][t] = remember(
            model, vision, heads, prompted=t == 0
        )
        if t:
            found.append(heads[6][truth.flatten(1).sum(1) > 60, 0])
    return torch.cat(found)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--minutes", type=float, default=60, help="time for both stages; 40 %% goes to images")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    parser.add_argument("--export", type=Path, help="write the demo folder here (with --minutes 0: only that)")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    run = resume(given.out) if given.resume else new_run()
    minutes = {"image": given.minutes * 0.4, "video": given.minutes * 0.6}
    recent: dict[str, list[float]] = {}
    for meters in train(run, minutes, given.out) if given.minutes else ():
        for name, value in meters.items():
            recent.setdefault(name, []).append(value)
        if run.step % 50 == 0:
            shown = " ".join(f"{name} {np.mean(values):.3f}" for name, values in recent.items())
            log.info("%s step %d, %.1f min: %s", run.stage, run.step, sum(run.seconds.values()) / 60, shown)
            recent.clear()
        if run.step % 300 == 0:
            log.info("held out: %s", {k: round(v, 3) for k, v in held_out(run.average).items()})
    if given.export:
        shift = calibrate_presence(run.average) if run.stage == "video" else 0.0
        log.info("presence bias shifted by %.2f, held out: %s", shift, held_out(run.average))
        export(run.average, given.export)


if __name__ == "__main__":
    main()
