"""The simulated annotator: where it clicks, what it counts, that it ends with good masks or says that it did not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from decaf_gui.bench.annotator import Effort, bootstrap, largest_error, row_of
from decaf_gui.bench.results import Options, run


@given(arrays(bool, (9, 13)), arrays(bool, (9, 13)))
def test_a_click_lies_on_an_error_and_is_positive_where_something_is_missing(found, truth):
    if (found == truth).all():
        return
    x, y, positive = largest_error(found, truth)
    at = int(y), int(x)
    assert found[at] != truth[at]
    assert positive is bool(truth[at])


def test_the_click_lies_in_the_middle_of_the_largest_error():
    found, truth = np.zeros((40, 60), bool), np.zeros((40, 60), bool)
    truth[5:16, 10:21] = True  # missed, 121 pixels around (15, 10)
    found[30:34, 40:50] = True  # too much, 40 pixels
    assert largest_error(found, truth) == (15.5, 10.5, True)
    found[5:16, 10:21] = True
    x, y, positive = largest_error(found, truth)
    assert not positive
    assert 40 < x < 50
    assert 31 < y < 33


def test_interactions_are_everything_the_annotator_did():
    efforts = [Effort(verdicts=1, looks=2, clicks=3, marks=4, reached=True, before=0.5, after=0.9), Effort()]
    assert efforts[0].interactions == 10
    row = row_of("some way", efforts, [True, False])
    assert row[:4] == ("some way", 2, 1, 5.0)
    assert row[5:7] == (5.0, 10.0)
    assert row_of("some way", efforts, [False, False])[6] is None


def test_the_interval_of_equal_values_is_a_point_and_holds_the_mean():
    assert bootstrap(np.full(7, 3.0)) == (3.0, 3.0)
    values = np.random.default_rng(1).normal(10, 2, 400)
    low, high = bootstrap(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * 2 / 20, rel=0.25)


def test_all_ways_work_on_the_same_clip():
    *_, result = run("annotator", Options(quick=True))
    rows = result.as_dict()["rows"]
    assert [row["way"].split(",")[0] for row in rows] == ["proposal"] * 3 + ["first-frame click"]
    assert len({row["J at the start"] for row in rows[:3]}) == 1, "the ways began with different proposals"
    assert rows[3]["verdicts"] == 0
    assert rows[3]["clicks"] > 0
    assert all(row["J at the end"] >= 0.85 for row in rows if row["goal reached"] == row["tasks"])
