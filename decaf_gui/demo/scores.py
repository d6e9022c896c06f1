"""How good the demo models are on a clip of the shapes world: answers and maps of the MLLM, masks of the pipeline.

Beside it `scores_tracking` scores SAM2 by itself, `scores_report` runs everything and compares it with the targets.
These numbers say nothing about real video: models and clips come from the same synthetic world.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Grounding, Proposal
from decaf_gui.core.events import Stage
from decaf_gui.demo.sentences import attributes_of
from decaf_gui.demo.shapes import ShapesClip, target_masks
from decaf_gui.demo.world import ShapesExpression
from decaf_gui.evaluation.metrics import boundary_f, region_similarity
from decaf_gui.grounding.fusion import Maps, attention_masks, fuse_maps, resize
from decaf_gui.grounding.ground import LazyFrames, reason, visual_inputs
from decaf_gui.grounding.prompts import background_question
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.pipeline.engine import Engine

Mask = NDArray[np.bool_]
Value = tuple[str, float]
"""A measure and one case of it; a measure's result is the mean over all its cases."""


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


def inner_point(mask: Mask) -> tuple[float, float]:
    """The point (x, y) of a mask that is farthest from its border."""
    y, x = np.unravel_index(int(depth_of(mask).argmax()), mask.shape)
    return float(x) + 0.5, float(y) + 0.5


def depth_of(mask: Mask) -> NDArray[np.float32]:
    """How far each pixel (H, W) of a mask is from the nearest one outside, in pixels; beyond the frame is outside."""
    padded = np.pad(mask, 1).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1], np.float32)


# answers


def background_answers(engine: Engine, clip: Clip, found: Grounding) -> Generator[Stage, None, tuple[str, ...]]:
    """What the model says of the background: of the video first, then of every sampled frame.

    The engine's own question with the category that was chosen; a `Grounding` does not keep its answer. What the
    model has seen of the clip is stored, so only the question is read again.
    """
    settings, mllm = engine.resolved(engine.settings).grounding, engine.mllm
    asked = background_question(found.category, prompt=settings.background_prompt)
    answers: list[str] = []
    for shown in visual_inputs(mllm, clip, settings):
        prefix = yield from mllm.prefix(shown, LazyFrames(clip, shown.frames), settings)
        answers += [answer.text for answer in (yield from mllm.ask(prefix, asked, settings))]
    return tuple(answers)


def attributes_named(engine: Engine, clip: Clip, expression: str) -> Generator[Stage, None, tuple[str, ...]]:
    """The attributes that the model names for an expression's objects when it is asked for them (SteerSeg)."""
    settings = replace(engine.resolved(engine.settings).grounding, attributes=True)
    found = yield from reason(engine.mllm, clip, Expression(expression), settings)
    return found.attributes


def attribute_values(named: Sequence[str], shapes: ShapesClip, wanted: ShapesExpression) -> Iterator[Value]:
    """Whether each named attribute is one that all targets have, and whether each that they have is named."""
    known = attributes_of([thing for thing in shapes.objects if thing.id in wanted.objects])
    said = [attribute.lower() for attribute in named]
    yield from (("attributes: true", float(attribute in known)) for attribute in said)
    yield from (("attributes: named", float(attribute in said)) for attribute in known)


def answer_values(name: str, answers: Sequence[str], truth: str) -> Iterator[Value]:
    """Whether answers are the true word; the first is the video's, the others are those of the frames."""
    for place, answer in enumerate(answers):
        yield f"{name}: {'frames' if place else 'video'}", says(answer, truth)


def says(answer: str, truth: str) -> float:
    """1 where an answer is the true word."""
    return float(answer.strip().lower() == truth)


# maps


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


def map_values(
    name: str, maps: Maps, frames: Sequence[int], shapes: ShapesClip, wanted: ShapesExpression
) -> Iterator[Value]:
    """Pointing and Otsu IoU on each of the sampled `frames` that shows the target, and rank-1, of maps (Ts, h, w)."""
    size = shapes.frames.shape[1:3]
    truth = target_masks(shapes, wanted)
    large, otsu = resize(maps, size), attention_masks(maps, size)
    for index, frame in enumerate(frames):
        if truth[frame].any():
            yield f"pointing: {name}", float(truth[frame].flat[int(large[index].argmax())])
            yield f"Otsu IoU: {name}", region_similarity(otsu[index], truth[frame])
    rank = ranks_first(large, frames, shapes, wanted)
    if rank is not None:
        yield f"rank-1: {name}", float(rank)


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


# a whole proposal


def proposal_values(proposal: Proposal, shapes: ShapesClip, wanted: ShapesExpression) -> Iterator[Value]:
    """Answers, maps and masks of one proposal."""
    found = proposal.grounding
    yield from answer_values("object word", found.answers, wanted.answer)
    yield "object word: chosen category", says(found.category, wanted.answer)
    for name, maps in named_maps(found).items():
        yield from map_values(name, maps, found.frames, shapes, wanted)
    truth = target_masks(shapes, wanted)
    yield from pipeline_values([proposal.mask(frame) for frame in range(len(truth))], truth)


def pipeline_values(predicted: Sequence[Mask], truth: Mask) -> Iterator[Value]:
    """J, F and their mean over all frames, of masks (H, W) against a truth (T, H, W)."""
    j = fmean(region_similarity(p, t) for p, t in zip(predicted, truth, strict=True))
    f = fmean(boundary_f(p, t) for p, t in zip(predicted, truth, strict=True))
    yield "pipeline J", j
    yield "pipeline F", f
    yield "pipeline J&F", (j + f) / 2
