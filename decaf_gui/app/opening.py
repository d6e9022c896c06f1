"""Opening clips in a thread of their own: an index of a long video, or of many, takes a while."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal, Slot

from decaf_gui.core.clip import Clip, clips_in
from decaf_gui.core.errors import DecafError


class Opener(QObject):
    """Lives in the thread."""

    opened = Signal(object)
    refused = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.stopped = False

    @Slot(object)
    def open(self, paths: Sequence[Path]) -> None:
        """Opens every clip of the paths, so far that nothing of it is left to be waited for."""
        for path in paths:
            try:
                for found in clips_in(path):
                    if self.stopped:
                        return
                    self._open(found)
            except DecafError as error:
                self.refused.emit(str(error))

    def _open(self, path: Path) -> None:
        try:
            clip = Clip.open(path)
        except DecafError as error:
            self.refused.emit(str(error))
            return
        _ = len(clip), clip.fingerprint
        self.opened.emit(clip)


class ClipOpener(QObject):
    """Opens clips: `opened` (clip, to be closed by who takes it) for each, `refused` (text) for what is none."""

    opened = Signal(object)
    refused = Signal(str)
    _asked = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.first = False
        """Whether none of the clips that were asked for last has come yet."""
        self._thread = QThread()
        self._thread.setObjectName("opening")
        self._opener = Opener()
        self._opener.moveToThread(self._thread)
        self._opener.opened.connect(self.opened)
        self._opener.refused.connect(self.refused)
        self._asked.connect(self._opener.open)
        self._thread.start()

    def open(self, paths: Sequence[Path]) -> None:
        """Opens clips: files, folders of images, or folders with such."""
        self.first = True
        self._asked.emit(list(paths))

    def stop(self) -> None:
        """Ends the thread, after the clip that is being opened; clips that are open already are handed over."""
        if self._thread.isRunning():
            self._opener.stopped = True
            self._thread.quit()
            self._thread.wait()
            QCoreApplication.sendPostedEvents(self)
