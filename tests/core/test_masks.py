"""Run-length masks against dense arrays and pycocotools."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from pycocotools import mask as coco

from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, Rle, UnknownFrame, union, union_rle

Dense = NDArray[np.bool_]

dense_masks = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24).flatmap(lambda s: arrays(np.bool_, s))
pairs = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24).flatmap(
    lambda s: st.tuples(arrays(np.bool_, s), arrays(np.bool_, s))
)


@st.composite
def tracks(draw: st.DrawFn, size: tuple[int, int] = (7, 9)) -> dict[int, Dense]:
    return draw(st.dictionaries(st.integers(0, 6), arrays(np.bool_, size), max_size=5))


def runs(mask: Dense) -> list[int]:
    """Uncompressed COCO counts, column by column, starting with zeros."""
    flat = mask.flatten(order="F").astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    return np.diff([0, *edges, flat.size]).tolist()


@given(dense_masks)
def test_decoding_undoes_encoding(mask: Dense) -> None:
    rle = Rle.encode(mask)
    assert rle.size == mask.shape
    assert np.array_equal(rle.dense(), mask)
    assert rle.dense().dtype == bool


@given(dense_masks)
def test_area_and_box_are_those_of_the_dense_mask(mask: Dense) -> None:
    rle = Rle.encode(mask)
    assert rle.area == mask.sum()
    rows, columns = np.nonzero(mask)
    if not rows.size:
        assert rle.box is None
    else:
        assert rle.box == (columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1)


@given(pairs)
def test_iou_intersection_and_union_are_those_of_the_dense_masks(pair: tuple[Dense, Dense]) -> None:
    a, b = pair
    first, second = Rle.encode(a), Rle.encode(b)
    either = (a | b).sum()
    assert first.intersection(second) == (a & b).sum()
    assert first.iou(second) == pytest.approx((a & b).sum() / either if either else 1.0, abs=1e-12)
    assert np.array_equal(union_rle([first, second]).dense(), a | b)


@given(dense_masks)
def test_coco_dictionaries_go_both_ways(mask: Dense) -> None:
    rle = Rle.encode(mask)
    segmentation = rle.to_coco()
    assert isinstance(segmentation["counts"], str)
    assert np.array_equal(coco.decode(segmentation), mask)
    assert Rle.from_coco(segmentation) == rle
    assert Rle.from_coco({"size": list(mask.shape), "counts": runs(mask)}) == rle


def test_the_example_of_the_coco_format_is_met() -> None:
    mask = np.zeros((3, 4), bool)
    mask[1, 1:3] = True
    assert Rle.encode(mask).to_coco() == {"size": [3, 4], "counts": "41202"}


def nearest(old: int, new: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Old index under the centre of every new pixel, and whether it is the only one (no tie between two)."""
    doubled = (2 * np.arange(new) + 1) * old
    return doubled // (2 * new), doubled % (2 * new) != 0


@given(dense_masks, st.integers(1, 30), st.integers(1, 30))
def test_resizing_takes_the_nearest_pixel(mask: Dense, height: int, width: int) -> None:
    rows, clear_rows = nearest(mask.shape[0], height)
    columns, clear_columns = nearest(mask.shape[1], width)
    clear = np.ix_(clear_rows, clear_columns)
    resized = Rle.encode(mask).resize((height, width))
    assert resized.size == (height, width)
    assert np.array_equal(resized.dense()[clear], mask[np.ix_(rows, columns)][clear])


def test_masks_of_different_sizes_do_not_mix() -> None:
    small, large = Rle.empty((2, 3)), Rle.empty((3, 2))
    for mix in (small.iou, small.intersection, lambda other: union_rle([small, other])):
        with pytest.raises(BadInput):
            mix(large)
    with pytest.raises(BadInput, match="frame 4"):
        Masks((2, 3), {4: large})
    with pytest.raises(BadInput, match="two dimensions"):
        Rle.encode(np.zeros((2, 3, 1)))


@given(tracks())
def test_known_frames_give_their_mask_and_unknown_ones_raise(dense: dict[int, Dense]) -> None:
    masks = Masks.encode(dense, (7, 9))
    assert masks.frames == tuple(sorted(dense))
    assert list(masks) == sorted(dense)
    for frame in range(8):
        assert (frame in masks) == (frame in dense)
        if frame in dense:
            assert np.array_equal(masks[frame], dense[frame])
            assert masks.absent(frame) == (not dense[frame].any())
            assert masks.area(frame) == dense[frame].sum()
        else:
            with pytest.raises(UnknownFrame, match=f"Frame {frame} has no mask yet"):
                masks[frame]


@given(tracks(), tracks())
def test_iou_of_tracks_is_pixels_shared_over_pixels_covered(a: dict[int, Dense], b: dict[int, Dense]) -> None:
    first, second = Masks.encode(a, (7, 9)), Masks.encode(b, (7, 9))
    shared = sorted(a.keys() & b.keys())
    both = sum(int((a[f] & b[f]).sum()) for f in shared)
    either = sum(int((a[f] | b[f]).sum()) for f in shared)
    assert first.iou(second) == pytest.approx(both / either if either else float(bool(shared)))
    for frame in shared:
        assert first.iou(second, frame) == pytest.approx(Rle.encode(a[frame]).iou(Rle.encode(b[frame])))


@given(tracks(), tracks())
def test_the_union_of_tracks_covers_the_frames_that_both_know(a: dict[int, Dense], b: dict[int, Dense]) -> None:
    both = union([Masks.encode(a, (7, 9)), Masks.encode(b, (7, 9))])
    assert both == Masks.encode({f: a[f] | b[f] for f in a.keys() & b.keys()}, (7, 9))


@given(tracks(), tracks())
def test_replacing_restricting_and_pickling_leave_the_original_alone(a: dict[int, Dense], b: dict[int, Dense]) -> None:
    masks = Masks.encode(a, (7, 9))
    other = Masks.encode(b, (7, 9))
    replaced = masks.replace({f: other.rle(f) for f in other})
    assert replaced == Masks.encode({**a, **b}, (7, 9))
    assert replaced.restrict(b) == other
    assert masks == Masks.encode(a, (7, 9)) == pickle.loads(pickle.dumps(masks))
    assert hash(masks) == hash(Masks.encode(a, (7, 9)))


def test_a_union_of_nothing_is_refused() -> None:
    with pytest.raises(BadInput):
        union([])


@given(
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 10**6),
    corners=st.tuples(*(st.floats(0, 1) for _ in range(4))),
)
def test_a_part_is_cut_out_of_the_whole(shape, seed, corners):
    mask = np.random.default_rng(seed).random(shape) > 0.5
    height, width = shape
    xs, ys = sorted(round(c * width) for c in corners[:2]), sorted(round(c * height) for c in corners[2:])
    box = (xs[0], ys[0], xs[1] - xs[0], ys[1] - ys[0])
    assert np.array_equal(Rle.encode(mask).part(box), mask[ys[0] : ys[1], xs[0] : xs[1]])
