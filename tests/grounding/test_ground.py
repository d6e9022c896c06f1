"""The four questions as one generator: shapes, counters, what is asked of the clip, what another expression costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Stage
from decaf_gui.grounding.ground import ground, sample_frames
from decaf_gui.grounding.mllm import Mllm
from decaf_gui.grounding.settings import GroundingSettings

SETTINGS = GroundingSettings(frames=5, video_tokens=12, frame_scale=2, max_new_tokens=4, frame_batch=2)


@given(length=st.integers(1, 5000), count=st.integers(1, 40))
def test_sampled_frames_are_floored_linspace_with_both_ends(length, count):
    frames = sample_frames(length, count)
    if length <= count:
        assert frames == tuple(range(length))
    else:
        assert len(frames) == count
        assert frames[0] == 0
        assert count == 1 or frames[-1] == length - 1
        exact = [i * (length - 1) / max(count - 1, 1) for i in range(count)]
        assert all(-1e-9 <= e - f < 1 + 1e-9 for e, f in zip(exact, frames, strict=True))


def test_grounding_has_frame_grid_maps_and_answers(qwen_folder, frame_list):
    # The background of a random model outweighs its object, so that the contrast would be zero everywhere.
    settings = replace(SETTINGS, contrast=False)
    *stages, last = ground(Mllm.load(qwen_folder), frame_list, Expression("the dog"), settings)
    assert isinstance(last, AttentionReady)
    assert all(isinstance(event, Stage) for event in stages)
    found = last.grounding
    assert found.maps.shape == (5, 6, 8)
    assert found.maps.dtype == np.float32
    assert (found.maps.min(), found.maps.max()) == (0, 1)
    assert found.frames == (0, 2, 4, 6, 9)
    assert len(found.answers) == 6
    assert found.parts["video_object"].shape == (3, 3, 4)
    assert found.parts["frame_object"].shape == (5, 6, 8)
    contrasted = list(ground(Mllm.load(qwen_folder), frame_list, Expression("the dog"), SETTINGS))[-1].grounding
    assert contrasted.parts["frame_background"].shape == (5, 6, 8)
    assert contrasted.answers == found.answers


def test_another_expression_runs_neither_tower_nor_prefix(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    list(ground(mllm, frame_list, Expression("the dog"), SETTINGS))
    assert (mllm.counters.vision_inputs, mllm.counters.prefix_prefills) == (6, 6)
    decoded = len(frame_list.decoded)
    list(ground(mllm, frame_list, Expression("which one jumps?"), SETTINGS))
    assert (mllm.counters.vision_inputs, mllm.counters.prefix_prefills) == (6, 6)
    assert len(frame_list.decoded) == decoded


def test_closing_half_way_leaves_the_model_ready(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    whole = list(ground(mllm, frame_list, Expression("the dog"), SETTINGS))[-1].grounding
    for steps in (3, 9, 20):
        half = ground(mllm, frame_list, Expression("a cat?"), SETTINGS)
        for _ in range(steps):
            next(half)
        half.close()
    again = list(ground(mllm, frame_list, Expression("the dog"), SETTINGS))[-1].grounding
    assert np.array_equal(whole.maps, again.maps)


def test_video_alone_shows_no_frames(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    settings = GroundingSettings(frames=5, video_tokens=12, modalities="video", contrast=False, max_new_tokens=2)
    grounding = list(ground(mllm, frame_list, Expression("x"), settings))[-1].grounding
    assert grounding.maps.shape == (5, 3, 4)
    assert mllm.counters.vision_inputs == 1


@pytest.mark.parametrize("bad", [{"frames": 0}, {"video_kernel": 4}, {"sigma": 0}, {"start_layer": -1}])
def test_settings_out_of_range_are_refused(bad):
    with pytest.raises(BadInput, match=next(iter(bad))):
        GroundingSettings(**bad)
