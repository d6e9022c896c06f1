"""Frames for the screen, decoded in a thread of their own: only the latest that was asked for matters."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMetaObject, QObject, Qt, QThread, Signal, Slot

from decaf_gui.app.open_clips import OpenClips
from decaf_gui.core.errors import DecafError

CLIP_BYTES = 160 << 20
"""Decoded frames that are kept of a clip on the screen."""


class Decoder(QObject):
    """Lives in the thread."""

    ready = Signal(object, int, object)
    failed = Signal(object, str)

    def __init__(self) -> None:
        super().__init__()
        self.wanted: tuple[Path, int] | None = None
        self._clips = OpenClips(CLIP_BYTES)

    @Slot()
    def read(self) -> None:
        """Decodes what is wanted now; what was wanted before it is forgotten."""
        wanted, self.wanted = self.wanted, None
        if wanted is None:
            return
        path, frame = wanted
        try:
            picture = self._clips.get(path)[frame]
        except (DecafError, IndexError) as error:
            self.failed.emit(path, str(error))
        else:
            self.ready.emit(path, frame, picture)

    @Slot()
    def finish(self) -> None:
        """Closes the clips and ends the thread."""
        self._clips.close()
        self.thread().quit()


class FrameReader(QObject):
    """Asks for frames; `ready` (path, frame, RGB (H, W, 3)) or `failed` (path, text) answers the latest request."""

    ready = Signal(object, int, object)
    failed = Signal(object, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread()
        self._thread.setObjectName("frames")
        self._decoder = Decoder()
        self._decoder.moveToThread(self._thread)
        self._decoder.ready.connect(self.ready)
        self._decoder.failed.connect(self.failed)
        self._thread.start()

    def ask(self, path: Path, frame: int) -> None:
        """Wants this frame, and none that was wanted before and is not there yet."""
        self._decoder.wanted = (path, frame)
        QMetaObject.invokeMethod(self._decoder, "read", Qt.ConnectionType.QueuedConnection)

    def stop(self) -> None:
        """Ends the thread, after the frame that is being decoded."""
        if self._thread.isRunning():
            QMetaObject.invokeMethod(self._decoder, "finish", Qt.ConnectionType.QueuedConnection)
            self._thread.wait()
