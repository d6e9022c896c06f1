"""From start to the first stage: when `--help` is there, when `propose` says its first line, what takes the time."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from decaf_gui.bench.clips import EndlessClip, write_video
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.core.errors import DecafError
from decaf_gui.core.events import Event, Stage

COLUMNS = ("step", "s since start", "s for it")
COMMAND = [sys.executable, "-m", "decaf_gui.cli"]
IMPORTS = ("torch", "torchvision", "transformers", "decaf_gui.grounding.mllm", "decaf_gui.tracking.session")
STEPS = {
    "first line": "loading",
    "models begin to load": "load 0/3",
    "models are loaded": "load 3/3",
    "attention is there": "candidates 0/",
    "candidates are there": "tracking",
}
"""What `propose` prints, in this order, and what of the line tells it."""


def run(options: Options) -> Iterator[Event]:
    """Whole processes, as a user starts them."""
    rounds = 1 if options.quick else 3
    yield Stage("bench startup", 0, 3, "--help")
    help_seconds = median(_whole([*COMMAND, "--help"]) for _ in range(rounds))
    yield Stage("bench startup", 1, 3, "propose")
    with tempfile.TemporaryDirectory() as folder:
        video = write_video(EndlessClip(24, (240, 320)), Path(folder) / "clip.mp4")
        runs = [_timeline(video, Path(folder) / str(i)) for i in range(rounds)]
    yield Stage("bench startup", 2, 3, "imports")
    imports = [_imports() for _ in range(rounds)]
    yield Stage("bench startup", 3, 3)
    rows: list[tuple[Cell, ...]] = [("--help is there", round(help_seconds, 2), None)]
    before = 0.0
    for step in (*STEPS, "everything is written"):
        when = median(run[step] for run in runs)
        rows.append((f"propose: {step}", round(when, 2), round(when - before, 2)))
        before = when
    rows += [(f"import {name}", None, round(median(run[name] for run in imports), 2)) for name in IMPORTS]
    first = median(run["first line"] for run in runs) / median(sum(run.values()) for run in imports)
    target = Target("first line of propose, share of the time that imports take", first, 1.0, at_most=True)
    title = "Start-up: a demo clip of 24 frames of 320x240, medians of whole processes"
    yield Result("startup", title, COLUMNS, tuple(rows), (target,), {"rounds": rounds})


def _whole(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def _timeline(video: Path, out: Path) -> dict[str, float]:
    """Seconds since the start at which each step of `propose` was seen."""
    seen: dict[str, float] = {}
    steps = iter(STEPS.items())
    step, mark = next(steps)
    start = time.perf_counter()
    command = [*COMMAND, "propose", str(video), "the red heart", "--out", str(out), "--device", "cpu"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if mark and mark in line:
                seen[step] = time.perf_counter() - start
                step, mark = next(steps, ("", ""))
    seen["everything is written"] = time.perf_counter() - start
    if process.returncode or len(seen) <= len(STEPS):
        raise DecafError(
            f"propose ended with {process.returncode} after {', '.join(seen)}: its lines were not all seen."
        )
    return seen


def _imports() -> dict[str, float]:
    """Seconds that each import takes after the ones before it, in a fresh process."""
    code = "import sys, time, importlib, decaf_gui\nfor name in sys.argv[1:]:\n start = time.perf_counter()\n"
    code += " importlib.import_module(name)\n print(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", code, *IMPORTS], check=True, capture_output=True, text=True)
    return dict(zip(IMPORTS, map(float, done.stdout.split()), strict=True))
