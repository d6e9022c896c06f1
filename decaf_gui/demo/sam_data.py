"""What the tiny SAM2 is shown in training: stretches of shapes clips, and clicks and boxes on them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decaf_gui.demo.sam_model import IMAGE_SIZE
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.tracking.features import MEAN, STD

TRAIN_SEED, HELD_OUT_SEED = 1_000_000, 50_000
OBJECTS = 4
SIZES = ((120, 160), (128, 128), (108, 192), (160, 120))


@dataclass(frozen=True, slots=True)
class Batch:
    """`images` (T, B, 3, S, S) and `masks` (T, B, K, S, S) of 0/1: B clips, K objects each, T frames."""

    images: Tensor
    masks: Tensor


def load_batch(rng: np.random.Generator, clips: int, frames: int, base: int = TRAIN_SEED) -> Batch:
    """Random stretches of random clips, all shapes brought to the model's square."""
    parts = [_stretch(rng, frames, base) for _ in range(clips)]
    images = torch.from_numpy(np.stack([p[0] for p in parts], axis=1))
    masks = torch.from_numpy(np.stack([p[1] for p in parts], axis=1))
    return Batch(images, masks)


def _stretch(rng: np.random.Generator, frames: int, base: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One clip: images (T, 3, S, S), masks (T, K, S, S). In every second video an object goes away."""
    leaving = frames > 1 and rng.random() < 0.5
    found = None
    while found is None:
        found = _pick(rng, frames, base, leaving=leaving)
    clip, picked, chosen = found
    images = np.stack([_square(clip.frames[t]) for t in picked])
    masks = np.stack([[_square_mask(clip.masks[k, t]) for k in chosen] for t in picked])
    return ((images / 255 - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32), masks.astype(np.float32)


def _pick(
    rng: np.random.Generator, frames: int, base: int, *, leaving: bool
) -> tuple[ShapesClip, list[int], list[int]] | None:
    """A clip, frames of it, and objects seen on the first of these, leavers first; None when this clip has none."""
    seed = base + int(rng.integers(1_000_000))
    size = SIZES[int(rng.integers(len(SIZES)))]
    stride = int(rng.choice([1, 1, 2])) if frames > 1 else 1
    clip = make_clip(seed, "kind", max(24, (frames - 1) * stride + 1) if frames > 1 else 6, size)
    visible = clip.masks.sum(axis=(2, 3)) > 60
    backward = frames > 1 and rng.random() < 0.25
    for start in rng.permutation(len(clip.frames) - (frames - 1) * stride):
        picked = [int(start) + i * stride for i in range(frames)]
        picked = picked[::-1] if backward else picked
        seen = visible[:, picked[0]]
        gone = seen & (clip.masks[:, picked].any(axis=(2, 3)).sum(axis=1) < frames)
        if (gone if leaving else seen).any():
            order = [int(k) for k in rng.permutation(np.flatnonzero(seen))]
            order.sort(key=lambda k: not gone[k])
            return clip, picked, (order * OBJECTS)[:OBJECTS]
    return None


def _square(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(frame, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_AREA))


def _square_mask(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    side = (IMAGE_SIZE, IMAGE_SIZE)
    return np.asarray(cv2.resize(mask.astype(np.uint8), side, interpolation=cv2.INTER_NEAREST))


def random_clicks(rng: np.random.Generator, regions: Tensor) -> Tensor:
    """A random pixel of every region (N, S, S), its centre (x, y): (N, 1, 2). An empty region gives a corner."""
    points = []
    for region in regions.numpy():
        ys, xs = np.nonzero(region)
        pick = int(rng.integers(len(ys))) if len(ys) else -1
        points.append((xs[pick] + 0.5, ys[pick] + 0.5) if pick >= 0 else (0.5, 0.5))
    return torch.tensor(points, dtype=torch.float32)[:, None]


def box_corners(truth: Tensor) -> Tensor:
    """Tight boxes of masks (N, S, S) as two corners: (N, 2, 2)."""
    corners = []
    for mask in truth.numpy():
        ys, xs = np.nonzero(mask)
        box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1) if len(ys) else (0, 0, 1, 1)
        corners.append(((box[0], box[1]), (box[2], box[3])))
    return torch.tensor(corners, dtype=torch.float32)


def first_prompt(rng: np.random.Generator, truth: Tensor) -> dict[str, Tensor]:
    """Clicks, or for a fifth of the batches boxes: corners alone, with the centre, or with a click."""
    clicks = random_clicks(rng, truth)
    n = len(truth)
    if rng.random() >= 0.2:
        return {"point_coords": clicks, "point_labels": torch.ones(n, 1, dtype=torch.int32)}
    corners = box_corners(truth)
    labels = torch.tensor([[2, 3]], dtype=torch.int32).expand(n, -1)
    kind = int(rng.integers(3))
    if kind == 0:
        return {"point_coords": corners, "point_labels": labels}
    extra = corners.mean(1, keepdim=True) if kind == 1 else clicks
    one = torch.ones(n, 1, dtype=torch.int32)
    return {"point_coords": torch.cat([corners, extra], 1), "point_labels": torch.cat([labels, one], 1)}


def corrected_prompt(
    rng: np.random.Generator, prompt: dict[str, Tensor], logits: Tensor, truth: Tensor
) -> dict[str, Tensor]:
    """One more click on every object: half positive on missed pixels, half negative on false ones."""
    found, target = logits > 0, truth > 0.5
    missed, extra = target & ~found, found & ~target
    positive = torch.from_numpy(rng.random(len(truth)) < 0.5)
    positive = torch.where(extra.flatten(1).any(1), positive, torch.ones_like(positive))
    regions = torch.where(positive[:, None, None], missed | (target & ~missed.flatten(1).any(1)[:, None, None]), extra)
    clicks = random_clicks(rng, regions)
    return {
        "point_coords": torch.cat([prompt["point_coords"], clicks], 1),
        "point_labels": torch.cat([prompt["point_labels"], positive.int()[:, None]], 1),
    }
