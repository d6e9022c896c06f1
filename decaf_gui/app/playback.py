"""Playing a clip at its own speed: frames that come too late are left out, the speed stays."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer, QObject, QTimer, Signal


class Playback(QObject):
    """`frame` (number) says which one belongs to the time; `changed` (playing)."""

    frame = Signal(int)
    changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer, self._clock = QTimer(self), QElapsedTimer()
        self._start, self._last, self._fps = 0, 0, 24.0
        self.ready = True
        """Whether the frame that was asked for last is on the screen: until then no other one is asked for."""
        self._timer.timeout.connect(self._beat)

    @property
    def playing(self) -> bool:
        """Whether time goes on."""
        return self._timer.isActive()

    def play(self, start: int, last: int, fps: float) -> None:
        """From a frame to the last one; from the first one when it stands at the last one."""
        self._start, self._last, self._fps = (0 if start >= last else start), last, fps
        self._clock.start()
        self._timer.start(max(5, round(500 / fps)))
        self.changed.emit(True)
        self.frame.emit(self._start)

    def stop(self) -> None:
        """Time stands still."""
        if self.playing:
            self._timer.stop()
            self.changed.emit(False)

    def _beat(self) -> None:
        if not self.ready:
            return
        frame = self._start + int(self._clock.elapsed() * self._fps / 1000)
        self.frame.emit(min(frame, self._last))
        if frame >= self._last:
            self.stop()
