"""Scrubbing, zoom in time, ranges and what is told under the pointer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from decaf_gui.app.lanes import Lane, Stretch
from decaf_gui.app.timeline import HEAD, LANE, NAMES, Timeline, clock, tick_step
from decaf_gui.core.doubt import Doubt
from decaf_gui.core.project.planning import Span

LEFT, RIGHT = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton
NONE, SHIFT, CTRL = (getattr(Qt.KeyboardModifier, n) for n in ("NoModifier", "ShiftModifier", "ControlModifier"))
COUNT = 100
STEP = 8


def lanes():
    dog = Lane(
        "object",
        1,
        "dog 1",
        (230, 159, 0),
        stretches=(Stretch(Span(0, 59), "present"), Stretch(Span(60, 69), "absent"), Stretch(Span(70, 80), "pending")),
        prompts=frozenset({5}),
        locked=(Span(20, 30),),
        reviewed=(Span(0, 9),),
        changed=frozenset({40, 41}),
        doubts={50: Doubt(area_jump=1.0)},
    )
    ghost = Lane("candidate", 7, "candidate 7", (150, 150, 150), True, (Stretch(Span(0, 0), "present"),))
    return [dog, ghost]


@pytest.fixture
def timeline(qtbot):
    """100 frames of 8 pixels each."""
    made = Timeline()
    made.setFrameShape(Timeline.Shape.NoFrame)
    made.resize(round(NAMES + 8 + STEP * COUNT), 200)
    qtbot.addWidget(made)
    made.show_clip(COUNT, 25.0)
    made.show_lanes(lanes(), ("object", 1))
    made.show_attention({0: 1.0, 50: 0.4, 99: 0.0})
    made.show()
    return made


def said(signal):
    heard = []
    signal.connect(lambda *values: heard.append(values if len(values) > 1 else values[0]))
    return heard


def at(frame, y=10.0):
    return QPoint(round(NAMES + (frame + 0.5) * STEP), round(y))


def wheel(timeline, x, steps, modifier=NONE):
    place = QPointF(x, 60)
    turned, still = QPoint(0, 120 * steps), QPoint()
    buttons, phase = Qt.MouseButton.NoButton, Qt.ScrollPhase.NoScrollPhase
    event = QWheelEvent(place, timeline.viewport().mapToGlobal(place), still, turned, buttons, modifier, phase, False)
    QApplication.sendEvent(timeline.viewport(), event)


def test_pressing_and_dragging_scrubs(timeline, qtbot):
    frames = said(timeline.scrubbed)
    view = timeline.viewport()
    qtbot.mousePress(view, LEFT, pos=at(40))
    qtbot.mouseMove(view, at(45))
    qtbot.mouseRelease(view, LEFT, pos=at(45))
    qtbot.mouseMove(view, at(70))
    assert frames[0] == 40
    assert 70 not in frames
    assert timeline.frame == frames[-1]
    qtbot.mouseClick(view, LEFT, pos=QPoint(timeline.width() + 500, 10))
    assert timeline.frame == COUNT - 1, "past the end is not the last frame"


def test_the_column_of_names_picks_and_does_not_scrub(timeline, qtbot):
    frames, picked = said(timeline.scrubbed), said(timeline.lane_picked)
    view = timeline.viewport()
    qtbot.mouseClick(view, LEFT, pos=QPoint(30, round(HEAD + 1.5 * LANE)))
    assert picked == [("candidate", 7)]
    qtbot.mouseClick(view, LEFT, pos=QPoint(30, round(HEAD + 5 * LANE)))
    assert picked == [("candidate", 7)]
    assert frames == []


@pytest.mark.parametrize(("button", "modifier"), [(RIGHT, NONE), (LEFT, SHIFT)])
def test_a_range_is_drawn_either_way_and_clicked_away(timeline, qtbot, button, modifier):
    ranges, frames = said(timeline.range_changed), said(timeline.scrubbed)
    view = timeline.viewport()
    qtbot.mousePress(view, button, modifier, at(60))
    drag(view, at(42), button, modifier)
    qtbot.mouseRelease(view, button, modifier, at(42))
    assert timeline.range == Span(42, 60)
    assert ranges[-1] == Span(42, 60)
    qtbot.mouseClick(view, button, modifier, at(10))
    right = button == Qt.MouseButton.RightButton
    assert timeline.range == (Span(42, 60) if right else None), "a right click is for the menu"
    assert frames == []


def test_a_right_click_on_a_lane_is_for_its_menu(timeline, qtbot):
    menus, ranges = said(timeline.menu_wanted), said(timeline.range_changed)
    place = at(10)
    place.setY(round(HEAD + LANE / 2))
    qtbot.mouseClick(timeline.viewport(), Qt.MouseButton.RightButton, pos=place)
    assert [menu[:2] for menu in menus] == [("object", 1)]
    assert timeline.range is None
    assert ranges[-1:] in ([], [None])


def drag(view, place, buttons, modifier):
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    spot = QPointF(place)
    event = QMouseEvent(QEvent.Type.MouseMove, spot, view.mapToGlobal(spot), Qt.MouseButton.NoButton, buttons, modifier)
    QApplication.sendEvent(view, event)


def test_zoom_keeps_the_frame_under_the_pointer(timeline, qtbot):
    frames = said(timeline.scrubbed)
    x = at(60).x()
    for _ in range(6):
        wheel(timeline, x, 1, CTRL)
    assert timeline.horizontalScrollBar().maximum() > 0
    qtbot.mouseClick(timeline.viewport(), LEFT, pos=QPoint(x, 10))
    assert frames == [60]
    for _ in range(20):
        wheel(timeline, x, -1, CTRL)
    assert timeline.horizontalScrollBar().maximum() == 0, "zooming out does not end with all frames in sight"


def test_the_play_head_is_brought_into_sight(timeline):
    frames = said(timeline.scrubbed)
    for _ in range(8):
        wheel(timeline, NAMES + 10, 1, CTRL)
    timeline.set_frame(95)
    assert NAMES <= timeline._x(95) <= timeline.viewport().width()
    timeline.set_frame(2)
    assert NAMES <= timeline._x(2) <= timeline.viewport().width()
    assert frames == [], "moving the play head by program is no scrubbing"


def test_many_lanes_scroll(timeline):
    timeline.show_lanes([Lane("object", i, f"thing {i}", (1, 2, 3)) for i in range(40)])
    wheel(timeline, 300, -3)
    assert timeline.verticalScrollBar().value() == 3 * LANE
    assert "thing 3" in timeline.told_at(300, HEAD + 2)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (5, "dog 1; frame 5, 00:00.2; prompted"),
        (25, "dog 1; frame 25, 00:01.0; locked"),
        (41, "dog 1; frame 41, 00:01.6; changed by the last correction"),
        (50, "dog 1; frame 50, 00:02.0; doubtful (0.60): the area jumps"),
    ],
)
def test_what_is_told_under_the_pointer(timeline, frame, words):
    assert timeline.told_at(at(frame).x(), HEAD + 5) == words


def test_another_clip_begins_anew(timeline):
    timeline.set_frame(50)
    timeline.select(Span(3, 9))
    timeline.show_clip(10, 25.0)
    assert (timeline.frame, timeline.range) == (0, None)


def test_lanes_are_seen_in_their_colours(timeline):
    image = timeline.viewport().grab().toImage()
    bar = image.pixelColor(at(12).x(), round(HEAD + LANE / 2))
    assert (bar.red(), bar.green(), bar.blue()) == (230, 159, 0)
    gap = image.pixelColor(at(90).x(), round(HEAD + LANE / 2))
    assert gap != bar


def test_without_a_clip_it_says_what_to_do(qtbot):
    empty = Timeline()
    qtbot.addWidget(empty)
    empty.resize(600, 120)
    frames = said(empty.scrubbed)
    qtbot.mouseClick(empty.viewport(), LEFT, pos=QPoint(300, 60))
    assert frames == []
    assert len({empty.grab().toImage().pixel(x, 60) for x in range(150, 450)}) > 1, "nothing is written"


@given(st.floats(0.01, 60))
def test_ticks_lie_apart_but_not_too_far(pixels):
    step = tick_step(pixels)
    assert step * pixels >= 56 or step == 1
    assert step == 1 or step * pixels < 56 * 2.5 + pixels
    assert str(step).rstrip("0") in ("1", "2", "5")


@pytest.mark.parametrize(
    ("frame", "fps", "text"), [(0, 25, "00:00.0"), (102, 30, "00:03.4"), (90_000, 25, "60:00.0"), (5, 0, "00:00.0")]
)
def test_clock(frame, fps, text):
    assert clock(frame, fps) == text
