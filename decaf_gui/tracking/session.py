"""Objects on the frames of a clip: prompts, masks, tracking. A session of our own over SAM2's base model.

The sam2 package's video predictor runs one object at a time, keeps the features of one frame and loads whole
clips; here objects are batched, features shared, frames lazy. Its results are reproduced (spec/sam2.md lists the
traps; the tests compare with it). Frames are named by their source index everywhere outside of this class.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from decaf_gui.core.entities import Point, Prompt
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import FrameTracked, Prompted, Stage
from decaf_gui.core.masks import Rle
from decaf_gui.tracking.features import AHEAD, FeatureStore, VisionFeatures

WINDOW = 16
"""Frames on either side of a conditioning frame (and of the sweep) whose outputs later steps may read: memory
attention looks 6 frames back and 15 for object pointers, and a reverse sweep reads what a forward one left."""
POINT_BATCH = OBJECT_BATCH = 32
"""Points and objects that go through the model at a time."""
SPARING_BATCH = 4
"""The same where memory has run out once."""
Item = TypeVar("Item")
Output = dict[str, Any]
"""One object on one frame: pred_masks (1, 1, h, w) logits, obj_ptr, object_score_logits, maskmem_features, iou."""


@dataclass(eq=False)
class TrackedObject:
    """State of one object, by session index: prompts, conditioning outputs, recent outputs, tracked directions.

    `masks` holds what tracking found, for every tracked frame: outputs that were dropped are rebuilt from it.
    `before` keeps the tracked output that a correction started from, so that replaying an object's points gives
    the same mask each time. `revision` changes with every prompt.
    """

    prompts: dict[int, Prompt] = field(default_factory=dict)
    cond: dict[int, Output] = field(default_factory=dict)
    recent: dict[int, Output] = field(default_factory=dict)
    tracked: dict[int, bool] = field(default_factory=dict)
    masks: dict[int, Rle] = field(default_factory=dict)
    before: dict[int, Output | None] = field(default_factory=dict)
    revision: int = 0

    def bank(self) -> dict[str, dict[int, Output]]:
        """As SAM2's memory reads it."""
        return {"cond_frame_outputs": self.cond, "non_cond_frame_outputs": self.recent}

    def met(self, index: int, reverse: bool) -> bool:
        """Whether a sweep has passed one of the prompted frames when it comes to `index`."""
        return any(at > index if reverse else at < index for at in self.cond)

    def read(self, index: int, reverse: bool) -> tuple[int, ...]:
        """The recent outputs that a step on `index` can read: they lie behind it, as the sweep goes."""
        return tuple(sorted(at for at in self.recent if 0 < (at - index if reverse else index - at) < WINDOW))

    def forget(self) -> None:
        """Drops everything that tracking found."""
        for kept in (self.recent, self.tracked, self.masks):
            kept.clear()


class Session:
    """Objects over the frames `frames` (source indices; all of the clip when None) of a feature store's clip."""

    def __init__(self, store: FeatureStore, frames: Sequence[int] | None = None) -> None:
        self.store, self.model = store, store.model
        self.frames: Sequence[int] = range(len(store.source)) if frames is None else tuple(frames)
        self.objects: dict[int, TrackedObject] = {}
        self._index = {frame: index for index, frame in enumerate(self.frames)}
        self._positions: list[Tensor] = []
        self._revisions = 0

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the source frames."""
        return self.store.frame_size

    # --- prompts ---------------------------------------------------------------------------------------------

    @torch.inference_mode()
    def prompt(self, object_id: int, given: Prompt) -> Prompted:
        """Replaces what an object was prompted with on a frame; the frame becomes a conditioning frame.

        On a frame that was tracked before, points correct the tracked mask (memory and its logits are read);
        elsewhere they start from nothing. Points with a base correct that, and read nothing else: their mask is the
        same whatever was tracked. All points of a frame are decoded together.
        """
        index = self._at(given.frame)
        thing = self.objects.setdefault(object_id, TrackedObject())
        if index not in thing.prompts:
            self._restore(thing, index, [index], reverse=thing.tracked.get(index, False))
            thing.before[index] = thing.recent.pop(index, None)
        thing.prompts[index] = given
        out = self._decode_prompt(thing, index, given)
        thing.cond[index] = out
        self._touch(thing)
        return self._prompted(object_id, given.frame, out)

    def _prompted(self, object_id: int, frame: int, out: Output) -> Prompted:
        rle = self._encode_masks(out["pred_masks"])[0]
        return Prompted(object_id, frame, rle, float(out["iou"]), float(out["object_score_logits"]))

    @torch.inference_mode()
    def decode(self, object_id: int, given: Prompt) -> Prompted:
        """The mask that a prompt gives by itself; no object's state is read or changed."""
        out = self._decode_alone(self._at(given.frame), given)
        return self._prompted(object_id, given.frame, out)

    @torch.inference_mode()
    def prompt_masks(self, frame: int, masks: Mapping[int, Rle]) -> None:
        """Begins objects that have no prompt yet with their masks on one frame: `prompt` for many at a time."""
        index = self._at(frame)
        ids = list(masks)
        for part in self._batches(ids, OBJECT_BATCH):
            dense = [masks[i].dense() for i in part]
            given = torch.cat([self._mask_input(mask) for mask in dense])
            joined = self._step(index, len(part), {}, mask=given, initial=True)
            for row, (object_id, mask) in enumerate(zip(part, dense, strict=True)):
                thing = self.objects.setdefault(object_id, TrackedObject())
                thing.prompts[index], thing.before[index] = Prompt(frame, mask=mask), None
                thing.cond[index] = _row(joined, row)
                self._touch(thing)

    def clear(self, object_id: int, frame: int) -> None:
        """Takes back an object's prompt on a frame; what was tracked there before comes back.

        With the last prompt goes everything that was tracked: nothing supports it any more.
        """
        thing, index = self._object(object_id), self._at(frame)
        if thing.prompts.pop(index, None) is None:
            return
        del thing.cond[index]
        before = thing.before.pop(index)
        if not thing.prompts:
            thing.forget()
        elif before is not None:
            thing.recent[index], thing.masks[index] = before, self._encode_masks(before["pred_masks"])[0]
        else:  # the frame was never tracked but from this prompt
            thing.tracked.pop(index, None)
            thing.masks.pop(index, None)
        self._touch(thing)

    def remove(self, object_id: int) -> None:
        """Forgets an object (unknown ones are forgotten already)."""
        self.objects.pop(object_id, None)

    @torch.inference_mode()
    def decode_points(self, frame: int, points: Sequence[tuple[float, float]]) -> tuple[list[Rle], list[float]]:
        """The masks of N separate clicks at (x, y) source pixels on one frame, and SAM2's predicted IoUs.

        Clicks are decoded in batches and leave no trace in any object.
        """
        rles: list[Rle] = []
        ious: list[float] = []
        for part in self._batches(points, POINT_BATCH):
            coords = self._scaled([(x, y) for x, y in part])[:, None]
            labels = torch.ones(len(part), 1, dtype=torch.int32, device=self.store.device)
            inputs = {"point_coords": coords, "point_labels": labels}
            out = self._step(self._at(frame), len(part), {}, points=inputs, initial=True)
            rles += self._encode_masks(out["pred_masks"])
            ious += out["iou"].flatten().tolist()
        return rles, ious

    def _decode_prompt(self, thing: TrackedObject, index: int, given: Prompt) -> Output:
        before = thing.before[index]
        if given.mask is not None:
            return self._step(index, 1, thing.bank(), mask=self._mask_input(given.mask), initial=before is None)
        others = {i: out for i, out in thing.cond.items() if i != index}
        if given.base is not None or before is None or not others:  # what it was tracked from may be gone
            return self._decode_alone(index, given)
        inputs = self._point_input(given.points, given.box)
        bank = {"cond_frame_outputs": others, "non_cond_frame_outputs": thing.recent}
        self._encode_pending([thing])
        previous = before["pred_masks"].clamp(-32.0, 32.0)
        reverse = thing.tracked.get(index, False)
        return self._step(index, 1, bank, points=inputs, initial=False, reverse=reverse, previous=previous)

    def _decode_alone(self, index: int, given: Prompt) -> Output:
        """A prompt without any memory: points correct their base, where they have one."""
        if given.mask is not None:
            return self._step(index, 1, {}, mask=self._mask_input(given.mask), initial=True)
        inputs = self._point_input(given.points, given.box)
        previous = None if given.base is None else self._logits(given.base)
        return self._step(index, 1, {}, points=inputs, initial=True, previous=previous)

    def _logits(self, mask: NDArray[np.bool_]) -> Tensor:
        """A mask as SAM2 would have predicted it (1, 1, h, w): 10 inside, -10 outside, as the package writes masks."""
        side = self.model.image_size // 4
        large = self._mask_input(mask) * 20.0 - 10.0
        return functional.interpolate(large, size=(side, side), mode="bilinear", align_corners=False, antialias=True)

    def _point_input(self, points: Sequence[Point], box: tuple[float, float, float, float] | None) -> dict[str, Tensor]:
        """Box corners first (labels 2 and 3), then clicks (1 positive, 0 negative), in model pixels."""
        corners = [] if box is None else [(box[0], box[1]), (box[2], box[3])]
        coords = self._scaled([*corners, *((x, y) for x, y, _ in points)])[None]
        labels = ([] if box is None else [2, 3]) + [int(positive) for *_, positive in points]
        return {
            "point_coords": coords,
            "point_labels": torch.tensor([labels], dtype=torch.int32, device=self.store.device),
        }

    def _scaled(self, points: Sequence[tuple[float, float]]) -> Tensor:
        height, width = self.size
        scaled = torch.tensor(points, dtype=torch.float32) / torch.tensor([width, height])
        return scaled.mul(float(self.model.image_size)).to(self.store.device)

    def _mask_input(self, mask: NDArray[np.bool_]) -> Tensor:
        side = self.model.image_size
        given = torch.from_numpy(mask.astype(np.float32))[None, None].to(self.store.device)
        if mask.shape != (side, side):
            given = functional.interpolate(
                given, size=(side, side), mode="bilinear", align_corners=False, antialias=True
            )
        return (given >= 0.5).float()

    # --- tracking --------------------------------------------------------------------------------------------

    def track(self, object_ids: Sequence[int], start: int, stop: int) -> Iterator[FrameTracked]:
        """Tracks objects from source frame `start` to `stop`, both included, backward when stop < start.

        One event per frame; an object has a mask there as soon as the sweep has met one of its prompted frames.
        Objects that are prompted or removed between two events leave the sweep. Raises BadInput for an object
        without a prompt.
        """
        return _only_frames(self.sweep(object_ids, start, stop))

    def sweep(self, object_ids: Sequence[int], start: int, stop: int) -> Generator[FrameTracked | Stage, None, None]:
        """As `track`, with a `Stage` now and then while a frame is waited for, so that others have their turn."""
        first, last = self._at(start), self._at(stop)
        reverse = last < first
        revisions = {object_id: self._object(object_id).revision for object_id in object_ids}
        for object_id in revisions:
            if not self.objects[object_id].prompts:
                raise BadInput(f"Object {object_id} has no prompt yet: give it a point, a box or a mask.")
        return self._sweep(revisions, range(first, last + (-1 if reverse else 1), -1 if reverse else 1), reverse)

    def _sweep(
        self, revisions: dict[int, int], order: range, reverse: bool
    ) -> Generator[FrameTracked | Stage, None, None]:
        for object_id in revisions:
            thing = self.objects.get(object_id)
            if thing is not None and thing.met(order[0], reverse):
                self._restore(thing, order[0], [], reverse=reverse)
        with self.store.reading([self.frames[i] for i in order]):
            for place, index in enumerate(order):
                coming = [self.frames[i] for i in order[place : place + AHEAD]]
                for frame in self.store.waiting(coming):
                    yield Stage("frames", 0, 0, f"reading frame {frame}", within=True)
                self.store.prepare(coming)
                with torch.inference_mode():
                    event = self._track_frame(revisions, index, reverse)
                yield event

    def _track_frame(self, revisions: dict[int, int], index: int, reverse: bool) -> FrameTracked:
        there = [i for i, revision in revisions.items() if i in self.objects and self.objects[i].revision == revision]
        self._encode_pending([self.objects[i] for i in there])
        outputs = {i: self.objects[i].cond[index] for i in there if index in self.objects[i].cond}
        moving = [i for i in there if i not in outputs and self.objects[i].met(index, reverse)]
        outputs.update(self._track_objects(moving, index, reverse))
        event = self._event(self.frames[index], {i: outputs[i] for i in revisions if i in outputs})
        for object_id, rle in event.masks.items():
            thing = self.objects[object_id]
            thing.tracked[index], thing.masks[index] = reverse, rle
            self._forget_far(thing, index)
        return event

    def _track_objects(self, object_ids: Sequence[int], index: int, reverse: bool) -> dict[int, Output]:
        """One step of objects that have memories. Those with memories of the same frames read them together."""

        def signature(object_id: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
            thing = self.objects[object_id]
            return tuple(sorted(thing.cond)), thing.read(index, reverse)

        ordered = sorted(object_ids, key=signature)
        outputs: dict[int, Output] = {}
        for batch in self._batches(ordered, OBJECT_BATCH):
            groups = [tuple(members) for _, members in groupby(batch, signature)]
            joined = self._step_on(index, groups, reverse)
            for row, object_id in enumerate(batch):
                outputs[object_id] = _row(joined, row)
                self.objects[object_id].recent[index] = outputs[object_id]
        return outputs

    def _step_on(self, index: int, groups: Sequence[Sequence[int]], reverse: bool) -> Output:
        """Runs SAM2 on one frame: memory is read group by group, mask decoder and memory encoder run once for all."""
        batch = sum(len(members) for members in groups)
        with self.store.autocast():
            seen = torch.cat([self._read_memory(index, members, reverse) for members in groups])
            vision = self.store.vision(self.frames[index], batch)
            heads = self.model._forward_sam_heads(
                backbone_features=seen,
                high_res_features=_as_images(vision),
                multimask_output=self.model._use_multimask(False, None),
            )
        return self._output(index, heads, batch, remember=True)

    def _read_memory(self, index: int, members: Sequence[int], reverse: bool) -> Tensor:
        """Features of a frame conditioned on the memories of objects whose memories lie on the same frames."""
        things = [self.objects[i] for i in members]
        bank = _batched([thing.bank() for thing in things], things[0].read(index, reverse))
        vision = self.store.vision(self.frames[index], len(members))
        conditioned = self.model._prepare_memory_conditioned_features(
            frame_idx=index,
            is_init_cond_frame=False,
            current_vision_feats=vision.features[-1:],
            current_vision_pos_embeds=vision.positions[-1:],
            feat_sizes=vision.sizes[-1:],
            output_dict=_in_pointer_type(bank),
            num_frames=len(self.frames),
            track_in_reverse=reverse,
        )
        return torch.as_tensor(conditioned)

    def _event(self, frame: int, outputs: dict[int, Output]) -> FrameTracked:
        rles = self._encode_masks(torch.cat([o["pred_masks"] for o in outputs.values()])) if outputs else []
        return FrameTracked(
            frame,
            dict(zip(outputs, rles, strict=True)),
            {i: float(out["iou"]) for i, out in outputs.items()},
            {i: float(out["object_score_logits"]) for i, out in outputs.items()},
        )

    @torch.inference_mode()
    def _restore(self, thing: TrackedObject, index: int, also: Sequence[int], *, reverse: bool) -> None:
        """Rebuilds outputs that the next step reads and that were dropped, from the masks that tracking found."""
        step = 1 if reverse else -1
        wanted = [*also, *(index + step * k for k in range(1, self.model.num_maskmem))]
        for at in wanted:
            if at in thing.masks and at not in thing.recent and at not in thing.cond:
                mask = self._mask_input(thing.masks[at].dense())
                out = self._step(at, 1, {}, mask=mask, initial=False)
                high = functional.interpolate(out["pred_masks"], size=mask.shape[-2:], mode="bilinear")
                out["maskmem_features"] = self._memory(at, 1, high, out["object_score_logits"], from_points=True)
                thing.recent[at] = {**out, "maskmem_pos_enc": self._positions}

    def _forget_far(self, thing: TrackedObject, index: int) -> None:
        """Drops outputs that nothing reads any more, so that memory does not grow with the clip."""
        anchors = [*thing.cond, index]
        for at in [a for a in thing.recent if min(abs(a - anchor) for anchor in anchors) > WINDOW]:
            del thing.recent[at]

    # --- one step of the model -------------------------------------------------------------------------------

    def _step(
        self,
        index: int,
        batch: int,
        bank: dict[str, dict[int, Output]],
        *,
        points: dict[str, Tensor] | None = None,
        mask: Tensor | None = None,
        initial: bool,
        reverse: bool = False,
        previous: Tensor | None = None,
    ) -> Output:
        """Runs SAM2 on one prompted frame; its memory is encoded when tracking begins."""
        vision = self.store.vision(self.frames[index], batch)
        with self.store.autocast():
            _, heads, _, _ = self.model._track_step(
                index,
                initial,
                vision.features,
                vision.positions,
                vision.sizes,
                points,
                mask,
                _in_pointer_type(bank) if bank else {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}},
                len(self.frames),
                reverse,
                previous,
            )
        return self._output(index, heads, batch, remember=False)

    def _output(self, index: int, heads: Sequence[Any], batch: int, *, remember: bool) -> Output:
        """What is kept of the SAM heads' results; `remember` encodes them as memory at once."""
        _, _, ious, low, high, pointer, score = heads
        out: Output = {"obj_ptr": pointer, "object_score_logits": score, "maskmem_features": None}
        out["iou"] = ious.float().amax(dim=1, keepdim=True)
        if remember:
            out["maskmem_features"] = self._memory(index, batch, high, score, from_points=False)
        out["pred_masks"] = self._filled(low)
        out["maskmem_pos_enc"] = [position.expand(batch, -1, -1, -1) for position in self._positions]
        return out

    def _memory(self, index: int, batch: int, high: Tensor, score: Tensor, *, from_points: bool) -> Tensor:
        """Memory features bfloat16 (batch, C, h, w) of a mask in model pixels."""
        vision = self.store.vision(self.frames[index], batch)
        with self.store.autocast():
            features, positions = self.model._encode_new_memory(
                vision.features, vision.sizes, high, score, is_mask_from_pts=from_points
            )
        if not self._positions:
            self._positions = [position[:1].clone() for position in positions]
        return torch.as_tensor(features).to(torch.bfloat16)

    def _encode_pending(self, things: Sequence[TrackedObject]) -> None:
        """Prompted frames get their memory when tracking begins, from the mask at the model's size."""
        pending: dict[int, list[Output]] = defaultdict(list)
        for thing in things:
            for index, out in thing.cond.items():
                if out["maskmem_features"] is None:
                    pending[index].append(out)
        for index, outs in pending.items():
            for part in self._batches(outs, OBJECT_BATCH):
                self._encode_outputs(index, part)

    def _encode_outputs(self, index: int, outs: Sequence[Output]) -> None:
        side = self.model.image_size
        low = torch.cat([out["pred_masks"] for out in outs])
        high = functional.interpolate(low, size=(side, side), mode="bilinear", align_corners=False)
        scores = torch.cat([out["object_score_logits"] for out in outs])
        memories = self._memory(index, len(outs), high, scores, from_points=True)
        for row, out in enumerate(outs):
            out["maskmem_features"] = memories[row : row + 1].clone()
            out["maskmem_pos_enc"] = self._positions

    def _filled(self, low: Tensor) -> Tensor:
        """Small holes closed, where the checkpoint is meant to be run so (`fill_hole_area` of the model)."""
        area = int(getattr(self.model, "fill_hole_area", 0))
        if area == 0:
            return low
        filled = [fill_holes(mask[0].float().cpu().numpy(), area) for mask in low]
        return torch.from_numpy(np.stack(filled))[:, None].to(low.device)

    def _encode_masks(self, low: Tensor) -> list[Rle]:
        """Low-resolution logits (N, 1, h, w) as masks at the source size."""
        rles = []
        for logits in low.float().split(1):  # one by one: a batch of large frames would take gigabytes
            if bool((logits > 0).any()):
                large = functional.interpolate(logits, size=self.size, mode="bilinear", align_corners=False)
                rles.append(Rle.encode((large[0, 0] > 0).cpu().numpy()))
            else:  # interpolation makes nothing positive
                rles.append(Rle.empty(self.size))
        return rles

    def _batches(self, items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
        """What goes through the model together: `most` at a time, fewer where memory has run out."""
        step = min(most, SPARING_BATCH) if self.store.sparing else most
        return (items[start : start + step] for start in range(0, len(items), step))

    def _touch(self, thing: TrackedObject) -> None:
        self._revisions += 1
        thing.revision = self._revisions

    def _object(self, object_id: int) -> TrackedObject:
        if object_id not in self.objects:
            raise BadInput(f"There is no object {object_id}: prompt it first.")
        return self.objects[object_id]

    def _at(self, frame: int) -> int:
        if frame not in self._index:
            raise BadInput(f"Frame {frame} is not in this session of {len(self.frames)} frames.")
        return self._index[frame]


def fill_holes(logits: NDArray[np.float32], area: int) -> NDArray[np.float32]:
    """Background regions of at most `area` pixels inside a mask become faint foreground (logit 0.1)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((logits <= 0).astype(np.uint8), connectivity=8)
    small = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] <= area]
    return np.where(np.isin(labels, small), np.float32(0.1), logits)


def _only_frames(events: Generator[FrameTracked | Stage, None, None]) -> Iterator[FrameTracked]:
    with closing(events):
        for event in events:
            if isinstance(event, FrameTracked):
                yield event


def _as_images(vision: VisionFeatures) -> list[Tensor]:
    """The finer levels as the SAM heads take them: (batch, C, h, w)."""
    levels = zip(vision.features[:-1], vision.sizes[:-1], strict=True)
    return [level.permute(1, 2, 0).unflatten(-1, size) for level, size in levels]


def _batched(banks: Sequence[dict[str, dict[int, Output]]], recent: Sequence[int]) -> dict[str, dict[int, Output]]:
    """The memories of several objects side by side, all conditioning frames and `recent` ones: one bank."""
    frames = {"cond_frame_outputs": list(banks[0]["cond_frame_outputs"]), "non_cond_frame_outputs": recent}
    return {
        kind: {at: _stacked([bank[kind][at] for bank in banks]) for at in chosen} for kind, chosen in frames.items()
    }


def _stacked(outputs: Sequence[Output]) -> Output:
    if len(outputs) == 1:
        return outputs[0]
    return {
        "maskmem_features": torch.cat([o["maskmem_features"] for o in outputs]),
        "maskmem_pos_enc": [p.expand(len(outputs), -1, -1, -1) for p in outputs[0]["maskmem_pos_enc"]],
        "obj_ptr": torch.cat([o["obj_ptr"] for o in outputs]),
    }


def _row(joined: Output, row: int) -> Output:
    """One object's share of a batch, without keeping the batch alive."""
    part = slice(row, row + 1)
    kept = {key: value[part].clone() if isinstance(value, Tensor) else value for key, value in joined.items()}
    return {**kept, "maskmem_pos_enc": [position[:1] for position in joined["maskmem_pos_enc"]]}


def _in_pointer_type(bank: dict[str, dict[int, Output]]) -> dict[str, dict[int, Output]]:
    """Memories in the type of the object pointers: without any pointer nothing else would promote them."""

    def cast(out: Output) -> Output:
        memory = out["maskmem_features"]
        return out if memory is None else {**out, "maskmem_features": memory.to(out["obj_ptr"].dtype)}

    return {kind: {at: cast(out) for at, out in outputs.items()} for kind, outputs in bank.items()}
