"""What the tests of training soft prompts share: a tiny source of samples, and a measure of memory."""

from __future__ import annotations

import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.steering.samples import Sample

for room in ("grounding", "evaluation"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))

SETTINGS = GroundingSettings(frames=3, video_tokens=12, frame_scale=1, vision_batch=4)


class Few:
    """A source of three clips that come again and again: a bright square in each, which the expression means."""

    name = "few"
    length = 3

    def __init__(self) -> None:
        self.taken: list[int] = []

    def take(self, number: int) -> Sample:
        self.taken.append(number)
        return self._sample(number % 3)

    def held_out(self):
        return iter([self._sample(3)])

    def _sample(self, index: int) -> Sample:
        random = np.random.default_rng(index)
        frames = random.integers(0, 60, (3, 84, 112, 3), dtype=np.uint8)
        masks = np.zeros((3, 84, 112), bool)
        masks[:, 28 * (index % 3) : 28 * (index % 3) + 28, 28 * index : 28 * index + 28] = True
        frames[masks] = 250
        return Sample(f"few {index}", "the square", (84, 112), list(frames), masks, lasting=True)


class Unusable(Few):
    """Nothing of it shows the object."""

    def take(self, number: int) -> Sample:
        sample = super().take(number)
        return Sample(sample.clip, sample.text, sample.size, sample.frames, np.zeros_like(sample.masks))


class Peak(TorchDispatchMode):
    """The most bytes of new tensors that lived at one time while it was open, gradients computed in it included."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs or {})) if isinstance(t, torch.Tensor)}
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage(), given)
        return result

    def _count(self, storage: torch.UntypedStorage, given: set[int]) -> None:
        key = storage._cdata
        if key in self._known or key in given:
            return
        self._known.add(key)
        size = storage.nbytes()
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self._forget, key, size)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size
