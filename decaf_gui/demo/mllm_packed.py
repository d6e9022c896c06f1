"""The demo MLLM's training forward: K questions on one clip share one prefix, and the rollout is differentiable.

It runs the modules of the transformers model itself, so there is one set of weights; only the order of the work
differs. A question sees the prefix and itself, never another question, which is a block-diagonal causal mask that
is never built: the attention of the prefix, of questions to the prefix and of questions to themselves are computed
apart. Letters in shapes: b clips, k questions, s question tokens, p prefix tokens, h heads, r rollout rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb, apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_position_ids, get_vision_window_index

Grid = tuple[int, int, int]
"""Patches (t, h, w) of one visual input, as in transformers' `grid_thw`."""


@dataclass(frozen=True, eq=False)
class PackedQuestions:
    """b equal visual inputs with k questions each, padded on the right.

    `pixels` (b, t*h*w, 1176) patches; `prefix` (p,) token ids up to the last visual token; `visual` the span of
    visual tokens in it; `suffix` (b, k, s) token ids after it, answers included; `lengths` (b, k) suffix tokens up to
    the last prompt token; `rows` (b, k, r) suffix positions whose rollout is read, the last prompt token first;
    `answers` how many rows from the last prompt token on give logits.
    """

    kind: Literal["video", "image"]
    grid: Grid
    pixels: Tensor
    prefix: Tensor
    visual: tuple[int, int]
    suffix: Tensor
    lengths: Tensor
    rows: Tensor
    answers: int = 2

    def to(self, device: torch.device) -> PackedQuestions:
        """The same on a device."""
        names = ("pixels", "prefix", "suffix", "lengths", "rows")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


@dataclass(frozen=True, eq=False)
class PackedResult:
    """Answers and maps of all questions, and the features that dense heads read.

    `logits` (b, k, answers, vocabulary); `maps` (b, k, r, visual tokens) rollout rows; `tower` and `seen`
    (b, visual tokens, D): what the vision tower gives, and what the rolled layers find at the visual tokens.
    """

    logits: Tensor
    maps: Tensor
    tower: Tensor
    seen: Tensor


@dataclass(frozen=True, eq=False)
class LayerAttention:
    """Softmax attention of one layer, float32.

    `prefix` (b, h, p, p), questions `across` to the prefix (b, h, k, s, p) and to their `own` (b, h, k, s, s).
    """

    prefix: Tensor
    across: Tensor
    own: Tensor


def packed_forward(model: Any, batch: PackedQuestions) -> PackedResult:
    """Answer logits and rollout rows of all questions, differentiable (spec section 3, V-Max)."""
    decoder = model.model.language_model
    tower = vision_tower(model.model.visual, batch.pixels, batch.grid)
    hidden = _embed(model, batch, tower)
    rotary = decoder.rotary_emb(hidden, _positions(model, batch))
    first = len(decoder.layers) // 2
    rolled: list[LayerAttention] = []
    seen = hidden
    for index, layer in enumerate(decoder.layers):
        if index == first:
            seen = hidden[:, slice(*batch.visual)]
        last = index == len(decoder.layers) - 1
        hidden, attention = _layer(layer, hidden, rotary, batch, last)
        if index >= first:
            rolled.append(attention)
    logits = model.lm_head(decoder.norm(hidden)).float()
    return PackedResult(logits, rollout_rows(rolled, batch), tower, seen)


def _embed(model: Any, batch: PackedQuestions, visual: Tensor) -> Tensor:
    """(b, p + k*s, D)."""
    embeddings = model.get_input_embeddings()
    inputs = batch.suffix.shape[0]
    prefix = embeddings(batch.prefix).expand(inputs, -1, -1)
    start, stop = batch.visual
    suffix = embeddings(batch.suffix).flatten(1, 2)
    return torch.cat([prefix[:, :start], visual.to(prefix.dtype), prefix[:, stop:], suffix], dim=1)


def _positions(model: Any, batch: PackedQuestions) -> Tensor:
    """(3, 1, p + k*s): every question continues right after the prefix; a temporal token lasts one second."""
    questions, length = batch.suffix.shape[1:]
    is_video = batch.kind == "video"
    ids = torch.cat([batch.prefix, batch.prefix.new_zeros(length)])[None]
    kinds = torch.zeros_like(ids)
    kinds[:, slice(*batch.visual)] = 2 if is_video else 1
    grid = torch.tensor([batch.grid], device=ids.device)
    positions, _ = model.model.get_rope_index(
        ids,
        mm_token_type_ids=kinds,
        video_grid_thw=grid if is_video else None,
        image_grid_thw=None if is_video else grid,
        second_per_grid_ts=torch.ones(1, device=ids.device) if is_video else None,
    )
    prefix, suffix = positions.split([len(batch.prefix), length], dim=2)
    return torch.cat([prefix, suffix.repeat(1, 1, questions)], dim=2)


def _layer(
    layer: Any, hidden: Tensor, rotary: tuple[Tensor, Tensor], batch: PackedQuestions, last: bool
) -> tuple[Tensor, LayerAttention]:
    """One decoder layer. The last one goes on with the rows that give logits only: (b, k, answers, D)."""
    attend = layer.self_attn
    normed = layer.input_layernorm(hidden)
    q, k, v = (_heads(project(normed), attend.head_dim) for project in (attend.q_proj, attend.k_proj, attend.v_proj))
    q, k = apply_rotary_pos_emb(q, k, *rotary)
    k, v = (x.repeat_interleave(attend.num_key_value_groups, dim=1) for x in (k, v))
    attention = _attention(q * attend.scaling, k, batch)
    if last:
        rows = batch.lengths[..., None] - 1 + torch.arange(batch.answers, device=hidden.device)
        mixed = _mix_rows(attention, v, rows, batch)
        hidden = _take(hidden[:, len(batch.prefix) :].unflatten(1, batch.suffix.shape[1:]), rows)
    else:
        mixed = _mix(attention, v, batch)
    hidden = hidden + attend.o_proj(mixed)
    done: Tensor = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
    return done, attention


def _heads(x: Tensor, size: int) -> Tensor:
    return x.reshape(*x.shape[:2], -1, size).transpose(1, 2)


def _split(x: Tensor, batch: PackedQuestions) -> tuple[Tensor, Tensor]:
    """(b, h, p + k*s, d) as (b, h, p, d) and (b, h, k, s, d)."""
    length = len(batch.prefix)
    prefix, suffix = x.split([length, x.shape[2] - length], dim=2)
    return prefix, suffix.unflatten(2, batch.suffix.shape[1:])


def _attention(q: Tensor, k: Tensor, batch: PackedQuestions) -> LayerAttention:
    q_prefix, q_own = _split(q, batch)
    k_prefix, k_own = _split(k, batch)
    length, questions, own = len(batch.prefix), *batch.suffix.shape[1:]
    prefix = (q_prefix @ k_prefix.transpose(-1, -2)).float() + _causal(length, q.device)
    across = (q_own.flatten(2, 3) @ k_prefix.transpose(-1, -2)).float().unflatten(2, (questions, own))
    inside = (q_own @ k_own.transpose(-1, -2)).float() + _causal(own, q.device)
    both = torch.cat([across, inside], dim=-1).softmax(dim=-1)
    return LayerAttention(prefix.softmax(dim=-1), *both.split([length, own], dim=-1))


def _causal(size: int, device: torch.device) -> Tensor:
    return torch.full((size, size), float("-inf"), device=device).triu(1)


def _mix(attention: LayerAttention, v: Tensor, batch: PackedQuestions) -> Tensor:
    """Attention-weighted values of all tokens: (b, p + k*s, D)."""
    v_prefix, v_own = _split(v, batch)
    prefix = attention.prefix.to(v.dtype) @ v_prefix
    across = (attention.across.to(v.dtype).flatten(2, 3) @ v_prefix).unflatten(2, batch.suffix.shape[1:])
    own = across + attention.own.to(v.dtype) @ v_own
    return torch.cat([prefix, own.flatten(2, 3)], dim=2).transpose(1, 2).flatten(2)


def _mix_rows(attention: LayerAttention, v: Tensor, rows: Tensor, batch: PackedQuestions) -> Tensor:
    """The same for `rows` (b, k, a) of the questions alone: (b, k, a, D)."""
    v_prefix, v_own = _split(v, batch)
    across = _take_rows(attention.across, rows)
    own = _take_rows(attention.own, rows).to(v.dtype) @ v_own
    mixed: Tensor = (across.to(v.dtype).flatten(2, 3) @ v_prefix).unflatten(2, rows.shape[1:]) + own
    return mixed.permute(0, 2, 3, 1, 4).flatten(3)


def _take(x: Tensor, rows: Tensor) -> Tensor:
    """x (b, k, s, n) at rows (b, k, a): (b, k, a, n)."""
    return x.gather(2, rows[..., None].expand(*rows.shape, x.shape[-1]))


def _take_rows(attention: Tensor, rows: Tensor) -> Tensor:
    """Attention (b, h, k, s, n) at rows (b, k, a): (b, h, k, a, n)."""
    index = rows[:, None, :, :, None].expand(-1, attention.shape[1], -1, -1, attention.shape[-1])
    return attention.gather(3, index)


def rollout_rows(layers: Sequence[LayerAttention], batch: PackedQuestions) -> Tensor:
    """Rows of the V-Max rollout at the visual tokens: float32 (b, k, r, visual tokens).

    r <- (r + r A)/2 from the last layer down, head weights from the mean over the rows of prefix and prompt of the
    largest attention to a visual key (eqs. 1 to 3).
    """
    with torch.autocast(batch.rows.device.type, enabled=False):
        own = F.one_hot(batch.rows, batch.suffix.shape[2]).float()
        prefix = own.new_zeros(*batch.rows.shape, len(batch.prefix))
        for attention in reversed(layers):
            weights = _head_weights(attention, batch)[..., None, None]
            to_prefix = torch.einsum("bkrs,bhksq->bhkrq", own, attention.across)
            to_prefix = to_prefix + torch.einsum("bkrp,bhpq->bhkrq", prefix, attention.prefix)
            to_own = torch.einsum("bkrs,bhkst->bhkrt", own, attention.own)
            prefix = (prefix + (weights * to_prefix).mean(dim=1)) / 2
            own = (own + (weights * to_own).mean(dim=1)) / 2
        return prefix[..., slice(*batch.visual)]


def _head_weights(attention: LayerAttention, batch: PackedQuestions) -> Tensor:
    """One weight per input, head and question, the largest head's being 1: (b, h, k)."""
    span = slice(*batch.visual)
    asked = torch.arange(batch.suffix.shape[2], device=batch.lengths.device) < batch.lengths[..., None]
    own = (attention.across[..., span].amax(dim=-1) * asked[:, None]).sum(dim=-1)
    shared = attention.prefix[..., span].amax(dim=-1).sum(dim=-1)
    means = (shared[..., None] + own) / (len(batch.prefix) + batch.lengths[:, None])
    return means / means.amax(dim=1, keepdim=True)


def vision_tower(visual: Any, pixels: Tensor, grid: Grid) -> Tensor:
    """The tower on b equal inputs, windows batched: (b, merged tokens, D) in (frame, row, column) order."""
    inputs = pixels.shape[0]
    frame = torch.tensor([[1, *grid[1:]]], device=pixels.device)
    weight = visual.patch_embed.proj.weight.flatten(1)
    hidden = F.linear(pixels, weight).reshape(inputs * grid[0], grid[1] * grid[2], -1).float()
    rotary = visual.rotary_pos_emb(hidden, get_vision_position_ids(frame, visual.spatial_merge_size))
    windows = _windows(visual, frame)
    for index, block in enumerate(visual.blocks):
        inside = None if index in visual.fullatt_block_indexes else windows
        hidden = hidden + _vision_attention(block.attn, block.norm1(hidden), rotary, inside)
        hidden = hidden + block.mlp(block.norm2(hidden))
    merged: Tensor = visual.merger(hidden)
    return merged.reshape(inputs, -1, merged.shape[-1])


def _windows(visual: Any, frame: Tensor) -> Tensor:
    """Patches of each attention window of one frame: (windows, most patches), -1 where a window has fewer."""
    merge = visual.spatial_merge_size
    order, ends = get_vision_window_index(
        frame, spatial_merge_size=merge, window_size=visual.window_size, patch_size=visual.patch_size
    )
    patches = (order[:, None] * merge**2 + torch.arange(merge**2, device=order.device)).flatten()
    parts = patches.split(ends.diff().tolist())
    return torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True, padding_value=-1)


def _vision_attention(attend: Any, x: Tensor, rotary: tuple[Tensor, Tensor], windows: Tensor | None) -> Tensor:
    """Self-attention in each of f frames (f, n, D), or in each window of them."""
    q, k, v = attend.qkv(x).unflatten(-1, (3, attend.num_heads, -1)).unbind(2)
    q, k = apply_rotary_pos_emb_vision(q, k, *rotary)
    if windows is None:
        q, k, v = (y.transpose(1, 2) for y in (q, k, v))
        whole: Tensor = attend.proj(_softmax_mix(q, k, v, attend.scaling, None).transpose(1, 2).flatten(2))
        return whole
    real = windows >= 0
    q, k, v = (y[:, windows.clamp_min(0)].transpose(2, 3) for y in (q, k, v))
    mixed = _softmax_mix(q, k, v, attend.scaling, None if bool(real.all()) else real).transpose(2, 3)
    back = torch.empty(x.shape[1], dtype=torch.long, device=x.device)
    back[windows[real]] = real.flatten().nonzero()[:, 0]
    parts: Tensor = attend.proj(mixed.flatten(1, 2)[:, back].flatten(2))
    return parts


def _softmax_mix(q: Tensor, k: Tensor, v: Tensor, scaling: float, real: Tensor | None) -> Tensor:
    """Attention over (..., heads, n, d), keys limited to `real` (windows, n). Much faster than sdpa's bf16 on CPUs."""
    scores = ((q * scaling) @ k.transpose(-1, -2)).float()
    if real is not None:
        scores = scores.masked_fill(~real[:, None, None], float("-inf"))
    return scores.softmax(dim=-1).to(v.dtype) @ v
