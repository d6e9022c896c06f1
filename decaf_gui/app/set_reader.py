"""A pre-labelled set in a thread of its own: it is looked at again and again, and edited where a person asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from PySide6.QtCore import QMetaObject, QObject, Qt, QThread, Signal, Slot

from decaf_gui.batch.reviewing import Done, LabelledSet
from decaf_gui.core.errors import DecafError
from decaf_gui.core.project.doubtful import doubtful_frame
from decaf_gui.core.project.rows import Project

log = logging.getLogger(__name__)


class SetHands(QObject):
    """Lives in the thread."""

    pictured = Signal(object)
    lost = Signal(str)
    doubtful = Signal(object, int, int)
    changed = Signal(object)
    ended = Signal()

    def __init__(self, labelled: LabelledSet) -> None:
        super().__init__()
        self._set = labelled
        self._work: Iterator[Done] | None = None
        self.stopped = False
        self.halted = False

    @Slot()
    def look(self) -> None:
        """Looks at everything that has changed."""
        try:
            for picture in self._set.look():
                if self.stopped:
                    return
                self.pictured.emit(picture)
        except DecafError as error:
            self.lost.emit(str(error))

    @Slot(object, int)
    def seek(self, project: Project, expression: int) -> None:
        """Finds the most doubtful frame of an expression."""
        try:
            frame = doubtful_frame(project, expression)
        except Exception:  # doubt is a help, not a condition of work
            log.exception("no doubt about expression %s", expression)
            return
        if frame is not None and not self.stopped:
            self.doubtful.emit(project, expression, frame)

    @Slot(object)
    def work(self, work: Iterator[Done]) -> None:
        """Begins to edit projects."""
        self._work, self.halted = work, False
        self.turn()

    @Slot()
    def turn(self) -> None:
        """One project; the next one comes behind everything that was asked for meanwhile."""
        done = None if self.halted or self.stopped or self._work is None else next(self._work, None)
        if done is None:
            self._work = None
            self.ended.emit()
        else:
            self.changed.emit(done)
            QMetaObject.invokeMethod(self, "turn", Qt.ConnectionType.QueuedConnection)

    @Slot()
    def finish(self) -> None:
        """Ends the thread."""
        self.thread().quit()


class SetReader(QObject):
    """A pre-labelled set as the window's thread sees it.

    `pictured` (Picture), `lost` (text) when it cannot be read; `doubtful` (project, expression, frame); `changed`
    (Done) for each project that was edited, `ended` when no more come.
    """

    pictured = Signal(object)
    lost = Signal(str)
    doubtful = Signal(object, int, int)
    changed = Signal(object)
    ended = Signal()
    _sought = Signal(object, int)
    _begun = Signal(object)

    def __init__(self, labelled: LabelledSet, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread()
        self._thread.setObjectName("set")
        self._hands = hands = SetHands(labelled)
        hands.moveToThread(self._thread)
        for said, heard in (
            (hands.pictured, self.pictured),
            (hands.lost, self.lost),
            (hands.doubtful, self.doubtful),
            (hands.changed, self.changed),
            (hands.ended, self.ended),
            (self._sought, hands.seek),
            (self._begun, hands.work),
        ):
            said.connect(heard)
        self._thread.start()

    def look(self) -> None:
        """Wants to know how the set is now."""
        QMetaObject.invokeMethod(self._hands, "look", Qt.ConnectionType.QueuedConnection)

    def seek(self, project: Project, expression: int) -> None:
        """Wants the most doubtful frame of an expression."""
        self._sought.emit(project, expression)

    def work(self, work: Iterator[Done]) -> None:
        """Has projects edited, one after another."""
        self._begun.emit(work)

    def halt(self) -> None:
        """Breaks that off, after the present project; `ended` comes."""
        self._hands.halted = True

    def stop(self) -> None:
        """Ends the thread, after the project that is being read or edited; what it said unheard is lost."""
        self.blockSignals(True)
        if self._thread.isRunning():
            self._hands.stopped = True
            QMetaObject.invokeMethod(self._hands, "finish", Qt.ConnectionType.QueuedConnection)
            self._thread.wait()
