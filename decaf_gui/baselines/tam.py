"""TAM: the token activation map of the object word.

From the published method (Li et al., ICCV 2025, "Token Activation Map to Visually Explain Multimodal LLMs"): a token's
activation on a visual token is its logit there (the last hidden state times the token's row of the output embedding),
negative ones cut; earlier tokens interfere: the maps of the context tokens, weighted by how much the token is activated
on each of them, are taken away, scaled by least squares ("estimated causal inference"); then each window's values are
sorted and averaged with a Gaussian over their ranks, centred at the median, whose width is the window's coefficient of
variation ("rank Gaussian filter", window 3). From DecAF: TAM is asked with
the object-focused prompt on 16 sampled frames (4.2), and a word may be several tokens (appendix C: the original
evaluation reports the best token, which needs the truth).

Ours, where neither says: context tokens are the text behind the last visual token and the answer so far, those with the
same id left out; a word of several tokens counts with the mean of their maps, each scaled to [0, 1]; answer tokens
without a letter or digit do not count; the frames are shown as one video; windows at the border repeat it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from decaf_gui.baselines.reading import Spoken, speak
from decaf_gui.baselines.settings import MethodSettings, TamSettings
from decaf_gui.baselines.stages import only, unit_maps, with_sam, without_sam
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Grounding
from decaf_gui.core.events import AttentionReady, Event, Stage
from decaf_gui.grounding.fusion import Maps, min_max
from decaf_gui.grounding.ground import LazyFrames, visual_inputs
from decaf_gui.grounding.mllm import Mllm
from decaf_gui.grounding.prompts import object_question
from decaf_gui.pipeline.engine import Engine


def ground_tam(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Iterator[Event]:
    """The activation maps of the object word; the last event is `AttentionReady`."""
    mllm, own = engine.mllm, settings.tam
    grounding = only(own.shown, settings.pipeline.grounding)
    inputs = visual_inputs(mllm, clip, grounding)
    raw, answers = list[Maps](), list[str]()
    asked = object_question(wanted, grounding.object_prompt)
    for done, shown in enumerate(inputs):
        yield Stage("token activation", done, len(inputs))
        spoken = yield from speak(mllm, shown, LazyFrames(clip, shown.frames), asked, grounding)
        raw += [word_map(mllm, one, own) for one in spoken]
        answers += [mllm.processor.tokenizer.decode(one.answer_ids, skip_special_tokens=True).strip() for one in spoken]
    yield Stage("token activation", len(inputs), len(inputs))
    frames = tuple(frame for shown in inputs for frame in shown.frames)
    found = np.concatenate(raw)
    maps = unit_maps(found, own.shown, len(frames))
    yield AttentionReady(Grounding(maps, frames, answers[0], tuple(answers), {"activation": found}))


@torch.inference_mode()
def word_map(mllm: Mllm, spoken: Spoken, settings: TamSettings) -> Maps:
    """The map of the answer's word on one input: float32 (t, h, w); zeros when nothing was answered."""
    grid = spoken.grid
    places = _word_places(mllm, spoken)
    chosen = {"first": places[:1], "last": places[-1:], "mean": places}[settings.word]
    maps = [token_map(mllm, spoken, place, settings) for place in chosen]
    if len(maps) == 1:
        return maps[0]
    shape = (grid.frames, grid.height, grid.width)
    scaled = [min_max(one, per_frame=False) for one in maps]
    return np.mean(scaled, axis=0, dtype=np.float32) if scaled else np.zeros(shape, np.float32)


def _word_places(mllm: Mllm, spoken: Spoken) -> list[int]:
    """Which tokens of the answer are part of a word."""
    said = [mllm.processor.tokenizer.decode([token]) for token in spoken.answer_ids.tolist()]
    return [place for place, text in enumerate(said) if any(letter.isalnum() for letter in text)]


@torch.inference_mode()
def token_map(mllm: Mllm, spoken: Spoken, place: int, settings: TamSettings) -> Maps:
    """TAM of the answer's token at `place`: float32 (t, h, w), 0 or above."""
    head = mllm.model.get_output_embeddings().weight
    token = spoken.answer_ids[place]
    own = activations(spoken.visual, head[token][None])[0]
    if settings.causal:
        ids = torch.cat([spoken.prompt_ids, spoken.answer_ids[:place]])
        states = torch.cat([spoken.prompt, spoken.answer[:place]])
        relevance = activations(states, head[token][None])[0] * (ids != token)
        own = without_context(own, activations(spoken.visual, head[ids]), relevance)
    grid = spoken.grid
    maps = own.reshape(grid.frames, grid.height, grid.width).cpu().numpy().astype(np.float32)
    return rank_gaussian(maps, settings.window) if settings.window > 1 else maps


def activations(states: Tensor, rows: Tensor) -> Tensor:
    """Logits of k tokens, `rows` (k, D) of the output embedding, on n `states` (n, D), negative ones cut: (k, n)."""
    return (rows.float() @ states.float().T).clamp_min(0)


def without_context(own: Tensor, context: Tensor, relevance: Tensor) -> Tensor:
    """A map (n,) without what its context explains: `context` (m, n) maps, weighted by `relevance` (m,).

    The scale of what is taken away is the least squares one; where nothing is relevant, nothing is.
    """
    total = relevance.sum()
    if not total > 0:
        return own
    interference = (relevance / total) @ context
    power = interference @ interference
    if not power > 0:
        return own
    return (own - (own @ interference) / power * interference).clamp_min(0)


def rank_gaussian(maps: Maps, window: int) -> Maps:
    """Each cell of (t, h, w) becomes a mean of its sorted window, weighted by a Gaussian over the ranks.

    The Gaussian is centred at the median's rank; its width, in ranks, is the window's standard deviation over its mean.
    """
    reach = window // 2
    padded = np.pad(maps.astype(np.float64), ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    views = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(1, 2))
    values = np.sort(views.reshape(*maps.shape, -1), axis=-1)
    return np.asarray((values * _rank_weights(values)).sum(axis=-1), dtype=np.float32)


def _rank_weights(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of sorted values (..., n) that sum to 1; all on the median where they do not vary."""
    n = values.shape[-1]
    mean, spread = values.mean(axis=-1, keepdims=True), values.std(axis=-1, keepdims=True)
    width = np.divide(spread, mean, out=np.zeros_like(mean), where=mean > 0)
    apart = np.arange(n) - n // 2
    weights = np.exp(-(apart**2) / (2 * np.maximum(width, 1e-3) ** 2))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


predict = with_sam(ground_tam)
predict_mask = without_sam(ground_tam)
