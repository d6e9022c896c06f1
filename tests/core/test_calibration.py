"""What decisions say of scores: Wilson's interval as SciPy and by hand, levels as counted by brute force."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from decaf_gui.core.calibration import Decision, Level, level_at, levels, lowest_level, wilson

made = st.lists(st.builds(Decision, st.sampled_from([n / 20 for n in range(21)]), st.booleans()), max_size=60)


@given(total=st.integers(1, 500), share=st.floats(0, 1))
def test_the_interval_is_scipys(total, share):
    accepted = round(share * total)
    expected = binomtest(accepted, total).proportion_ci(0.95, method="wilson")
    assert wilson(accepted, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_interval_by_hand():
    """Wilson (1927): the roots p of (share - p)^2 = z^2 p (1 - p) / n."""
    z, share, n = 1.96, 0.8, 10
    a, b, c = 1 + z * z / n, -(2 * share + z * z / n), share * share
    roots = [(-b + sign * math.sqrt(b * b - 4 * a * c)) / (2 * a) for sign in (-1, 1)]
    assert wilson(8, 10, z) == pytest.approx(roots)
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=5e-5)  # as statistics books print it
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 7)[0] == 0.0
    assert wilson(7, 7)[1] == 1.0


@given(accepted=st.integers(0, 60), refused=st.integers(0, 60), times=st.integers(2, 9))
def test_the_interval_holds_the_share_and_narrows_with_more_decisions(accepted, refused, times):
    total = accepted + refused
    low, high = wilson(accepted, total)
    assert 0.0 <= low <= (accepted / total if total else 0.5) <= high <= 1.0
    if total:
        again = wilson(accepted * times, total * times)
        assert again[1] - again[0] < high - low
        assert wilson(refused, total) == pytest.approx((1 - high, 1 - low))


@given(decisions=made, threshold=st.floats(-0.1, 1.1))
def test_levels_count_what_reaches_a_threshold(decisions, threshold):
    said = [decision.accepted for decision in decisions if decision.score >= threshold]
    level = level_at(levels(decisions), threshold)
    if not said:
        assert level is None
    else:
        assert level == Level(threshold, sum(said), len(said), *wilson(sum(said), len(said)))
        assert level.precision == pytest.approx(sum(said) / len(said))


@given(decisions=made)
def test_levels_are_the_scores_each_once_and_do_not_know_the_order(decisions):
    found = levels(decisions)
    assert [level.threshold for level in found] == sorted({decision.score for decision in decisions})
    assert found == levels(decisions[::-1])
    assert [level.decisions for level in found] == sorted((level.decisions for level in found), reverse=True)


@given(decisions=made, wanted=st.floats(0, 1))
def test_the_lowest_level_is_the_first_that_keeps_the_promise(decisions, wanted):
    known = levels(decisions)
    found = lowest_level(known, wanted)
    keeping = [level.threshold for level in known if wilson(level.accepted, level.decisions)[0] >= wanted]
    assert (None if found is None else found.threshold) == min(keeping, default=None)


def test_a_handful_of_decisions_vouches_for_little():
    assert lowest_level(levels([Decision(0.9, True)] * 10), 0.95) is None
    assert lowest_level(levels([Decision(0.9, True)] * 73), 0.95).threshold == 0.9  # 1 / (1 + z^2 / 73) = 0.9500
    assert lowest_level(levels([Decision(0.9, True)] * 72), 0.95) is None
