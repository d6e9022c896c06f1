"""Native grounding: the model is asked for key points in JSON, and those prompt SAM2 (DecAF, appendix E, table 9).

From appendix E: what is shown and how SAM2 is prompted. All frames: each frame by itself, its points prompt SAM2
there, nothing is propagated. First frame: points on it, propagated over the clip. Ref & key frames: the sampled frames
say what is meant, the first of them is grounded, propagated. 16 frames: points on every sampled frame, through DecAF's
candidates, selection and propagation with V = 1 in the tokens that hold a point.

Ours: the appendix prints no prompt, so `point_question` and `describe_question` are ours, with the point format that
Qwen2.5-VL was published with; each point prompts SAM2 alone and the masks are united; ref & key frames take two
questions, the first one's answer becoming part of the second; points outside of the picture are dropped.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from decaf_gui.baselines.points import XY, parse_points, to_source, unit_of
from decaf_gui.baselines.reading import answer
from decaf_gui.baselines.settings import MethodSettings
from decaf_gui.baselines.stages import Found, Notes, each, empty_masks, only, sam_masks, store_of, union_masks
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Grounding, Prompt
from decaf_gui.core.events import AttentionReady, Event, FrameTracked, Stage
from decaf_gui.core.masks import Rle
from decaf_gui.grounding.ground import LazyFrames, visual_inputs
from decaf_gui.grounding.mllm import VisualInput
from decaf_gui.pipeline.engine import Engine
from decaf_gui.tracking import Session

FORM = '[{"point_2d": [x, y], "label": "object"}]'


def point_question(wanted: Expression, description: str = "") -> str:
    """Asks for a key point on every object that is meant."""
    seen = f"In the whole video it is this: {description} \n" if description else ""
    return (
        f"{wanted.query} \n{seen}"
        "Locate the object (or objects) referred to in the given expression or question in this image. "
        f"Output one key point on each of them in JSON format: {FORM}. Output [] if there is none."
    )


def describe_question(wanted: Expression) -> str:
    """Asks on the reference frames what is meant."""
    return (
        f"{wanted.query} \n"
        "Which object (or objects) in the video is referred to in the given expression or question? "
        "Describe what it looks like and where it is in the first frame, in one short sentence."
    )


@dataclass(frozen=True, eq=False)
class Pointed:
    """What was answered on one frame: the answer, points (x, y) in source pixels, the input's token grid (h, w)."""

    frame: int
    text: str
    points: tuple[XY, ...]
    grid: tuple[int, int]


def _all_frames(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Found:
    frames = range(len(clip))
    pointed = yield from _point(engine, clip, point_question(wanted), frames, settings)
    found: dict[int, list[Rle]] = {}
    yield from engine.sparing(lambda: _decode(engine, clip, pointed, found))
    return union_masks(clip, found), _notes(pointed)


def _decode(engine: Engine, clip: Clip, pointed: Sequence[Pointed], found: dict[int, list[Rle]]) -> Iterator[Event]:
    """Masks of each frame's points, each decoded alone, into `found`."""
    session = Session(store_of(engine, clip))
    for done, here in enumerate(pointed):
        yield Stage("masks", done, len(pointed), f"frame {here.frame}")
        found[here.frame] = session.decode_points(here.frame, here.points)[0] if here.points else []


def _first_frame(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Found:
    pointed = yield from _point(engine, clip, point_question(wanted), [0], settings)
    return (yield from _propagated(engine, clip, pointed[0]))


def _reference_frames(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Found:
    grounding = only("video", settings.pipeline.grounding)
    (shown,) = visual_inputs(engine.mllm, clip, grounding)
    yield from engine.load()
    yield Stage("reference frames", 0, 1)
    prefix = yield from engine.mllm.prefix(shown, LazyFrames(clip, shown.frames), grounding)
    limit = settings.native.max_new_tokens
    (description,) = answer(engine.mllm, prefix, describe_question(wanted), limit)
    yield Stage("reference frames", 1, 1, description)
    asked = point_question(wanted, " ".join(description.split()))
    pointed = yield from _point(engine, clip, asked, shown.frames[:1], settings)
    return (yield from _propagated(engine, clip, pointed[0]))


def _propagated(engine: Engine, clip: Clip, pointed: Pointed) -> Found:
    """Every point begins an object on its frame, tracked from there to both ends of the clip."""
    if not pointed.points:
        return empty_masks(clip), _notes([pointed])
    found: dict[int, list[Rle]] = {}
    yield from engine.sparing(lambda: _track(Session(store_of(engine, clip)), pointed, len(clip), found))
    return union_masks(clip, found), _notes([pointed])


def _track(session: Session, pointed: Pointed, length: int, found: dict[int, list[Rle]]) -> Iterator[Event]:
    for thing, (x, y) in enumerate(pointed.points):
        session.prompt(thing, Prompt(pointed.frame, ((x, y, True),)))
    ends = [length - 1] + ([0] if pointed.frame else [])
    for end in ends:
        for event in session.sweep(range(len(pointed.points)), pointed.frame, end):
            if isinstance(event, FrameTracked):
                found[event.frame] = list(event.masks.values())
                yield Stage("tracking", len(found), length, f"frame {event.frame}")
            else:
                yield event


def _sixteen_frames(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Found:
    grounding = only("image", settings.pipeline.grounding)
    frames = [frame for shown in visual_inputs(engine.mllm, clip, grounding) for frame in shown.frames]
    pointed = yield from _point(engine, clip, point_question(wanted), frames, settings)
    found = point_maps(pointed, clip.size)
    yield AttentionReady(found)
    masks, notes = yield from sam_masks(engine, clip, found, settings.pipeline)
    return masks, (*_notes(pointed), *notes)


def point_maps(pointed: Sequence[Pointed], size: tuple[int, int]) -> Grounding:
    """V = 1 in every token that holds a point, 0 elsewhere; `size` (H, W) of the source frames."""
    maps = np.zeros((len(pointed), *pointed[0].grid), np.float32)
    for place, here in enumerate(pointed):
        down, right = here.grid
        for x, y in here.points:
            row, column = int(y / size[0] * down), int(x / size[1] * right)
            maps[place, min(row, down - 1), min(column, right - 1)] = 1.0
    return Grounding(maps, tuple(p.frame for p in pointed), "", tuple(p.text for p in pointed))


def _point(
    engine: Engine, clip: Clip, asked: str, frames: Sequence[int], settings: MethodSettings
) -> Generator[Event, None, list[Pointed]]:
    """Asks for points on each of `frames`, shown by itself at the size of DecAF's frame inputs."""
    yield from engine.load()
    grounding = only("image", settings.pipeline.grounding)
    size = visual_inputs(engine.mllm, clip, replace(grounding, frames=1))[0].size
    found: list[Pointed] = []
    for start in range(0, len(frames), grounding.frame_batch):
        batch = tuple(frames[start : start + grounding.frame_batch])
        yield Stage("points", start, len(frames), f"frame {batch[0]}")
        shown = VisualInput(clip.fingerprint, "image", batch, size)
        prefix = yield from engine.mllm.prefix(shown, LazyFrames(clip, batch), grounding)
        texts = answer(engine.mllm, prefix, asked, settings.native.max_new_tokens)
        grid = (prefix.grid.height, prefix.grid.width)
        for frame, text in zip(batch, texts, strict=True):
            found.append(Pointed(frame, text, _points_of(text, engine, size, clip.size, settings), grid))
    yield Stage("points", len(frames), len(frames))
    return found


def _points_of(
    text: str, engine: Engine, shown: tuple[int, int], source: tuple[int, int], settings: MethodSettings
) -> tuple[XY, ...]:
    """The points of an answer that lie in the picture, in source pixels."""
    family = str(engine.mllm.model.config.model_type)
    spoken = parse_points(text)
    found = [to_source(p, unit_of(p, settings.native.coordinates, family), shown, source) for p in spoken]
    return tuple(point for point in found if point is not None)


def _notes(pointed: Sequence[Pointed]) -> Notes:
    """How many answers hold no point (of those that were asked for)."""
    without = sum(1 for here in pointed if not here.points)
    if not without:
        return ()
    return (f"{without} of {len(pointed)} answers hold no point in the picture: empty masks there",)


all_frames = each(_all_frames)
first_frame = each(_first_frame)
reference_frames = each(_reference_frames)
sixteen_frames = each(_sixteen_frames)
