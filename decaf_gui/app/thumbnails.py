"""Small pictures of frames and of objects, made in a thread of their own while nothing else wants the clip."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QMetaObject, QObject, Qt, QThread, Signal, Slot
from PySide6.QtGui import QImage

from decaf_gui.app.open_clips import OpenClips
from decaf_gui.core.errors import DecafError
from decaf_gui.core.masks import Rle

log = logging.getLogger(__name__)
CLIP_BYTES = 8 << 20
KEPT = 512
"""Pictures that are kept; the least recently used ones are made anew when they are wanted again."""
MARGIN = 0.25
"""Of an object's size is shown around it."""
DIMMED = 0.35
"""How much of the surroundings' brightness is left."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture: of a frame, or of what a mask shows of it; `size` (width, height) in pixels."""

    path: Path
    frame: int
    size: tuple[int, int]
    rle: Rle | None = None


class Maker(QObject):
    """Lives in the thread: makes the picture that was asked for last, then goes on with older wishes."""

    made = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self._clips = OpenClips(CLIP_BYTES)
        self._wanted: OrderedDict[Wanted, None] = OrderedDict()

    @Slot(object)
    def want(self, wanted: Wanted) -> None:
        """One more wish."""
        self._wanted[wanted] = None
        QMetaObject.invokeMethod(self, "make", Qt.ConnectionType.QueuedConnection)

    @Slot()
    def forget(self) -> None:
        """No wish counts any more."""
        self._wanted.clear()

    @Slot()
    def make(self) -> None:
        """Makes one."""
        if not self._wanted:
            return
        wanted, _ = self._wanted.popitem()
        try:
            picture = small_picture(self._clips.get(wanted.path)[wanted.frame], wanted.size, wanted.rle)
        except (DecafError, IndexError) as error:  # the canvas says what is wrong with the clip
            log.info("no thumbnail of %s: %s", wanted.path, error)
            return
        self.made.emit(wanted, to_image(picture))

    @Slot()
    def finish(self) -> None:
        """Closes the clips and ends the thread."""
        self._wanted.clear()
        self._clips.close()
        self.thread().quit()


class Thumbnails(QObject):
    """Pictures by what is wanted: `get` gives what is there, and has the rest made; `ready` says that one is."""

    ready = Signal()
    _asked = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pictures: OrderedDict[Hashable, QImage] = OrderedDict()
        self._pending: set[Wanted] = set()
        self._thread = QThread()
        self._thread.setObjectName("thumbnails")
        self._maker = Maker()
        self._maker.moveToThread(self._thread)
        self._maker.made.connect(self._on_made)
        self._asked.connect(self._maker.want)
        self._thread.start(QThread.Priority.LowPriority)

    def get(self, wanted: Wanted) -> QImage | None:
        """The picture, or None until it is made."""
        found = self._pictures.get(wanted)
        if found is not None:
            self._pictures.move_to_end(wanted)
        elif wanted not in self._pending and self._thread.isRunning():
            self._pending.add(wanted)
            self._asked.emit(wanted)
        return found

    def forget(self) -> None:
        """Another clip is looked at: what was wanted of the one before is not made any more."""
        self._pending.clear()
        QMetaObject.invokeMethod(self._maker, "forget", Qt.ConnectionType.QueuedConnection)

    def stop(self) -> None:
        """Ends the thread, after the picture that is being made."""
        if self._thread.isRunning():
            QMetaObject.invokeMethod(self._maker, "finish", Qt.ConnectionType.QueuedConnection)
            self._thread.wait()

    def _on_made(self, wanted: Wanted, picture: QImage) -> None:
        self._pending.discard(wanted)
        self._pictures[wanted] = picture
        while len(self._pictures) > KEPT:
            self._pictures.popitem(last=False)
        self.ready.emit()


def small_picture(frame: NDArray[np.uint8], size: tuple[int, int], rle: Rle | None = None) -> NDArray[np.uint8]:
    """RGB uint8 (height, width, 3) of `size` (width, height): the whole frame, or the object with what lies around it.

    The frame's proportions stay; what does not fit is cut off.
    """
    box = None if rle is None else rle.box
    if rle is not None and box is not None:
        lit = np.where(rle.dense()[..., None], np.float32(1.0), np.float32(DIMMED))
        x0, y0, x1, y1 = _around(box, frame.shape[:2], size)
        frame = (frame[y0:y1, x0:x1] * lit[y0:y1, x0:x1]).astype(np.uint8)
    height, width = frame.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    grown = (max(size[0], round(width * scale)), max(size[1], round(height * scale)))
    shrinking = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(frame), grown, interpolation=shrinking)
    x, y = (grown[0] - size[0]) // 2, (grown[1] - size[1]) // 2
    return np.ascontiguousarray(small[y : y + size[1], x : x + size[0]], np.uint8)


def to_image(picture: NDArray[np.uint8]) -> QImage:
    """RGB uint8 (H, W, 3) as Qt has it."""
    height, width = picture.shape[:2]
    return QImage(picture.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


def _around(box: tuple[int, int, int, int], shape: tuple[int, ...], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """The part of a frame of `shape` that shows a box (x, y, width, height) in the proportions of `size`."""
    x, y, width, height = box
    wide = max(width * (1 + 2 * MARGIN), height * (1 + 2 * MARGIN) * size[0] / size[1], 8.0)
    high = wide * size[1] / size[0]
    wide, high = min(wide, shape[1]), min(high, shape[0])
    left = min(max(0.0, x + width / 2 - wide / 2), shape[1] - wide)
    top = min(max(0.0, y + height / 2 - high / 2), shape[0] - high)
    return round(left), round(top), max(round(left + wide), round(left) + 1), max(round(top + high), round(top) + 1)
