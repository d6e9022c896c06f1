"""The SAM2 stage on given maps: what is kept, scored, selected; how often frames are encoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tiny_sam import blob_clip, tiny_base

from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import FrameTracked, TrackletsReady
from decaf_gui.tracking.features import FeatureStore
from decaf_gui.tracking.propose import candidates, propagate, propose_tracklets
from decaf_gui.tracking.session import Session
from decaf_gui.tracking.settings import TrackingSettings

COUNT, FRAMES = 12, (0, 3, 6, 9, 11)


@pytest.fixture(scope="module")
def clip():
    return blob_clip(COUNT)


@pytest.fixture(scope="module")
def base():
    return tiny_base()


@pytest.fixture(scope="module")
def maps():
    rng = np.random.default_rng(3)
    found = rng.random((len(FRAMES), 6, 8)).astype(np.float32)
    found[2] = 0.1  # a frame without any point
    return found / found.max()


@pytest.fixture(scope="module")
def tracklets(clip, base, maps):
    *_, last = propose_tracklets(clip, FRAMES, maps, base, TrackingSettings())
    assert isinstance(last, TrackletsReady)
    return last.tracklets


def test_every_point_stays_a_candidate(tracklets, maps):
    assert len(tracklets) == int((maps >= 0.8).sum())
    assert sorted(t.id for t in tracklets) == list(range(1, len(tracklets) + 1))
    assert any(t.suppressed for t in tracklets), "nothing was suppressed: this test would prove nothing"


def test_candidates_that_live_know_the_sampled_frames_and_others_their_own(tracklets):
    for tracklet in tracklets:
        if tracklet.suppressed:
            assert tracklet.scores.consistency is None
            assert not tracklet.selected
            assert tracklet.frame in tracklet.masks
        else:
            assert tracklet.masks.frames == FRAMES
            assert tracklet.scores.consistency is not None
        assert tracklet.masks.size == (48, 72)


def test_scores_are_means_of_their_parts_and_the_best_is_consistent(tracklets, maps):
    alive = [t for t in tracklets if not t.suppressed]
    for t in alive:
        parts = (t.scores.attention, t.scores.sam, t.scores.consistency)
        assert t.scores.total == pytest.approx(sum(parts) / 3)
        row, column = int(t.point[1] / 48 * 6), int(t.point[0] / 72 * 8)
        assert t.scores.attention == pytest.approx(maps[FRAMES.index(t.frame), row, column])
    assert max(t.scores.consistency for t in alive) == pytest.approx(1)


def test_selection_takes_what_passes_or_the_single_best(clip, base, maps, tracklets):
    alive = [t for t in tracklets if not t.suppressed]
    totals = sorted(t.scores.total for t in alive)
    middle = (totals[0] + totals[-1]) / 2
    for tau, expected in ((middle, sum(v > middle for v in totals)), (1.0, 1)):
        *_, last = propose_tracklets(clip, FRAMES, maps, base, TrackingSettings(tau_trk=tau))
        chosen = [t for t in last.tracklets if t.selected]
        assert len(chosen) == expected
        assert chosen[0].scores.total == pytest.approx(totals[-1])


def test_without_consistency_the_score_is_the_mean_of_the_other_two(clip, base, maps):
    *_, last = propose_tracklets(clip, FRAMES, maps, base, TrackingSettings(consistency=False))
    for t in last.tracklets:
        assert t.scores.consistency is None
        assert t.scores.total == pytest.approx((t.scores.attention + t.scores.sam) / 2)


def test_forward_only_leaves_earlier_frames_empty(clip, base, maps):
    *_, last = propose_tracklets(clip, FRAMES, maps, base, TrackingSettings(both_ways=False))
    late = [t for t in last.tracklets if not t.suppressed and t.frame > 0]
    assert late
    assert all(t.masks.absent(f) for t in late for f in FRAMES if f < t.frame)


def test_no_point_gives_no_candidate(clip, base):
    *_, last = propose_tracklets(clip, FRAMES, np.zeros((5, 6, 8), np.float32), base, TrackingSettings())
    assert last.tracklets == ()


def test_maps_that_do_not_fit_the_frames_are_refused(clip, base):
    with pytest.raises(BadInput, match="do not fit 5 frames"):
        list(propose_tracklets(clip, FRAMES, np.zeros((4, 6, 8), np.float32), base, TrackingSettings()))


def whole_proposal(store, maps, settings):
    *_, ready = candidates(store, FRAMES, maps, settings)
    events = list(propagate(Session(store), ready.tracklets))
    return ready.tracklets, events


def test_every_frame_is_encoded_once_however_many_points_and_groups(clip, base, maps):
    store = FeatureStore(base, clip)
    settings = TrackingSettings(tau_trk=0.2)
    tracklets, events = whole_proposal(store, maps, settings)
    frames = {t.frame for t in tracklets if t.selected}
    assert len(frames) > 1, "one group only: this test would prove nothing"
    assert store.encoded == COUNT
    final = events[-1].tracklets
    assert all(t.masks.frames == tuple(range(COUNT)) for t in final if t.selected)
    for before, after in zip(tracklets, final, strict=True):
        if before.selected:
            assert after.masks.rle(before.frame) == before.masks.rle(before.frame)
    tracked = [e.frame for e in events if isinstance(e, FrameTracked)]
    assert sorted(set(tracked)) == list(range(COUNT))
    assert len(tracked) <= 2 * COUNT


def test_a_clip_beyond_the_cache_is_encoded_at_most_twice(base):
    clip, frames = blob_clip(40), (0, 13, 26, 39)
    rng = np.random.default_rng(5)
    maps = rng.random((4, 6, 8)).astype(np.float32)
    store = FeatureStore(base, clip, device_bytes=6 * 30_000, host_bytes=0)
    settings = TrackingSettings(tau_trk=0.2, tau_pq=0.9)
    *_, ready = candidates(store, frames, maps / maps.max(), settings)
    list(propagate(Session(store), ready.tracklets))
    assert 40 < store.encoded <= 80


def test_selected_tracklets_can_be_corrected_and_tracked_again(clip, base, maps):
    store = FeatureStore(base, clip)
    session = Session(store)
    *_, ready = candidates(store, FRAMES, maps, replace(TrackingSettings(), tau_trk=0.2))
    list(propagate(session, ready.tracklets))
    chosen = [t.id for t in ready.tracklets if t.selected]
    assert set(chosen) == set(session.objects)
    assert [e.frame for e in session.track(chosen[:1], 11, 8)] == [11, 10, 9, 8]
