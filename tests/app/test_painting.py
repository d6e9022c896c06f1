"""What a scene looks like: against drawing at the picture's own size, where that can be compared."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from decaf_gui.app.painting import SURROUND, Layer, Scene, dashes, outlines, paint
from decaf_gui.app.palette import OBJECTS, attention_colours, object_colour
from decaf_gui.app.viewport import Viewport
from decaf_gui.core.masks import Rle

RED = (255, 0, 0)


def picture(height=24, width=32, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def blob(height=24, width=32):
    mask = np.zeros((height, width), bool)
    mask[4:20, 6:26] = True
    mask[18:, 20:] = False
    return mask


def identity(height=24, width=32):
    return Viewport((height, width), (height, width))


def test_at_its_own_size_the_frame_is_itself():
    frame = picture()
    assert np.array_equal(paint(Scene(frame), identity()), frame)


def test_a_fill_is_mixed_into_exactly_the_masks_pixels():
    frame, mask = picture(), blob()
    shown = paint(Scene(frame, (Layer(Rle.encode(mask), RED),), opacity=0.4), identity())
    edge = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=4)
    edge -= cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=4)
    inside, outside = mask & (edge == 0), ~mask & (edge == 0)
    assert inside.any()
    assert np.array_equal(shown[outside], frame[outside])
    expected = 0.6 * frame[inside] + 0.4 * np.array(RED)
    assert np.abs(shown[inside] - expected).max() <= 1


@pytest.mark.parametrize(
    ("mode", "style", "filled"),
    [
        ("masks", "accepted", True),
        ("masks", "preview", True),
        ("masks", "candidate", False),
        ("masks", "ghost", False),
        ("contours", "accepted", False),
        ("none", "accepted", False),
    ],
)
def test_what_is_filled(mode, style, filled):
    frame, mask = picture(), blob()
    shown = paint(Scene(frame, (Layer(Rle.encode(mask), RED, style),), mode=mode), identity())
    assert (not np.array_equal(shown[12, 16], frame[12, 16])) is filled
    assert np.array_equal(shown, frame) is (mode == "none")


def test_masks_only_shows_no_frame():
    mask = blob()
    shown = paint(Scene(picture(), (Layer(Rle.encode(mask), RED),), mode="masks only"), identity())
    assert np.array_equal(shown, np.where(mask[..., None], np.array(RED), 0))


def test_the_newer_object_lies_above():
    mask = Rle.encode(blob())
    shown = paint(Scene(picture(), (Layer(mask, RED), Layer(mask, (0, 0, 255))), mode="masks only"), identity())
    assert tuple(shown[6, 10]) == (0, 0, 255)


@given(st.integers(1, 6), st.integers(-40, 40), st.integers(-30, 30))
def test_whole_zooms_repeat_pixels_where_the_viewport_says(zoom, x, y):
    frame, mask = picture(), blob()
    view = Viewport((24, 32), (60, 80), float(zoom), float(x), float(y), fitted=False)
    shown = paint(Scene(frame, (Layer(Rle.encode(mask), RED),), mode="masks only"), view)
    expected = np.full((60, 80, 3), SURROUND, np.uint8)
    for row in range(60):
        for column in range(80):
            px, py = view.to_picture(column + 0.5, row + 0.5)
            if 0 <= px < 32 and 0 <= py < 24:
                expected[row, column] = RED if mask[int(py), int(px)] else 0
    assert np.array_equal(shown, expected)
    if zoom >= 3:  # large pixels are shown as they are
        colours = paint(Scene(frame), view)
        for row in range(0, 60, 7):
            for column in range(0, 80, 7):
                px, py = view.to_picture(column + 0.5, row + 0.5)
                inside = 0 <= px < 32 and 0 <= py < 24
                wanted = frame[int(py), int(px)] if inside else SURROUND
                assert tuple(colours[row, column]) == tuple(wanted)


def test_a_small_view_of_a_large_frame_is_its_average():
    frame = picture(400, 400)
    shown = paint(Scene(frame), Viewport.fit((400, 400), (40, 40)))
    expected = cv2.resize(frame, (40, 40), interpolation=cv2.INTER_AREA)
    assert np.abs(shown.astype(int) - expected).max() <= 1


def test_no_attention_leaves_the_frame_and_full_attention_is_magma():
    frame = picture()
    nothing = paint(Scene(frame, attention=np.zeros((3, 4), np.float32)), identity())
    assert np.array_equal(nothing, frame)
    everything = paint(Scene(frame, attention=np.ones((3, 4), np.float32), attention_opacity=1.0), identity())
    assert np.array_equal(everything, np.broadcast_to(attention_colours()[255], frame.shape))


def test_attention_lies_on_the_cells_of_its_grid():
    frame = np.zeros((24, 32, 3), np.uint8)
    heat = np.zeros((3, 4), np.float32)
    heat[1, 2] = 1.0
    shown = paint(Scene(frame, attention=heat), identity()).sum(axis=2)
    y, x = np.unravel_index(shown.argmax(), shown.shape)
    assert 8 <= y < 16
    assert 16 <= x < 24
    assert shown[:4].max() == shown[:, :8].max() == 0


@given(arrays(bool, (9, 11)))
def test_outlines_enclose_the_mask(mask):
    drawn = np.zeros(mask.shape, np.uint8)
    for points in outlines(Layer(Rle.encode(mask), RED)):
        cv2.drawContours(drawn, [points[:, None]], -1, 1, 1)
    assert not drawn[~mask].any(), "an outline left the mask"
    border = mask & (cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) == 0)
    plus = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    edge = mask & (cv2.erode(mask.astype(np.uint8), plus, borderValue=0) == 0)
    assert drawn[edge & border].all()


@given(st.floats(1, 20), st.floats(1, 20), st.integers(3, 9), st.floats(5, 60))
def test_dashes_follow_the_line_with_gaps_between_them(on, off, corners, radius):
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    line = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    side = 2 * radius * np.sin(np.pi / corners)
    lengths = [np.hypot(*np.diff(piece, axis=0).T).sum() for piece in dashes(line, on, off)]
    assert np.allclose(lengths[:-1], on)
    assert lengths[-1] <= on + 1e-6
    assert abs(len(lengths) - corners * side / (on + off)) <= 1 + 1e-6
    for piece in dashes(line, on, off):  # on the polygon's sides: between the inner and the outer circle
        assert (np.hypot(*piece.T) <= radius + 1e-6).all()
        assert (np.hypot(*piece.T) >= radius * np.cos(np.pi / corners) - 1e-6).all()


@pytest.mark.parametrize(("style", "pieces"), [("accepted", 1), ("candidate", 180 / 19), ("ghost", 180 / 11)])
def test_outlines_are_whole_dashed_or_dotted(style, pieces):
    mask = np.zeros((400, 400), bool)
    mask[100:300, 100:300] = True
    scene = Scene(np.full((400, 400, 3), 200, np.uint8), (Layer(Rle.encode(mask), RED, style),), mode="contours")
    shown = paint(scene, identity(400, 400))
    drawn = (np.abs(shown[100, 110:290].astype(int) - 200).max(axis=1) > 20).astype(int)
    assert np.count_nonzero(np.diff(drawn, prepend=0) == 1) == pytest.approx(pieces, abs=1)
    assert np.array_equal(shown[200, 200], [200, 200, 200])


def test_objects_keep_their_colours_and_a_persons_choice():
    assert object_colour(1) == OBJECTS[0]
    assert object_colour(len(OBJECTS) + 1) == OBJECTS[0]
    assert object_colour(3, "#0a0B0c") == (10, 11, 12)
    assert len(set(OBJECTS)) == len(OBJECTS)
