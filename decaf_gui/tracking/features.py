"""SAM2's image features, computed once per frame of a clip and shared by every session on that clip."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
GIB = 1 << 30
WAIT = 0.05
"""Seconds that are waited for a frame before somebody else has a turn."""
READ_AHEAD = 8
"""Frames that wait, decoded and resized, for the image encoder: 12 MiB each at 1024 pixels a side."""
SMALL_SIDE, AHEAD = 256, 4
"""Models of frames up to this many pixels a side encode so many frames at a time."""


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


class Reader:
    """Reads frames in a thread, a few ahead of the one who takes them."""

    def __init__(self, pool: Executor, frames: Sequence[int], read: Callable[[int], Tensor]) -> None:
        self._pool, self._read = pool, read
        self._left = iter(frames)
        self._coming: dict[int, Future[Tensor]] = {}
        self._go_on()

    def take(self, frame: int) -> Tensor:
        """The frame: read already, or soon, or now when nobody expected it."""
        coming = self._coming.pop(frame, None)
        image = self._read(frame) if coming is None else coming.result()
        self._go_on()
        return image

    def ready(self, frame: int, seconds: float) -> bool:
        """Waits until a frame that is coming is there, but no longer than `seconds`: whether it can be taken now."""
        coming = self._coming.get(frame)
        return coming is None or bool(wait([coming], seconds).done)

    def stop(self) -> None:
        """Drops what was not taken."""
        for coming in self._coming.values():
            coming.cancel()

    def _go_on(self) -> None:
        for frame in islice(self._left, READ_AHEAD - len(self._coming)):
            self._coming[frame] = self._pool.submit(self._read, frame)


class FeatureStore:
    """Encodes frames when first asked for. Least recently used ones leave the device for host memory, then go.

    `device_bytes` and `host_bytes` are budgets; on the CPU both are one. Pinned frames stay. `encoded` counts
    the frames that went through the image encoder. While `sparing`, everything is done in small batches.
    """

    def __init__(self, model: Any, source: FrameSource, device_bytes: int = 2 * GIB, host_bytes: int = 4 * GIB) -> None:
        self.model, self.source = model, source
        self.encoded = 0
        self.sparing = False
        self._budget = {"device": device_bytes, "host": host_bytes}
        if self.device.type == "cpu":
            self._budget = {"device": device_bytes + host_bytes, "host": 0}
        self._kept: dict[str, OrderedDict[int, list[Tensor]]] = {"device": OrderedDict(), "host": OrderedDict()}
        self._used = {"device": 0, "host": 0}
        self._positions: list[Tensor] = []
        self._pinned: frozenset[int] = frozenset()
        self._reader: Reader | None = None
        self._frame_size: tuple[int, int] | None = None

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return torch.device(next(self.model.parameters()).device)

    @property
    def frame_size(self) -> tuple[int, int]:
        """(H, W) of the source frames."""
        if self._frame_size is None:
            height, width = self.source[0].shape[:2]
            self._frame_size = (height, width)
        return self._frame_size

    def pin(self, frames: Iterable[int]) -> None:
        """From now on these frames stay (and only these)."""
        self._pinned = frozenset(frames)

    def drop(self) -> None:
        """Lets all features go, pinned ones, too; they are made anew when they are asked for."""
        for place, kept in self._kept.items():
            kept.clear()
            self._used[place] = 0

    def prepare(self, frames: Sequence[int]) -> None:
        """Encodes the first of `frames` if that is missing, and with it the ones that are asked for next.

        A small model does not fill a machine with one frame: it takes `AHEAD` at a time, as far as they can be kept.
        """
        if frames and not self._has(frames[0]):
            missing = [frame for frame in frames[: self._ahead()] if not self._has(frame)]
            for frame, levels in zip(missing, self._encode(missing), strict=True):
                self._put("device", frame, levels)
            self._make_room()

    def waiting(self, frames: Sequence[int]) -> Iterator[int]:
        """Yields every `WAIT` seconds as long as `prepare(frames)` would have to wait for a frame: its number.

        Going backward through a long group of pictures takes a decoder a good while at each group's end.
        """
        for frame in frames[: self._ahead()]:
            while self._reader is not None and not self._has(frame) and not self._reader.ready(frame, WAIT):
                yield frame

    @contextmanager
    def reading(self, frames: Sequence[int]) -> Iterator[None]:
        """While open, those of `frames` that are missing are decoded and resized in a thread, ahead of the encoder.

        They are to be asked for in this order.
        """
        missing = [frame for frame in frames if not self._has(frame)]
        if len(missing) < 2 or self._reader is not None:
            yield
            return
        with ThreadPoolExecutor(1, thread_name_prefix="frames") as pool:
            self._reader = Reader(pool, missing, self._read)
            try:
                yield
            finally:
                self._reader.stop()
                self._reader = None

    def _read(self, frame: int) -> Tensor:
        return preprocess(self.source[frame], self.model.image_size)

    def _has(self, frame: int) -> bool:
        return any(frame in kept for kept in self._kept.values())

    def _ahead(self) -> int:
        """How many frames go through the encoder at a time."""
        if self.sparing or self.model.image_size > SMALL_SIDE:
            return 1
        each = next((_bytes(levels) for kept in self._kept.values() for levels in kept.values()), 0)
        if not each:
            return 1
        pinned = sum(_bytes(levels) for frame, levels in self._kept["device"].items() if frame in self._pinned)
        return max(1, min(AHEAD, (self._budget["device"] - pinned) // each))

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
        found = self._take("device", frame) or self._take("host", frame) or self._encode([frame])[0]
        levels = [level.to(self.device) for level in found]
        self._put("device", frame, levels)
        self._make_room()
        return levels

    def _encode(self, frames: Sequence[int]) -> list[list[Tensor]]:
        """The feature levels (1, C, h, w) of each frame."""
        images = torch.cat([self._reader.take(f) if self._reader else self._read(f) for f in frames])
        with torch.inference_mode(), self.autocast():
            out = self.model.forward_image(images.to(self.device))
        self.encoded += len(frames)
        if not self._positions:
            self._positions = [position[:1] for position in out["vision_pos_enc"]]
        if len(frames) == 1:
            return [list(out["backbone_fpn"])]
        return [[level[i : i + 1].clone() for level in out["backbone_fpn"]] for i in range(len(frames))]

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
