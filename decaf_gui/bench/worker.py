"""The worker's thread: how long it is deaf between two events, and how long a click waits for its mask."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import median

from PySide6.QtCore import QCoreApplication, QEventLoop, QObject, QTimer

from decaf_gui.app.requests import ClickRequest, LoadRequest, LookRequest, ProposeRequest, Request, TrackRequest
from decaf_gui.app.tools import EngineChoice
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.app.worker import Worker
from decaf_gui.bench.clips import EndlessClip, write_video
from decaf_gui.bench.measure import threads
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.bench.tracking import spread_points
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Prompt
from decaf_gui.core.errors import DecafError
from decaf_gui.core.events import Event, Prompted, Stage

COLUMNS = ("clip", "while", "events", "longest stretch ms", "clicks", "click median ms", "click longest ms")
SIZES = {"320x240": (240, 320), "1280x720": (720, 1280), "1920x1080": (1080, 1920)}
FRAMES, QUICK_FRAMES = 300, 12
EVERY = 0.1
"""Seconds between two clicks while something else is going on."""
LONGEST, CLICK = 250.0, 100.0
"""Milliseconds that are promised."""


def run(options: Options) -> Iterator[Event]:
    """Proposal and tracking with clicks in between, on generated videos and on the clip that is given."""
    sizes = {"320x240": SIZES["320x240"]} if options.quick else SIZES
    count = QUICK_FRAMES if options.quick else FRAMES
    rows: list[tuple[Cell, ...]] = []
    total = len(sizes) + (options.clip is not None)
    with threads(options.threads), tempfile.TemporaryDirectory() as folder, Thread(options) as thread:
        for done, (name, size) in enumerate(sizes.items()):
            yield Stage("bench worker", done, total, name)
            rows += clip_rows(thread, name, write_video(EndlessClip(count, size), Path(folder) / f"{name}.mp4"))
        if options.clip is not None:
            yield Stage("bench worker", total - 1, total, options.clip.name)
            rows += clip_rows(thread, options.clip.name, options.clip)
    yield Stage("bench worker", total, total)
    stretch = max(float(row[3] or 0) for row in rows)
    idle = max(float(row[5] or 0) for row in rows if row[1] == "idle")
    targets = (
        Target("longest stretch between two events, ms", stretch, LONGEST, at_most=True),
        Target("click on a cached frame, idle, ms", idle, CLICK, at_most=True),
    )
    title = f"The worker with the demo models: {count} frames, {options.threads} threads, on {options.device}"
    setting = {"threads": options.threads, "frames": count, "seconds_between_clicks": EVERY}
    yield Result("worker", title, COLUMNS, tuple(rows), () if options.quick else targets, setting)


def clip_rows(thread: Thread, name: str, path: Path) -> list[tuple[Cell, ...]]:
    """A clip's rows: idle, during a proposal, during tracking. Loading and the first look are not measured."""
    with Clip.open(path) as clip:
        size, frames = clip.size, len(clip)
    thread.wait_for(LoadRequest())
    thread.wait_for(LookRequest(path, 0))
    clicks = spread_points(15, size)
    idle = [thread.click(path, point) for point in clicks]
    rows: list[tuple[Cell, ...]] = [(name, "idle", None, None, len(idle), _ms(median(idle)), _ms(max(idle)))]
    prompts = {i: (Prompt(0, ((*point, True),)),) for i, point in enumerate(clicks[:10])}
    work: Mapping[str, Request] = {
        "proposal": ProposeRequest(path, "the red heart"),
        "tracking 10 objects": TrackRequest(path, prompts, ((0, frames - 1),)),
    }
    for what, request in work.items():
        gaps, waits = thread.watch(request, path, clicks)
        told = (len(waits), _ms(median(waits)), _ms(max(waits))) if waits else (0, None, None)
        rows.append((name, what, len(gaps), _ms(max(gaps)), *told))
    return rows


class Thread(QObject):
    """A worker that is waited for, as nothing in the program does."""

    def __init__(self, options: Options) -> None:
        self._app = QCoreApplication.instance() or QCoreApplication([])
        super().__init__()
        self._worker = Worker(EngineChoice(device=options.device))
        self._worker.happened.connect(self._on_event)
        self._loop = QEventLoop()
        self._heard: Callable[[int, Event], None] = lambda _job, _event: None

    def __enter__(self) -> Thread:
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def wait_for(self, request: Request) -> None:
        """Until a request is done. Raises DecafError when it fails."""
        job = self._worker.submit(request)
        self._until(lambda number, event: number == job and _is_last(event))

    def click(self, path: Path, point: tuple[float, float]) -> float:
        """Seconds until the mask of a click on frame 0 is there."""
        start = time.perf_counter()
        self.wait_for(_click(path, point))
        return time.perf_counter() - start

    def watch(self, request: Request, path: Path, points: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
        """Seconds between two events of all jobs while `request` is done, and seconds that clicks took meanwhile."""
        times: list[float] = []
        asked: dict[int, float] = {}
        waits: list[float] = []

        def ask() -> None:
            asked[self._worker.submit(_click(path, points[len(asked) % len(points)]))] = time.perf_counter()

        timer = QTimer(interval=int(1000 * EVERY))
        timer.timeout.connect(ask)
        job = self._worker.submit(request)
        timer.start()

        def heard(number: int, event: Event) -> bool:
            times.append(time.perf_counter())
            if number in asked and isinstance(event, Prompted):
                waits.append(times[-1] - asked[number])
            return number == job and _is_last(event)

        self._until(heard)
        timer.stop()
        return [b - a for a, b in pairwise(times)], waits

    def _until(self, done: Callable[[int, Event], bool]) -> None:
        def heard(job: int, event: Event) -> None:
            if done(job, event):
                self._loop.quit()

        self._heard = heard
        self._loop.exec()

    def _on_event(self, job: int, event: Event) -> None:
        if isinstance(event, Failed):
            self._loop.quit()
            raise DecafError(event.what)
        self._heard(job, event)


def _click(path: Path, point: tuple[float, float]) -> ClickRequest:
    return ClickRequest(path, 0, Prompt(0, ((*point, True),)))


def _is_last(event: Event) -> bool:
    return isinstance(event, Finished | Cancelled)


def _ms(seconds: float) -> float:
    return round(1000 * seconds, 1)
