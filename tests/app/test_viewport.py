"""Zoom and pan as numbers: what is under the pointer stays there, and the picture stays in sight."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaf_gui.app.viewport import LEAST, MOST, Viewport

sides = st.tuples(st.integers(2, 4000), st.integers(2, 4000))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("zoom"), st.floats(0.1, 10), st.floats(0, 1), st.floats(0, 1)),
        st.tuples(st.just("pan"), st.floats(-3000, 3000), st.floats(-3000, 3000)),
        st.tuples(st.just("resize"), sides),
    ),
    max_size=8,
)


def moved(view: Viewport, step) -> Viewport:
    if step[0] == "zoom":
        return view.zoomed(step[1], (step[2] * view.widget[1], step[3] * view.widget[0]))
    return view.panned(*step[1:]) if step[0] == "pan" else view.resized(step[1])


@given(sides, sides)
def test_fitting_shows_everything_and_fills_one_direction(picture, widget):
    view = Viewport.fit(picture, widget)
    left, top = view.to_widget(0, 0)
    right, bottom = view.to_widget(picture[1], picture[0])
    assert left + right == pytest.approx(widget[1], abs=1e-6)
    assert top + bottom == pytest.approx(widget[0], abs=1e-6)
    if LEAST < view.zoom < MOST:
        assert min(left, top) == pytest.approx(0, abs=1e-6)


@given(sides, sides, steps, st.floats(0, 1), st.floats(0, 1))
def test_there_and_back_is_the_same_point(picture, widget, script, fx, fy):
    view = Viewport.fit(picture, widget)
    for step in script:
        view = moved(view, step)
        assert LEAST <= view.zoom <= MOST
    x, y = fx * view.widget[1], fy * view.widget[0]
    assert view.to_widget(*view.to_picture(x, y)) == pytest.approx((x, y), abs=1e-3)


@given(sides, sides, steps)
def test_some_of_the_picture_is_always_in_sight(picture, widget, script):
    view = Viewport.fit(picture, widget)
    for step in script:
        view = moved(view, step)
        x0, y0, x1, y1 = view.visible
        assert 0 <= x0 < x1 <= picture[1]
        assert 0 <= y0 < y1 <= picture[0]


def test_zooming_keeps_what_is_under_the_pointer():
    view = Viewport.fit((480, 640), (720, 1280))
    before = view.to_picture(300, 200)
    zoomed = view.zoomed(1.25, (300, 200)).zoomed(1.25, (300, 200))
    assert zoomed.to_picture(300, 200) == pytest.approx(before)
    assert zoomed.zoom == pytest.approx(view.zoom * 1.25**2)


def test_a_larger_widget_keeps_the_middle_or_the_fit():
    view = Viewport.fit((480, 640), (720, 1280))
    assert view.resized((1440, 2560)).zoom == 2 * view.zoom
    zoomed = view.zoomed(4, (640, 360))
    middle = zoomed.to_picture(640, 360)
    assert zoomed.resized((800, 1400)).to_picture(700, 400) == pytest.approx(middle)
    assert zoomed.resized((800, 1400)).zoom == zoomed.zoom
