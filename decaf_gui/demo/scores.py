"""How good the demo models are: every half of the method scored on held-out clips of the shapes world.

These numbers say nothing about real video: models and clips come from the same synthetic world.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Grounding, Proposal
from decaf_gui.core.events import Event, FrameTracked, Proposed, Stage
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.demo.world import ShapesExpression
from decaf_gui.evaluation.metrics import boundary_f, region_similarity
from decaf_gui.grounding.fusion import Maps, attention_masks, fuse_maps, resize
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.pipeline.engine import Engine

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Row(Event):
    """One line of the report: a measure over `count` cases of one `kind` ("all" or a kind of expression)."""

    measure: str
    kind: str
    value: float
    count: int


@dataclass
class Tally:
    """Values by (measure, kind), kept in the order they first came."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))

    def add(self, measure: str, kind: str, *values: float) -> None:
        """Counts `values` for the kind and for all kinds."""
        for value in values:
            self.values[measure, "all"].append(value)
            if kind != "all":
                self.values[measure, kind].append(value)

    def rows(self) -> Iterator[Row]:
        """The means."""
        for (measure, kind), values in self.values.items():
            yield Row(measure, kind, fmean(values), len(values))


def evaluate(engine: Engine, seeds: Iterable[int], level: str, *, expressions_per_clip: int = 2) -> Iterator[Event]:
    """Scores the engine's models on one clip per seed: `Stage`s, then one `Row` per measure and kind."""
    tally = Tally()
    seeds = list(seeds)
    for done, seed in enumerate(seeds):
        yield Stage("evaluate", done, len(seeds), f"clip of seed {seed}")
        shapes = make_clip(seed, level)
        with tempfile.TemporaryDirectory() as folder, open_shapes(shapes, Path(folder)) as clip:
            for wanted in pick_expressions(shapes, done, expressions_per_clip):
                for event in engine.propose(clip, wanted.text):
                    if isinstance(event, Proposed):
                        score_proposal(event.proposal, shapes, wanted, tally)
                    elif isinstance(event, Stage):
                        yield event
            yield from score_tracking(engine, clip, shapes, tally)
        engine.free()
    yield Stage("evaluate", len(seeds), len(seeds))
    yield from tally.rows()


def open_shapes(shapes: ShapesClip, folder: Path) -> Clip:
    """The clip as a folder of PNG frames, opened."""
    for index, frame in enumerate(shapes.frames):
        Image.fromarray(frame).save(folder / f"{index:05d}.png", compress_level=1)
    return Clip.open(folder)


def pick_expressions(shapes: ShapesClip, turn: int, count: int) -> list[ShapesExpression]:
    """Up to `count` expressions of different kinds; `turn` moves on through the kinds from clip to clip."""
    kinds = sorted({expression.kind for expression in shapes.expressions})
    chosen = [kinds[(turn * count + i) % len(kinds)] for i in range(min(count, len(kinds)))]
    return [next(e for e in shapes.expressions if e.kind == kind) for kind in chosen]


def target_masks(shapes: ShapesClip, wanted: ShapesExpression) -> Mask:
    """Union of the targets: bool (T, H, W)."""
    where = [i for i, thing in enumerate(shapes.objects) if thing.id in wanted.objects]
    return np.asarray(shapes.masks[where].any(axis=0))


def score_proposal(proposal: Proposal, shapes: ShapesClip, wanted: ShapesExpression, tally: Tally) -> None:
    """Answers, maps and masks of one proposal."""
    found, kind = proposal.grounding, wanted.kind
    tally.add("answer accuracy: video", kind, float(found.answers[0].lower() == wanted.answer))
    tally.add("answer accuracy: frames", kind, *(float(a.lower() == wanted.answer) for a in found.answers[1:]))
    tally.add("answer accuracy: chosen category", kind, float(found.category.lower() == wanted.answer))
    truth = target_masks(shapes, wanted)
    for name, maps in named_maps(found).items():
        score_maps(name, maps, found, shapes, wanted, tally)
    predicted = [proposal.mask(frame) for frame in range(len(truth))]
    j = fmean(region_similarity(p, t) for p, t in zip(predicted, truth, strict=True))
    f = fmean(boundary_f(p, t) for p, t in zip(predicted, truth, strict=True))
    tally.add("pipeline J", kind, j)
    tally.add("pipeline F", kind, f)
    tally.add("pipeline J&F", kind, (j + f) / 2)


def named_maps(found: Grounding) -> dict[str, Maps]:
    """The maps under the report's names, all (Ts, h, w): fused is the mean of video and frame, both contrasted."""
    raw = {name: maps for name, maps in found.parts.items() if name.endswith(("_object", "_background"))}
    frames = len(found.frames)
    per_token = -(-frames // len(raw["video_object"]))
    bare = fuse_maps(raw, frames, per_token, GroundingSettings(contrast=False))
    alone = fuse_maps(raw, frames, per_token, GroundingSettings())
    return {
        "video, object-only": bare["video"],
        "video, contrastive": alone["video"],
        "frame, object-only": bare["frame"],
        "frame, contrastive": alone["frame"],
        "fused, object-only": bare["fused"],
        "fused, contrastive": alone["fused"],
    }


def score_maps(
    name: str, maps: Maps, found: Grounding, shapes: ShapesClip, wanted: ShapesExpression, tally: Tally
) -> None:
    """Pointing, rank-1 and Otsu IoU on the sampled frames that show the target."""
    size = shapes.frames.shape[1:3]
    truth = target_masks(shapes, wanted)
    large, otsu = resize(maps, size), attention_masks(maps, size)
    for index, frame in enumerate(found.frames):
        if not truth[frame].any():
            continue
        peak = np.unravel_index(int(large[index].argmax()), size)
        tally.add(f"pointing: {name}", wanted.kind, float(truth[frame][peak]))
        tally.add(f"Otsu IoU: {name}", wanted.kind, region_similarity(otsu[index], truth[frame]))
    rank = ranks_first(large, found.frames, shapes, wanted)
    if rank is not None:
        tally.add(f"rank-1: {name}", wanted.kind, float(rank))


def ranks_first(maps: Maps, frames: Iterable[int], shapes: ShapesClip, wanted: ShapesExpression) -> bool | None:
    """Whether the object with the highest mean attention over its pixels is a target; None without a distractor."""
    if len(shapes.objects) == len(wanted.objects):
        return None
    frames = list(frames)
    means = {}
    for thing, masks in zip(shapes.objects, shapes.masks, strict=True):
        seen = masks[frames]
        means[thing.id] = float(maps[seen].mean()) if seen.any() else 0.0
    return max(means, key=lambda i: means[i]) in wanted.objects


def score_tracking(engine: Engine, clip: Clip, shapes: ShapesClip, tally: Tally) -> Iterator[Event]:
    """Each object: a click, one correction, and the click tracked from its first good frame to the clip's end."""
    for index, thing in enumerate(shapes.objects):
        yield Stage("clicks", index, len(shapes.objects), f"{thing.colour} {thing.shape}")
        truth = shapes.masks[index]
        frame = int(np.argmax(truth.reshape(len(truth), -1).sum(axis=1) > 0))
        if not truth[frame].any():
            continue
        object_id = 10_000 + thing.id
        click = inner_point(truth[frame])
        first = engine.prompt(clip, object_id, frame, [(*click, True)]).mask
        tally.add("click IoU", "all", region_similarity(first, truth[frame]))
        events = [e for e in engine.track(clip, [object_id], frame, len(clip) - 1) if isinstance(e, FrameTracked)]
        overlaps = [region_similarity(e.masks[object_id].dense(), truth[e.frame]) for e in events if e.frame > frame]
        if overlaps:
            tally.add("propagation J", "all", fmean(overlaps))
        second = engine.prompt(clip, object_id, frame, [(*click, True), correction(first, truth[frame])]).mask
        tally.add("IoU after a correction", "all", region_similarity(second, truth[frame]))
        engine.forget(clip, object_id)


def inner_point(mask: Mask) -> tuple[float, float]:
    """The point (x, y) of a mask that is farthest from its border."""
    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), mask.shape)
    return float(x) + 0.5, float(y) + 0.5


def correction(found: Mask, truth: Mask) -> tuple[float, float, bool]:
    """A click in the larger kind of error: positive on missed pixels, negative on false ones."""
    missed, extra = truth & ~found, found & ~truth
    wrong, positive = (missed, True) if missed.sum() >= extra.sum() else (extra, False)
    return (*inner_point(wrong if wrong.any() else truth), positive if wrong.any() else True)
