"""Masks of the attention alone against closed forms and OpenCV's Otsu, and the way to them without SAM2."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from decaf_gui import Clip, Engine
from decaf_gui.core.entities import Grounding
from decaf_gui.core.events import AttentionReady, Proposed, Stage
from decaf_gui.demo.scores import open_shapes
from decaf_gui.demo.shapes import make_clip
from decaf_gui.grounding.fusion import attention_masks, fuse_maps
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.pipeline.settings import Settings


def grounding(maps, frames=None):
    maps = np.asarray(maps, np.float32)
    return Grounding(maps, tuple(frames or range(len(maps))), "dog")


@given(st.integers(0, 2**30), st.integers(1, 40), st.integers(45, 100))
@settings(max_examples=20, deadline=None)
def test_two_levels_are_told_apart_whatever_they_are(seed, low, high):
    rng = np.random.default_rng(seed)
    upper = rng.random((3, 6, 7)) < 0.3
    upper[:, 0, 0], upper[:, -1, -1] = True, False
    maps = np.where(upper, high / 100, low / 100)
    assert np.array_equal(attention_masks(grounding(maps).maps, (6, 7)), upper)


def test_a_constant_frame_is_empty_and_leaves_the_others_alone():
    maps = np.zeros((3, 2, 2))
    maps[1] = [[0.1, 0.1], [0.1, 0.9]]
    found = attention_masks(grounding(maps).maps, (2, 2))
    assert found.dtype == np.bool_
    assert found.tolist() == [[[False] * 2] * 2, [[False, False], [False, True]], [[False] * 2] * 2]


def test_every_frame_has_its_own_threshold():
    dark, bright = [[0.0, 0.1], [0.1, 0.2]], [[0.5, 0.6], [0.9, 1.0]]
    found = attention_masks(grounding([dark, bright]).maps, (2, 2))
    assert found[0].any(), "a threshold for all frames would leave the dark one empty"
    assert found[1].tolist() == [[False, False], [True, True]]


def test_masks_are_opencvs_otsu_of_torchs_upsampled_maps():
    # eighths, twice as large: all weights are sixteenths, so that both ways give the same numbers
    maps = np.random.default_rng(5).integers(0, 9, (4, 6, 8)) / 8
    large = torch.nn.functional.interpolate(torch.tensor(maps)[None], scale_factor=2, mode="bilinear")[0]
    grey = (large.numpy() * 255).astype(np.uint8)
    expected = [cv2.threshold(g, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)[1] > 0 for g in grey]
    assert np.array_equal(attention_masks(grounding(maps).maps, (12, 16)), expected)


@pytest.fixture(scope="module")
def shapes():
    return make_clip(21_001, "medium", frames=8)


@pytest.fixture
def clip(shapes, tmp_path):
    with open_shapes(shapes, tmp_path) as opened:
        yield opened


def test_attending_loads_no_sam2_and_is_the_first_half_of_proposing(shapes, clip: Clip):
    engine, text = Engine(), shapes.expressions[0].text
    *stages, attended = engine.attend(clip, text)
    assert isinstance(attended, AttentionReady)
    assert all(isinstance(event, Stage) for event in stages)
    assert engine._sam is None, "SAM2 is not loaded"
    masks = attention_masks(attended.grounding.maps, clip.size)
    assert masks.shape == (8, *clip.size)
    proposal = next(e.proposal for e in engine.propose(clip, text) if isinstance(e, Proposed))
    assert np.array_equal(proposal.grounding.maps, attended.grounding.maps)
    assert proposal.counters["vision_inputs"] == 1 + 8, "what was read to attend is counted, and not read again"
    again = next(e.proposal for e in engine.segment(clip, text, attended.grounding) if isinstance(e, Proposed))
    assert [t.masks for t in again.tracklets] == [t.masks for t in proposal.tracklets]
    assert [t.scores for t in again.tracklets] == [t.scores for t in proposal.tracklets]


def test_settings_are_those_of_proposing(shapes, clip: Clip):
    engine = Engine()
    events = engine.attend(clip, shapes.expressions[0].text, Settings().changed({"frames": "3", "modalities": "video"}))
    found = next(event for event in events if isinstance(event, AttentionReady)).grounding
    assert len(found.frames) == 3
    assert set(found.parts) == {"video_object", "video_background", "video"}


def test_without_smoothing_raw_maps_are_contrasted_as_they_are():
    rng = np.random.default_rng(2)
    raw = {f"frame_{name}": rng.random((2, 5, 6), np.float32) for name in ("object", "background")}
    found = fuse_maps(raw, 2, 1, GroundingSettings(modalities="frames", smoothing=False))["frame"]
    gap = np.clip(raw["frame_object"] - raw["frame_background"], 0, 1)
    assert np.allclose(found, [(g - g.min()) / (g.max() - g.min()) for g in gap], atol=1e-6)
    one = GroundingSettings(modalities="frames", frame_kernel=1)
    assert np.allclose(found, fuse_maps(raw, 2, 1, one)["frame"], atol=1e-6), "a window of one cell"
