"""A computed prefix (soft and system prompt, visual tokens) that every question on an input shares, and its store."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import DynamicCache

from decaf_gui.grounding.families import TokenGrid, VisualLayout
from decaf_gui.grounding.rollout import KnownMaxima
from decaf_gui.grounding.settings import RolloutMethod


@dataclass(eq=False)
class Prefix:
    """The state of a batch of b equal inputs after the last visual token.

    Its n tokens are `soft` ones of a soft prompt and the `ids` (b, n - soft) behind them; `grid` counts all of them.
    `cache` is the KV cache of n tokens; `queries` (b, h, n, d) by rolled layer; `maxima` the row maxima of the prefix
    rows by (rolled layer, batch index, method), filled by the first rollout.
    """

    ids: Tensor
    cache: DynamicCache
    queries: dict[int, Tensor]
    scaling: float
    grid: TokenGrid
    layout: VisualLayout
    soft: int = 0
    maxima: dict[tuple[int, int, RolloutMethod], KnownMaxima] = field(default_factory=dict)
    _homes: list[torch.device] | None = None

    @property
    def length(self) -> int:
        """Tokens of the prefix, n."""
        return self.soft + self.ids.shape[1]

    @property
    def on_host(self) -> bool:
        """Whether its tensors are in host memory now."""
        return next(iter(self.queries.values())).device.type == "cpu"

    @property
    def bytes(self) -> int:
        """Memory of keys, values and queries."""
        kept = [*self.queries.values(), *(t for layer in self.cache.layers for t in (layer.keys, layer.values))]
        return sum(t.numel() * t.element_size() for t in kept)

    def rewind(self) -> None:
        """Forgets everything after the prefix (also after a question that was broken off half way)."""
        extra = self.cache.get_seq_length() - self.length
        if extra > 0:
            self.cache.crop(-extra)

    def offload(self) -> None:
        """Keys, values and queries to host memory."""
        self._homes = [layer.keys.device for layer in self.cache.layers]
        self._move([torch.device("cpu")] * len(self._homes))

    def restore(self) -> None:
        """Everything back to where it was computed: with a device map, each layer has its own device."""
        if self._homes is not None:
            self._move(self._homes)
        self._homes = None

    def _move(self, devices: list[torch.device]) -> None:
        self.queries = {layer: q.to(devices[layer]) for layer, q in self.queries.items()}
        for layer, device in zip(self.cache.layers, devices, strict=True):
            layer.keys, layer.values = layer.keys.to(device), layer.values.to(device)


class PrefixStore:
    """Least recently used prefixes leave the device for host memory first, then host memory (budgets in bytes)."""

    def __init__(self, device: torch.device, device_bytes: int, host_bytes: int) -> None:
        self.device, self.device_bytes, self.host_bytes = device, device_bytes, host_bytes
        self._kept: OrderedDict[Hashable, Prefix] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Prefix | None:
        """The prefix kept under `key`, back on the device, or None."""
        prefix = self._kept.get(key)
        if prefix is not None:
            self._kept.move_to_end(key)
            if prefix.on_host and self.device.type != "cpu":
                prefix.restore()
                self._make_room()
        return prefix

    def put(self, key: Hashable, prefix: Prefix) -> None:
        """Keeps `prefix` as the latest."""
        self._kept[key] = prefix
        self._kept.move_to_end(key)
        self._make_room()

    def clear(self) -> None:
        """Lets everything go."""
        self._kept.clear()

    def _make_room(self) -> None:
        if self.device.type != "cpu":
            self._offload()
        budget = self.host_bytes if self.device.type != "cpu" else max(self.host_bytes, self.device_bytes)
        while self._bytes(on_host=True) > budget:
            oldest = next(key for key, prefix in self._kept.items() if prefix.on_host)
            del self._kept[oldest]

    def _offload(self) -> None:
        while self._bytes(on_host=False) > self.device_bytes:
            next(prefix for prefix in self._kept.values() if not prefix.on_host).offload()

    def _bytes(self, *, on_host: bool) -> int:
        return sum(prefix.bytes for prefix in self._kept.values() if prefix.on_host == on_host)
