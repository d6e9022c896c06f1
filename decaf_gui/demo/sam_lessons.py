"""What a step of the tiny SAM2's training asks for: prompts on pictures, tracking through clips, and their losses."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from decaf_gui.demo.sam_data import SEEN, Batch
from decaf_gui.demo.sam_losses import (
    balanced_loss,
    click_loss,
    dice_loss,
    focal_loss,
    identity_loss,
    mask_iou,
    pixel_loss,
)
from decaf_gui.demo.sam_prompts import (
    Style,
    as_logits,
    correcting_clicks,
    disturbed,
    first_prompt,
    joined,
    plain_corrections,
)
from decaf_gui.demo.sam_stages import Stage
from decaf_gui.demo.sam_steps import Bank, Teacher, Vision, encode, new_bank, remember, step_frame, upsampled

STYLES: tuple[Style, ...] = ("together", "base", "logits")
WITH_LOGITS = 0.1
"""The share of corrections that see the last logits."""
PIXEL, FOCAL = 4, 10
"""Weights of the pixel loss (and the balanced one) and the focal loss; the dice loss has 1."""
Meters = dict[str, float]


def mask_losses(logits: Tensor, truth: Tensor, ious: Tensor, ripe: float) -> Tensor:
    """Mask and IoU losses of present objects: a scalar. `ripe` in [0, 1] moves the weights along."""
    fade = max(0.0, 1 - ripe / 0.4)
    loss = dice_loss(logits, truth) + PIXEL * pixel_loss(logits, truth) + PIXEL * fade * balanced_loss(logits, truth)
    if ripe > 0.6:
        loss = loss + FOCAL * focal_loss(logits, truth)
    estimate = (ious[:, 0] - mask_iou(logits, truth)).abs()
    return (loss + estimate).mean()


def picture_losses(
    model: Any, teacher: Teacher, batch: Batch, rng: np.random.Generator, stage: Stage, progress: float
) -> tuple[Tensor, Meters]:
    """A prompt, and for the stage's share of steps one or two corrections, on single pictures."""
    ripe = max(progress, stage.ripe[0])
    objects, side = batch.masks.shape[2], batch.images.shape[-1]
    truth = batch.masks[0].flatten(0, 1)
    teacher.truth = torch.ones(len(truth), device=truth.device)
    vision = encode(model, batch.images[0], objects)
    prompt = first_prompt(rng, truth, stage.boxes)
    step_frame(model, vision, 0, new_bank(), prompt)
    logits = upsampled(teacher.masks, side)
    identity = identity_loss(logits.unflatten(0, (-1, objects)), batch.masks[0])
    loss = mask_losses(logits, truth, teacher.ious, ripe) + (1.0 if ripe < 0.5 else 0.5) * identity
    loss = loss + 0.2 * functional.softplus(-teacher.scores).mean()
    meters = {"identity": float(identity.detach()), "click": float(mask_iou(logits, truth).mean())}
    if rng.random() < stage.corrections[0]:
        learn = _plain_correction if stage.plain else _corrections
        more, told = learn(model, teacher, vision, batch, rng, ripe, stage, (logits, prompt))
        loss, meters = loss + more, meters | told
    return loss, meters


def _plain_correction(
    model: Any,
    teacher: Teacher,
    vision: Vision,
    batch: Batch,
    rng: np.random.Generator,
    ripe: float,
    _stage: Stage,
    first: tuple[Tensor, Any],
) -> tuple[Tensor, Meters]:
    """A second click that is taken together with the first prompt and the logits it gave."""
    logits, prompt = first
    truth = batch.masks[0].flatten(0, 1)
    prompt = joined(prompt, plain_corrections(rng, logits.detach(), truth))
    step_frame(model, vision, 0, new_bank(), prompt, previous=teacher.masks.detach().clamp(-32, 32))
    logits = upsampled(teacher.masks, batch.images.shape[-1])
    return mask_losses(logits, truth, teacher.ious, ripe), {"logits": float(mask_iou(logits, truth).mean())}


def _corrections(
    model: Any,
    teacher: Teacher,
    vision: Vision,
    batch: Batch,
    rng: np.random.Generator,
    ripe: float,
    stage: Stage,
    first: tuple[Tensor, Any],
) -> tuple[Tensor, Meters]:
    """One or two clicks that correct a first mask, in one of the ways in which the program passes them on."""
    logits, prompt = first
    side, truth = batch.images.shape[-1], batch.masks[0].flatten(0, 1)
    chances = (1 - stage.given - WITH_LOGITS, stage.given, WITH_LOGITS)
    style = STYLES[int(rng.choice(len(STYLES), p=chances))]
    base = disturbed(rng, logits.detach(), truth, batch.masks.shape[2], stage.own) if style == "base" else None
    loss, meters = torch.zeros((), device=truth.device), Meters()
    for turn in range(int(rng.integers(1, 3))):
        found = base if base is not None and turn == 0 else logits.detach()
        clicks = correcting_clicks(rng, found, truth)
        prompt = clicks if base is not None and turn == 0 else joined(prompt, clicks)
        previous = as_logits(base) if base is not None else None
        if style == "logits":
            previous = teacher.masks.detach().clamp(-32, 32)
        step_frame(model, vision, 0, new_bank(), prompt, previous=previous)
        logits = upsampled(teacher.masks, side)
        loss = loss + mask_losses(logits, truth, teacher.ious, ripe)
        loss = loss + click_loss(logits, truth, prompt["point_coords"], prompt["point_labels"])
        if turn == 0:
            meters[style] = float(mask_iou(logits, truth).mean())
        meters |= _obeyed(logits, clicks)
    return loss, meters


@torch.no_grad()
def _obeyed(logits: Tensor, clicks: dict[str, Tensor]) -> Meters:
    """The share of negative clicks whose pixel is off."""
    x, y = clicks["point_coords"][:, -1].long().unbind(1)
    negative = clicks["point_labels"][:, -1] == 0
    off = logits[torch.arange(len(logits), device=logits.device), y, x] <= 0
    return {"negative": float(off[negative].float().mean())} if bool(negative.any()) else {}


def clip_losses(
    model: Any, teacher: Teacher, batch: Batch, rng: np.random.Generator, stage: Stage, progress: float
) -> tuple[Tensor, Meters]:
    """The first frame is prompted (a third with its true mask), the others are tracked, one of them corrected at times.

    In half of the clips memory holds what the model itself believed present, as it will in use, in the others the truth
    (but see `denied`).
    """
    ripe = max(progress, stage.ripe[1])
    objects, side = batch.masks.shape[2], batch.images.shape[-1]
    truths = batch.masks.flatten(1, 2)
    bank = new_bank()
    told = rng.random() < 0.5
    corrected_at = int(rng.integers(1, len(truths))) if rng.random() < stage.corrections[1] else -1
    believed = truths.flatten(2).mean(2) > SEEN
    if told and stage.denied:
        believed = denied(rng, believed, stage.denied, corrected_at)
    total = torch.zeros((), device=truths.device)
    tally = Tally()
    for t, truth in enumerate(truths):
        teacher.truth = believed[t].float() if told else None
        vision = encode(model, batch.images[t], objects)
        prompt, mask = None, None
        if t == 0 and rng.random() < 0.34:
            mask = truth[:, None]
        elif t == 0:
            prompt = first_prompt(rng, truth, stage.boxes)
        heads = step_frame(model, vision, t, bank, prompt, mask)
        if mask is None:
            logits = upsampled(teacher.masks, side)
            total = total + _frame_loss(logits, truth, teacher, ripe, stage.absent_weight)
            total = total + 0.5 * identity_loss(logits.unflatten(0, (-1, objects)), batch.masks[t])
            tally.add("next" if t else "first", logits, truth, teacher.scores)
        if t == corrected_at:
            clicks = correcting_clicks(rng, logits.detach(), truth)
            heads = step_frame(model, vision, t, bank, clicks, previous=heads[3].detach().clamp(-32, 32), alone=False)
            logits = upsampled(teacher.masks, side)
            total = total + _frame_loss(logits, truth, teacher, ripe, stage.absent_weight)
            here = truth.flatten(1).any(1)
            if bool(here.any()):
                points, labels = clicks["point_coords"][here], clicks["point_labels"][here]
                total = total + click_loss(logits[here], truth[here], points, labels)
            tally.add("retold", logits, truth, teacher.scores)
        prompted = t in (0, corrected_at)
        kept = remember(model, vision, heads, prompted=prompted)
        _keep(bank, t, kept, prompted=prompted)
    return total / len(truths), tally.means()


def denied(rng: np.random.Generator, present: Tensor, share: float, corrected_at: int = -1) -> Tensor:
    """What memory is told of `present` (T, N), bool: a share of the objects is denied from some frame on.

    What is in the picture has to be found although all of the memory but the prompts' says that it is gone, as after a
    long absence. The frames with prompts, the first one and `corrected_at`, are told as they are.
    """
    told = present.clone()
    for k in np.flatnonzero(rng.random(present.shape[1]) < share):
        told[int(rng.integers(1, len(present))) :, k] = False
    if corrected_at > 0:
        told[corrected_at] = present[corrected_at]
    return told


def _keep(bank: Bank, index: int, output: dict[str, Any], *, prompted: bool) -> None:
    bank["cond_frame_outputs" if prompted else "non_cond_frame_outputs"][index] = output


def _frame_loss(logits: Tensor, truth: Tensor, teacher: Teacher, ripe: float, absent: float) -> Tensor:
    """Presence, and masks: of what is gone they shall be empty. A sliver of an object need not be called either."""
    area = truth.flatten(1).mean(1)
    here, gone = area > SEEN, area == 0
    weight = torch.where(gone, absent, 1.0) * (here | gone)
    loss = functional.binary_cross_entropy_with_logits(teacher.scores[:, 0], here.float(), weight=weight)
    if bool(here.any()):
        loss = loss + mask_losses(logits[here], truth[here], teacher.ious[here], ripe)
    if bool(gone.any()):
        empty = PIXEL * pixel_loss(logits[gone], truth[gone]) + FOCAL * focal_loss(logits[gone], truth[gone])
        loss = loss + empty.sum() / len(truth)
    return loss


class Tally:
    """Collects meters over the frames of a clip."""

    def __init__(self) -> None:
        self.values: dict[str, list[Tensor]] = {}

    @torch.no_grad()
    def add(self, name: str, logits: Tensor, truth: Tensor, scores: Tensor) -> None:
        """IoU of what can be seen under `name`, and whether the scores tell right what is there."""
        area = truth.flatten(1).mean(1)
        here, gone = area > SEEN, area == 0
        for key, value in (
            (name, mask_iou(logits[here], truth[here])),
            ("present", (scores[here] > 0).float()),
            ("absent", (scores[gone] <= 0).float()),
        ):
            self.values.setdefault(key, []).append(value.flatten())

    def means(self) -> Meters:
        """The mean of each meter that has a value."""
        joined_values = {name: torch.cat(values) for name, values in self.values.items()}
        return {name: float(values.mean()) for name, values in joined_values.items() if len(values)}
