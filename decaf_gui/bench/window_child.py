"""The program as `decaf-gui open` runs it, watched from within: what `bench.window` starts, offscreen.

`python -m decaf_gui.bench.window_child paint|beats|scrub OUT PROJECT...` opens the project, does what is to be measured
in its window, closes it, and writes what it saw as JSON to OUT. Nothing of the product is done differently; the
application is only made before the command line is read, so that somebody can watch it.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QApplication, QWidget

from decaf_gui.app.canvas import Canvas
from decaf_gui.app.turns import Failed, Finished
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.memory import peak_bytes
from decaf_gui.core.project.rows import ClipRow

BEAT = 10
"""Milliseconds between two beats of the window's thread."""
EXPRESSIONS = ("the red heart", "the green star")
SCRUBS = "DECAF_GUI_BENCH_SCRUBS"
"""How many frames are gone to."""


class Watcher(QObject):
    """Waits until a window has painted a frame; then `begin` has the window, and the loop goes on."""

    def __init__(self, application: QApplication) -> None:
        super().__init__()
        self.seen: dict[str, Any] = {}
        self._application = application
        self._then: Callable[[QWidget], None] | None = None
        self.await_frame(self.begin)

    def await_frame(self, then: Callable[[QWidget], None]) -> None:
        """`then(window)` right after the canvas has next been painted with a frame on it."""
        self._then = then
        self._application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Sees every event of the application, as long as one is awaited."""
        if event.type() != QEvent.Type.Paint or not isinstance(watched, Canvas) or watched.scene is None:
            return False
        if self._then is not None:
            self._application.removeEventFilter(self)
            then, self._then = self._then, None
            QTimer.singleShot(0, partial(then, watched.window()))
        return False

    def begin(self, window: Any) -> None:
        """The first frame has been painted."""
        raise NotImplementedError


class Paint(Watcher):
    """When the first frame has been painted, on the clock that all processes share."""

    def begin(self, window: Any) -> None:
        """That was all."""
        self.seen["at"] = time.monotonic()
        window.close()


class Beats(Watcher):
    """Beats while models load, and while expressions are proposed one after the other."""

    def begin(self, window: Any) -> None:
        """Asks at once: nothing is loaded yet."""
        self._window, self._phase, self._last = window, "loading", time.perf_counter()
        self.seen = {"loading": [], "proposing": []}
        self._waiting = list(EXPRESSIONS)
        self._timer = QTimer(self, interval=BEAT, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()
        window.view.desk.happened.connect(self._on_event)
        self._ask()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.seen[self._phase].append(now - self._last)
        self._last = now

    def _ask(self) -> None:
        before = set(self._window.view.desk.work)
        self._window.view.propose(self._waiting.pop(0))
        (self._job,) = set(self._window.view.desk.work) - before

    def _on_event(self, job: int, event: Event) -> None:
        if job != self._job:
            return
        if isinstance(event, Stage) and event.name != "load":
            self._phase = "proposing"
        elif isinstance(event, Failed):
            self.seen["failed"] = event.what
            self._window.close()
        elif isinstance(event, Finished):
            QTimer.singleShot(500, self._ask if self._waiting else self._window.close)  # lists and timeline settle


class Scrub(Watcher):
    """Goes to another clip of the project, and there to frames at random, each when the one before is to be seen.

    The window itself shows what of its picture lies on which frame: `window.picture`.
    """

    EVERY: ClassVar[int] = 5

    def begin(self, window: Any) -> None:
        """Chooses the last clip."""
        self._window, self._start = window, time.perf_counter()
        self._row = max(window.view.project.rows(ClipRow).values(), key=lambda row: row.id)
        self._random, self._left = Random(0), int(os.environ[SCRUBS])
        self.seen = {"waits": []}
        window.view.open_clip(self._row.id)
        self.await_frame(self._on_first)

    def _on_first(self, _window: QWidget) -> None:
        self.seen["first"] = time.perf_counter() - self._start
        self._timer = QTimer(self, interval=self.EVERY, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._look)
        self._go()
        self._timer.start()

    def _go(self) -> None:
        self._left -= 1
        self._start, self._wanted = time.perf_counter(), self._random.randrange(1, self._row.frames)
        self._window.view.look_at(self._wanted)

    def _look(self) -> None:
        """Whether the frame is there."""
        picture = self._window.picture
        if picture is None or picture[0] != self._wanted:
            return
        self.seen["waits"].append(time.perf_counter() - self._start)
        if self._left > 0:
            self._go()
            return
        self._timer.stop()
        self.seen["peak"] = peak_bytes()
        self._window.close()


WATCHERS: dict[str, type[Watcher]] = {"paint": Paint, "beats": Beats, "scrub": Scrub}


def main(what: str, out: str, *arguments: str) -> int:
    """Runs the program with `arguments` of `decaf-gui open`: its exit code."""
    watcher = WATCHERS[what](QApplication(["decaf-gui"]))
    sys.argv = ["decaf-gui", "open", *arguments]
    try:
        runpy.run_module("decaf_gui.cli", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        Path(out).write_text(json.dumps(watcher.seen), encoding="utf-8")
        return int(ended.code or 0)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
