"""Pre-labelling with two workers against one, on the same clips in one run; and whether workers' memory stays flat."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from decaf_gui.batch.labelling import Plan
from decaf_gui.batch.local import run_local
from decaf_gui.batch.prelabelling import Overall, prelabel
from decaf_gui.batch.reports import Failed, Labelled
from decaf_gui.batch.sources import TABLES, read_source
from decaf_gui.batch.worklist import WorkList
from decaf_gui.bench.measure import MIB
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.core.errors import DecafError
from decaf_gui.core.events import Event, Stage
from decaf_gui.demo.write import write_clips

COLUMNS = ("workers", "worker", "clips", "all done s", "clips/min", "peak MiB early", "peak MiB late")
CLIPS, QUICK = 100, 2
EXPRESSIONS, FRAMES, SEED = 2, 24, 70_000
RATIO, GROWTH = 1.7, 1.1
"""What is promised: two workers against one, and a worker's peak memory late against early."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run of the whole set: its seconds, models loaded by each worker included, and peak bytes by worker."""

    workers: int
    seconds: float
    peaks: dict[str, list[int]]


def run(options: Options) -> Iterator[Event]:
    """The same clips with one worker, then with two, a thread each."""
    count = options.clips or (QUICK if options.quick else CLIPS)
    with tempfile.TemporaryDirectory() as folder:
        source = write_source(Path(folder) / "videos", count)
        one = yield from timed(source, Path(folder) / "one", 1, options.device)
        two = yield from timed(source, Path(folder) / "two", 2, options.device)
    rows = (*rows_of(one), *rows_of(two))
    growth = max(float(row[6] or 0) / float(row[5] or 1) for row in rows)
    targets = (
        Target("two workers against one, times as fast", one.seconds / two.seconds, RATIO),
        Target("a worker's peak memory, late against early", growth, GROWTH, at_most=True),
    )
    title = f"Pre-labelling {count} clips x {EXPRESSIONS} expressions of the shapes world, on {options.device}"
    settings = {"clips": count, "expressions": EXPRESSIONS, "frames": FRAMES, "threads_per_worker": 1}
    yield Result("prelabel", title, COLUMNS, rows, () if options.quick else targets, settings)


def write_source(folder: Path, clips: int) -> Path:
    """Videos of the shapes world with a table of expressions."""
    videos = list(write_clips(folder.parent, SEED, clips, "kind", FRAMES, video=True))
    described = json.loads((folder.parent / "expressions.json").read_text("utf-8"))
    lines = [
        json.dumps({"clip": video.stem, "expression": said["text"]})
        for video in videos
        for said in described[video.stem]["expressions"][:EXPRESSIONS]
    ]
    (folder / TABLES[1]).write_text("\n".join(lines), "utf-8")
    return folder


def timed(source: Path, out: Path, workers: int, device: str) -> Generator[Event, None, Ran]:
    """Labels the source: stages, and what was measured as the return value. Raises DecafError when a clip fails."""
    peaks: dict[str, list[int]] = {}
    start = time.perf_counter()
    with WorkList.begin(out, {}) as worklist:
        worklist.add(read_source(source).clips)
        for event in prelabel(worklist, run_local, Plan(out, device=device, threads=1), workers):
            if isinstance(event, Failed):
                raise DecafError(f"{event.clip} could not be labelled: {event.reason}")
            if isinstance(event, Labelled):
                peaks.setdefault(event.worker, []).append(event.memory)
            if isinstance(event, Overall):
                yield Stage(f"bench prelabel, {workers} workers", event.done, event.total)
    return Ran(workers, time.perf_counter() - start, peaks)


def rows_of(ran: Ran) -> Iterator[tuple[Cell, ...]]:
    """A row per worker; early is after a tenth of its clips."""
    clips = sum(len(peaks) for peaks in ran.peaks.values())
    pace = round(60 * clips / ran.seconds, 1)
    for worker, peaks in sorted(ran.peaks.items()):
        early, late = (round(peaks[place] / MIB) for place in (len(peaks) // 10, -1))
        yield ran.workers, worker, len(peaks), round(ran.seconds, 1), pace, early, late
