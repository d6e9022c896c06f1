"""The straightforward ways that ours are measured against: correct, and written as the equations are.

Where the papers' released code is slower than these, these are kept: attention in the model's own forward pass is
computed as fast as transformers can, only the rollout is dense.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from decaf_gui.bench.dense import dense_rollout
from decaf_gui.core.events import Stage
from decaf_gui.core.masks import Rle
from decaf_gui.grounding.families import Frame
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.prefix import Prefix
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.tracking.features import FrameSource, preprocess
from decaf_gui.tracking.propose import Candidate, score_candidates
from decaf_gui.tracking.queries import PointQuery, Rival, point_queries, suppress
from decaf_gui.tracking.settings import TrackingSettings

Maps = NDArray[np.float32]
Given = TypeVar("Given")


class StraightforwardMllm(Mllm):
    """Nothing is kept: every question runs the vision tower and the whole prefill again, and rolls out densely."""

    def prefix(
        self, shown: VisualInput, frames: Sequence[Frame], settings: GroundingSettings
    ) -> Generator[Stage, None, Prefix]:
        """Computed anew each time."""
        self.prefixes.clear()
        return (yield from super().prefix(shown, frames, settings))

    def _rollout(self, prefix: Prefix, suffix: dict[int, Tensor], index: int, settings: GroundingSettings) -> Maps:
        layers, grid = sorted(prefix.queries), prefix.grid
        queries = [torch.cat([prefix.queries[layer][index], suffix[layer][index]], dim=1) for layer in layers]
        keys = [prefix.cache.layers[layer].keys[index] for layer in layers]
        row = dense_rollout(queries, keys, prefix.scaling, (grid.start, grid.stop))
        cells = row[grid.start + grid.columns.to(row.device)]
        return cells.reshape(grid.frames, grid.height, grid.width).cpu().numpy()


def package_predictor(sam: Any, config: dict[str, Any]) -> Any:
    """The sam2 package's own video predictor with the weights of `sam`, whose architecture `config` describes."""
    from hydra.utils import instantiate
    from sam2 import sam2_video_predictor
    from tqdm import tqdm

    sam2_video_predictor.tqdm = partial(tqdm, disable=True)  # its bars would run through the table
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
