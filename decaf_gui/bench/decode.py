"""Frames of a video by number against plain PyAV, in order and at random; what is kept in memory is left out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from decaf_gui.bench.clips import EndlessClip, write_video
from decaf_gui.bench.measure import alternate
from decaf_gui.bench.results import Cell, Options, Result
from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event, Stage

COLUMNS = ("access", "frames", "plain PyAV ms per frame", "ours ms per frame", "ours takes x")
COUNT, RANDOM = 300, 40


def run(options: Options) -> Iterator[Event]:
    """On `options.clip`, or on a generated 1280x720 video."""
    with tempfile.TemporaryDirectory() as folder:
        yield Stage("bench decode", 0, 2, "the video")
        path = options.clip or write_video(
            EndlessClip(30 if options.quick else COUNT, (720, 1280)), Path(folder) / "clip.mp4"
        )
        yield Stage("bench decode", 1, 2, path.name)
        rounds = 1 if options.quick else 3
        with Clip.open(path) as clip:
            count = len(clip)
            width, height = clip.width, clip.height
        wanted = np.random.default_rng(0).permutation(count)[:RANDOM].tolist()
        rows = (
            _row("in order", count, _in_order(path, rounds)),
            _row("at random", len(wanted), _at_random(path, wanted, rounds)),
        )
    yield Stage("bench decode", 2, 2)
    title = f"Decoding {count} frames of {width}x{height}, opening and indexing included"
    yield Result("decode", title, COLUMNS, rows, (), {"clip": path.name if options.clip else "generated"})


def _in_order(path: Path, rounds: int) -> dict[str, float]:
    def plain() -> None:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                frame.to_ndarray(format="rgb24")

    def ours() -> None:
        with Clip.open(path, cache_bytes=0) as clip:
            for _ in clip:
                pass

    return alternate({"plain": plain, "ours": ours}, rounds)


def _at_random(path: Path, wanted: list[int], rounds: int) -> dict[str, float]:
    def plain() -> None:
        """Seek to the key frame before, decode until the frame's time is there."""
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.average_rate is not None
            assert stream.time_base is not None
            for number in wanted:
                when = int(number / stream.average_rate / stream.time_base) + (stream.start_time or 0)
                container.seek(when, stream=stream)
                for frame in container.decode(stream):
                    if frame.pts is not None and frame.pts >= when:
                        frame.to_ndarray(format="rgb24")
                        break

    def ours() -> None:
        with Clip.open(path, cache_bytes=0) as clip:
            for number in wanted:
                _ = clip[number]

    return alternate({"plain": plain, "ours": ours}, rounds)


def _row(access: str, frames: int, taken: dict[str, float]) -> tuple[Cell, ...]:
    plain, ours = taken["plain"], taken["ours"]
    return (access, frames, round(1000 * plain / frames, 2), round(1000 * ours / frames, 2), round(ours / plain, 2))
