"""Peak resident memory of a proposal over clips of growing length: caches fill up, then nothing grows any more."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

from decaf_gui.bench.clips import EndlessClip
from decaf_gui.bench.measure import MIB, fresh, threads
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event, Proposed, Stage
from decaf_gui.core.memory import peak_bytes
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.settings import MemorySettings, Settings

COLUMNS = ("frames", "peak MiB", "against the first", "s", "frames encoded", "objects")
LENGTHS, QUICK = (100, 1000, 5000), (30,)
CACHE = 32 * MIB
"""Budget of frame features: what 100 frames fill, so that the first clip has full caches already."""
EXPRESSION = "the red heart"


def run(options: Options) -> Iterator[Event]:
    """Every length in a process of its own."""
    lengths = QUICK if options.quick else LENGTHS
    rows: list[tuple[Cell, ...]] = []
    first = 0.0
    for done, frames in enumerate(lengths):
        yield Stage("bench memory", done, len(lengths), f"{frames} frames")
        peak, taken, encoded, objects = fresh(propose, frames, options)
        first = first or peak
        rows.append((frames, round(peak / MIB), round(peak / first, 3), round(taken, 1), encoded, objects))
    yield Stage("bench memory", len(lengths), len(lengths))
    growth = max(float(row[2] or 0) for row in rows)
    target = Target("peak memory of the longest clip against the shortest", growth, 1.2, at_most=True)
    title = f"Peak memory of propose, demo models, 320x240, {CACHE // MIB} MiB for frame features, on {options.device}"
    yield Result("memory", title, COLUMNS, tuple(rows), () if options.quick else (target,), {"cache_bytes": CACHE})


def propose(frames: int, options: Options) -> tuple[int, float, int, int]:
    """One proposal in this (fresh) process: peak bytes, seconds, frames encoded, objects tracked."""
    budget = MemorySettings(features_device_bytes=CACHE // 2, features_host_bytes=CACHE // 2)
    engine = Engine(device=options.device, settings=replace(Settings(), memory=budget))
    clip: Any = EndlessClip(frames)
    start = time.perf_counter()
    with threads(options.threads):
        *_, last = (event for event in engine.propose(cast(Clip, clip), EXPRESSION) if isinstance(event, Proposed))
    proposal = last.proposal
    return (
        peak_bytes(),
        time.perf_counter() - start,
        proposal.counters["frames_encoded"],
        len(proposal.selected),
    )
