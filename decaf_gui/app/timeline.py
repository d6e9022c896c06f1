"""The timeline: ruler, attention, a lane for each object and candidate; scrubbing, zoom in time, ranges.

It is told what to show (`lanes.py` makes it) and says what was done to it, in frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QToolTip, QWidget

from decaf_gui.app.lanes import Lane, Stretch, spans
from decaf_gui.core.project.planning import Span

NAMES = 156.0
"""Width of the column of names."""
RULER, PICTURES, STRIP, LANE = 22.0, 34.0, 16.0, 24.0
"""Heights of the ruler, the pictures, the attention strip and a lane."""
HEAD = RULER + PICTURES + STRIP
"""What stays above the lanes."""
SLOT = 62.0
"""Pixels from one picture to the next."""
MOST_ZOOM = 48.0
"""Pixels per frame."""
DOUBTFUL = 0.15
PLAYHEAD, LOCK, PROMPT = QColor(240, 84, 84), QColor(120, 120, 128), QColor(255, 255, 255)


class Timeline(QAbstractScrollArea):
    """Frames from left to right, lanes from above to below.

    `scrubbed` (frame); `range_changed` (Span or None); `lane_picked` (kind, id); `menu_wanted` (kind, id, where on the
    screen). `pictures` gives the small picture of a frame, or None while it is not there.
    """

    scrubbed = Signal(int)
    range_changed = Signal(object)
    lane_picked = Signal(str, int)
    menu_wanted = Signal(str, int, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.viewport().setMouseTracking(True)
        self.setMinimumHeight(round(HEAD + 2.5 * LANE))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self._count, self._fps, self._frame = 0, 24.0, 0
        self._lanes: tuple[Lane, ...] = ()
        self._picked: tuple[str, int] | None = None
        self._sampled: dict[int, float] = {}
        self._range: Span | None = None
        self._worked: Span | None = None
        self.pictures: Callable[[int], QImage | None] = lambda _: None
        self._anchor: int | None = None
        self._before: Span | None = None
        """The range before the one that is being drawn."""
        self._zoom = 0.0
        """Pixels per frame; 0: all frames fit."""

    # --- what is shown ---------------------------------------------------------------------------------------

    @property
    def frame(self) -> int:
        """Where the play head is."""
        return self._frame

    @property
    def range(self) -> Span | None:
        """The range that was selected."""
        return self._range

    def show_clip(self, count: int, fps: float) -> None:
        """Another clip: its frames and frames per second. Zoom and range begin anew."""
        self._count, self._fps, self._frame, self._zoom, self._worked = count, fps, 0, 0.0, None
        self.select(None)
        self._arrange()

    def show_lanes(self, lanes: Sequence[Lane], picked: tuple[str, int] | None = None) -> None:
        """Other lanes; `picked` (kind, id) is the one that is worked on."""
        self._lanes, self._picked = tuple(lanes), picked
        self._arrange()

    def show_attention(self, sampled: dict[int, float]) -> None:
        """How strongly each sampled frame is attended to, from 0 to 1."""
        self._sampled = sampled
        self.viewport().update()

    def show_work_range(self, first: int, last: int) -> None:
        """The frames that are to be worked on; the others are shaded."""
        self._worked = Span(first, last)
        self.viewport().update()

    def set_frame(self, frame: int) -> None:
        """Moves the play head, and scrolls so that it is seen; nothing is emitted."""
        if frame == self._frame:
            return
        self._frame = frame
        x, bar = self._x(frame), self.horizontalScrollBar()
        if not NAMES <= x <= self.viewport().width() - self._step:
            bar.setValue(round(bar.value() + x - (NAMES + self.viewport().width()) / 2))
        self.viewport().update()

    def select(self, span: Span | None) -> None:
        """Selects a range, or none."""
        if span != self._range:
            self._range = span
            self.range_changed.emit(span)
            self.viewport().update()

    def zoom(self, factor: float, at: float | None = None) -> None:
        """Zooms in time; the frame under the widget's `at` (the play head, unless given) stays where it is."""
        x = self._x(self._frame) + self._step / 2 if at is None else at
        place = self._place(x)
        least = self._fitting()
        zoom = min(MOST_ZOOM, max(least, self._step * factor))
        self._zoom = 0.0 if zoom <= least else zoom
        self._arrange()
        self.horizontalScrollBar().setValue(round(NAMES + place * self._step - x))

    # --- geometry --------------------------------------------------------------------------------------------

    @property
    def _step(self) -> float:
        """Pixels per frame."""
        return self._zoom or self._fitting()

    def _fitting(self) -> float:
        return max(1.0, self.viewport().width() - NAMES - 8) / max(1, self._count)

    def _place(self, x: float) -> float:
        """The time under a widget's x, in frames."""
        return (x - NAMES + self.horizontalScrollBar().value()) / self._step

    def _frame_at(self, x: float) -> int:
        return min(max(0, int(self._place(x))), max(0, self._count - 1))

    def _x(self, frame: float) -> float:
        return NAMES + frame * self._step - self.horizontalScrollBar().value()

    def _top(self, place: int) -> float:
        return HEAD + place * LANE - self.verticalScrollBar().value()

    def _lane_at(self, y: float) -> Lane | None:
        place = int((y - HEAD + self.verticalScrollBar().value()) // LANE)
        return self._lanes[place] if y >= HEAD and 0 <= place < len(self._lanes) else None

    def _arrange(self) -> None:
        """Scroll bars after the size of what is shown."""
        width, height = self.viewport().width() - NAMES, self.viewport().height() - HEAD
        self.horizontalScrollBar().setRange(0, max(0, round(self._count * self._step - width + 8)))
        self.horizontalScrollBar().setPageStep(max(1, round(width)))
        self.verticalScrollBar().setRange(0, max(0, round(len(self._lanes) * LANE - height)))
        self.verticalScrollBar().setPageStep(max(1, round(height)))
        self.viewport().update()

    # --- painting --------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Lanes first, then what lies over them, then ruler and names, which never scroll away."""
        painter = QPainter(self.viewport())
        painter.fillRect(event.rect(), self.palette().color(QPalette.ColorRole.AlternateBase))
        if not self._count:
            self._draw_text(
                painter, QRectF(self.viewport().rect()), self.tr("Open a clip to see its frames here."), centre=True
            )
            return
        width, height = float(self.viewport().width()), float(self.viewport().height())
        painter.save()
        painter.setClipRect(QRectF(NAMES, HEAD, width, height))
        for place, lane in enumerate(self._lanes):
            self._draw_lane(painter, lane, self._top(place))
        painter.restore()
        self._draw_names(painter, height)
        painter.setClipRect(QRectF(NAMES, 0, width, height))
        self._draw_ruler(painter, width)
        self._draw_pictures(painter, width)
        self._draw_attention(painter)
        self._draw_worked(painter, height)
        self._draw_range(painter, height)
        self._draw_playhead(painter, height)

    def _draw_lane(self, painter: QPainter, lane: Lane, top: float) -> None:
        if lane.key == self._picked:
            painter.fillRect(QRectF(NAMES, top, self.viewport().width(), LANE), self._soft(0.10))
        for stretch in lane.stretches:
            self._draw_stretch(painter, lane, stretch, top)
        self._draw_doubts(painter, lane, top)
        for span in lane.reviewed:
            painter.fillRect(QRectF(self._x(span.first), top + LANE - 4, self._long(span), 2), QColor(46, 204, 113))
        for span in lane.locked:
            self._draw_lock(painter, span, top)
        for span in spans(lane.changed):
            self._draw_changed(painter, span, top + 3)
        if lane.kind == "object":
            painter.setPen(QPen(QColor(0, 0, 0), 1))
            painter.setBrush(PROMPT)
            for frame in lane.prompts:
                painter.drawEllipse(QPointF(self._x(frame) + self._step / 2, top + LANE / 2), 3.5, 3.5)
            for frame in lane.drawn:
                painter.drawRect(QRectF(self._x(frame) + self._step / 2 - 3, top + LANE / 2 - 3, 6, 6))

    def _draw_stretch(self, painter: QPainter, lane: Lane, stretch: Stretch, top: float) -> None:
        """Present: a bar. Absent: a thin line. Pending: hatched. Ghosts are thin and grey."""
        box = QRectF(self._x(stretch.span.first), top + 6, self._long(stretch.span), LANE - 12)
        colour = QColor(*lane.colour)
        if stretch.state == "absent":
            painter.fillRect(QRectF(box.x(), box.center().y() - 0.5, box.width(), 1), colour)
        elif stretch.state == "pending":
            painter.fillRect(box, self._soft(0.12))
            painter.fillRect(box, QColor(colour.red(), colour.green(), colour.blue(), 150))
            pen = QPen(self.palette().color(QPalette.ColorRole.AlternateBase), 1, Qt.PenStyle.DotLine)
            painter.setPen(pen)
            painter.drawLine(box.topLeft(), box.topRight())
            painter.drawLine(box.bottomLeft(), box.bottomRight())
        elif lane.kind == "candidate":
            height = 3.0 if lane.ghost else 6.0
            painter.fillRect(QRectF(box.x(), box.center().y() - height / 2, box.width(), height), colour)
        else:
            painter.fillRect(box, colour)

    def _draw_doubts(self, painter: QPainter, lane: Lane, top: float) -> None:
        """A heat strip below the bar: the more doubtful, the stronger."""
        for frame, doubt in lane.doubts.items():
            if doubt.total >= DOUBTFUL:
                colour = QColor(213, 94, 0, min(255, 60 + round(195 * doubt.total)))
                painter.fillRect(QRectF(self._x(frame), top + LANE - 7, max(1.5, self._step), 3), colour)

    def _draw_lock(self, painter: QPainter, span: Span, top: float) -> None:
        box = QRectF(self._x(span.first), top + 3, self._long(span), LANE - 6)
        painter.setPen(QPen(LOCK, 1))
        painter.setBrush(Qt.BrushStyle.BDiagPattern)
        painter.drawRect(box)
        if box.width() >= 34:
            self._draw_text(painter, box, "lock", centre=True)

    def _draw_changed(self, painter: QPainter, span: Span, y: float) -> None:
        """A line over what the last correction changed; a cross on every frame where there is room."""
        colour = self.palette().color(QPalette.ColorRole.Text)
        painter.fillRect(QRectF(self._x(span.first), y - 0.5, self._long(span), 1), colour)
        if self._step >= 10:
            painter.setPen(QPen(colour, 1.2))
            for frame in span:
                x = self._x(frame) + self._step / 2
                painter.drawLine(QPointF(x - 2, y - 2), QPointF(x + 2, y + 2))
                painter.drawLine(QPointF(x - 2, y + 2), QPointF(x + 2, y - 2))

    def _draw_names(self, painter: QPainter, height: float) -> None:
        painter.fillRect(QRectF(0, 0, NAMES, height), self.palette().color(QPalette.ColorRole.Window))
        painter.setClipRect(QRectF(0, HEAD, NAMES, height))
        for place, lane in enumerate(self._lanes):
            top = self._top(place)
            if lane.key == self._picked:
                painter.fillRect(QRectF(0, top, NAMES, LANE), self._soft(0.10))
            painter.fillRect(QRectF(8, top + LANE / 2 - 4, 8, 8), QColor(*lane.colour))
            colour = self.palette().color(QPalette.ColorRole.PlaceholderText if lane.ghost else QPalette.ColorRole.Text)
            self._draw_text(painter, QRectF(22, top, NAMES - 28, LANE), lane.name, colour=colour)
        painter.setClipping(False)
        self._draw_text(painter, QRectF(8, HEAD - STRIP, NAMES - 14, STRIP), self.tr("attention"))

    def _draw_ruler(self, painter: QPainter, width: float) -> None:
        """Ticks at a whole step of frames, with their numbers, and the time where there is room."""
        every = tick_step(self._step)
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        first = max(0, int(self._place(NAMES)) // every * every)
        for frame in range(first, min(self._count, int(self._place(width)) + 1), every):
            x = self._x(frame) + self._step / 2
            painter.drawLine(QPointF(x, RULER - 5), QPointF(x, RULER))
            label = f"{frame}" if every * self._step < 110 else f"{frame} · {clock(frame, self._fps)}"
            painter.drawText(QPointF(x + 3, RULER - 7), label)

    def _draw_attention(self, painter: QPainter) -> None:
        """A bar for each sampled frame, as high as the frame is attended to; its foot is there in any case."""
        for frame, strength in self._sampled.items():
            x, height = self._x(frame) + self._step / 2, (STRIP - 4) * strength
            painter.fillRect(QRectF(x - 2, HEAD - 1 - height, 4, height), QColor(183, 55, 121))
            painter.fillRect(QRectF(x - 2, HEAD - 1, 4, 1), self.palette().color(QPalette.ColorRole.Text))

    def _draw_pictures(self, painter: QPainter, width: float) -> None:
        """Small pictures at steady frames, so that the same ones are wanted wherever one scrolls."""
        every = picture_step(self._step, SLOT)
        first = max(0, int(self._place(NAMES)) // every * every)
        for frame in range(first, min(self._count, int(self._place(width)) + 1), every):
            picture = self.pictures(frame)
            place = QRectF(self._x(frame), RULER + 2, SLOT - 2, PICTURES - 3)
            if picture is None:
                painter.fillRect(place, self._soft(0.06))
            else:
                painter.drawImage(place, picture)

    def _draw_worked(self, painter: QPainter, height: float) -> None:
        """A shade over the frames that are not to be worked on."""
        if self._worked is None:
            return
        shade = QColor(self.palette().color(QPalette.ColorRole.Window))
        shade.setAlpha(190)
        left, right = self._x(self._worked.first), self._x(self._worked.last + 1)
        if self._worked.first > 0:
            painter.fillRect(QRectF(NAMES, RULER, left - NAMES, height), shade)
        if self._worked.last < self._count - 1:
            painter.fillRect(QRectF(right, RULER, self._x(self._count) - right, height), shade)

    def _draw_range(self, painter: QPainter, height: float) -> None:
        if self._range is not None:
            colour = QColor(self.palette().color(QPalette.ColorRole.Highlight))
            colour.setAlpha(60)
            painter.fillRect(QRectF(self._x(self._range.first), 0, self._long(self._range), height), colour)

    def _draw_playhead(self, painter: QPainter, height: float) -> None:
        x = self._x(self._frame) + self._step / 2
        painter.setPen(QPen(PLAYHEAD, 1.4))
        painter.drawLine(QPointF(x, RULER - 4), QPointF(x, height))
        painter.setBrush(PLAYHEAD)
        painter.drawPolygon(QPolygonF([QPointF(x - 5, RULER - 11), QPointF(x + 5, RULER - 11), QPointF(x, RULER - 3)]))

    def _draw_text(
        self, painter: QPainter, box: QRectF, text: str, *, colour: QColor | None = None, centre: bool = False
    ) -> None:
        painter.setPen(colour or self.palette().color(QPalette.ColorRole.PlaceholderText))
        short = QFontMetricsF(painter.font()).elidedText(text, Qt.TextElideMode.ElideMiddle, box.width())
        side = Qt.AlignmentFlag.AlignHCenter if centre else Qt.AlignmentFlag.AlignLeft
        painter.drawText(box, int(side | Qt.AlignmentFlag.AlignVCenter), short)

    def _soft(self, share: float) -> QColor:
        """A little of the text's colour."""
        colour = QColor(self.palette().color(QPalette.ColorRole.Text))
        colour.setAlphaF(share)
        return colour

    def _long(self, span: Span) -> float:
        return max(1.5, (span.last - span.first + 1) * self._step)

    # --- mouse and wheel -------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Left scrubs and picks a lane; with Shift, or the right button, it begins a range."""
        at = event.position()
        lane = self._lane_at(at.y())
        if lane is not None:
            self.lane_picked.emit(lane.kind, lane.id)
        if not self._count or at.x() < NAMES:
            return
        frame = self._frame_at(at.x())
        if event.button() == Qt.MouseButton.RightButton or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._anchor, self._before = frame, self._range
            self.select(Span(frame, frame))
        elif event.button() == Qt.MouseButton.LeftButton:
            self._scrub(frame)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Goes on with what the press began."""
        if not self._count or not event.buttons():
            return
        frame = self._frame_at(event.position().x())
        if self._anchor is not None:
            self.select(Span(min(self._anchor, frame), max(self._anchor, frame)))
        elif event.buttons() & Qt.MouseButton.LeftButton and event.position().x() >= NAMES:
            self._scrub(frame)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """A range of one frame, clicked and not drawn, is none; a right click is for the lane's menu."""
        if self._anchor is not None and self._range == Span(self._anchor, self._anchor):
            self.select(self._before if event.button() == Qt.MouseButton.RightButton else None)
            lane = self._lane_at(event.position().y())
            if lane is not None and event.button() == Qt.MouseButton.RightButton:
                self.menu_wanted.emit(lane.kind, lane.id, event.globalPosition().toPoint())
        self._anchor = None
        event.accept()

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Ctrl zooms in time at the pointer, Shift goes along it; otherwise lanes scroll."""
        delta, modifiers = event.angleDelta(), event.modifiers()
        if modifiers & Qt.KeyboardModifier.ControlModifier:
            self.zoom(1.25 ** (delta.y() / 120), event.position().x())
        elif modifiers & Qt.KeyboardModifier.ShiftModifier or delta.x():
            bar = self.horizontalScrollBar()
            bar.setValue(bar.value() - (delta.x() or delta.y()))
        else:
            bar = self.verticalScrollBar()
            bar.setValue(bar.value() - round(delta.y() * LANE / 120))
        event.accept()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """More or less room."""
        self._arrange()
        super().resizeEvent(event)

    def viewportEvent(self, event: object) -> bool:  # noqa: N802
        """Over a doubtful frame the reason is told."""
        if isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.told_at(event.pos().x(), event.pos().y()), self)
            return True
        return bool(super().viewportEvent(event))  # type: ignore[arg-type]

    def told_at(self, x: float, y: float) -> str:
        """What there is to say about a point of the widget."""
        lane = self._lane_at(y)
        if not self._count or x < NAMES:
            return "" if lane is None else lane.name
        frame = self._frame_at(x)
        words = [f"frame {frame}, {clock(frame, self._fps)}"]
        if lane is not None:
            doubt = lane.doubts.get(frame)
            words.insert(0, lane.name)
            words += ["prompted"] if frame in lane.prompts else []
            words += ["drawn"] if frame in lane.drawn else []
            words += ["locked"] if any(frame in span for span in lane.locked) else []
            words += ["changed by the last correction"] if frame in lane.changed else []
            if doubt is not None and doubt.total >= DOUBTFUL:
                words.append(f"doubtful ({doubt.total:.2f}): {doubt.reason}")
        return "; ".join(words)

    def _scrub(self, frame: int) -> None:
        if frame != self._frame:
            self._frame = frame
            self.viewport().update()
            self.scrubbed.emit(frame)


def picture_step(pixels: float, least: float) -> int:
    """The smallest power of two of frames that lies at least `least` pixels apart."""
    step = 1
    while step * pixels < least:
        step *= 2
    return step


def tick_step(pixels: float, least: float = 56.0) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50... frames that lies at least `least` pixels apart."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if step * factor * pixels >= least:
                return step * factor
        step *= 10


def clock(frame: int, fps: float) -> str:
    """A frame's time in the clip as minutes, seconds and tenths."""
    tenths = int(10 * frame / fps) if fps > 0 else 0
    return f"{tenths // 600:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"
