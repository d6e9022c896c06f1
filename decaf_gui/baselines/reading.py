"""What the baselines read of a multimodal LLM beyond `Mllm.ask`: every use of the model's inner methods is in here."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from decaf_gui.core.events import Stage
from decaf_gui.grounding.families import Frame, TokenGrid, only_grid
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.prefix import Prefix
from decaf_gui.grounding.recording import Recorder
from decaf_gui.grounding.settings import GroundingSettings

HeadMaps = NDArray[np.float32]
"""Attention of the last prompt token to the grid's cells, by layer and head: (L, heads, t, h, w)."""


def row_attention(query: Tensor, keys: Tensor, scaling: float) -> Tensor:
    """Softmax attention of one query (heads, d) to the keys (h_kv, N, d) up to its own: float32 (heads, N).

    Heads share keys evenly, in order. No N x N matrix: this is the last row of one.
    """
    shared, n, d = keys.shape
    grouped = (query.float() * scaling).reshape(shared, -1, d)
    scores = torch.matmul(grouped, keys.float().transpose(-1, -2))
    return scores.reshape(-1, n).softmax(dim=-1)


@torch.inference_mode()
def head_maps(mllm: Mllm, prefix: Prefix, question: str, layers: Iterable[int] | None = None) -> list[HeadMaps]:
    """Where each head looks when the answer's first token is predicted: one (L, heads, t, h, w) per input.

    `layers` are the layers that are wanted, in this order; all of them when None.
    """
    wanted = list(range(mllm.layers) if layers is None else layers)
    recorder = Recorder(wanted)
    try:
        mllm._read(prefix, question, recorder)
        mllm.counters.questions += len(prefix.ids)
        queries = recorder.joined()
        return [
            _maps_of(prefix, {at: queries[at][index, :, -1] for at in wanted}, recorder.scaling, index)
            for index in range(len(prefix.ids))
        ]
    finally:
        prefix.rewind()


def _maps_of(prefix: Prefix, queries: dict[int, Tensor], scaling: float, index: int) -> HeadMaps:
    grid, maps = prefix.grid, []
    for layer, query in queries.items():
        row = row_attention(query, prefix.cache.layers[layer].keys[index], scaling)
        maps.append(row[:, _cells(grid, row.device)].unflatten(-1, (grid.frames, grid.height, grid.width)))
    return torch.stack(maps).cpu().numpy().astype(np.float32)


def _cells(grid: TokenGrid, device: torch.device) -> Tensor:
    """The grid's cells in the sequence."""
    return grid.start + grid.columns.to(device)


@torch.inference_mode()
def answer(mllm: Mllm, prefix: Prefix, question: str, limit: int) -> list[str]:
    """The greedy answers to a question, one per input, of at most `limit` tokens; nothing is rolled out."""
    try:
        hidden, position = mllm._read(prefix, question, Recorder(()))
        mllm.counters.questions += len(prefix.ids)
        return mllm._generate(hidden, position, prefix.cache, limit)
    finally:
        prefix.rewind()


@dataclass(frozen=True, eq=False)
class Spoken:
    """One input's whole pass with its greedy answer: the last layer's hidden states (behind the final norm), float32.

    `visual` (t*h*w, D) of the grid's cells; `prompt_ids` (m,) and `prompt` (m, D) of the text behind the last visual
    token; `answer_ids` (k,) without the end, and `answer` (k, D) of what was read of it.
    """

    visual: Tensor
    prompt_ids: Tensor
    prompt: Tensor
    answer_ids: Tensor
    answer: Tensor
    grid: TokenGrid


@torch.inference_mode()
def speak(
    mllm: Mllm, shown: VisualInput, frames: Sequence[Frame], question: str, settings: GroundingSettings
) -> Generator[Stage, None, list[Spoken]]:
    """Reads input and question in one pass and answers: one `Spoken` per input.

    Stored prefixes do not help here: they end before the last layer, whose results are asked for.
    """
    features, layout = yield from mllm._see(shown, frames, settings.vision_batch)
    if settings.input == "paper":
        features, layout = only_grid(features, layout)
    ids, grid = mllm.family.expand(mllm._template_ids(shown.kind, question), layout)
    ids = ids.to(mllm.model.device).expand(len(features), -1)
    positions = mllm.family.positions(ids, layout)
    cache = DynamicCache(config=mllm.model.config.get_text_config())
    hidden = yield from _decode_whole(mllm, ids, features, grid, positions, cache, settings.prefill_chunk)
    mllm.counters.questions += len(ids)
    said, states = _continue(mllm, hidden[:, -1:], positions[..., -1:], cache, settings.max_new_tokens)
    yield Stage("question", 1, 1, "answered", within=True)
    return [_spoken(mllm, ids[i], hidden[i].float(), said[i], states[i].float(), grid) for i in range(len(ids))]


def _decode_whole(
    mllm: Mllm, ids: Tensor, features: Tensor, grid: TokenGrid, positions: Tensor, cache: DynamicCache, chunk: int
) -> Generator[Stage, None, Tensor]:
    """Hidden states (b, N, D) of a whole sequence, read in chunks, up to the last layer (a prefix ends before it)."""
    embeds = mllm.model.get_input_embeddings()(ids)
    tokens = grid.start + grid.tokens.to(ids.device)
    now, further = features.to(embeds).tensor_split([embeds.shape[-1]], dim=-1)
    embeds[:, tokens] = now
    visual = torch.zeros(ids.shape[1], dtype=torch.bool, device=ids.device)
    visual[tokens] = True
    parts, step = [], max(1, chunk // len(ids))
    for start in range(0, ids.shape[1], step):
        part = slice(start, start + step)
        inside = (tokens >= start) & (tokens < start + step)
        options = mllm.family.decoder_options(visual[part], further[:, inside])
        parts.append(mllm._decode(embeds[:, part], positions[..., part], cache, **options))
        yield Stage("prefill", min(start + step, ids.shape[1]), ids.shape[1], "tokens", within=True)
    return torch.cat(parts, dim=1)


def _continue(mllm: Mllm, hidden: Tensor, position: Tensor, cache: DynamicCache, limit: int) -> tuple[Tensor, Tensor]:
    """Greedy tokens (b, k) behind the cache and the hidden states (b, k, D) of having read them."""
    stop = torch.tensor(mllm._end_tokens(), device=hidden.device)
    tokens, states = [], []
    done = torch.zeros(len(hidden), dtype=torch.bool, device=hidden.device)
    for _ in range(limit):
        token = mllm.model.get_output_embeddings()(hidden[:, -1]).argmax(dim=-1)
        token = torch.where(done, stop[0], token)
        done |= torch.isin(token, stop)
        position = position + 1
        hidden = mllm._decode(mllm.model.get_input_embeddings()(token[:, None]), position, cache)
        tokens.append(token)
        states.append(hidden[:, 0])
        if bool(done.all()):
            break
    return torch.stack(tokens, dim=1), torch.stack(states, dim=1)


def _spoken(mllm: Mllm, ids: Tensor, hidden: Tensor, said: Tensor, states: Tensor, grid: TokenGrid) -> Spoken:
    ends = torch.isin(said, torch.tensor(mllm._end_tokens(), device=said.device)).nonzero()
    length = int(ends[0, 0]) if len(ends) else len(said)
    visual = hidden[_cells(grid, hidden.device)]
    return Spoken(visual, ids[grid.stop :], hidden[grid.stop :], said[:length], states[:length], grid)
