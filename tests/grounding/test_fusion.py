"""Smoothing, contrast, scaling and fusion against formulas written out or torch's own operators."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from decaf_gui.grounding import fusion
from decaf_gui.grounding.settings import GroundingSettings

MAPS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9),
    elements=st.floats(0, 1, width=16),
)


@pytest.mark.parametrize("kernel", [3, 7])
@given(maps=MAPS)
@settings(max_examples=20, deadline=None)
def test_smoothing_is_a_normalised_gaussian_with_zeros_outside(kernel, maps):
    offsets = np.arange(kernel) - kernel // 2
    line = np.exp(-(offsets**2) / 2)
    line /= line.sum()
    weight = torch.tensor(np.outer(line, line), dtype=torch.float64)[None, None]
    expected = torch.nn.functional.conv2d(torch.tensor(maps, dtype=torch.float64)[:, None], weight, padding=kernel // 2)
    assert np.allclose(fusion.smooth(maps, kernel, 1.0), expected[:, 0].numpy(), atol=1e-6)


@given(maps=MAPS)
@settings(max_examples=20, deadline=None)
def test_min_max_spans_zero_to_one_or_is_zero(maps):
    for scaled, parts in (
        (fusion.min_max(maps, per_frame=False), [slice(None)]),
        (fusion.min_max(maps, per_frame=True), [slice(i, i + 1) for i in range(len(maps))]),
    ):
        for part in parts:
            if np.ptp(maps[part]) == 0:
                assert not scaled[part].any()
            else:
                assert scaled[part].min() == 0
                assert scaled[part].max() == 1


@given(maps=MAPS, factor=st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_resizing_equals_torch_bilinear_without_aligned_corners(maps, factor):
    size = (maps.shape[1] * factor + 1, maps.shape[2] * factor)
    expected = torch.nn.functional.interpolate(torch.tensor(maps)[None], size=size, mode="bilinear")[0]
    assert np.allclose(fusion.resize(maps, size), expected.numpy(), atol=1e-5)


def test_contrast_is_clamped_difference():
    a, b = np.array([[[0.5, 0.2]]], np.float32), np.array([[[0.1, 0.4]]], np.float32)
    assert fusion.contrast(a, b) == pytest.approx(np.array([[[0.4, 0.0]]]))


@pytest.mark.parametrize(("frames", "expected"), [(6, [0, 0, 1, 1, 2, 2]), (5, [0, 0, 1, 1, 2])])
def test_temporal_tokens_are_repeated_for_their_frames(frames, expected):
    maps = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    assert fusion.repeat_frames(maps, frames, 2)[:, 0, 0].tolist() == expected


def raw_maps(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "video_object": rng.random((3, 4, 5), np.float32),
        "video_background": rng.random((3, 4, 5), np.float32),
        "frame_object": rng.random((5, 8, 10), np.float32),
        "frame_background": rng.random((5, 8, 10), np.float32),
    }


def test_fused_maps_follow_the_equations():
    raw = raw_maps()

    def contrasted(name, kernel):
        blur = [
            [cv2.GaussianBlur(m, (kernel, kernel), 1.0, borderType=cv2.BORDER_CONSTANT) for m in raw[f"{name}_{part}"]]
            for part in ("object", "background")
        ]
        return np.clip(np.array(blur[0]) - np.array(blur[1]), 0, 1)

    video = contrasted("video", 3)
    video = (video - video.min()) / (video.max() - video.min())
    video = np.repeat(video, 2, axis=0)[:5]
    frame = np.stack([(m - m.min()) / (m.max() - m.min()) for m in contrasted("frame", 7)])
    up = torch.nn.functional.interpolate(torch.tensor(video)[None], size=(8, 10), mode="bilinear")[0].numpy()
    mean = (up + frame) / 2
    expected = (mean - mean.min()) / (mean.max() - mean.min())
    found = fusion.fuse_maps(raw, 5, 2, GroundingSettings())
    assert np.allclose(found["fused"], expected, atol=1e-5)
    assert found["fused"].dtype == np.float32


def test_without_contrast_or_with_one_modality_the_others_are_not_needed():
    raw = raw_maps()
    only_video = fusion.fuse_maps(
        {"video_object": raw["video_object"]}, 5, 2, GroundingSettings(contrast=False, modalities="video")
    )
    assert only_video["fused"].shape == (5, 4, 5)
    frames = {k: v for k, v in raw.items() if k.startswith("frame")}
    assert fusion.fuse_maps(frames, 5, 1, GroundingSettings(modalities="frames"))["fused"].shape == (5, 8, 10)


def test_otsu_mask_splits_where_the_between_class_variance_is_largest():
    rng = np.random.default_rng(1)
    maps = rng.random((2, 6, 7), np.float32) ** 3
    masks = fusion.attention_masks(maps, (60, 70))
    for map_, mask in zip(fusion.resize(maps, (60, 70)), masks, strict=True):
        grey = (map_ * 255).astype(np.uint8)
        spread = []
        for threshold in range(255):
            high = grey > threshold
            share = high.mean()
            if 0 < share < 1:
                gap = grey[high].mean() - grey[~high].mean()
                spread.append((share * (1 - share) * gap**2, threshold))
        best = max(value for value, _ in spread)
        threshold = int(grey[mask].min()) - 1
        chosen = next(value for value, t in spread if t == threshold)
        assert chosen == pytest.approx(best, rel=1e-6)
