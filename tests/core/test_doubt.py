"""Doubt: each part rises where its kind of error is, and the queue finds it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaf_gui.core.doubt import REASONS, WEIGHTS, Doubt, doubts, queue
from decaf_gui.core.masks import Masks

SIZE = (40, 60)


def square(x: int, side: int = 12, y: int = 10) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[y : y + side, x : x + side] = True
    return mask


def walk(**changed: np.ndarray) -> Masks:
    """A square that walks a pixel per frame over 12 frames; some frames otherwise ("f5")."""
    dense = {f: square(10 + f) for f in range(12)}
    return Masks.encode({**dense, **{int(name[1:]): mask for name, mask in changed.items()}}, SIZE)


def test_even_motion_is_not_doubtful():
    assert max(doubt.total for doubt in doubts(walk()).values()) < 0.02


@pytest.mark.parametrize(
    ("mask", "part"),
    [
        (square(15, 30, 0), "area_jump"),
        (square(40), "shape_jump"),
        (np.zeros(SIZE, bool), "area_jump"),
        (np.ones(SIZE, bool), "area_jump"),
    ],
)
def test_a_jump_is_found_where_it_is_and_named(mask, part):
    found = doubts(walk(f5=mask))
    worst = max(found, key=lambda frame: found[frame].total)
    assert worst in (5, 6)
    assert found[5].reason == REASONS[part]
    assert found[3].total < 0.02


def test_frames_that_are_far_apart_are_not_compared():
    masks = Masks.encode({0: square(0), 9: square(40, 20)}, SIZE)
    assert doubts(masks)[9].total == 0


def test_attention_counts_where_it_is_known():
    maps = np.zeros((2, 10, 15), np.float32)
    maps[0, 2:6, 2:6] = 1  # on the square of frame 0, which lies at x 10..21, y 10..21
    maps[1, 8:, 12:] = 1  # far from the square of frame 6
    found = doubts(walk(), maps=maps, sampled=(0, 6))
    assert found[0].attention_outside < 0.5 < found[6].attention_outside
    assert found[6].attention_outside == pytest.approx(1.0)
    assert found[6].unattended == pytest.approx(1.0)
    assert (found[3].attention_outside, found[3].unattended) == (0, 0)


def test_sam_says_when_it_is_not_sure():
    found = doubts(walk(), ious={2: 0.3, 3: 0.95}, present={4: 0.0, 5: 8.0, 6: -8.0})
    assert found[2].quality == pytest.approx(0.7)
    assert found[2].reason == REASONS["quality"]
    assert found[3].quality == pytest.approx(0.05)
    assert found[4].presence == pytest.approx(1.0)
    assert max(found[5].presence, found[6].presence) < 0.001


@given(parts=st.lists(st.floats(0, 1), min_size=6, max_size=6), more=st.integers(0, 5), by=st.floats(0, 1))
def test_the_number_lies_between_its_strongest_part_and_one_and_grows_with_each(parts, more, by):
    doubt = Doubt(*parts)
    strongest = max(weight * part for weight, part in zip(WEIGHTS.values(), parts, strict=True))
    assert strongest - 1e-9 <= doubt.total <= 1
    raised = list(parts)
    raised[more] = min(1.0, parts[more] + by)
    assert Doubt(*raised).total >= doubt.total - 1e-9


def test_queue_has_the_worst_first_without_neighbours_and_reviewed_frames():
    def bad(quality: float) -> Doubt:
        return Doubt(quality=quality)

    found = {
        1: {3: bad(0.9), 4: bad(0.95), 6: bad(0.5), 20: bad(0.7), 30: bad(0.01)},
        2: {4: bad(0.6), 40: bad(0.99)},
    }
    entries = queue(found, {2: [40]})
    assert [(e.object, e.frame) for e in entries] == [(1, 4), (1, 20), (2, 4)]
    assert [e.doubt.total for e in entries] == sorted((e.doubt.total for e in entries), reverse=True)
    assert queue({}, {}) == []
