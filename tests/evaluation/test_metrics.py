"""J and F against davis2017-evaluation's own values (full precision), and closed forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from synthetic_set import FRAMES, SHAPES, prediction, truth

from decaf_gui.core.errors import BadInput
from decaf_gui.evaluation.metrics import (
    boundary_f,
    evaluate_davis,
    evaluate_sequence,
    region_similarity,
    statistics,
)

KINDS = ["perfect", "shift", "erosion", "missing", "swap", "ghost"]
GOLDEN = json.loads((Path(__file__).parent.parent / "golden/davis2017.json").read_text())
MASKS = hnp.arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30)))


def frames(kind, sequence, k):
    pairs = [(prediction(kind, sequence, t) == k, truth(sequence, t) == k) for t in range(FRAMES)]
    return [region_similarity(*p) for p in pairs], [boundary_f(*p) for p in pairs]


@pytest.mark.parametrize("name", GOLDEN["per_frame"])
def test_every_frame_equals_davis(name):
    kind, objects = name.split("/")
    sequence, k = objects.rsplit("_", 1)
    j, f = frames(kind, sequence, int(k))
    assert j == pytest.approx(GOLDEN["per_frame"][name]["J"], abs=1e-9)
    assert f == pytest.approx(GOLDEN["per_frame"][name]["F"], abs=1e-9)


def sequence_maps(kind):
    for name in SHAPES:
        yield (
            name,
            np.stack([prediction(kind, name, t) for t in range(FRAMES)]),
            np.stack([truth(name, t) for t in range(FRAMES)]),
        )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", ["semi", "unsup"])
def test_the_whole_set_equals_davis(kind, task):
    golden = GOLDEN["davis"][kind][task]
    found = evaluate_davis(sequence_maps(kind), f"davis-{task}")
    assert found.jf == pytest.approx(golden["J&F"], abs=1e-9)
    for name, total in (("J", found.j), ("F", found.f)):
        expected = [golden[name], golden[f"{name}_recall"], golden[f"{name}_decay"]]
        assert [total.mean, total.recall, total.decay] == pytest.approx(expected, abs=1e-9)
        parts = {f"{o.sequence}_{o.label}": getattr(o, name.lower()).mean for o in found.objects}
        assert parts == pytest.approx(golden[f"{name}_obj"], abs=1e-9)


def test_exchanged_labels_are_matched_only_without_supervision():
    name, pred, true = next(sequence_maps("swap"))
    assert [o.matched for o in evaluate_sequence(pred, true, "davis-unsup", name=name)] == [2, 1]
    assert [o.matched for o in evaluate_sequence(pred, true, "davis-semi", name=name)] == [1, 2]


def test_void_pixels_are_left_out_only_without_supervision():
    true = np.zeros((4, 20, 20), np.uint8)
    true[:, 5:10, 5:10] = 1
    pred = true.copy()
    true[:, 12:14, 12:14] = 255
    pred[:, 12:14, 12:14] = 1
    (unsupervised,) = evaluate_sequence(pred, true, "davis-unsup")
    (semi,) = evaluate_sequence(pred, true, "davis-semi")
    assert unsupervised.j.mean == unsupervised.f.mean == 1
    assert semi.j.mean == pytest.approx(25 / 29)


def test_objects_that_come_later_than_the_first_frame_do_not_count():
    true = np.ones((4, 6, 6), np.uint8)
    true[1:, 3:] = 2
    pred = np.ones((4, 6, 6), np.uint8)
    assert [o.label for o in evaluate_sequence(pred, true, "davis-semi")] == [1]
    with pytest.raises(BadInput, match="label 2 is predicted, beyond the 1 objects of the first frame"):
        evaluate_sequence(true, true, "davis-semi")


def test_more_than_twenty_proposals_are_refused():
    pred = np.arange(25, dtype=np.uint8).reshape(1, 5, 5)
    with pytest.raises(BadInput, match="label 24 is predicted, beyond the 20 proposals"):
        evaluate_sequence(pred, np.ones_like(pred), "davis-unsup")


def test_decay_compares_the_first_with_the_last_of_four_bins():
    found = statistics(np.array([1.0, 1.0, 0.5, 0.4, 0.2, 0.2, 0.0, 0.0]))
    assert found.decay == pytest.approx((1 + 1 + 0.5) / 3 - (0.2 + 0 + 0) / 3)
    assert found.recall == pytest.approx(2 / 8), "0.5 itself is not above 0.5"
    with pytest.raises(BadInput, match="no frame"):
        statistics(np.zeros(0))


def corner_masks():
    def box(left=0, top=0):
        mask = np.zeros((120, 160), bool)
        mask[40 + top : 80 + top, 50 + left : 100 + left] = True
        return mask

    def dot(left=0, top=0):
        mask = np.zeros((120, 160), bool)
        mask[60 + top, 80 + left] = True
        return mask

    corner = np.zeros((120, 160), bool)
    corner[-1, -1] = True
    return {
        "empty": np.zeros((120, 160), bool),
        "full": np.ones((120, 160), bool),
        "box": box(),
        "box shifted 2": box(2),
        "box shifted 3": box(3),
        "dot": dot(),
        "dot shifted 2 right": dot(2),
        "dot shifted 3 right": dot(3),
        "dot shifted 2,2": dot(2, 2),
        "corner pixel": corner,
    }


@pytest.mark.parametrize("name", GOLDEN["edges"])
def test_corner_cases_equal_davis(name):
    first, second = (corner_masks()[part] for part in name.split("/"))
    found = region_similarity(second, first), boundary_f(second, first)
    assert found == pytest.approx(GOLDEN["edges"][name], abs=1e-9)


@given(mask=MASKS)
def test_a_mask_agrees_with_itself(mask):
    assert region_similarity(mask, mask) == 1
    assert boundary_f(mask, mask) == 1


@given(pair=hnp.arrays(bool, st.tuples(st.just(2), st.integers(1, 30), st.integers(1, 30))))
def test_both_measures_are_symmetric_and_within_bounds(pair):
    for measure in (region_similarity, boundary_f):
        value = measure(pair[0], pair[1])
        assert 0 <= value <= 1
        assert value == pytest.approx(measure(pair[1], pair[0]))


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(BadInput, match="cannot be compared"):
        region_similarity(np.ones((2, 3), bool), np.ones((3, 2), bool))
