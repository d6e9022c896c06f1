"""Small pictures: what they show, and that they come from their own thread, the latest wish first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaf_gui.app.thumbnails import DIMMED, Thumbnails, Wanted, small_picture
from decaf_gui.core.masks import Rle


@pytest.fixture
def thumbnails(qapp):
    made = Thumbnails()
    yield made
    made.stop()


@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 1000),
)
def test_a_picture_has_its_size_whatever_frame_and_mask_are(shape, size, seed):
    rng = np.random.default_rng(seed)
    frame = rng.integers(0, 256, (*shape, 3), np.uint8)
    mask = rng.random(shape) > rng.random()
    for rle in (None, Rle.encode(mask), Rle.empty(shape)):
        assert small_picture(frame, size, rle).shape == (size[1], size[0], 3)


def test_an_object_is_lit_in_the_middle_and_its_surroundings_are_dim():
    frame = np.full((100, 200, 3), 200, np.uint8)
    mask = np.zeros((100, 200), bool)
    mask[40:60, 120:150] = True
    picture = small_picture(frame, (60, 40), Rle.encode(mask))
    assert (picture[20, 30] == 200).all()
    assert (picture[1, 1] == int(200 * DIMMED)).all()
    lit = (picture[..., 0] > 150).mean()
    assert 0.3 < lit < 0.7, "the object does not fill a good part of its picture"


def test_a_whole_frame_keeps_its_proportions():
    frame = np.zeros((90, 160, 3), np.uint8)
    frame[:, :80] = 255
    picture = small_picture(frame, (32, 18))
    assert (picture[:, :15] > 250).all()
    assert (picture[:, 17:] < 5).all()


def test_pictures_come_once_each_and_show_their_frame(thumbnails, media, shapes, qtbot):
    wanted = [Wanted(media, frame, (32, 24)) for frame in (0, 20)]
    assert [thumbnails.get(one) for one in wanted * 2] == [None] * 4
    qtbot.waitUntil(lambda: all(thumbnails.get(one) is not None for one in wanted))
    for one in wanted:
        image = thumbnails.get(one)
        expected = small_picture(shapes.frames[one.frame], (32, 24))
        seen = [[image.pixelColor(x, y).getRgb()[:3] for x in range(32)] for y in range(24)]
        assert np.array_equal(np.array(seen, np.uint8), expected)


def test_what_cannot_be_read_has_no_picture_and_breaks_nothing(thumbnails, media, tmp_path, qtbot):
    assert thumbnails.get(Wanted(tmp_path / "none.mp4", 0, (8, 8))) is None
    assert thumbnails.get(Wanted(media, 999, (8, 8))) is None
    there = Wanted(media, 1, (8, 8))
    qtbot.waitUntil(lambda: thumbnails.get(there) is not None)
