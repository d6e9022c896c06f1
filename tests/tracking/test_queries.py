"""Point queries and the released suppression loop against an independent transcription of the specification."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decaf_gui.core.masks import Rle
from decaf_gui.tracking.queries import Rival, point_queries, suppress


def test_points_are_centres_of_tokens_at_least_tau():
    map_hw = np.array([[0.8, 0.1, 0.0], [0.79, 1.0, 0.0]], np.float32)
    found = [(q.x, q.y, q.attention) for q in point_queries(map_hw, (100, 300), np.float32(0.8))]
    assert found == [(50, 25, pytest.approx(0.8)), (150, 75, 1.0)]


def box(x: int, width: int, height: int = 10) -> np.ndarray:
    mask = np.zeros((12, 40), bool)
    mask[:height, x : x + width] = True
    return mask


def dense_iou(a: np.ndarray, b: np.ndarray) -> float:
    union = (a | b).sum()
    return (a & b).sum() / union if union else 0.0


def transcription(masks, scores, rivals, tau):
    """Section 6, sentence by sentence, on dense masks."""
    by_score = sorted(range(len(masks)), key=lambda i: scores[i], reverse=True)
    status = dict.fromkeys(by_score, "open")
    marked = []
    for position, i in enumerate(by_score):
        if status[i] == "suppressed":  # a candidate that a better one of this frame suppressed is passed over
            continue
        for j in by_score[position + 1 :]:  # otherwise it first suppresses all weaker ones it overlaps
            if dense_iou(masks[i], masks[j]) > tau:
                status[j] = "suppressed"
        status[i] = "kept"
        for rival_id, rival_score, rival_mask in rivals:  # then it is compared with the tracklets kept so far
            if dense_iou(masks[i], rival_mask) > tau:
                if scores[i] > rival_score:
                    marked.append(rival_id)
                else:
                    status[i] = "dropped"
                    break
    kept = [i for i in by_score if status[i] == "kept"]
    return kept, sorted(set(marked)) if kept else []


BOXES = st.builds(box, st.integers(0, 30), st.integers(0, 10), st.integers(5, 12))
SCORES = st.floats(0, 2, allow_nan=False)


@given(
    candidates=st.lists(st.tuples(BOXES, SCORES), max_size=8, unique_by=lambda c: c[1]),
    rivals=st.lists(st.tuples(BOXES, SCORES), max_size=5),
    tau=st.sampled_from([0.3, 0.5, 0.7]),
)
@settings(max_examples=300, deadline=None)
def test_suppression_equals_the_specification(candidates, rivals, tau):
    masks, scores = [c[0] for c in candidates], [c[1] for c in candidates]
    numbered = [(100 + i, score, mask) for i, (mask, score) in enumerate(rivals)]
    verdict = suppress(
        [Rle.encode(m) for m in masks], scores, [Rival(i, s, Rle.encode(m)) for i, s, m in numbered], tau
    )
    kept, deleted = transcription(masks, scores, numbered, tau)
    assert verdict.kept == kept
    assert sorted(verdict.deleted) == deleted


def test_deletions_are_not_carried_out_when_no_candidate_is_left():
    mask = Rle.encode(box(0, 10))
    verdict = suppress([mask], [1.0], [Rival(1, 0.5, mask), Rival(2, 1.5, mask)], 0.7)
    assert verdict.kept == []
    assert verdict.deleted == []


def test_what_a_dropped_candidate_suppressed_stays_suppressed():
    mask = Rle.encode(box(0, 10))
    verdict = suppress([mask, mask], [1.0, 0.9], [Rival(1, 1.5, mask)], 0.7)
    assert verdict.kept == []
