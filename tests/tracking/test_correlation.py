"""SteerSeg's ranking against numpy.corrcoef, and which tracklets are chosen."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.tracking.correlation import correlation_scores, pearson
from decaf_gui.tracking.propose import Candidate, candidates, score_candidates
from decaf_gui.tracking.queries import PointQuery
from decaf_gui.tracking.settings import TrackingSettings

SIZE, FRAMES = (24, 32), (3, 7, 9)
VIDEO, FRAME = (6, 8), (12, 16)
STEERSEG = TrackingSettings.steerseg()


def dense_tracks(count: int = 4, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.random((len(FRAMES), *SIZE)) < rng.random() * 0.6 for _ in range(count)]


def as_masks(dense: np.ndarray) -> Masks:
    return Masks.encode(dict(zip(FRAMES, dense, strict=True)), SIZE)


def maps(seed: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.random((len(FRAMES), *grid)).astype(np.float32) for name, grid in both()}


def both() -> tuple[tuple[str, tuple[int, int]], ...]:
    return ("video", VIDEO), ("frame", FRAME)


def corrcoef(dense: np.ndarray, values: np.ndarray) -> float:
    """numpy's coefficient of torch's pooled masks and the maps."""
    pooled = torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(dense).double()[None], values.shape[1:])[0]
    return float(np.corrcoef(pooled.numpy().ravel(), values.ravel())[0, 1])


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_scores_are_the_weighted_sum_of_numpys_coefficients(weight):
    parts = maps()
    found = correlation_scores([as_masks(d) for d in dense_tracks()], FRAMES, parts, weight)
    for scored, dense in zip(found, dense_tracks(), strict=True):
        video, frame = (corrcoef(dense, parts[name]) for name in ("video", "frame"))
        assert (scored.video, scored.frame) == pytest.approx((video, frame), abs=1e-6)
        assert scored.total == pytest.approx(weight * frame + (1 - weight) * video, abs=1e-6)


@pytest.mark.parametrize("name", ["video", "frame"])
def test_with_one_input_its_coefficient_is_the_score(name):
    (scored,) = correlation_scores([as_masks(dense_tracks(1)[0])], FRAMES, {name: maps()[name]}, 0.3)
    assert scored.total == pytest.approx(corrcoef(dense_tracks(1)[0], maps()[name]), abs=1e-6)
    assert (scored.video is None) == (name == "frame")


SHAPE = (2, 3, 4)
VALUES = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=32))


@given(one=VALUES, other=VALUES)
@examples(max_examples=200, deadline=None)
def test_a_coefficient_is_numpys_or_zero_and_never_a_nan(one, other):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = pearson(one, other)
    assert -1 <= found <= 1
    if np.ptp(one) > 1e-3 and np.ptp(other) > 1e-3:
        expected = np.corrcoef(one.ravel().astype(np.float64), other.ravel().astype(np.float64))[0, 1]
        assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1.0])
def test_constant_maps_and_masks_give_zero(constant):
    flat = {name: np.full((len(FRAMES), *grid), constant, np.float32) for name, grid in both()}
    empty, full = np.zeros((len(FRAMES), *SIZE), bool), np.ones((len(FRAMES), *SIZE), bool)
    for dense, parts in ((dense_tracks(1)[0], flat), (empty, maps()), (full, maps())):
        (scored,) = correlation_scores([as_masks(dense)], FRAMES, parts, 0.3)
        assert (scored.video, scored.frame, scored.total) == (0, 0, 0)


def found(count: int = 4) -> list[Candidate]:
    made = []
    for number, dense in enumerate(dense_tracks(count), 1):
        rles = {f: Rle.encode(mask) for f, mask in zip(FRAMES, dense, strict=True)}
        made.append(Candidate(number, FRAMES[0], PointQuery(1.0, 1.0, 0.9), 0.8, rles))
    return made


def scored(settings: TrackingSettings, made: list[Candidate] | None = None):
    fused = maps(5)["video"]
    return score_candidates(made or found(), FRAMES, fused, settings, SIZE, maps())


def test_the_best_alone_is_selected():
    tracklets = scored(STEERSEG)
    assert [t.selected for t in tracklets] == [True, False, False, False]
    totals = [t.scores.total for t in tracklets]
    assert totals == sorted(totals, reverse=True)
    assert all(t.scores.scoring == "pearson" and t.scores.consistency is None for t in tracklets)
    expected = {
        number: 0.3 * corrcoef(dense, maps()["frame"]) + 0.7 * corrcoef(dense, maps()["video"])
        for number, dense in enumerate(dense_tracks(), 1)
    }
    assert {t.id: t.scores.total for t in tracklets} == pytest.approx(expected, abs=1e-6)


def test_all_above_the_threshold_of_correlation_are_selected():
    totals = sorted((t.scores.total for t in scored(STEERSEG)), reverse=True)
    between = (totals[1] + totals[2]) / 2
    above = replace(STEERSEG, choose="above", tau_corr=max(0.0, between))
    assert sum(t.selected for t in scored(above)) == (2 if between > 0 else sum(t > 0 for t in totals) or 1)
    none = replace(STEERSEG, choose="above", tau_corr=1.0)
    assert [t.selected for t in scored(none)] == [True, False, False, False]


def test_suppressed_candidates_have_no_correlation_and_stand_last():
    made = found()
    made[0].suppressed = True
    last = scored(STEERSEG, made)[-1]
    assert (last.id, last.suppressed, last.selected) == (1, True, False)
    assert last.scores.parts == {"video_correlation": None, "frame_correlation": None}
    assert last.scores.total == 0


def test_the_best_of_consistency_can_be_chosen_alone():
    settings = TrackingSettings(choose="best", tau_trk=0.0)
    assert [t.selected for t in scored(settings)] == [True, False, False, False]
    assert scored(settings)[0].scores.parts.keys() == {"attention", "sam", "consistency"}


def test_without_parts_the_fused_maps_are_correlated():
    fused = maps(5)["video"]
    best = score_candidates(found(), FRAMES, fused, STEERSEG, SIZE)[0]
    assert best.scores.frame_correlation is None
    assert best.scores.total == pytest.approx(corrcoef(dense_tracks()[best.id - 1], fused), abs=1e-6)


def test_parts_that_do_not_fit_the_frames_are_refused():
    fused = maps()["video"]
    with pytest.raises(BadInput, match="do not fit 3 frames"):
        candidates(None, FRAMES, fused, STEERSEG, {"frame": fused[:2]})
