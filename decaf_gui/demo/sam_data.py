"""What the tiny SAM2 is shown in training: stretches of shapes clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decaf_gui.demo.sam_stages import Size
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.tracking.features import preprocess

TRAIN_SEED, HELD_OUT_SEED = 1_000_000, 50_000
CLIP_FRAMES = (24, 30)
Wish = Literal["seen", "gone", "back", "crossing", "shuffled", "lost", "flickering"]
"""What happens to an object: nothing in particular; it goes away; it goes and comes back; it meets another one and
parts from it; it is anywhere, as frames come in any order; it is gone for most of the time and then anywhere; it is
there now and then."""
AWAY = 2
"""An object that comes back was gone on so many of the shown frames at least."""
SEEN = 5e-4
"""An object counts as seen when it covers this share of the picture, as gone when it covers nothing of it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """`images` (T, B, 3, S, S) and `masks` (T, B, K, S, S) of 0/1: B clips, K objects each, T frames."""

    images: Tensor
    masks: Tensor

    def to(self, device: torch.device | str) -> Batch:
        """The same on another device."""
        return Batch(self.images.to(device), self.masks.to(device))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a batch is made of: `clips` clips of `frames` frames, `objects` objects of each, in squares of `side`.

    Clips are drawn in one of the sizes `drawn` (H, W), shares `medium` and `lookalikes` of them at these levels, the
    others at level kind, from seeds of `base` on. Objects cover at least a share `least` of the first frame. In a share
    `leaving` of the videos one goes away, in `returning` one goes and comes back, in `crossing` one meets another and
    parts from it; a share `shuffled` of them has its frames in any order, a share `lost` (of at least four frames)
    shows one, then is without it, then shows it again, whenever in the clip that is, and a share `flickering` shows one
    on the first and on some others of its frames, which are in any order.
    """

    clips: int
    frames: int
    objects: int
    side: int
    drawn: tuple[Size, ...]
    medium: float = 0.0
    lookalikes: float = 0.0
    least: float = SEEN
    leaving: float = 0.5
    returning: float = 0.0
    crossing: float = 0.0
    shuffled: float = 0.0
    lost: float = 0.0
    flickering: float = 0.0
    base: int = TRAIN_SEED


def load_batch(rng: np.random.Generator, wanted: Wanted) -> Batch:
    """Random stretches of random clips, all shapes brought to the model's square."""
    parts = [_stretch(rng, wanted) for _ in range(wanted.clips)]
    return Batch(torch.stack([p[0] for p in parts], 1), torch.stack([p[1] for p in parts], 1))


def _stretch(rng: np.random.Generator, wanted: Wanted) -> tuple[Tensor, Tensor]:
    """One clip: images (T, 3, S, S), masks (T, K, S, S)."""
    wish = _wish(rng.random(), wanted) if wanted.frames > 1 else "seen"
    found = None
    while found is None:
        found = _pick(rng, wanted, wish)
    clip, picked, chosen = found
    images = torch.cat([preprocess(clip.frames[t], wanted.side) for t in picked])
    masks = np.stack([[_square_mask(clip.masks[k, t], wanted.side) for k in chosen] for t in picked])
    return images, torch.from_numpy(masks).float()


def _wish(chance: float, wanted: Wanted) -> Wish:
    shares: dict[Wish, float] = {"gone": wanted.leaving, "back": wanted.returning, "crossing": wanted.crossing}
    shares |= {"shuffled": wanted.shuffled, "lost": wanted.lost, "flickering": wanted.flickering}
    for wish, share in shares.items():
        if chance < share:
            return wish
        chance -= share
    return "seen"


def _pick(rng: np.random.Generator, wanted: Wanted, wish: Wish) -> tuple[ShapesClip, list[int], list[int]] | None:
    """A clip, frames of it, and objects seen on the first of these, those as wished first; None when it has none."""
    seed = wanted.base + int(rng.integers(1_000_000))
    size = wanted.drawn[int(rng.integers(len(wanted.drawn)))]
    level = _level(rng.random(), wanted)
    stride = int(rng.choice([1, 1, 2, 3])) if wanted.frames > 1 else 1
    long = int(rng.choice(CLIP_FRAMES)) if wanted.frames > 1 else 2
    clip = make_clip(seed, level, long, size)
    area = clip.masks.mean(axis=(2, 3))
    touching = touches(clip.masks) if wish == "crossing" else np.zeros_like(area, bool)
    backward = wanted.frames > 1 and rng.random() < 0.25
    if wish in ("lost", "flickering"):
        return _lost(rng, clip, wanted, mixed=wish == "flickering")
    for start in rng.permutation(long - (wanted.frames - 1) * stride):
        picked = [int(start) + i * stride for i in range(wanted.frames)]
        picked = picked[::-1] if backward else picked
        if wish == "shuffled":
            picked = [int(frame) for frame in rng.permutation(long)[: wanted.frames]]
        seen = area[:, picked[0]] > wanted.least
        gone = seen & ((area[:, picked] == 0).mean(axis=1) >= 0.2)
        stays = seen & (area[:, picked[-1]] > wanted.least)
        back = stays & ((area[:, picked] == 0).sum(axis=1) >= AWAY)
        crosses = stays & touching[:, picked].any(axis=1) & ~touching[:, picked[0]] & ~touching[:, picked[-1]]
        suits = {"gone": gone, "back": back, "crossing": crosses}.get(wish, seen)
        if suits.any():
            order = [int(k) for k in rng.permutation(np.flatnonzero(seen))]
            order.sort(key=lambda k: (not suits[k], not gone[k]))
            return clip, picked, (order * wanted.objects)[: wanted.objects]
    return None


def _lost(
    rng: np.random.Generator, clip: ShapesClip, wanted: Wanted, *, mixed: bool
) -> tuple[ShapesClip, list[int], list[int]] | None:
    """A frame of the clip that shows an object, some without it, some that show it again; None if nothing goes away.

    If `mixed`, frames with and without it follow each other in any order.
    """
    area = clip.masks.mean(axis=(2, 3))
    seen, gone = area > wanted.least, area == 0
    able = np.flatnonzero((seen.sum(axis=1) > 1) & gone.any(axis=1))
    if not len(able):
        return None
    chosen = int(rng.choice(able))
    away = int(rng.integers(AWAY, wanted.frames - 1))
    first, *again = rng.choice(np.flatnonzero(seen[chosen]), wanted.frames - away).tolist()
    without = rng.choice(np.flatnonzero(gone[chosen]), away).tolist()
    others = [int(k) for k in rng.permutation(np.flatnonzero(seen[:, first])) if k != chosen]
    objects = ([chosen, *others] * wanted.objects)[: wanted.objects]
    later = rng.permutation([*without, *again]).tolist() if mixed else [*sorted(without), *sorted(again)]
    return clip, [first, *later], objects


def touches(masks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where objects (K, T, H, W) are within some 8 pixels of another one: (K, T)."""
    small = masks[:, :, ::4, ::4]
    near = np.ones((5, 5), np.uint8)
    grown = np.stack([[cv2.dilate(mask.astype(np.uint8), near) > 0 for mask in track] for track in small])
    others = small.sum(axis=0) > small
    return np.asarray((grown & others).any(axis=(2, 3)))


def _level(chance: float, wanted: Wanted) -> str:
    if chance < wanted.medium:
        return "medium"
    return "lookalikes" if chance < wanted.medium + wanted.lookalikes else "kind"


def _square_mask(mask: NDArray[np.bool_], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(mask.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST))
