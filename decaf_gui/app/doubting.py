"""Doubt about the objects of a clip, worked out in a thread of its own: it looks at every mask."""

from __future__ import annotations

import logging

from PySide6.QtCore import QMetaObject, QObject, Qt, QThread, Signal, Slot

from decaf_gui.core.doubt import Doubt
from decaf_gui.core.project.doubtful import object_doubts
from decaf_gui.core.project.rows import AnswerRow, GroundingRow, MaskRow, ObjectRow, Project

log = logging.getLogger(__name__)
Doubts = dict[int, dict[int, Doubt]]


class Doubter(QObject):
    """Lives in the thread. Objects of which nothing has changed are not looked at again."""

    ready = Signal(object, int, object)

    def __init__(self) -> None:
        super().__init__()
        self.wanted: tuple[Project, int] | None = None
        self._known: dict[int, tuple[object, dict[int, Doubt]]] = {}

    @Slot()
    def look(self) -> None:
        """Works out what is wanted now; what was wanted before it is forgotten."""
        wanted, self.wanted = self.wanted, None
        if wanted is None:
            return
        project, clip = wanted
        found: Doubts = {}
        for thing in project.where(ObjectRow, clip=clip):
            if self._newer():
                return
            found[thing.id] = self._of(project, thing.id)
        self._known = {thing: known for thing, known in self._known.items() if thing in found}
        self.ready.emit(project, clip, found)

    @Slot()
    def finish(self) -> None:
        """Ends the thread."""
        self.thread().quit()

    def _newer(self) -> bool:
        """Whether another state of the project is wanted already."""
        return self.wanted is not None

    def _of(self, project: Project, thing: int) -> dict[int, Doubt]:
        state = (list(project.where(MaskRow, object=thing)), _grounded(project, thing))
        known = self._known.get(thing)
        if known is None or known[0] != state:
            try:
                known = (state, object_doubts(project, thing))
            except Exception:  # doubt is a help, not a condition of work
                log.exception("no doubt about object %s", thing)
                known = (state, {})
            self._known[thing] = known
        return known[1]


class DoubtReader(QObject):
    """Asks for the doubt about a clip's objects: `ready` (project, clip, doubt by object and frame)."""

    ready = Signal(object, int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread()
        self._thread.setObjectName("doubt")
        self._doubter = Doubter()
        self._doubter.moveToThread(self._thread)
        self._doubter.ready.connect(self.ready)
        self._thread.start(QThread.Priority.LowPriority)

    def ask(self, project: Project, clip: int) -> None:
        """Wants the doubt about this state of the project."""
        self._doubter.wanted = (project, clip)
        QMetaObject.invokeMethod(self._doubter, "look", Qt.ConnectionType.QueuedConnection)

    def stop(self) -> None:
        """Ends the thread, after the object that is being looked at."""
        if self._thread.isRunning():
            self._doubter.wanted = None
            QMetaObject.invokeMethod(self._doubter, "finish", Qt.ConnectionType.QueuedConnection)
            self._thread.wait()


def _grounded(project: Project, thing: int) -> tuple[bytes, ...]:
    """The attention that an object is compared with."""
    rows = (project.find(GroundingRow, answer.expression) for answer in project.where(AnswerRow, object=thing))
    return tuple(row.maps for row in rows if row is not None)
