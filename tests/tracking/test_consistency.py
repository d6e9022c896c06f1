"""Equations 6 to 8 against loops over cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decaf_gui.core.masks import Masks
from decaf_gui.tracking.consistency import consistency_scores, pooled_masks
from decaf_gui.tracking.settings import TrackingSettings

SIZE, GRID, FRAMES = (24, 32), (6, 8), (3, 7, 9)


def tracks(seed: int = 0) -> list[Masks]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(3):
        y, x = rng.integers(0, 12), rng.integers(0, 16)
        dense = {f: np.zeros(SIZE, bool) for f in FRAMES}
        for f in FRAMES[:2]:
            dense[f][y : y + 10, x : x + 13] = True
        found.append(Masks.encode(dense, SIZE))
    return found


def loops(masks: Masks, maps: np.ndarray, settings: TrackingSettings) -> float:
    cell_h, cell_w = SIZE[0] // GRID[0], SIZE[1] // GRID[1]
    above_sum = inner = 0.0
    for t, frame in enumerate(FRAMES):
        mask, mu = masks[frame], maps[t].mean()
        for i in range(GRID[0]):
            for j in range(GRID[1]):
                v = maps[t, i, j]
                above = v > mu if settings.strict else v >= mu
                share = mask[i * cell_h : (i + 1) * cell_h, j * cell_w : (j + 1) * cell_w].mean()
                above_sum += v if above else 0
                inner += share * (v if above else (-maps[t].max() if settings.penalty else 0))
    return inner / above_sum


@pytest.mark.parametrize("penalty", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_scores_equal_loops_over_cells(penalty, strict):
    maps = np.random.default_rng(2).random((3, *GRID)).astype(np.float32)
    settings = TrackingSettings(normalise=False, penalty=penalty, strict=strict)
    found = consistency_scores(tracks(), FRAMES, maps, settings)
    assert found == pytest.approx([loops(m, maps, settings) for m in tracks()], rel=1e-5)


def test_cells_at_the_threshold_count_only_when_it_is_not_strict():
    maps = np.zeros((3, *GRID), np.float32)
    maps[:] = 0.5  # every cell is the mean
    full = Masks.encode({f: np.ones(SIZE, bool) for f in FRAMES}, SIZE)
    loose = TrackingSettings(strict=False, normalise=False)
    assert consistency_scores([full], FRAMES, maps, loose) == pytest.approx([1.0])
    assert consistency_scores([full], FRAMES, maps, replace(loose, strict=True)) == [0.0]


def test_normalising_makes_the_best_one_and_keeps_negatives():
    maps = np.zeros((3, *GRID), np.float32)
    maps[:, :3, :4] = 1
    good = Masks.encode({f: np.pad(np.ones((6, 16), bool), ((0, 18), (0, 16))) for f in FRAMES}, SIZE)
    bad = Masks.encode({f: np.pad(np.ones((6, 16), bool), ((18, 0), (16, 0))) for f in FRAMES}, SIZE)
    plain = consistency_scores([good, bad], FRAMES, maps, TrackingSettings(normalise=False))
    scaled = consistency_scores([good, bad], FRAMES, maps, TrackingSettings())
    assert plain[0] < 1
    assert scaled == pytest.approx([1.0, plain[1]])
    assert plain[1] < 0


def test_maps_of_zeros_score_nothing():
    maps = np.zeros((3, *GRID), np.float32)
    assert consistency_scores(tracks(), FRAMES, maps, TrackingSettings()) == [0.0, 0.0, 0.0]


def test_masks_are_pooled_by_area():
    half = Masks.encode({f: np.pad(np.ones((24, 2), bool), ((0, 0), (0, 30))) for f in FRAMES}, SIZE)
    pooled = pooled_masks(half, FRAMES, GRID)
    assert pooled.shape == (3, *GRID)
    assert (pooled[:, :, 0] == 0.5).all()
    assert not pooled[:, :, 1:].any()


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_pooled_masks_equal_adaptive_average_pooling(size, grid, seed):
    rng = np.random.default_rng(seed)
    dense = {frame: rng.random(size) < rng.random() ** 3 for frame in range(3)}
    pooled = pooled_masks(Masks.encode(dense, size), range(3), grid)
    stack = torch.from_numpy(np.stack(list(dense.values()))).float()
    expected = torch.nn.functional.adaptive_avg_pool2d(stack[None], grid)[0]
    assert np.allclose(pooled, expected.numpy(), atol=1e-6)
