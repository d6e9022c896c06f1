"""Our SAM2 session and the whole SAM2 stage against the sam2 package's own predictor, with the demo SAM2."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from decaf_gui.bench.clips import EndlessClip
from decaf_gui.bench.measure import alternate, threads
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.bench.straightforward import PredictorStage, load_frames, package_predictor, predictor_state
from decaf_gui.core.entities import Prompt
from decaf_gui.core.events import Event, FrameTracked, Stage, TrackletsReady
from decaf_gui.core.masks import Rle, union
from decaf_gui.core.resources import resource
from decaf_gui.tracking.checkpoints import load_sam
from decaf_gui.tracking.features import FeatureStore
from decaf_gui.tracking.propose import candidates, propagate
from decaf_gui.tracking.session import Session
from decaf_gui.tracking.settings import TrackingSettings

Maps = NDArray[np.float32]
COLUMNS = ("what", "predictor s", "ours, cold s", "ours, cached s", "faster x", "faster x, cached", "agreement IoU")
OBJECTS, FRAMES = (1, 3, 8), 60
POINTS, SAMPLED, GRID = 8, 16, (15, 20)


def run(options: Options) -> Iterator[Event]:
    """Tracking alone by number of objects, then points, tracklets and propagation together."""
    count, objects = (12, (1, 3)) if options.quick else (FRAMES, OBJECTS)
    rounds = 1 if options.quick else 3
    clip = EndlessClip(count)
    with threads(options.threads), torch.inference_mode():
        sam = load_sam("demo", options.device)
        config = json.loads((resource("models/demo-sam") / "config.json").read_text(encoding="utf-8"))["model"]
        predictor = package_predictor(sam, config)
        rows: list[tuple[Cell, ...]] = []
        for done, number in enumerate(objects):
            yield Stage("bench tracking", done, len(objects) + 1, f"{number} objects over {count} frames")
            rows.append(track_row(sam, predictor, clip, number, rounds, options.device))
        yield Stage("bench tracking", len(objects), len(objects) + 1, "the whole SAM2 stage")
        stages = stage_rows(sam, predictor, clip, 4 if options.quick else SAMPLED, rounds, options.device)
    yield Stage("bench tracking", len(objects) + 1, len(objects) + 1)
    faster = float(stages[0][4] or 0)
    targets = () if options.quick else (Target("SAM2 stage, times faster than the straightforward way", faster, 4),)
    setting = {"threads": options.threads, "frames": count, "sampled": SAMPLED, "points": POINTS, "grid": GRID}
    title = f"Tracking with the demo SAM2: {count} frames, {options.threads} threads, on {options.device}"
    yield Result("tracking", title, COLUMNS, (*rows, *stages), targets, setting)


def track_row(sam: Any, predictor: Any, clip: EndlessClip, number: int, rounds: int, device: str) -> tuple[Cell, ...]:
    """`number` objects, a click each on frame 0, tracked to the end."""
    clicks = spread_points(number, clip.size)
    state = predictor_state(predictor, clip, range(len(clip)))
    warm = FeatureStore(sam, clip)
    for frame in range(len(clip)):
        warm.vision(frame, 1)
    found: dict[str, dict[tuple[int, int], Rle]] = {}

    def by_predictor() -> None:
        predictor.reset_state(state)
        load_frames(predictor, state, clip, range(len(clip)))
        for i, point in enumerate(clicks):
            predictor.add_new_points_or_box(state, 0, i, points=[point], labels=[1])
        found["predictor"] = {
            (i, frame): Rle.encode((logits[k, 0] > 0).cpu().numpy())
            for frame, ids, logits in predictor.propagate_in_video(state, 0)
            for k, i in enumerate(ids)
        }

    def ours(store: FeatureStore) -> None:
        session = Session(store)
        for i, (x, y) in enumerate(clicks):
            session.prompt(i, Prompt(0, ((x, y, True),)))
        events = session.track(range(number), 0, len(clip) - 1)
        found["ours"] = {(i, event.frame): rle for event in events for i, rle in event.masks.items()}

    ways = {"predictor": by_predictor, "cold": lambda: ours(FeatureStore(sam, clip)), "cached": lambda: ours(warm)}
    taken = alternate(ways, rounds, device)
    agreement = fmean(found["ours"][key].iou(rle) for key, rle in found["predictor"].items())
    return _row(f"track {number} object{'s' * (number > 1)}", taken, agreement)


def stage_rows(
    sam: Any, predictor: Any, clip: EndlessClip, sampled: int, rounds: int, device: str
) -> list[tuple[Cell, ...]]:
    """Points, tracklets, selection and propagation of one expression, on maps with `POINTS` points per frame.

    The predictor tracks every mask in passes of its own, or all masks of a frame in one.
    """
    frames = [int(f) for f in np.linspace(0, len(clip) - 1, sampled)]
    maps = attended_maps(sampled, GRID)
    stages = {
        "alone": PredictorStage(predictor, clip, frames),
        "grouped": PredictorStage(predictor, clip, frames, True),
    }
    warm = FeatureStore(sam, clip)
    for frame in range(len(clip)):
        warm.vision(frame, 1)
    found: dict[str, dict[int, Rle]] = {}

    def ours(store: FeatureStore) -> None:
        found["ours"] = sam_stage(store, frames, maps, TrackingSettings())

    def theirs(way: str) -> None:
        found[way] = stages[way].run(maps)

    ways = {"cold": lambda: ours(FeatureStore(sam, clip)), "cached": lambda: ours(warm)}
    taken = alternate(ways | {way: partial(theirs, way) for way in stages}, rounds, device)
    rows = []
    for way, stage in stages.items():
        stage.hook.remove()
        agreement = fmean(found["ours"][frame].iou(rle) for frame, rle in found[way].items())
        passes = "mask" if way == "alone" else "frame"
        rows.append(_row(f"SAM2 stage, a pass per {passes}", taken | {"predictor": taken[way]}, agreement))
    return rows


def sam_stage(store: FeatureStore, frames: Sequence[int], maps: Maps, settings: TrackingSettings) -> dict[int, Rle]:
    """The engine's SAM2 stage: the union of the selected tracklets by frame of the whole clip."""
    found = last_tracklets(candidates(store, frames, maps, settings))
    found = last_tracklets(propagate(Session(store), found.tracklets))
    chosen = union([t.masks for t in found.tracklets if t.selected])
    return {frame: chosen.rle(frame) for frame in chosen}


def last_tracklets(events: Iterator[Event]) -> TrackletsReady:
    """Reads the events to their end."""
    *_, last = (event for event in events if not isinstance(event, FrameTracked))
    assert isinstance(last, TrackletsReady)
    return last


def spread_points(count: int, size: tuple[int, int]) -> list[tuple[float, float]]:
    """Points spread over the frame (golden ratio): (x, y) in pixels."""
    height, width = size
    return [((0.5 + i * 0.618034) % 1 * width, (0.5 + i / max(count, 1)) % 1 * height) for i in range(count)]


def attended_maps(frames: int, grid: tuple[int, int]) -> Maps:
    """Maps with exactly `POINTS` cells over tau_pq in each frame, spread over the grid: float32 (Ts, Hp, Wp)."""
    maps = np.random.default_rng(0).uniform(0.0, 0.5, (frames, *grid)).astype(np.float32)
    for t in range(frames):
        chosen = np.random.default_rng(t).choice(grid[0] * grid[1], POINTS, replace=False)
        maps[t].flat[chosen] = np.linspace(0.85, 1.0, POINTS)
    return maps


def _row(what: str, taken: dict[str, float], agreement: float) -> tuple[Cell, ...]:
    slow, cold, cached = taken["predictor"], taken["cold"], taken["cached"]
    numbers = (round(slow, 3), round(cold, 3), round(cached, 3), round(slow / cold, 1), round(slow / cached, 1))
    return (what, *numbers, round(agreement, 4))
