"""Attention rollout of one row, computed in blocks: no N x N matrix ever exists (DecAF 3.2, spec section 3).

With r = e_last, going down the layers, r <- (r + r A)/2, where A is the head-weighted softmax attention of a
layer. A block of query rows is softmaxed, contributes r_block @ P_block per head and the row maxima that V-Max
weighs heads by, and is forgotten: memory O(h * block * N), work O(h * N^2 * d).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from decaf_gui.grounding.settings import RolloutMethod

BLOCK_BYTES = {"cpu": 6 << 20, "cuda": 96 << 20}
"""How much of the attention of one layer is held at a time: what fits a processor's cache, or keeps a card busy."""


@dataclass(frozen=True, slots=True)
class LayerQk:
    """One decoder layer as recorded: queries (h, N, d), keys (h_kv, N, d), both after rotary embedding."""

    queries: Tensor
    keys: Tensor
    scaling: float


@dataclass(frozen=True, slots=True)
class KnownMaxima:
    """Sum over the first `rows` query rows of each head's row maximum (h,): constant for a shared prefix.

    With `total` None the rows are only summed apart, so that the first question on a prefix rounds as later ones.
    """

    rows: int
    total: Tensor | None = None


def rollout_row(
    queries: Sequence[Tensor],
    keys: Sequence[Tensor],
    scaling: float,
    visual: tuple[int, int],
    method: RolloutMethod = "vmax",
) -> Tensor:
    """The last row of the rollout over the given layers: float32 (N,).

    `queries[l]` (h, N, d) and `keys[l]` (h_kv, N, d) of the rolled layers, first to last, h a multiple of h_kv;
    `scaling` multiplies the scores; `visual` = (first, last + 1) of the visual tokens. Attention is causal, the
    softmax float32. `method`: "vmax" weighs heads by the mean over all rows of the largest attention to a visual
    key (eqs. 2, 3), "max" by the largest to any key, "plain" takes the mean of the heads (Abnar & Zuidema).
    Raises ValueError when the shapes do not fit together.
    """
    layers = [LayerQk(q, k, scaling) for q, k in zip(queries, keys, strict=True)]
    if not layers:
        raise ValueError("A rollout needs at least one layer.")
    row = unit_row(layers[-1].queries.shape[1], layers[-1].queries.device)
    for layer in reversed(layers):
        row, _ = roll_layer(row, layer, visual, method)
    return row


def unit_row(n: int, device: torch.device) -> Tensor:
    """e_last, float32 (n,): the row that predicts the answer's first token."""
    row = torch.zeros(n, device=device)
    row[-1] = 1.0
    return row


def roll_layer(
    row: Tensor,
    layer: LayerQk,
    visual: tuple[int, int],
    method: RolloutMethod,
    known: KnownMaxima | None = None,
) -> tuple[Tensor, Tensor]:
    """r (A + I)/2 for one layer (eq. 1 without renormalisation), and the per-row sums of maxima it found (h, N).

    `known` spares the blocks whose rows carry no weight: their share of the head weights is given.
    """
    _check(row, layer, visual)
    heads, n, _ = layer.queries.shape
    keys = layer.keys.float()
    mixed = torch.zeros(heads, n, device=row.device)
    maxima = torch.zeros(heads, n, device=row.device)
    for start, stop in _blocks(row, heads, method, known):
        attention = causal_attention(layer.queries[:, start:stop], keys[:, :stop], layer.scaling)
        mixed[:, :stop] += torch.matmul(row[start:stop], attention)
        maxima[:, start:stop] = row_maxima(attention, visual, method)
    weights = head_weights(maxima, method, n, known)
    return (row + (weights[:, None] * mixed).mean(dim=0)) / 2, maxima


def _check(row: Tensor, layer: LayerQk, visual: tuple[int, int]) -> None:
    heads, n, _ = layer.queries.shape
    if layer.keys.shape[1] != n or row.shape != (n,):
        raise ValueError(f"{n} queries, {layer.keys.shape[1]} keys and a row of {row.shape[0]} do not fit together.")
    if heads % layer.keys.shape[0]:
        raise ValueError(f"{heads} query heads cannot share {layer.keys.shape[0]} key heads evenly.")
    if not 0 <= visual[0] < visual[1] <= n:
        raise ValueError(f"The visual span {visual} lies outside of {n} tokens.")


def _blocks(row: Tensor, heads: int, method: RolloutMethod, known: KnownMaxima | None) -> Iterator[tuple[int, int]]:
    """Spans of query rows that matter: those with weight in `row`, and those whose maxima are not known yet."""
    n = row.shape[0]
    size = max(16, BLOCK_BYTES["cpu" if row.device.type == "cpu" else "cuda"] // (4 * heads * n))
    spare = known.rows if known is not None and known.total is not None else 0
    if method == "plain":  # no maxima are asked for
        spare = n
    for start in range(0, n, size):
        stop = min(start + size, n)
        if stop > spare or bool(row[start:stop].any()):
            yield start, stop


def causal_attention(queries: Tensor, keys: Tensor, scaling: float) -> Tensor:
    """Softmax attention of the last rows' queries (h, rows, d) on the keys (h_kv, n, d): (h, rows, n), differentiable.

    Float32, or float64 where that is given. Heads that share keys are put below each other, so that each key head takes
    one large product.
    """
    heads, rows, d = queries.shape
    shared, n, _ = keys.shape
    queries, keys = (x if x.dtype == torch.float64 else x.float() for x in (queries, keys))
    stacked = (queries * scaling).reshape(shared, -1, d)
    scores = torch.matmul(stacked, keys.transpose(-1, -2)).view(heads, rows, n)
    future = torch.ones(rows, rows, dtype=torch.bool, device=scores.device).triu_(1)
    scores[..., n - rows :].masked_fill_(future, float("-inf"))
    return scores.softmax(dim=-1)


def row_maxima(attention: Tensor, visual: tuple[int, int], method: RolloutMethod) -> Tensor:
    """The largest attention of each row to the keys that the method looks at: (h, rows)."""
    columns = attention[..., visual[0] : visual[1]] if method == "vmax" else attention
    if columns.shape[-1] == 0:  # rows before the first visual token see none of them
        return attention.new_zeros(attention.shape[:2])
    return columns.amax(dim=-1)


def head_weights(maxima: Tensor, method: RolloutMethod, n: int, known: KnownMaxima | None) -> Tensor:
    """Mean of the row maxima over all n rows, the largest head scaled to 1: (h,)."""
    if method == "plain":
        return torch.ones(maxima.shape[0], device=maxima.device)
    rows, total = (known.rows, known.total) if known is not None else (0, None)
    before = maxima[:, :rows].sum(dim=1) if total is None else total.to(maxima.device)
    means = (before + maxima[:, rows:].sum(dim=1)) / n
    return means / means.max().clamp_min(torch.finfo(torch.float32).tiny)
