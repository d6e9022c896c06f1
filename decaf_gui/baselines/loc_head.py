"""Loc-Head: the attention of a few heads says where the expression is (Kang et al., CVPR 2025).

`discover_heads` finds them in image-text pairs, `Heads` keeps them, `ground_heads` sums their maps into a `Grounding`,
which DecAF's SAM2 stage takes unchanged, as in DecAF's comparison (4.2: the method's own box prompt does worse, so
points are used throughout). Maps are smoothed each by itself, then summed; ours is that the sum is scaled to [0, 1] for
each frame on its own (the method is one for images).
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from decaf_gui.baselines.heads import Heads, Measured, measure, rank
from decaf_gui.baselines.reading import HeadMaps, head_maps
from decaf_gui.baselines.settings import Asked, LocHeadSettings, MethodSettings, edges_of
from decaf_gui.baselines.stages import only, unit_maps, with_sam, without_sam
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Grounding
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Event, Stage
from decaf_gui.grounding.families import Frame
from decaf_gui.grounding.fusion import Maps, smooth
from decaf_gui.grounding.ground import DEFAULT_FRAME_SCALE, DEFAULT_VIDEO_TOKENS, LazyFrames, visual_inputs
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.prompts import object_question
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.pipeline.engine import Engine


@dataclass(frozen=True, eq=False)
class Pair:
    """A picture, uint8 RGB (H, W, 3), and what it is said to show: the method's were 1,000 of RefCOCO."""

    image: Frame
    text: str


@dataclass(frozen=True, slots=True)
class HeadsFound(Event):
    """The last event of a discovery; `ranking` has all heads that were ever chosen, with their counts."""

    heads: Heads
    ranking: tuple[tuple[tuple[int, int], int], ...]


def discover_heads(engine: Engine, pairs: Sequence[Pair], settings: MethodSettings | None = None) -> Iterator[Event]:
    """Finds the localization heads of the engine's MLLM: a `Stage` per pair, last `HeadsFound`.

    Raises BadInput when there are no pairs, or when no head passes both criteria.
    """
    if not pairs:
        raise BadInput("Heads are discovered in pairs of pictures and texts: give at least one.")
    return _discover(engine, pairs, settings or MethodSettings())


def _discover(engine: Engine, pairs: Sequence[Pair], settings: MethodSettings) -> Iterator[Event]:
    yield from engine.load(sam=False)
    own, grounding = settings.loc_head, engine.resolved(settings.pipeline).grounding
    edges = edges_of(engine.mllm.model.config.model_type) if own.edges is None else own.edges
    measured: list[Measured] = []
    for done, pair in enumerate(pairs):
        yield Stage("heads", done, len(pairs), pair.text)
        maps = yield from pair_maps(engine.mllm, pair, grounding, own.asked)
        measured.append(measure(maps, edges, own))
    yield Stage("heads", len(pairs), len(pairs))
    ranking = rank(measured, own)
    if not ranking:
        raise BadInput("No head passes: give more pairs, exclude fewer edges, or lower min_sum or excess.")
    best, made = ranking[: own.heads], engine.provenance(("mllm",))["mllm"]
    heads, counts = tuple(head for head, _ in best), tuple(count for _, count in best)
    layers, per_layer = measured[0].sums.shape
    yield HeadsFound(Heads(made["id"], made["weights"], layers, per_layer, heads, counts, len(pairs)), tuple(ranking))


def pair_maps(mllm: Mllm, pair: Pair, settings: GroundingSettings, asked: Asked) -> Generator[Stage, None, HeadMaps]:
    """All heads' maps (L, heads, 1, h, w) of one pair; the picture has the size of DecAF's frame inputs."""
    image = np.ascontiguousarray(pair.image)
    size = (image.shape[0], image.shape[1])
    height, width = mllm.family.input_size(size, settings.video_tokens or DEFAULT_VIDEO_TOKENS)
    scale = settings.frame_scale or DEFAULT_FRAME_SCALE
    name = hashlib.blake2b(image.tobytes(), digest_size=16).hexdigest()
    shown = VisualInput((name, size), "image", (0,), (height * scale, width * scale))
    prefix = yield from mllm.prefix(shown, [image], settings)
    return head_maps(mllm, prefix, question(Expression(pair.text), settings, asked))[0]


def question(wanted: Expression, settings: GroundingSettings, asked: Asked) -> str:
    """What the picture is shown with."""
    return wanted.query if asked == "expression" else object_question(wanted, settings.object_prompt)


def ground_heads(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Iterator[Event]:
    """The maps of the saved heads; the last event is `AttentionReady`.

    Raises BadInput when no heads are given, or when they are another model's.
    """
    heads = _given_heads(engine, settings.loc_head)
    own, grounding = settings.loc_head, only(settings.loc_head.shown, settings.pipeline.grounding)
    inputs = visual_inputs(engine.mllm, clip, grounding)
    asked, raw = question(wanted, grounding, own.asked), list[Maps]()
    for done, shown in enumerate(inputs):
        yield Stage("localization heads", done, len(inputs))
        prefix = yield from engine.mllm.prefix(shown, LazyFrames(clip, shown.frames), grounding)
        layers = sorted({layer for layer, _ in heads.heads})
        for maps in head_maps(engine.mllm, prefix, asked, layers):
            chosen = np.stack([maps[layers.index(layer), head] for layer, head in heads.heads])
            raw.append(combine(chosen, own))
    yield Stage("localization heads", len(inputs), len(inputs))
    frames = tuple(frame for shown in inputs for frame in shown.frames)
    summed = np.concatenate(raw)
    maps = unit_maps(summed, own.shown, len(frames))
    yield AttentionReady(Grounding(maps, frames, "", parts={"heads": summed}))


def combine(maps: HeadMaps, settings: LocHeadSettings) -> Maps:
    """Smoothed, then summed over the heads: (heads, t, h, w) -> (t, h, w)."""
    smoothed = [smooth(one, settings.kernel, settings.sigma) for one in maps]
    return np.asarray(np.sum(smoothed, axis=0), dtype=np.float32)


def _given_heads(engine: Engine, settings: LocHeadSettings) -> Heads:
    if settings.heads_file is None:
        raise BadInput("Loc-Head needs the heads of this model: discover them first, and give their file (heads_file).")
    heads = Heads.load(settings.heads_file)
    made = engine.provenance(("mllm",))["mllm"]
    heads.check(made["id"], made["weights"])
    return replace(heads, heads=heads.heads[: settings.heads], counts=heads.counts[: settings.heads])


predict = with_sam(ground_heads)
predict_mask = without_sam(ground_heads)
