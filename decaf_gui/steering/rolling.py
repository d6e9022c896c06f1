"""Attention rollout of one row with gradients, in memory linear in tokens (DecAF 3.2; SteerSeg's training signal).

As `grounding.rollout`: r = e_last, going down the layers, r <- (r + r A)/2 with V-Max head weights. Each layer goes
through its query rows in chunks; a chunk's attention is forgotten, and computed again for the backward pass. What is
kept per layer is its recorded queries and keys and O(h * N) numbers. Gradients reach queries and keys both through
the attention and through the head weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from decaf_gui.grounding.rollout import LayerQk, causal_attention, head_weights, row_maxima
from decaf_gui.grounding.settings import RolloutMethod

LEAST_ROWS = 16
"""A chunk has at least so many query rows."""


def rolled_row(
    layers: Sequence[LayerQk], visual: tuple[int, int], chunk_bytes: int, method: RolloutMethod = "vmax"
) -> Tensor:
    """The last row of the rollout over `layers`, first to last: float32 (float64 where they are), (N,).

    `visual` = (first, last + 1) of the visual tokens. A chunk's attention takes about `chunk_bytes`, several times that
    while its gradient is computed. Equals `grounding.rollout.rollout_row`.
    """
    heads, n, _ = layers[-1].queries.shape
    number = torch.promote_types(layers[-1].queries.dtype, torch.float32)
    row = torch.zeros(n, dtype=number, device=layers[-1].queries.device)
    row[-1] = 1
    rows = max(LEAST_ROWS, chunk_bytes // (number.itemsize * heads * n))
    for layer in reversed(layers):
        row = _roll(row.to(layer.queries.device), layer, visual, method, rows)
    return row


def _roll(row: Tensor, layer: LayerQk, visual: tuple[int, int], method: RolloutMethod, rows: int) -> Tensor:
    """r (A + I)/2 for one layer, in chunks of `rows` query rows."""
    heads, n, _ = layer.queries.shape
    mixed = row.new_zeros(heads, n)
    maxima: list[Tensor] = []
    stop = 0
    for weights, queries in zip(row.split(rows), layer.queries.split(rows, dim=1), strict=True):
        stop += queries.shape[1]
        given = (weights, queries, layer.keys[:, :stop], layer.scaling, visual, method)
        part, largest = checkpoint(_chunk, *given, use_reentrant=False, preserve_rng_state=False)
        mixed = mixed + F.pad(part, (0, n - stop))
        maxima.append(largest)
    by_head = head_weights(torch.cat(maxima, dim=1), method, n, None)
    return (row + (by_head[:, None] * mixed).mean(dim=0)) / 2


def _chunk(
    weights: Tensor, queries: Tensor, keys: Tensor, scaling: float, visual: tuple[int, int], method: RolloutMethod
) -> tuple[Tensor, Tensor]:
    """What some rows (weights (m,), queries (h, m, d)) look at (h, n), and the largest of each row (h, m)."""
    attention = causal_attention(queries, keys, scaling)
    return torch.matmul(weights, attention), row_maxima(attention, visual, method)
