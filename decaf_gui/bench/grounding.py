"""Grounding at the paper's token counts: what a first and a further expression cost, against doing all of it again."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from decaf_gui.bench.measure import seconds, threads
from decaf_gui.bench.models import SMALL_TEXT, SMALL_VISION, random_qwen
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.bench.straightforward import StraightforwardMllm
from decaf_gui.core.entities import Expression, Grounding
from decaf_gui.core.events import AttentionReady, Event, Stage
from decaf_gui.grounding.families import Frame, Kind, QwenVl, VisualLayout
from decaf_gui.grounding.ground import ground
from decaf_gui.grounding.mllm import Mllm
from decaf_gui.grounding.settings import GroundingSettings

COLUMNS = ("way", "s", "vision tower s (left out)", "of the first", "straightforward is slower x")
STRAIGHTFORWARD_BATCH = 4
"""Frames whose N x N matrices are held at a time."""
FIRST, FURTHER = Expression("the dog that jumps over the fence"), Expression("the man in a red shirt on the left")


class NoiseClip:
    """A clip of random frames: what grounding asks of a clip."""

    def __init__(self, count: int, size: tuple[int, int]) -> None:
        self.count, self.size = count, size
        self.fingerprint = ("noise", count, size)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Frame:
        return np.random.default_rng(index).integers(0, 255, (*self.size, 3), dtype=np.uint8)


class ClockedQwen(QwenVl):
    """Qwen whose time in preparing pixels and in the vision tower is counted apart."""

    spent = 0.0

    def encode(
        self, frames: Sequence[Frame], kind: Kind, size: tuple[int, int], batch: int
    ) -> Generator[int, None, tuple[Tensor, VisualLayout]]:
        """As the family's own, with a clock."""
        steps = super().encode(frames, kind, size, batch)
        while True:
            start = time.perf_counter()
            try:
                done = next(steps)
            except StopIteration as finished:
                result: tuple[Tensor, VisualLayout] = finished.value
                return result
            finally:
                if torch.cuda.is_available():
                    torch.cuda.synchronize()
                self.spent += time.perf_counter() - start
            yield done


def clocked(mllm: Mllm) -> ClockedQwen:
    """Puts the clock into `mllm` and returns it."""
    clock = ClockedQwen(mllm.model, mllm.processor)
    mllm.family = clock
    return clock


def grounding_settings(options: Options) -> GroundingSettings:
    """The paper's counts: 16 frames, 400 tokens of a video frame, frame inputs of four times that; 4-token answers."""
    if options.quick:
        return GroundingSettings(frames=4, video_tokens=16, frame_scale=2, max_new_tokens=2)
    return GroundingSettings(frames=16, video_tokens=400, frame_scale=2, max_new_tokens=4)


def run(options: Options) -> Iterator[Event]:
    """First expression, further expression, and the first again in the straightforward way: one round of each."""
    settings = grounding_settings(options)
    text = {**SMALL_TEXT, "hidden_size": 96, "intermediate_size": 192} if options.quick else SMALL_TEXT
    yield Stage("bench grounding", 0, 4, "building the model")
    with threads(options.threads), torch.inference_mode():
        model, processor = random_qwen(text, SMALL_VISION, options.device, torch.float32)
        mllm = Mllm(model, processor)
        clip = NoiseClip(settings.frames or 16, (560, 560))  # 20 x 20 tokens
        taken: dict[str, tuple[float, float]] = {}
        found: dict[str, Grounding] = {}
        for done, (way, expression) in enumerate((("first", FIRST), ("further", FURTHER)), start=1):
            yield Stage("bench grounding", done, 4, f"{way} expression")
            taken[way], found[way] = clocked_run(mllm, clip, expression, settings, options.device)
        yield Stage("bench grounding", 3, 4, "the straightforward way")
        mllm.free()
        plain = StraightforwardMllm(model, processor)
        settings = replace(settings, frame_batch=STRAIGHTFORWARD_BATCH)
        taken["straightforward"], found["straightforward"] = clocked_run(plain, clip, FIRST, settings, options.device)
    yield Stage("bench grounding", 4, 4)
    difference = rollout_difference(found["first"], found["straightforward"])
    counts = {"text": text, "vision": SMALL_VISION, "frames": settings.frames, "video_tokens": settings.video_tokens}
    setting = {"threads": options.threads, **counts, "answer_tokens": settings.max_new_tokens, "difference": difference}
    where = f"{options.threads} threads, on {options.device}"
    title = f"Grounding: {where}; rollouts differ by {difference:.0e} of their maximum"
    yield Result("grounding", title, COLUMNS, _rows(taken), _targets(taken, options), setting)


def clocked_run(
    mllm: Mllm, clip: Any, expression: Expression, settings: GroundingSettings, device: str
) -> tuple[tuple[float, float], Grounding]:
    """One grounding: (seconds without the vision tower, seconds in it), and what came of it."""
    clock = clocked(mllm)
    found: list[Grounding] = []

    def work() -> None:
        events = ground(mllm, clip, expression, settings)
        found.extend(event.grounding for event in events if isinstance(event, AttentionReady))

    whole = seconds(work, device)
    return (whole - clock.spent, clock.spent), found[0]


def rollout_difference(one: Grounding, other: Grounding) -> float:
    """The largest difference between the object questions' rollouts, as a share of their maximum."""
    pairs = [(one.parts[name], other.parts[name]) for name in ("video_object", "frame_object")]
    return max(float(np.abs(a - b).max() / b.max()) for a, b in pairs)


def _rows(taken: dict[str, tuple[float, float]]) -> tuple[tuple[Cell, ...], ...]:
    first, slow = taken["first"][0], taken["straightforward"][0]
    return tuple(
        (way, round(own, 2), round(tower, 2), round(own / first, 3), round(slow / own, 1))
        for way, (own, tower) in taken.items()
    )


def _targets(taken: dict[str, tuple[float, float]], options: Options) -> tuple[Target, ...]:
    if options.quick:
        return ()
    first = taken["first"][0]
    return (
        Target("further expression, share of the first", taken["further"][0] / first, 0.35, at_most=True),
        Target("first expression, times faster than the straightforward way", taken["straightforward"][0] / first, 2),
    )
