"""The window in processes of its own: from start to its first frame, how long it is ever deaf, a long clip in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import av
import numpy as np

from decaf_gui.app.projects import open_project
from decaf_gui.bench.clips import EndlessClip, write_video
from decaf_gui.bench.measure import MIB
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.bench.window_child import BEAT, SCRUBS
from decaf_gui.core.errors import DecafError
from decaf_gui.core.events import Event, Stage

COLUMNS = ("what", "count", "median ms", "p99 ms", "longest ms", "peak MiB")
CHILD = [sys.executable, "-m", "decaf_gui.bench.window_child"]
CLIP, QUICK_CLIP = (300, (720, 1280)), (24, (240, 320))
"""Frames and (H, W) of the clip that is asked about."""
LONG, QUICK_LONG = (15000, (1080, 1920)), (500, (240, 320))
"""The same of the one that is gone through: ten minutes at 25 frames per second."""
GROUP = 250
"""Frames from one key frame to the next."""
START, CHOSEN = 1500.0, 1000.0
P99, LONGEST = {"loading": 100.0, "proposing": 33.0}, {"loading": 500.0, "proposing": 150.0}
MOST_MIB = 2048.0
"""What is promised, in milliseconds and MiB."""


def run(options: Options) -> Iterator[Event]:
    """Start, beats, and a clip of ten minutes, one after the other."""
    rounds, scrubs = (1, 5) if options.quick else (5, 300)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield Stage("bench window", 0, 3, "start to first frame")
        clip = options.clip or write_video(EndlessClip(*(QUICK_CLIP if options.quick else CLIP)), folder / "clip.mp4")
        project = made_project(folder / "clip.decaf", clip)
        starts = [first_frame(options, project) for _ in range(rounds + 1)][1:]
        yield Stage("bench window", 1, 3, "beats")
        beats = {what: np.array(gaps) * 1000 for what, gaps in watched("beats", options, project).items()}
        yield Stage("bench window", 2, 3, "a long clip")
        small = write_video(EndlessClip(4, (240, 320)), folder / "small.mp4")
        long = long_video(*(QUICK_LONG if options.quick else LONG))
        seen = watched("scrub", options, made_project(folder / "long.decaf", small, long), {SCRUBS: str(scrubs)})
    yield Stage("bench window", 3, 3)
    waits, peak = 1000 * np.array(seen["waits"]), round(seen["peak"] / MIB)
    rows: list[tuple[Cell, ...]] = [("start to first frame", rounds, *_ms(starts), None)]
    rows += [(f"gap between beats, {what}", gaps.size, *_ms(gaps), None) for what, gaps in beats.items()]
    rows += [("long clip chosen to first frame", 1, *_ms([1000 * seen["first"]]), None)]
    rows += [("long clip, frame at random", waits.size, *_ms(waits), peak)]
    targets = [Target("start to first frame, ms", median(starts), START, at_most=True)]
    for what, gaps in beats.items():
        targets.append(Target(f"99 of 100 gaps while {what}, ms", _p99(gaps), P99[what], at_most=True))
        targets.append(Target(f"longest gap while {what}, ms", float(gaps.max()), LONGEST[what], at_most=True))
    targets.append(Target("long clip chosen to first frame, ms", 1000 * seen["first"], CHOSEN, at_most=True))
    targets.append(Target("peak memory over a long clip, MiB", peak, MOST_MIB, at_most=True))
    title = f"The window offscreen with the demo models, beats of {BEAT} ms, {options.threads} threads"
    setting = {"threads": options.threads, "beat_ms": BEAT, "clip": options.clip.name if options.clip else "generated"}
    yield Result("window", title, COLUMNS, tuple(rows), () if options.quick else tuple(targets), setting)


def made_project(path: Path, *clips: Path) -> Path:
    """A new project with these clips."""
    open_project(clips, path).close()
    return path


def first_frame(options: Options, project: Path) -> float:
    """Milliseconds from before the process is started until its window has painted a frame."""
    start = time.monotonic()  # the same clock in all processes
    return 1000 * (float(watched("paint", options, project)["at"]) - start)


def watched(what: str, options: Options, project: Path, more: dict[str, str] | None = None) -> dict[str, Any]:
    """What a watched program saw. Raises DecafError when it failed."""
    surroundings = {
        "QT_QPA_PLATFORM": "offscreen",
        "OMP_NUM_THREADS": str(options.threads),
        "DECAF_GUI_CONFIG": str(project.parent / "config"),  # nobody's preferences, nobody's list of projects
        **(more or {}),
    }
    out = project.with_suffix(".json")
    command = [*CHILD, what, str(out), str(project), "--device", options.device]
    done = subprocess.run(command, env={**os.environ, **surroundings}, capture_output=True, text=True)
    if done.returncode or not out.exists() or "Traceback" in done.stderr:  # Qt goes on after what a slot raised
        raise DecafError(f"The window ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    seen: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    if "failed" in seen:
        raise DecafError(f"The window could not propose: {seen['failed'][:300]}")
    return seen


def long_video(frames: int, size: tuple[int, int]) -> Path:
    """A video of `frames` frames at 25 per second in MP4, kept in the folder for temporary files.

    One closed group of pictures is encoded, and its packets are repeated: ten minutes are made in seconds.
    """
    path = Path(tempfile.gettempdir()) / f"decaf-gui-bench-{size[1]}x{size[0]}-{frames}.mp4"
    if path.exists():
        return path
    packets, beside = encoded_group(size), path.with_suffix(f".{os.getpid()}.mp4")
    with av.open(str(packets), "r") as source, av.open(str(beside), "w") as sink:
        video = source.streams.video[0]
        stream = sink.add_stream_from_template(video)
        assert video.time_base is not None
        tick = int(Fraction(1, 25) / video.time_base)
        for repeat in range(frames // GROUP):
            source.seek(0, stream=video)
            for packet in source.demux(video):
                if packet.pts is None or packet.dts is None:
                    continue
                packet.pts, packet.dts = packet.pts + repeat * GROUP * tick, packet.dts + repeat * GROUP * tick
                packet.stream = stream
                sink.mux(packet)
    packets.unlink()
    return beside.replace(path)


def encoded_group(size: tuple[int, int]) -> Path:
    """GROUP frames of moving shapes in one closed group of pictures, with B-frames."""
    clip = EndlessClip(GROUP, size)
    path = Path(tempfile.gettempdir()) / f"decaf-gui-bench-group-{os.getpid()}.mp4"
    settings = {"preset": "veryfast", "g": str(GROUP), "keyint_min": str(GROUP), "sc_threshold": "0"}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options=settings)
        (stream.height, stream.width), stream.pix_fmt = size, "yuv420p"
        for index in range(GROUP):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(clip[index], format="rgb24")))
        container.mux(stream.encode())
    return path


def _ms(values: Any) -> tuple[float, float, float]:
    """(median, p99, longest)."""
    return round(float(np.median(values)), 1), round(_p99(values), 1), round(float(np.max(values)), 1)


def _p99(values: Any) -> float:
    return float(np.percentile(values, 99))
