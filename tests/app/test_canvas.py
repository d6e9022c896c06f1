"""Mouse, wheel and keys on the canvas, as a person uses them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from decaf_gui.app.canvas import Canvas, Tool
from decaf_gui.app.painting import Layer, Scene
from decaf_gui.core.masks import Rle

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
SHIFT = Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def canvas(qtbot):
    """A frame of 160x120 at exactly twice its size."""
    made = Canvas()
    made.resize(320, 240)
    qtbot.addWidget(made)
    made.show_scene(Scene(np.full((120, 160, 3), 90, np.uint8)))
    made.show()
    return made


def said(signal):
    heard = []
    signal.connect(lambda *values: heard.append(values))
    return heard


def drag(qtbot, canvas, start, stop, button=LEFT, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.mousePress(canvas, button, modifier, QPoint(*start))
    for part in (0.5, 1.0):
        at = QPointF(*(a + part * (b - a) for a, b in zip(start, stop, strict=True)))
        move(canvas, at, button, modifier)
    qtbot.mouseRelease(canvas, button, modifier, QPoint(*stop))


def move(canvas, at, buttons=Qt.MouseButton.NoButton, modifier=Qt.KeyboardModifier.NoModifier):
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    place = canvas.mapToGlobal(at)
    event = QMouseEvent(QEvent.Type.MouseMove, at, place, Qt.MouseButton.NoButton, buttons, modifier)
    QApplication.sendEvent(canvas, event)


def wheel(canvas, at, steps, modifier=Qt.KeyboardModifier.NoModifier):
    place, turned, still = QPointF(*at), QPoint(0, 120 * steps), QPoint()
    buttons, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(place, canvas.mapToGlobal(place), still, turned, buttons, modifier, phase, False)
    QApplication.sendEvent(canvas, event)


def test_left_is_positive_and_right_is_negative(canvas, qtbot):
    heard = said(canvas.clicked)
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(100, 60))
    qtbot.mouseClick(canvas, RIGHT, pos=QPoint(20, 30))
    assert heard == [(50.0, 30.0, True), (10.0, 15.0, False)]


def test_clicks_follow_zoom_and_pan(canvas, qtbot):
    heard = said(canvas.clicked)
    wheel(canvas, (100, 60), 3)
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(100, 60))
    assert heard[0][:2] == pytest.approx((50, 30)), "the wheel does not zoom at the pointer"
    drag(qtbot, canvas, (100, 60), (140, 80), MIDDLE)
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(140, 80))
    assert heard[1][:2] == pytest.approx((50, 30))
    assert len(heard) == 2, "panning clicked"
    qtbot.mouseDClick(canvas, MIDDLE)
    assert canvas.view.fitted


def test_beside_the_picture_nothing_is_clicked(canvas, qtbot):
    heard = said(canvas.clicked)
    wheel(canvas, (160, 120), -4)
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(3, 3))
    assert heard == []


def test_points_are_dragged_and_clicked_away(canvas, qtbot):
    clicked, moved, removed = said(canvas.clicked), said(canvas.point_moved), said(canvas.point_removed)
    canvas.show_points([(50.0, 30.0, True), (80.0, 60.0, False)])
    drag(qtbot, canvas, (160, 120), (200, 140))
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(102, 61))
    assert moved == [(1, 100.0, 70.0)]
    assert removed == [(0,)]
    assert clicked == []
    drag(qtbot, canvas, (100, 60), (900, -50))
    assert moved[-1] == (0, 160.0, 0.0), "a point left the frame"


@pytest.mark.parametrize(("tool", "modifier"), [(Tool.BOX, Qt.KeyboardModifier.NoModifier), (Tool.POINT, SHIFT)])
def test_boxes(canvas, qtbot, tool, modifier):
    boxes, clicked = said(canvas.box_drawn), said(canvas.clicked)
    canvas.set_tool(tool)
    drag(qtbot, canvas, (200, 160), (40, 20), modifier=modifier)
    assert boxes == [((20.0, 10.0, 100.0, 80.0),)]
    assert clicked == []


def test_shift_previews_and_letting_go_ends_it(canvas, qtbot):
    previewed, ended = said(canvas.previewed), said(canvas.preview_ended)
    move(canvas, QPointF(100, 60))
    assert previewed == []
    move(canvas, QPointF(100, 60), modifier=SHIFT)
    move(canvas, QPointF(110, 60), modifier=SHIFT)
    assert previewed == [(50.0, 30.0, True), (55.0, 30.0, True)]
    qtbot.keyRelease(canvas, Qt.Key.Key_Shift)
    assert len(ended) == 1


def test_a_shift_click_without_a_drag_is_a_click(canvas, qtbot):
    heard = said(canvas.clicked)
    qtbot.mouseClick(canvas, LEFT, SHIFT, QPoint(100, 60))
    assert heard == [(50.0, 30.0, True)]


def test_brush_and_eraser_give_the_pixels_that_they_passed(canvas, qtbot):
    strokes = said(canvas.stroke_drawn)
    canvas.set_tool(Tool.BRUSH)
    canvas.set_brush(5)
    drag(qtbot, canvas, (60, 100), (220, 100))
    drag(qtbot, canvas, (60, 100), (220, 100), RIGHT)
    canvas.set_tool(Tool.ERASER)
    drag(qtbot, canvas, (60, 100), (220, 100))
    assert [erases for _, erases in strokes] == [False, True, True]
    mask = strokes[0][0]
    y, x = np.mgrid[:120, :160] + 0.5
    along = np.hypot(x - np.clip(x, 30, 110), y - 50)
    assert mask[along < 4].all()
    assert not mask[along > 6.5].any()
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(100, 60))
    assert strokes[-1][0].sum() == pytest.approx(np.pi * 25, rel=0.25), "a dab is a disc"


def test_ctrl_and_the_wheel_change_the_brush(canvas):
    sizes = said(canvas.brush_changed)
    zoom = canvas.view.zoom
    wheel(canvas, (100, 60), 1, Qt.KeyboardModifier.ControlModifier)
    wheel(canvas, (100, 60), -2, Qt.KeyboardModifier.ControlModifier)
    assert sizes[0][0] > 12 > sizes[1][0]
    assert canvas.view.zoom == zoom


def test_space_pans_while_held_and_is_a_tap_otherwise(canvas, qtbot):
    taps, clicked = said(canvas.tapped_space), said(canvas.clicked)
    qtbot.keyClick(canvas, Qt.Key.Key_Space)
    assert len(taps) == 1
    wheel(canvas, (160, 120), 3)
    x = canvas.view.x
    qtbot.keyPress(canvas, Qt.Key.Key_Space)
    drag(qtbot, canvas, (100, 60), (130, 60))
    qtbot.keyRelease(canvas, Qt.Key.Key_Space)
    assert canvas.view.x == x + 30
    assert len(taps) == 1
    assert clicked == []


def test_selecting_picks(canvas, qtbot):
    picked, clicked = said(canvas.picked), said(canvas.clicked)
    canvas.set_tool(Tool.SELECT)
    qtbot.mouseClick(canvas, LEFT, pos=QPoint(100, 60))
    assert (picked, clicked) == ([(50.0, 30.0)], [])


def test_a_picture_of_another_size_is_fitted_and_one_of_the_same_keeps_the_view(canvas):
    wheel(canvas, (100, 60), 3)
    view = canvas.view
    canvas.show_scene(Scene(np.zeros((120, 160, 3), np.uint8)))
    assert canvas.view == view
    canvas.show_scene(Scene(np.zeros((240, 160, 3), np.uint8)))
    assert canvas.view.fitted


@pytest.mark.parametrize("style", ["accepted", "candidate", "ghost", "preview"])
def test_masks_have_outlines_in_their_colour(canvas, style):
    mask = np.zeros((120, 160), bool)
    mask[30:90, 40:120] = True
    canvas.show_scene(Scene(np.full((120, 160, 3), 90, np.uint8), (Layer(Rle.encode(mask), (255, 0, 0), style),)))
    image = canvas.grab().toImage()
    edge = [image.pixelColor(81, y) for y in range(60, 180)]
    middle = image.pixelColor(160, 120)
    coloured = [c for c in edge if (c.red() - c.blue() > 60 if style != "ghost" else c.red() > 120)]
    assert coloured
    assert (middle.red() > 120) is (style in ("accepted", "preview"))


def test_an_empty_canvas_takes_nothing(qtbot):
    empty = Canvas()
    qtbot.addWidget(empty)
    heard = said(empty.clicked)
    qtbot.mouseClick(empty, LEFT, pos=QPoint(50, 50))
    wheel(empty, (50, 50), 1)
    assert heard == []
    assert not empty.grab().isNull()
