"""What soft prompts are trained on: clips with an expression and its object's masks, in an order that a seed decides.

The paper trains on Ref-YouTube-VOS for one epoch. The shapes world is for the demo model and for trying things out:
it is endless, and its seeds are neither those that the demo models were trained on nor those that they are scored with.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from decaf_gui.core.errors import BadInput
from decaf_gui.demo.shapes import make_clip
from decaf_gui.formats.rvos import dataset_named
from decaf_gui.formats.rvos.base import Ask, Video
from decaf_gui.grounding.families import Frame, VisualLayout
from decaf_gui.grounding.ground import LazyFrames, sample_frames

SHAPES_SEED, SHAPES_HELD_OUT = 2_000_000, 70_000
SHAPES_SIZES = ((252, 336), (240, 320), (288, 288), (336, 252), (256, 352))
"""(H, W) of training clips; held-out ones are as `make_clip` makes them."""
HARDER = 0.3
"""The share of training clips that are of level "medium"."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One expression on the frames of a clip that the model is shown.

    `frames` are RGB pictures of `size` (H, W), read when looked at; `masks` bool (T, H, W) of what the expression
    means. `lasting` says that the clip comes again, so that what the vision tower made of it is worth keeping.
    """

    clip: str
    text: str
    size: tuple[int, int]
    frames: Sequence[Frame]
    masks: NDArray[np.bool_]
    lasting: bool = False


class Source(Protocol):
    """Where samples come from. `length` is how many an epoch has, None for no end."""

    name: str
    length: int | None

    def take(self, number: int) -> Sample:
        """The `number`-th sample of the run, from 0. Raises BadInput when its files cannot be used."""

    def held_out(self) -> Iterator[Sample]:
        """Samples that are never trained on, always the same."""


def coverage_on(layout: VisualLayout, masks: NDArray[np.bool_]) -> Tensor:
    """The share of each token that masks (T, H, W) cover, on the grid of their input: float32 (t, h, w).

    Frames that share a temporal token are averaged; an odd last one counts alone.
    """
    steps, height, width = layout.grid
    covered = F.adaptive_avg_pool2d(torch.from_numpy(np.ascontiguousarray(masks)).float(), (height, width))
    merged = -(-len(covered) // steps)
    return torch.stack([part.mean(dim=0) for part in covered.split(merged)])


class Shapes:
    """Clips of the shapes world with `frames` frames, one expression each; `held` of them are held out."""

    name = "shapes"
    length: int | None = None

    def __init__(self, frames: int, held: int, seed: int = 0) -> None:
        self.frames, self.held, self.seed = frames, held, seed

    def take(self, number: int) -> Sample:
        """Sample `number`, from training seed 2,000,000 + `number` on (another run's seed begins elsewhere)."""
        seed = SHAPES_SEED + self.seed * 10_000_000 + number
        random = np.random.default_rng(seed)
        level = "medium" if random.random() < HARDER else "kind"
        size = SHAPES_SIZES[int(random.integers(len(SHAPES_SIZES)))]
        return _shapes_sample(seed, level, self.frames, size, float(random.random()))

    def held_out(self) -> Iterator[Sample]:
        """Clips of both levels in turn, from seed 70,000 on."""
        for index in range(self.held):
            level = ("kind", "medium")[index % 2]
            yield _shapes_sample(SHAPES_HELD_OUT + index, level, self.frames, (240, 320), 0.5, lasting=True)


def _shapes_sample(
    seed: int, level: str, frames: int, size: tuple[int, int], chosen: float, *, lasting: bool = False
) -> Sample:
    """One clip with one of its expressions; `chosen` in [0, 1) says which."""
    clip = make_clip(seed, level, frames, size)
    expression = clip.expressions[int(chosen * len(clip.expressions))]
    meant = [index for index, thing in enumerate(clip.objects) if thing.id in expression.objects]
    masks: NDArray[np.bool_] = np.asarray(clip.masks[meant].any(axis=0))
    return Sample(f"shapes {seed}", expression.text, size, list(clip.frames), masks, lasting)


class RefYoutubeVos:
    """A folder in the layout of Ref-YouTube-VOS: its split "train", every expression once an epoch.

    `frames` frames of a video are shown, sampled as in use. `held` videos, evenly spread over the list, are held out
    with their first expression each. What cannot be read is in no epoch (`problems` says how much that is).
    """

    name = "ref-youtube-vos"

    def __init__(self, root: Path, frames: int, held: int, seed: int = 0) -> None:
        split = dataset_named("ref-youtube-vos").open(root, "train")
        videos = [video for video in split.videos if video.asks]
        if len(videos) <= held:
            raise BadInput(
                f"{root} has {len(videos)} videos to train on, {held} of them held out: choose fewer (--val)."
            )
        apart = {round(place) for place in np.linspace(0, len(videos) - 1, held)} if held else set()
        self.frames, self.seed, self.problems = frames, seed, len(split.problems)
        self.held_videos = [videos[place] for place in sorted(apart)]
        self.asks = [(v, ask) for place, v in enumerate(videos) if place not in apart for ask in v.asks]
        self.length: int | None = len(self.asks)
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def take(self, number: int) -> Sample:
        """Sample `number` of the run: epochs follow each other, each in an order of its own."""
        epoch, place = divmod(number, len(self.asks))
        return self._sample(*self.asks[int(self._order(epoch)[place])])

    def held_out(self) -> Iterator[Sample]:
        """The first expression of each held-out video."""
        return (self._sample(video, video.asks[0]) for video in self.held_videos)

    def _shuffled(self, epoch: int) -> NDArray[np.int64]:
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.asks))

    def _sample(self, video: Video, ask: Ask) -> Sample:
        clip = video.open()
        shown = sample_frames(len(clip), self.frames)
        assert ask.truth is not None  # train's masks are public
        masks = np.stack([ask.truth.layers(frame, clip.size) > 0 for frame in shown])
        return Sample(video.name, ask.text, clip.size, LazyFrames(clip, shown), masks, lasting=True)
