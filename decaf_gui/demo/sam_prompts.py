"""Clicks and boxes of the tiny SAM2's training, as somebody would give them who sees the mask found so far.

Masks are (N, S, S) of 0/1 or bool; prompts are in model pixels.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from decaf_gui.demo.sam_steps import Prompt

Mask = NDArray[np.bool_]
FEW, RIM = 10, np.ones((5, 5), np.uint8)
"""So few pixels too many are next to nothing; what a mask loses when it is eroded with this is its rim."""
Style = Literal["together", "logits", "base"]
"""How a correction reaches the model: all clicks together; with the last logits, too; or the clicks of the correction
alone, with the mask that they correct."""


def random_clicks(rng: np.random.Generator, regions: Tensor) -> Tensor:
    """A random pixel of every region, its centre (x, y): (N, 1, 2). An empty region gives a corner."""
    points = [_random_point(rng, region) for region in regions.cpu().numpy()]
    return torch.tensor(points, dtype=torch.float32, device=regions.device)[:, None]


def box_corners(truth: Tensor) -> Tensor:
    """Tight boxes of masks as two corners: (N, 2, 2)."""
    corners = []
    for mask in truth.cpu().numpy():
        ys, xs = np.nonzero(mask)
        box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(ys) else (0, 0, 1, 1)
        corners.append(((box[0], box[1]), (box[2], box[3])))
    return torch.tensor(np.array(corners), dtype=torch.float32, device=truth.device)


def first_prompt(rng: np.random.Generator, truth: Tensor, boxes: float) -> Prompt:
    """Clicks, or for a share `boxes` of the batches boxes: corners alone, with the centre, or with a click."""
    clicks = random_clicks(rng, truth)
    one = torch.ones(len(truth), 1, dtype=torch.int32, device=truth.device)
    if rng.random() >= boxes:
        return {"point_coords": clicks, "point_labels": one}
    corners = box_corners(truth)
    labels = torch.tensor([[2, 3]], dtype=torch.int32, device=truth.device).expand(len(truth), -1)
    kind = int(rng.integers(4))
    if kind <= 1:
        return {"point_coords": corners, "point_labels": labels}
    extra = corners.mean(1, keepdim=True) if kind == 2 else clicks
    return {"point_coords": torch.cat([corners, extra], 1), "point_labels": torch.cat([labels, one], 1)}


def plain_corrections(rng: np.random.Generator, found: Tensor, truth: Tensor) -> Prompt:
    """One click on every object: by chance positive, anywhere on what is missed, or negative, on what is too much.

    Where nothing is missed a positive click is anywhere on the object; where nothing is too much all are positive.
    """
    have, want = found > 0, truth > 0.5
    extra, missed = have & ~want, want & ~have
    positive = torch.from_numpy(rng.random(len(truth)) < 0.5).to(truth.device) | ~extra.flatten(1).any(1)
    missed = torch.where(missed.flatten(1).any(1)[:, None, None], missed, want)
    clicks = random_clicks(rng, torch.where(positive[:, None, None], missed, extra))
    return {"point_coords": clicks, "point_labels": positive.int()[:, None]}


def correcting_clicks(rng: np.random.Generator, found: Tensor, truth: Tensor) -> Prompt:
    """One click on every object where `found` is wrong: positive on what is missed, negative on what is too much.

    Most are in the middle of the larger error or of what is too much, as people click; the others are anywhere. Where
    next to nothing is too much, some are negative clicks on the mask's rim: they, too, shall be obeyed.
    """
    points, labels = [], []
    for have, want in zip((found > 0).cpu().numpy(), (truth > 0.5).cpu().numpy(), strict=True):
        x, y, positive = _correction(rng, have, want)
        points.append((x, y))
        labels.append(int(positive))
    return {
        "point_coords": torch.tensor(points, dtype=torch.float32, device=truth.device)[:, None],
        "point_labels": torch.tensor(labels, dtype=torch.int32, device=truth.device)[:, None],
    }


def joined(first: Prompt, then: Prompt) -> Prompt:
    """The points of both."""
    return {name: torch.cat([first[name], then[name]], 1) for name in first}


def disturbed(rng: np.random.Generator, found: Tensor, truth: Tensor, objects: int, share: float = 0.5) -> Tensor:
    """Masks to be corrected, float 0/1: for a `share` of the objects what was found, else the truth, spoiled.

    The objects of a picture follow each other, `objects` at a time: another one may have been taken along.
    """
    masks = (found > 0).cpu().numpy()
    wanted = (truth > 0.5).cpu().numpy()
    made = []
    for i, mask in enumerate(masks):
        own = rng.random() < share and mask.any()
        other = wanted[i - i % objects + int(rng.integers(objects))]
        made.append(mask if own else _spoiled(rng, wanted[i], other))
    return torch.from_numpy(np.stack(made)).to(truth.device, torch.float32)


def as_logits(masks: Tensor) -> Tensor:
    """0/1 masks as the session hands them to the model to be corrected: (N, 1, S/4, S/4), 10 inside, -10 outside."""
    small = masks.shape[-1] // 4
    large = masks[:, None] * 20.0 - 10.0
    return functional.interpolate(large, size=(small, small), mode="bilinear", align_corners=False, antialias=True)


def _correction(rng: np.random.Generator, found: Mask, truth: Mask) -> tuple[float, float, bool]:
    missed, extra = truth & ~found, found & ~truth
    chance = rng.random()
    if extra.sum() < FEW and found.any() and chance > 0.6:
        return (*_random_point(rng, found & ~cv2.erode(found.astype(np.uint8), RIM).astype(bool)), False)
    if not (missed.any() or extra.any()):
        return (*_random_point(rng, truth), True)
    if chance < 0.4:
        positive = bool(missed.sum() >= extra.sum())
    else:
        positive = bool(missed.any()) and (not extra.any() or rng.random() < 1 / 3)
    point = _middle if chance < 0.7 else partial(_random_point, rng)
    return (*point(missed if positive else extra), positive)


def _random_point(rng: np.random.Generator, region: NDArray[np.generic]) -> tuple[float, float]:
    ys, xs = np.nonzero(region)
    if not len(ys):
        return 0.5, 0.5
    pick = int(rng.integers(len(ys)))
    return float(xs[pick]) + 0.5, float(ys[pick]) + 0.5


def _middle(region: Mask) -> tuple[float, float]:
    """The point of a region that is farthest from its border."""
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), region.shape)
    return float(x) + 0.5, float(y) + 0.5


def _spoiled(rng: np.random.Generator, truth: Mask, other: Mask) -> Mask:
    """The truth moved, grown, shrunk, cut off, filled up to its box, or with another object."""
    side = truth.shape[0]
    kind = int(rng.integers(6))
    if kind == 0:
        dy, dx = rng.integers(-side // 12, side // 12 + 1, 2)
        return np.asarray(np.roll(truth, (int(dy), int(dx)), (0, 1)))
    if kind in (1, 2):
        reach = int(rng.integers(3, side // 12))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
        change = cv2.dilate if kind == 1 else cv2.erode
        return np.asarray(change(truth.astype(np.uint8), kernel) > 0)
    if not truth.any():
        return other
    ys, xs = np.nonzero(truth)
    if kind == 3:
        kept = truth.copy()
        kept[:, : int(np.quantile(xs, rng.uniform(0.2, 0.5)))] = False
        return kept if rng.random() < 0.5 else np.asarray(truth & ~kept)
    if kind == 4:
        box = np.zeros_like(truth)
        box[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
        return box
    return np.asarray(truth | other)
