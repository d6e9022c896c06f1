"""From maps to masks, the same for every method: DecAF's SAM2 stage, or the attention alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from decaf_gui.baselines.methods import Predict, Predicted
from decaf_gui.baselines.settings import MethodSettings, Shown
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Grounding, Tracklet
from decaf_gui.core.events import AttentionReady, Event, Stage, TrackletsReady
from decaf_gui.core.masks import Masks, Rle, union, union_rle
from decaf_gui.grounding.fusion import Maps, min_max, repeat_frames
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.settings import Settings
from decaf_gui.tracking import Session, candidates, propagate
from decaf_gui.tracking.features import FeatureStore

Notes = tuple[str, ...]
Grounder: TypeAlias = Callable[[Engine, Clip, Expression, MethodSettings], Iterator[Event]]
"""Maps of one expression: the last event is `AttentionReady`."""
Found: TypeAlias = Generator[Event, None, tuple[Masks, Notes]]
"""Events on the way, and masks on all frames with what must be said of them."""
OneExpression: TypeAlias = Callable[[Engine, Clip, Expression, MethodSettings], Found]


def each(find: OneExpression) -> Predict:
    """A method of what it does for one expression; settings the model's card fills in are filled in."""

    def predict(engine: Engine, clip: Clip, expressions: Sequence[str], settings: MethodSettings) -> Iterator[Event]:
        chosen = replace(settings, pipeline=engine.resolved(settings.pipeline))
        for index, text in enumerate(expressions):
            wanted = Expression(text)
            masks, notes = yield from find(engine, clip, wanted, chosen)
            yield Predicted(index, wanted.text, masks, notes)

    return predict


def with_sam(ground: Grounder) -> Predict:
    """Maps prompt SAM2 exactly as DecAF's do (3.4)."""

    def find(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Found:
        grounding = yield from grounded(engine, clip, wanted, settings, ground)
        return (yield from sam_masks(engine, clip, grounding, settings.pipeline))

    return each(find)


def without_sam(ground: Grounder) -> Predict:
    """Maps are upsampled and thresholded (table 1)."""

    def find(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Found:
        grounding = yield from grounded(engine, clip, wanted, settings, ground)
        return spread_masks(grounding, clip), ()

    return each(find)


def grounded(
    engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings, ground: Grounder
) -> Generator[Event, None, Grounding]:
    """The grounding; when memory runs out, once more with empty caches."""
    found: Grounding | None = None
    yield from engine.load(sam=False)
    for event in engine.sparing(lambda: ground(engine, clip, wanted, settings)):
        if isinstance(event, AttentionReady):
            found = event.grounding
        yield event
    assert found is not None
    return found


def sam_masks(engine: Engine, clip: Clip, grounding: Grounding, settings: Settings) -> Found:
    """The union of the tracklets that DecAF's SAM2 stage selects, in a session that nobody else sees."""
    frames, maps = grounding.frames, grounding.maps

    def query() -> Iterator[Event]:
        return candidates(store_of(engine, clip), frames, maps, settings.tracking)

    found = yield from _tracklets(engine, query)
    if not any(tracklet.selected for tracklet in found):
        return empty_masks(clip), ("no point reached tau_pq: empty masks",)
    tracked = yield from _tracklets(engine, lambda: propagate(Session(store_of(engine, clip)), found))
    return union([tracklet.masks for tracklet in tracked if tracklet.selected]), ()


def store_of(engine: Engine, clip: Clip) -> FeatureStore:
    """The clip's frame features, shared with everything else that the engine does on it."""
    return engine.state(clip).features


def _tracklets(engine: Engine, stage: Callable[[], Iterator[Event]]) -> Generator[Event, None, tuple[Tracklet, ...]]:
    """Runs a stage for its tracklets; of its events, progress is passed on."""
    found: tuple[Tracklet, ...] = ()
    for event in engine.sparing(stage):
        if isinstance(event, TrackletsReady):
            found = event.tracklets
        elif isinstance(event, Stage):
            yield event
    return found


def spread_masks(grounding: Grounding, clip: Clip) -> Masks:
    """The masks of the attention alone; a frame that was not sampled takes those of the nearest one that was."""
    from decaf_gui.grounding.fusion import attention_masks

    sampled = [Rle.encode(mask) for mask in attention_masks(grounding.maps, clip.size)]
    return Masks(clip.size, {f: sampled[i] for f, i in enumerate(nearest(grounding.frames, len(clip)))})


def nearest(frames: Sequence[int], count: int) -> list[int]:
    """For each of `count` frames the place of the nearest of `frames` (ascending), the earlier of two."""
    apart = np.abs(np.arange(count)[:, None] - np.asarray(frames)[None])
    return [int(place) for place in apart.argmin(axis=1)]


def empty_masks(clip: Clip) -> Masks:
    """Nothing on any frame."""
    return Masks(clip.size, {frame: Rle.empty(clip.size) for frame in range(len(clip))})


def union_masks(clip: Clip, found: Mapping[int, Sequence[Rle]]) -> Masks:
    """The union of each frame's masks; frames without any are empty."""
    return empty_masks(clip).replace({frame: union_rle(rles) for frame, rles in found.items() if rles})


def only(shown: Shown, settings: GroundingSettings) -> GroundingSettings:
    """The settings for one kind of input."""
    return replace(settings, modalities="frames" if shown == "image" else "video")


def unit_maps(raw: Maps, shown: Shown, frames: int) -> NDArray[np.float32]:
    """Maps (t, h, w) scaled to [0, 1], one per sampled frame: images each on their own, a video globally."""
    scaled = min_max(raw, per_frame=shown == "image")
    return repeat_frames(scaled, frames, -(-frames // len(scaled)))
