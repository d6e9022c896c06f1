"""What the frozen vision tower makes of samples: computed without gradients, kept in host memory where it lasts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from decaf_gui.grounding.families import Kind, VisualLayout
from decaf_gui.grounding.ground import DEFAULT_FRAME_SCALE, DEFAULT_VIDEO_TOKENS
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.steering.samples import Sample

Result = TypeVar("Result")
Seen = tuple[Tensor, VisualLayout]


class Seeing:
    """Features and layouts of inputs, sized as grounding sizes them; up to `budget` bytes of lasting ones are kept."""

    def __init__(self, mllm: Mllm, settings: GroundingSettings, budget: int = 2 << 30) -> None:
        self.mllm, self.settings, self.budget = mllm, settings, budget
        self._kept: OrderedDict[tuple[str, Kind, tuple[int, ...]], Seen] = OrderedDict()

    def video(self, sample: Sample) -> Seen:
        """All of a sample's frames as one video: features (1, v, k * D)."""
        return self._seen(sample, "video", tuple(range(len(sample.frames))))

    def frames(self, sample: Sample, chosen: Sequence[int]) -> Seen:
        """Some of its frames, each as an image: features (b, v, k * D)."""
        seen = [self._seen(sample, "image", (frame,)) for frame in chosen]
        return torch.cat([features for features, _ in seen]), seen[0][1]

    def _seen(self, sample: Sample, kind: Kind, frames: tuple[int, ...]) -> Seen:
        key = (sample.clip, kind, frames)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        features, layout = self._see(sample, kind, frames)
        if not sample.lasting:
            return features, layout
        self._kept[key] = seen = (features.cpu(), layout)
        self._make_room()
        return seen

    @torch.no_grad()
    def _see(self, sample: Sample, kind: Kind, frames: tuple[int, ...]) -> Seen:
        height, width = self.mllm.family.input_size(sample.size, self.settings.video_tokens or DEFAULT_VIDEO_TOKENS)
        scale = 1 if kind == "video" else self.settings.frame_scale or DEFAULT_FRAME_SCALE
        shown = VisualInput(sample.clip, kind, frames, (height * scale, width * scale))
        return finished(self.mllm.see(shown, [sample.frames[frame] for frame in frames], self.settings))

    def _make_room(self) -> None:
        while sum(t.numel() * t.element_size() for t, _ in self._kept.values()) > self.budget and self._kept:
            self._kept.popitem(last=False)


def finished(steps: Generator[object, None, Result]) -> Result:
    """What a generator returns, its events left unread."""
    while True:
        try:
            next(steps)
        except StopIteration as done:
            result: Result = done.value
            return result
