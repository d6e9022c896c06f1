"""SAM2's image features, computed once per frame of a clip and shared by every session on that clip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
GIB = 1 << 30


class FrameSource(Protocol):
    """What tracking needs of a clip: its length, and frames as uint8 RGB (H, W, 3)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> NDArray[np.uint8]: ...


@dataclass(frozen=True, slots=True)
class VisionFeatures:
    """Features of one frame for a batch, as SAM2's tracking step takes them: (h*w, batch, C) per level."""

    features: list[Tensor]
    positions: list[Tensor]
    sizes: list[tuple[int, int]]


def preprocess(frame: NDArray[np.uint8], image_size: int) -> Tensor:
    """A frame as SAM2's own loader makes it: resized (aspect not kept), normalised, float32 (1, 3, S, S)."""
    resized = np.asarray(Image.fromarray(frame).resize((image_size, image_size)), np.float32) / 255.0
    return torch.from_numpy((resized - MEAN) / STD).permute(2, 0, 1)[None]


class FeatureStore:
    """Encodes frames when first asked for. Least recently used ones leave the device for host memory, then go.

    `device_bytes` and `host_bytes` are budgets; on the CPU both are one. Pinned frames stay. `encoded` counts
    runs of the image encoder.
    """

    def __init__(self, model: Any, source: FrameSource, device_bytes: int = 2 * GIB, host_bytes: int = 4 * GIB) -> None:
        self.model, self.source = model, source
        self.encoded = 0
        self._budget = {"device": device_bytes, "host": host_bytes}
        if self.device.type == "cpu":
            self._budget = {"device": device_bytes + host_bytes, "host": 0}
        self._kept: dict[str, OrderedDict[int, list[Tensor]]] = {"device": OrderedDict(), "host": OrderedDict()}
        self._used = {"device": 0, "host": 0}
        self._positions: list[Tensor] = []
        self._pinned: frozenset[int] = frozenset()

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device(next(self.model.parameters()).device)

    def pin(self, frames: Iterable[int]) -> None:
        """From now on these frames stay (and only these)."""
        self._pinned = frozenset(frames)

    def autocast(self) -> AbstractContextManager[Any]:
        """Bfloat16 arithmetic on CUDA, as SAM2 is run there; float32 elsewhere."""
        return torch.autocast("cuda", torch.bfloat16) if self.device.type == "cuda" else nullcontext()

    def vision(self, frame: int, batch: int) -> VisionFeatures:
        """The features of a source frame, expanded (not copied) to `batch` objects."""
        levels = self._levels(frame)
        expanded = {
            "backbone_fpn": [level.expand(batch, -1, -1, -1) for level in levels],
            "vision_pos_enc": [position.expand(batch, -1, -1, -1) for position in self._positions],
        }
        _, features, positions, sizes = self.model._prepare_backbone_features(expanded)
        return VisionFeatures(features, positions, sizes)

    def _levels(self, frame: int) -> list[Tensor]:
        found = self._take("device", frame) or self._take("host", frame) or self._encode(frame)
        levels = [level.to(self.device) for level in found]
        self._put("device", frame, levels)
        self._make_room()
        return levels

    def _encode(self, frame: int) -> list[Tensor]:
        image = preprocess(self.source[frame], self.model.image_size).to(self.device)
        with torch.inference_mode(), self.autocast():
            out = self.model.forward_image(image)
        self.encoded += 1
        if not self._positions:
            self._positions = list(out["vision_pos_enc"])
        return list(out["backbone_fpn"])

    def _make_room(self) -> None:
        for frame in self._surplus("device"):
            levels = self._take("device", frame)
            if self._budget["host"]:
                self._put("host", frame, [level.cpu() for level in levels])
        for frame in self._surplus("host"):
            self._take("host", frame)

    def _surplus(self, place: str) -> list[int]:
        """The oldest frames that must leave `place`; never the latest, never pinned ones."""
        kept, over = self._kept[place], self._used[place] - self._budget[place]
        if over <= 0:
            return []
        leaving = []
        for frame in list(kept)[:-1]:
            if frame not in self._pinned:
                leaving.append(frame)
                over -= _bytes(kept[frame])
            if over <= 0:
                break
        return leaving

    def _put(self, place: str, frame: int, levels: list[Tensor]) -> None:
        self._kept[place][frame] = levels
        self._used[place] += _bytes(levels)

    def _take(self, place: str, frame: int) -> list[Tensor]:
        """Removes and returns a frame's features; empty when they are not there."""
        levels = self._kept[place].pop(frame, [])
        self._used[place] -= _bytes(levels)
        return levels


def _bytes(levels: list[Tensor]) -> int:
    return sum(level.numel() * level.element_size() for level in levels)
