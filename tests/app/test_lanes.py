"""What the timeline is told, from a project's rows."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "core" / "project"))
from made_project import applied, mask, masks_of, started

from decaf_gui.app.lanes import (
    Stretch,
    attention_curve,
    candidate_lanes,
    object_lane,
    spans,
    stretches,
    total_score,
)
from decaf_gui.app.palette import GHOST
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.doubtful import object_doubts
from decaf_gui.core.project.planning import Span
from decaf_gui.core.project.rows import TrackletRow

SIZE = (6, 9)
FRAMES = st.sets(st.integers(0, 40))


@pytest.fixture
def project():
    return applied(started())


def after(project, *made):
    for make in made:
        project = make(project).apply(project)
    return project


@given(FRAMES)
def test_spans_are_the_runs(frames):
    found = spans(frames)
    assert [frame for span in found for frame in span] == sorted(frames)
    assert all(a.last + 1 < b.first for a, b in pairwise(found)), "two runs touch"


@given(FRAMES, FRAMES, FRAMES)
def test_stretches_hold_every_known_frame_once_in_its_state(present, absent, pending):
    rles = dict.fromkeys(absent, Rle.empty(SIZE)) | {f: Rle.encode(np.ones(SIZE, bool)) for f in present}
    found = stretches(Masks(SIZE, rles), pending)
    states = {frame: stretch.state for stretch in found for frame in stretch.span}
    assert sum(stretch.span.last - stretch.span.first + 1 for stretch in found) == len(states)
    expected = dict.fromkeys(absent, "absent") | dict.fromkeys(present, "present") | dict.fromkeys(pending, "pending")
    assert states == expected
    touching = [(a, b) for a, b in pairwise(found) if a.span.last + 1 == b.span.first]
    assert all(a.state != b.state for a, b in touching), "a run was cut"


def test_an_objects_lane_says_what_is_known_of_it(project):
    project = after(
        project,
        lambda p: edits.set_locked(p, 2, [1, 2]),
        lambda p: edits.set_reviewed(p, 2, [5]),
        lambda p: edits.set_prompt(p, 2, 5, ((1.0, 1.0, True),)),
        lambda p: edits.mark_absent(p, 2, [6]),
        lambda p: edits.recolour(p, 2, "#102030"),
    )
    lane = object_lane(project, 2, pending=[7], changed=[5, 6], doubts=object_doubts(project, 2))
    assert lane.key == ("object", 2)
    assert (lane.name, lane.colour) == ("cat 2", (16, 32, 48))
    expected = [((1, 2), "present"), ((5, 5), "present"), ((6, 6), "absent"), ((7, 7), "pending")]
    assert lane.stretches == tuple(Stretch(Span(*span), state) for span, state in expected)
    assert lane.prompts == {5}
    assert lane.locked == (Span(1, 2),)
    assert lane.reviewed == (Span(5, 5),)
    assert lane.changed == {5, 6}
    assert set(lane.doubts) == {1, 2, 5, 6}
    stroke = {3: edits.NewMask(mask(4))}
    by_hand = after(
        project,
        lambda p: edits.replace_masks(p, 2, stroke, "drawn", "{}"),
        lambda p: edits.mark_absent(p, 2, [4]),
    )
    assert lane.drawn == {1, 2, 5}
    assert object_lane(by_hand, 2).drawn == {1, 2, 3, 5}, "absent is a mark of its own"
    assert not object_lane(by_hand, 1).drawn, "a proposal is not drawn"
    assert object_lane(project, 2).doubts == {}


def test_doubt_reads_the_attention_of_the_expression_that_made_the_object(project):
    """Object 1 was accepted from a candidate: its sampled frames have attention; object 2 was drawn."""
    first, second = object_doubts(project, 1), object_doubts(project, 2)
    assert first[0].attention_outside > 0
    assert first[1].attention_outside == 0
    assert all(doubt.attention_outside == 0 for doubt in second.values())


def test_candidates_come_best_first_ghosts_last_and_accepted_ones_are_objects(project):
    lanes = candidate_lanes(project, 1)
    assert [lane.id for lane in lanes] == [2, 3], "the accepted one is still a candidate"
    assert all(lane.ghost and lane.colour == GHOST for lane in lanes), "nothing else was selected"
    scores = {row.id: total_score(row) for row in project.rows(TrackletRow).values()}
    assert scores[2] == pytest.approx((0.9 + 0.8 + 0.7) / 3)
    assert scores[1] == pytest.approx((0.9 + 0.8) / 2)
    low, high = candidate_lanes(project, 1, threshold=0.5), candidate_lanes(project, 1, threshold=0.95)
    assert [lane.ghost for lane in low] == [False, False]
    assert [lane.ghost for lane in high] == [True, True]
    rejected = after(project, lambda p: edits.reject(p, 2))
    assert [(lane.id, lane.ghost) for lane in candidate_lanes(rejected, 1, threshold=0.5)] == [(3, False), (2, True)]


def test_attention_is_shown_as_a_share_of_the_strongest():
    maps = np.stack([np.full((2, 3), value, np.float32) for value in (0.1, 0.4, 0.2)])
    assert attention_curve(maps) == pytest.approx([0.25, 1.0, 0.5])
    assert attention_curve(np.zeros((3, 2, 2), np.float32)) == [0.0, 0.0, 0.0]
    assert attention_curve(np.zeros((0, 2, 2), np.float32)) == []


def test_a_replaced_mask_is_seen_in_the_lane(project):
    changed = after(project, lambda p: edits.replace_masks(p, 2, masks_of({3: mask(1)}), "drawn", "{}"))
    assert Stretch(Span(1, 3), "present") in object_lane(changed, 2).stretches
