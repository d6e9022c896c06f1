"""Recording queries through transformers' attention interface: any decoder, no copied modelling code.

Attention functions are registered under names of our own, one per backend. They hand queries and keys (after rotary
embedding) to the recorder that is active, and call the real backend. Where there is a KV cache keys need no recording.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.flash_attention import flash_attention_forward
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import flash_attention_mask, sdpa_mask

from decaf_gui.core.errors import BadInput

AttentionResult = tuple[Tensor, Tensor | None]


class Enough(Exception):
    """Ends a forward pass of which all that is wanted has been recorded."""


class Recorder:
    """Queries by layer, in the order the chunks came: (b, h, n, d) each. Layers outside `layers` pass by.

    With `stop_at` the pass ends by `Enough` once that layer's queries are there; by then its keys and values are in the
    cache. Nobody needs what the last layer would make of a prefix: that saves its attention, projection and MLP.
    """

    def __init__(self, layers: Iterable[int], stop_at: int | None = None) -> None:
        self.queries: dict[int, list[Tensor]] = {layer: [] for layer in layers}
        self.stop_at = stop_at
        self.scaling: float = 1.0

    def record(self, layer: int, query: Tensor, key: Tensor, scaling: float | None) -> None:
        """Keeps the queries of one layer's chunk; the keys are in the cache."""
        if layer in self.queries:
            self.queries[layer].append(query.detach())
            self.scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        if layer == self.stop_at:
            raise Enough

    def joined(self) -> dict[int, Tensor]:
        """(b, h, N, d) by layer, the chunks put together. The recorder keeps nothing: memory is needed once."""
        return {layer: torch.cat(self.queries.pop(layer), dim=2) for layer in list(self.queries)}


class GradientRecorder(Recorder):
    """Queries and keys of one whole pass without a cache, by layer, as the pass computed them: gradients reach it.

    Each layer is recorded once: what a gradient checkpoint computes again for the backward pass is the same.
    """

    def __init__(self, layers: Iterable[int], stop_at: int | None = None) -> None:
        super().__init__(layers, stop_at)
        self.keys: dict[int, Tensor] = {}

    def record(self, layer: int, query: Tensor, key: Tensor, scaling: float | None) -> None:
        """Keeps one layer's queries (b, h, n, d) and keys (b, h_kv, n, d)."""
        if layer not in self.queries or layer in self.keys:
            return
        self.queries[layer].append(query)
        self.keys[layer] = key
        self.scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
        if layer == self.stop_at:
            raise Enough


_active: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


@contextmanager
def recording(recorder: Recorder) -> Iterator[None]:
    """While open, the decoder calls of this thread leave their queries and keys with `recorder`."""
    token = _active.set(recorder)
    try:
        yield
    finally:
        _active.reset(token)


def recorded_attention(backend: str) -> str:
    """Registers the recording twin of `backend` ("sdpa", "flash_attention_2") and returns its name."""
    twins: dict[str, tuple[Callable[..., AttentionResult], Callable[..., Any]]] = {
        "sdpa": (_recorded_sdpa, sdpa_mask),
        "flash_attention_2": (_recorded_flash, flash_attention_mask),
    }
    if backend not in twins:
        raise BadInput(f'Unknown attention backend "{backend}": choose one of {", ".join(twins)}.')
    name = f"decaf_{backend}"
    attention, mask = twins[backend]
    AttentionInterface.register(name, attention)
    AttentionMaskInterface.register(name, mask)
    return name


def _record(module: Any, query: Tensor, key: Tensor, scaling: float | None) -> None:
    recorder = _active.get()
    if recorder is not None:
        recorder.record(module.layer_idx, query, key, scaling)


def _recorded_sdpa(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> AttentionResult:
    _record(module, query, key, kwargs.get("scaling"))
    result: AttentionResult = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    return result


def _recorded_flash(
    module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any
) -> AttentionResult:
    _record(module, query, key, kwargs.get("scaling"))
    result: AttentionResult = flash_attention_forward(
        _RealName(module, "flash_attention_2"), query, key, value, attention_mask, **kwargs
    )
    return result


class _RealName:
    """The module as flash attention must see it: it looks its implementation up under the config's name."""

    def __init__(self, module: Any, backend: str) -> None:
        self._module = module
        self.config = copy.copy(module.config)
        self.config._attn_implementation = backend

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
