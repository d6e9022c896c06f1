"""The canvas: shows a scene, and turns mouse and wheel into points, boxes, strokes, zoom and pan.

It knows nothing of projects and models: it is told what to show, and says what was done to it, in pixels of the frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

import cv2
import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QWidget

from decaf_gui.app.painting import Scene, paint
from decaf_gui.app.viewport import Viewport
from decaf_gui.core.entities import Box, Point

REACH = 9.0
"""Device-independent pixels around a point that belong to it."""
DRAG = 4.0
"""A press that moves less is a click."""
WHEEL_STEP = 1.25
POSITIVE, NEGATIVE = QColor(46, 204, 113), QColor(231, 76, 60)


class Tool(Enum):
    """What the left button does."""

    SELECT = "select"
    POINT = "point"
    BOX = "box"
    BRUSH = "brush"
    ERASER = "eraser"


@dataclass(slots=True)
class Press:
    """A button that is down: where it went down and is now (widget), and what it is dragging."""

    button: Qt.MouseButton
    start: QPointF
    now: QPointF
    shift: bool
    point: int | None = None
    moved: bool = False

    @property
    def box(self) -> QRectF:
        """What it has spanned."""
        return QRectF(self.start, self.now).normalized()


class Canvas(QWidget):
    """A frame with masks, attention and points. All positions in signals are frame pixels, (0.5, 0.5) the first centre.

    `clicked` (x, y, positive), `previewed` the same while Shift is held, `preview_ended`; `picked` (x, y) with the
    select tool; `box_drawn` (x0, y0, x1, y1); `point_moved` (index, x, y); `point_removed` (index); `stroke_drawn`
    (bool mask (H, W), erases); `hovered` (x, y), None beside the frame; `tapped_space`.
    """

    clicked = Signal(float, float, bool)
    previewed = Signal(float, float, bool)
    preview_ended = Signal()
    picked = Signal(float, float)
    box_drawn = Signal(object)
    point_moved = Signal(int, float, float)
    point_removed = Signal(int)
    stroke_drawn = Signal(object, bool)
    hovered = Signal(object)
    brush_changed = Signal(float)
    tapped_space = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(QSize(240, 160))
        self.tool, self.brush = Tool.POINT, 12.0
        self._scene: Scene | None = None
        self._points: tuple[Point, ...] = ()
        self._view = Viewport((1, 1), (1, 1))
        self._image: QImage | None = None
        self._press: Press | None = None
        self._stroke: list[QPointF] = []
        self._space = self._space_used = self._previewing = False
        self._pointer: QPointF | None = None

    # --- what is shown ---------------------------------------------------------------------------------------

    @property
    def view(self) -> Viewport:
        """Zoom and pan, in device pixels."""
        return self._view

    @property
    def scene(self) -> Scene | None:
        """What is shown."""
        return self._scene

    def show_scene(self, scene: Scene | None) -> None:
        """Shows another frame, other masks or attention; a picture of another size is fitted."""
        self._scene = scene
        if scene is not None:
            height, width = scene.frame.shape[:2]
            if self._view.picture != (height, width):
                self._view = Viewport.fit((height, width), self._device_size())
        self._renew()

    def show_points(self, points: Sequence[Point]) -> None:
        """Shows the points of the selected object on this frame."""
        self._points = tuple(points)
        self.update()

    def set_tool(self, tool: Tool) -> None:
        """What the left button does from now on."""
        self.tool = tool
        self._stroke = []
        self.setCursor(Qt.CursorShape.ArrowCursor if tool is Tool.SELECT else Qt.CursorShape.CrossCursor)
        self.update()

    def set_brush(self, radius: float) -> None:
        """The brush's radius in frame pixels."""
        self.brush = float(np.clip(radius, 1.0, 400.0))
        self.brush_changed.emit(self.brush)
        self.update()

    def fit(self) -> None:
        """Shows the whole picture."""
        self._set_view(Viewport.fit(self._view.picture, self._device_size()))

    def zoom(self, factor: float) -> None:
        """Zooms in the middle."""
        height, width = self._view.widget
        self._set_view(self._view.zoomed(factor, (width / 2, height / 2)))

    def _set_view(self, view: Viewport) -> None:
        if view != self._view:
            self._view = view
            self._renew()

    def _renew(self) -> None:
        self._image = None
        self.update()

    def _device_size(self) -> tuple[int, int]:
        ratio = self.devicePixelRatioF()
        return max(1, round(self.height() * ratio)), max(1, round(self.width() * ratio))

    # --- painting --------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """The picture is made once for each scene and viewport; points, boxes and strokes are drawn over it."""
        painter = QPainter(self)
        if self._scene is None:
            painter.fillRect(event.rect(), QColor(32, 32, 34))
            return
        if self._image is None:
            self._image = self._rendered(self._scene)
        painter.drawImage(0, 0, self._image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._draw_stroke(painter)
        self._draw_box(painter)
        self._draw_points(painter)
        self._draw_brush(painter)

    def _rendered(self, scene: Scene) -> QImage:
        ratio = self.devicePixelRatioF()
        pixels = paint(replace(scene, pixel_ratio=ratio), self._view)
        height, width = pixels.shape[:2]
        image = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()
        image.setDevicePixelRatio(ratio)
        return image

    def _draw_points(self, painter: QPainter) -> None:
        for index, (x, y, positive) in enumerate(self._points):
            at = self._to_widget(x, y)
            if self._press is not None and self._press.point == index:
                at = self._press.now
            painter.setPen(QPen(Qt.GlobalColor.white, 1.6))
            painter.setBrush(POSITIVE if positive else NEGATIVE)
            painter.drawEllipse(at, 6.0, 6.0)
            painter.drawLine(at - QPointF(3, 0), at + QPointF(3, 0))  # a sign besides the colour
            if positive:
                painter.drawLine(at - QPointF(0, 3), at + QPointF(0, 3))

    def _draw_box(self, painter: QPainter) -> None:
        if self._press is not None and self._boxing(self._press):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(0, 0, 0, 160), 3))
            painter.drawRect(self._press.box)
            painter.setPen(QPen(Qt.GlobalColor.white, 1, Qt.PenStyle.DashLine))
            painter.drawRect(self._press.box)

    def _draw_stroke(self, painter: QPainter) -> None:
        if not self._stroke:
            return
        colour = QColor(NEGATIVE if self._erasing() else POSITIVE)
        colour.setAlpha(130)
        pen = QPen(colour, 2 * self.brush * self._view.zoom / self.devicePixelRatioF())
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF([*self._stroke, self._stroke[-1]]))

    def _draw_brush(self, painter: QPainter) -> None:
        if self.tool in (Tool.BRUSH, Tool.ERASER) and self._pointer is not None:
            radius = self.brush * self._view.zoom / self.devicePixelRatioF()
            painter.setBrush(Qt.BrushStyle.NoBrush)
            for colour, width in ((QColor(0, 0, 0, 160), 2.5), (QColor(255, 255, 255), 1.0)):
                painter.setPen(QPen(colour, width))
                painter.drawEllipse(self._pointer, radius, radius)

    # --- mouse and wheel -------------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Zooms at the pointer; with Ctrl it is the brush that grows and shrinks."""
        steps = event.angleDelta().y() / 120
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_brush(self.brush * WHEEL_STEP**steps)
        else:
            self._set_view(self._view.zoomed(WHEEL_STEP**steps, self._device(event.position())))
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Begins a click, a drag of a point, a box, a stroke or a pan."""
        if self._scene is None or self._press is not None:
            return
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        self._press = Press(event.button(), event.position(), event.position(), shift)
        if self._panning(self._press):
            self._space_used = True
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        elif self.tool is Tool.POINT and not shift:
            self._press.point = self._point_at(event.position())
        elif self.tool in (Tool.BRUSH, Tool.ERASER):
            self._stroke = [event.position()]
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Pans, drags, paints, or only hovers."""
        press, position = self._press, event.position()
        self._pointer = position
        if press is None:
            self._hover(event)
        elif self._panning(press):
            ratio = self.devicePixelRatioF()
            step = position - press.now
            self._set_view(self._view.panned(step.x() * ratio, step.y() * ratio))
        elif self._stroke:
            self._stroke.append(position)
        if press is not None:
            press.now = position
            press.moved |= (position - press.start).manhattanLength() >= DRAG
        if press is not None or self.tool in (Tool.BRUSH, Tool.ERASER):
            self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Ends what the press began."""
        press = self._press
        if press is None or event.button() != press.button:
            return
        press.now, stroke = event.position(), self._stroke
        erases = self._erasing()
        self._press, self._stroke = None, []
        if self._panning(press):
            self.set_tool(self.tool)
        elif stroke:
            self.stroke_drawn.emit(self._stroke_mask(stroke), erases)
        elif press.point is not None:
            self._end_drag(press, press.point)
        elif self._boxing(press):
            self._end_box(press)
        else:
            self._end_click(press)
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """With the middle button: the whole picture. Otherwise the second click is a click."""
        if event.button() is Qt.MouseButton.MiddleButton:
            self.fit()
        else:
            self.mousePressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802
        """The pointer is elsewhere: nothing is hovered or previewed."""
        self._pointer = None
        self.hovered.emit(None)
        self._end_preview()
        self.update()
        super().leaveEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802
        """Keeps the picture fitted, or its middle in the middle."""
        self._view = self._view.resized(self._device_size())
        self._renew()
        super().resizeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Space held pans; everything else belongs to the window."""
        if event.key() == Qt.Key.Key_Space and not event.modifiers():
            if not event.isAutoRepeat():
                self._space, self._space_used = True, False
                self.setCursor(Qt.CursorShape.OpenHandCursor)
            return
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Space that was not used to pan was a tap; Shift that is let go ends the preview."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat() and self._space:
            self._space = False
            self.set_tool(self.tool)
            if not self._space_used:
                self.tapped_space.emit()
            return
        if event.key() == Qt.Key.Key_Shift:
            self._end_preview()
        super().keyReleaseEvent(event)

    # --- helpers ---------------------------------------------------------------------------------------------

    def _hover(self, event: QMouseEvent) -> None:
        x, y = self._picture(event.position())
        inside = self._scene is not None and self._view.inside(*self._device(event.position()))
        self.hovered.emit((x, y) if inside else None)
        if inside and self.tool is Tool.POINT and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._previewing = True
            self.previewed.emit(x, y, not event.modifiers() & Qt.KeyboardModifier.AltModifier)
        else:
            self._end_preview()

    def _end_preview(self) -> None:
        if self._previewing:
            self._previewing = False
            self.preview_ended.emit()

    def _end_click(self, press: Press) -> None:
        if not self._view.inside(*self._device(press.start)):
            return
        x, y = self._picture(press.start)
        if self.tool is Tool.POINT and press.button in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            self.clicked.emit(x, y, press.button == Qt.MouseButton.LeftButton)
        elif self.tool is Tool.SELECT and press.button == Qt.MouseButton.LeftButton:
            self.picked.emit(x, y)

    def _end_drag(self, press: Press, index: int) -> None:
        """A point that was dragged has moved; one that was only clicked goes."""
        if press.moved:
            self.point_moved.emit(index, *self._clipped(press.now))
        else:
            self.point_removed.emit(index)

    def _end_box(self, press: Press) -> None:
        x0, y0 = self._clipped(press.box.topLeft())
        x1, y1 = self._clipped(press.box.bottomRight())
        box: Box = (x0, y0, x1, y1)
        if x1 - x0 >= 1 and y1 - y0 >= 1:
            self.box_drawn.emit(box)

    def _boxing(self, press: Press) -> bool:
        left = press.button == Qt.MouseButton.LeftButton
        return left and press.moved and (self.tool is Tool.BOX or (self.tool is Tool.POINT and press.shift))

    def _panning(self, press: Press) -> bool:
        return press.button == Qt.MouseButton.MiddleButton or self._space

    def _erasing(self) -> bool:
        right = self._press is not None and self._press.button == Qt.MouseButton.RightButton
        return (self.tool is Tool.ERASER) != right

    def _stroke_mask(self, stroke: Sequence[QPointF]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """The pixels that the brush has passed: bool (H, W)."""
        bits = 4  # OpenCV draws at sixteenths of a pixel
        corners = np.array([self._picture(at) for at in stroke]) - 0.5
        points = np.round(corners * (1 << bits)).astype(np.int32)
        mask = np.zeros(self._view.picture, np.uint8)
        radius = max(0, round(self.brush * (1 << bits)))
        for x, y in points:
            cv2.circle(mask, (int(x), int(y)), radius, 1, -1, cv2.LINE_8, bits)
        thickness = max(1, round(2 * self.brush))
        cv2.polylines(mask, [points[:, None]], False, 1, thickness, cv2.LINE_8, bits)
        return mask.astype(bool)

    def _point_at(self, position: QPointF) -> int | None:
        """The point under the pointer, the uppermost first."""
        for index in reversed(range(len(self._points))):
            x, y, _ = self._points[index]
            apart = self._to_widget(x, y) - position
            if np.hypot(apart.x(), apart.y()) <= REACH:
                return index
        return None

    def _device(self, position: QPointF) -> tuple[float, float]:
        ratio = self.devicePixelRatioF()
        return position.x() * ratio, position.y() * ratio

    def _picture(self, position: QPointF) -> tuple[float, float]:
        return self._view.to_picture(*self._device(position))

    def _clipped(self, position: QPointF) -> tuple[float, float]:
        x, y = self._picture(position)
        height, width = self._view.picture
        return min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))

    def _to_widget(self, x: float, y: float) -> QPointF:
        ratio = self.devicePixelRatioF()
        wx, wy = self._view.to_widget(x, y)
        return QPointF(wx / ratio, wy / ratio)
