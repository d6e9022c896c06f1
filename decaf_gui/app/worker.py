"""The worker: one thread that owns the models and works in turns. What happens comes back as signals.

Between two steps of a generator the thread's event loop runs: what was asked for in the meantime is known before the
next step is chosen. Nothing here waits for the thread but `stop`.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING

from PySide6.QtCore import QMetaObject, QObject, Qt, QThread, Signal, Slot

from decaf_gui.app.requests import Request
from decaf_gui.app.tools import EngineChoice, Tools, make_engine
from decaf_gui.app.turns import Told, Turns

if TYPE_CHECKING:
    from decaf_gui.pipeline.engine import Engine

log = logging.getLogger(__name__)
PATIENCE = 5.0
"""Seconds that the program waits for a step to end before it ends without it."""
_hanging: list[QThread] = []


class Hands(QObject):
    """Lives in the worker's thread and does the work."""

    told = Signal(int, object)

    def __init__(self, tools: Tools) -> None:
        super().__init__()
        self._tools, self._turns = tools, Turns(tools)
        self._called = False

    @Slot(int, object)
    def submit(self, job: int, request: Request) -> None:
        """A job joins."""
        self._tell(self._turns.submit(job, request))
        self._call()

    @Slot(int)
    def cancel(self, job: int) -> None:
        """A job is broken off."""
        self._tell(self._turns.cancel(job))

    @Slot(int, int)
    def leave(self, job: int, object_id: int) -> None:
        """An object leaves a tracking job."""
        self._turns.leave(job, object_id)

    @Slot(object)
    def use(self, choice: EngineChoice) -> None:
        """Other models from the next job on."""
        self._tools.use(choice)

    @Slot()
    def turn(self) -> None:
        """One step; the next one is called for behind everything that came in meanwhile."""
        self._called = False
        self._tell(self._turns.step())
        self._call()

    @Slot()
    def finish(self) -> None:
        """Breaks everything off and ends the thread."""
        self._tell(self._turns.close())
        self.thread().quit()

    def _call(self) -> None:
        if self._turns.busy and not self._called:
            self._called = True
            QMetaObject.invokeMethod(self, "turn", Qt.ConnectionType.QueuedConnection)

    def _tell(self, told: list[Told]) -> None:
        for job, event in told:
            self.told.emit(job, event)


class Worker(QObject):
    """The worker as the window's thread sees it. `happened` carries (job, event), in order, one last event per job."""

    happened = Signal(int, object)
    _submitted = Signal(int, object)
    _cancelled = Signal(int)
    _left = Signal(int, int)
    _chosen = Signal(object)

    def __init__(
        self,
        choice: EngineChoice | None = None,
        make: Callable[[EngineChoice], Engine] = make_engine,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._ids = count(1)
        self._thread = QThread()
        self._thread.setObjectName("worker")
        self._hands = Hands(Tools(choice or EngineChoice(), make))
        self._hands.moveToThread(self._thread)
        self._submitted.connect(self._hands.submit)
        self._cancelled.connect(self._hands.cancel)
        self._left.connect(self._hands.leave)
        self._chosen.connect(self._hands.use)
        self._hands.told.connect(self.happened)
        self._thread.start()

    def submit(self, request: Request) -> int:
        """Asks for work: the job's number."""
        job = next(self._ids)
        self._submitted.emit(job, request)
        return job

    def cancel(self, job: int) -> None:
        """Breaks a job off after its present step; `Cancelled` is its last event, unless it ended before."""
        self._cancelled.emit(job)

    def leave(self, job: int, object_id: int) -> None:
        """Takes an object out of a tracking job after its present step."""
        self._left.emit(job, object_id)

    def use(self, choice: EngineChoice) -> None:
        """Other models, another device or other settings, from the next job on."""
        self._chosen.emit(choice)

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread.isRunning()

    def stop(self, seconds: float = PATIENCE) -> bool:
        """Breaks everything off and ends the thread; False when a step does not end in `seconds`.

        Such a step can neither be stopped nor waited for: the program then ends without it when it ends.
        """
        if not self.running:
            return True
        if self._thread in _hanging:
            return False
        QMetaObject.invokeMethod(self._hands, "finish", Qt.ConnectionType.QueuedConnection)
        if self._thread.wait(int(1000 * seconds)):
            return True
        log.error("the worker hangs in a step; the program will end without it")
        if not _hanging:
            atexit.register(_end_at_once)
        _hanging.append(self._thread)  # destroying a thread that runs would abort the program
        return False


def _end_at_once() -> None:
    """Ends the process while a thread hangs; everything of worth is stored by now."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(0)
