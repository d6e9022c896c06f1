"""The straightforward ways that ours are measured against: correct, and written as the equations are.

Where the papers' released code is slower than these, these are kept: each layer's attention is computed once, not four
times, and clicks on a frame share its features.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.masking_utils import sdpa_mask

from decaf_gui.core.events import Stage
from decaf_gui.core.masks import Rle
from decaf_gui.grounding.families import Frame, VisualLayout
from decaf_gui.grounding.mllm import Answer, Mllm, VisualInput
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.tracking.features import FrameSource, preprocess
from decaf_gui.tracking.propose import Candidate, score_candidates
from decaf_gui.tracking.queries import PointQuery, Rival, point_queries, suppress
from decaf_gui.tracking.settings import TrackingSettings

Maps = NDArray[np.float32]
Given = TypeVar("Given")


class DenseRollout:
    """Rolls out whole N x N matrices, layer by layer, as the attention of a forward pass comes (eqs. 1 to 3)."""

    def __init__(self, first_layer: int, visual: tuple[int, int]) -> None:
        self.first_layer, self.visual = first_layer, visual
        self.rolled: Tensor | None = None

    def take(self, layer: int, attention: Tensor) -> None:
        """One layer's attention (b, h, N, N) in float32."""
        if layer < self.first_layer:
            return
        weights = attention[..., self.visual[0] : self.visual[1]].amax(-1).mean(-1)
        weights = weights / weights.amax(-1, keepdim=True)
        averaged = torch.einsum("bh,bhnm->bnm", weights, attention) / attention.shape[1]
        step = (averaged + torch.eye(averaged.shape[-1], device=averaged.device)) / 2
        self.rolled = step if self.rolled is None else step @ self.rolled


_rolling: ContextVar[DenseRollout | None] = ContextVar("rolling", default=None)


def dense_attention(
    module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Tensor | None, scaling: float, **_: Any
) -> tuple[Tensor, Tensor]:
    """Causal attention by N x N matrices in float32, as models give it when asked for their attentions."""
    groups, (rows, columns) = query.shape[1] // key.shape[1], (query.shape[2], key.shape[2])
    key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    future = torch.ones(rows, columns, dtype=torch.bool, device=query.device).triu_(columns - rows + 1)
    scores = query.float() @ key.float().transpose(2, 3) * scaling
    attention = scores.masked_fill(future, float("-inf")).softmax(-1)
    rolling = _rolling.get()
    if rolling is not None:
        rolling.take(module.layer_idx, attention)
    return (attention.to(value.dtype) @ value).transpose(1, 2).contiguous(), attention


@dataclass(eq=False)
class Seen:
    """What the vision tower made of an input: all that is passed on here."""

    features: Tensor
    layout: VisualLayout


class StraightforwardMllm(Mllm):
    """Nothing is kept: every question runs the vision tower and the whole sequence again, with dense attention.

    Changes the attention of the model that it is given.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        AttentionInterface.register("decaf_dense", dense_attention)
        AttentionMaskInterface.register("decaf_dense", sdpa_mask)
        self.model.set_attn_implementation({"text_config": "decaf_dense", "vision_config": "sdpa"})

    def prefix(  # type: ignore[override]
        self, shown: VisualInput, frames: Sequence[Frame], settings: GroundingSettings
    ) -> Generator[Stage, None, Seen]:
        """The vision tower's features, computed anew each time."""
        return Seen(*(yield from self._see(shown, frames, settings.vision_batch)))

    @torch.inference_mode()
    def ask(  # type: ignore[override]
        self, seen: Seen, question: str, settings: GroundingSettings
    ) -> Generator[Stage, None, list[Answer]]:
        """The whole sequence in one pass, its attention rolled out; then the answers."""
        ids, grid = self.family.expand(self._template_ids(seen.layout.kind, question), seen.layout)
        ids = ids.to(self.model.device).expand(len(seen.features), -1)
        embeds = self.model.get_input_embeddings()(ids)
        visual = grid.start + grid.columns.to(ids.device)
        embeds[:, visual] = seen.features.to(embeds.dtype)
        positions = self.family.positions(ids, seen.layout)
        cache = DynamicCache(config=self.model.config.get_text_config())
        rolling = DenseRollout(self._first_layer(settings), (grid.start, grid.stop))
        token = _rolling.set(rolling)
        try:
            hidden = self._decode(embeds, positions, cache)
        finally:
            _rolling.reset(token)
        yield Stage("question", 1, 2, "read", within=True)
        texts = self._generate(hidden[:, -1:], positions[..., -1:], cache, settings.max_new_tokens)
        assert rolling.rolled is not None
        rows = rolling.rolled[:, -1, visual].unflatten(-1, (grid.frames, grid.height, grid.width))
        return [Answer(text, row.cpu().numpy()) for text, row in zip(texts, rows, strict=True)]


def package_predictor(sam: Any, config: dict[str, Any]) -> Any:
    """The sam2 package's own video predictor with the weights of `sam`, whose architecture `config` describes."""
    from hydra.utils import instantiate
    from sam2 import sam2_video_predictor
    from sam2.utils import misc
    from tqdm import tqdm

    for module in (sam2_video_predictor, misc):  # their bars would run through the table
        module.tqdm = partial(tqdm, disable=True)
    target = {"_target_": "sam2.sam2_video_predictor.SAM2VideoPredictor", "add_all_frames_to_correct_as_cond": True}
    predictor = instantiate(config | target, _recursive_=True)
    predictor.load_state_dict(sam.state_dict())
    return predictor.to(next(sam.parameters()).device).eval()


def predictor_state(predictor: Any, clip: FrameSource, frames: Sequence[int]) -> Any:
    """The predictor's state over `frames` of a clip."""
    with tempfile.TemporaryDirectory() as folder:
        for number, frame in enumerate(frames):
            Image.fromarray(clip[frame]).save(Path(folder) / f"{number}.jpg")
        state = predictor.init_state(folder)
    load_frames(predictor, state, clip, frames)
    return state


def load_frames(predictor: Any, state: Any, clip: FrameSource, frames: Sequence[int]) -> None:
    """Images as our own session sees them (JPEG would change them); features forgotten."""
    images = [preprocess(clip[frame], predictor.image_size) for frame in frames]
    state["images"], state["cached_features"] = torch.cat(images).to(predictor.device), {}


@dataclass(eq=False)
class PredictorStage:
    """Section 3.4 over the predictor: every point prompted alone, features encoded again for each pass.

    A pass tracks one mask, or, with `grouped`, all masks of a frame together as the released code does (spec
    section 7). Frames are resized for the model within `run`, as ours are.
    """

    predictor: Any
    clip: FrameSource
    frames: Sequence[int]
    grouped: bool = False
    settings: TrackingSettings = field(default_factory=TrackingSettings)

    def __post_init__(self) -> None:
        self.size = self.clip[0].shape[:2]
        self.sampled = predictor_state(self.predictor, self.clip, self.frames)
        self.whole = predictor_state(self.predictor, self.clip, range(len(self.clip)))
        head = self.predictor.sam_mask_decoder.iou_prediction_head
        self.hook = head.register_forward_hook(self._note_ious)
        self.ious: list[float] = []

    def _note_ious(self, _module: Any, _inputs: Any, output: Tensor) -> None:
        self.ious = output[0].tolist()

    def run(self, maps: Maps) -> dict[int, Rle]:
        """The union of the selected tracklets by frame of the whole clip."""
        load_frames(self.predictor, self.sampled, self.clip, self.frames)
        load_frames(self.predictor, self.whole, self.clip, range(len(self.clip)))
        found: list[Candidate] = []
        standing: list[Candidate] = []
        for place, frame in enumerate(self.frames):
            self.predictor.reset_state(self.sampled)
            fresh = [
                self._click(place, frame, query, len(found) + 1 + i)
                for i, query in enumerate(point_queries(maps[place], self.size, self.settings.tau_pq))
            ]
            found += fresh
            kept = self._suppress(fresh, standing, frame)
            for group in self._groups(kept):
                for at, masks in self._passes(self.sampled, place, [c.masks[frame] for c in group]):
                    for candidate, mask in zip(group, masks, strict=True):
                        candidate.masks.setdefault(self.frames[at], mask)
            standing = [c for c in standing if not c.suppressed] + kept
        return self._propagate(score_candidates(found, self.frames, maps, self.settings, self.size))

    def _groups(self, things: Sequence[Given]) -> list[list[Given]]:
        return [list(things)] if self.grouped else [[thing] for thing in things]

    def _click(self, place: int, frame: int, query: PointQuery, number: int) -> Candidate:
        """A point as an object of its own: the predictor puts the masks of all objects together each time."""
        *_, logits = self.predictor.add_new_points_or_box(
            self.sampled, place, number, points=[[query.x, query.y]], labels=[1]
        )
        several = self.predictor.multimask_output_in_sam  # one click: the best of three masks, not the single one
        iou = max(self.ious[1:]) if several else self.ious[0]
        return Candidate(number, frame, query, iou, {frame: _rle(logits[-1])})

    def _suppress(self, fresh: list[Candidate], standing: list[Candidate], frame: int) -> list[Candidate]:
        rivals = [Rival(c.id, c.score, c.masks[frame]) for c in standing]
        masks, scores = [c.masks[frame] for c in fresh], [c.score for c in fresh]
        verdict = suppress(masks, scores, rivals, self.settings.nms_iou)
        for i, candidate in enumerate(fresh):
            candidate.suppressed = i not in verdict.kept
        for candidate in standing:
            candidate.suppressed |= candidate.id in verdict.deleted
        return [fresh[i] for i in verdict.kept]

    def _passes(self, state: Any, start: int, masks: Sequence[Rle]) -> Iterator[tuple[int, list[Rle]]]:
        """One forward and one backward pass of masks given on frame `start`: (frame, masks)."""
        if not masks:
            return
        self.predictor.reset_state(state)
        for number, mask in enumerate(masks):
            self.predictor.add_new_mask(state, start, number, torch.from_numpy(mask.dense()))
        for reverse in (False, True):
            for at, _, logits in self.predictor.propagate_in_video(state, start, reverse=reverse):
                yield at, [_rle(one) for one in logits]

    def _propagate(self, tracklets: Sequence[Any]) -> dict[int, Rle]:
        chosen: dict[int, list[Rle]] = defaultdict(list)
        for tracklet in tracklets:
            if tracklet.selected:
                chosen[tracklet.frame].append(tracklet.masks.rle(tracklet.frame))
        groups = [(frame, group) for frame, masks in chosen.items() for group in self._groups(masks)]
        dense = {at: np.zeros(self.size, bool) for at in range(len(self.clip))}
        for frame, masks in groups:
            for at, found in self._passes(self.whole, frame, masks):
                for mask in masks if at == frame else found:  # on its own frame a tracklet keeps its prompt
                    dense[at] |= mask.dense()
        return {at: Rle.encode(mask) for at, mask in dense.items()}


def _rle(logits: Tensor) -> Rle:
    return Rle.encode((logits[0] > 0).cpu().numpy())
