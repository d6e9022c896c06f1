"""Samples of the shapes world and of a folder laid out as Ref-YouTube-VOS is."""

from __future__ import annotations

import numpy as np
import pytest
import steering_cases  # noqa: F401 - finds the rooms next door
import torch

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.families import plain_layout
from decaf_gui.steering import samples
from decaf_gui.steering.samples import RefYoutubeVos, Shapes, coverage_on


def test_coverage_is_the_share_of_each_token():
    masks = np.zeros((4, 8, 12), bool)
    masks[0, :4, :4] = masks[1, :4, :2] = masks[3, 6:] = True
    frames = coverage_on(plain_layout("video", 4, (4, 2, 3)), masks)
    assert frames[0].tolist() == [[1, 0, 0], [0, 0, 0]]
    assert frames[3].tolist() == [[0, 0, 0], [0.5, 0.5, 0.5]]
    pairs = coverage_on(plain_layout("video", 4, (2, 2, 3)), masks)
    assert pairs[0].tolist() == [[0.75, 0, 0], [0, 0, 0]]
    odd = coverage_on(plain_layout("video", 3, (2, 2, 3)), masks[[2, 2, 0]])
    assert odd[1].equal(frames[0]), "an odd last frame counts alone"


def test_shapes_are_the_same_each_time_and_differ_between_runs():
    one, again, other = Shapes(4, 2), Shapes(4, 2), Shapes(4, 2, seed=1)
    for number in (0, 7):
        a, b, c = (source.take(number) for source in (one, again, other))
        assert (a.clip, a.text) == (b.clip, b.text)
        assert np.array_equal(a.masks, b.masks)
        assert a.clip != c.clip
        assert len(a.frames) == len(a.masks) == 4
        assert a.frames[0].shape[:2] == a.size == a.masks.shape[1:]
    assert one.take(5).clip == "shapes 2000005"
    assert [sample.clip for sample in one.held_out()] == ["shapes 70000", "shapes 70001"]
    assert one.length is None


def test_shapes_never_shows_what_the_benchmark_scores(monkeypatch):
    from decaf_gui.demo.shapes_benchmark import CASES

    scored, seen = {case.seed for case in CASES}, set()
    real = samples.make_clip
    monkeypatch.setattr(samples, "make_clip", lambda seed, *more: seen.add(seed) or real(seed, *more))
    for seed in (0, 5):
        source = Shapes(1, 2, seed)
        for number in (0, 9_999_999):
            source.take(number)
    trained = set(seen)
    held = {int(sample.clip.split()[1]) for sample in source.held_out()}
    assert len(trained) == 4
    assert trained.isdisjoint(scored)
    assert held.isdisjoint(scored)
    assert held.isdisjoint(trained)
    assert min(trained) > max(scored) < min(held), "and no longer run reaches them"


@pytest.fixture
def root(tmp_path):
    from rvos_layouts import ref_youtube_vos

    return ref_youtube_vos(tmp_path)


def test_a_dataset_gives_every_expression_once_an_epoch(root):
    source = RefYoutubeVos(root, frames=4, held=0)
    assert source.length == 4
    epochs = [[source.take(number) for number in range(4 * epoch, 4 * epoch + 4)] for epoch in range(6)]
    asked = [[(sample.clip, sample.text) for sample in epoch] for epoch in epochs]
    assert all(len(set(epoch)) == 4 and set(epoch) == set(asked[0]) for epoch in asked)
    assert len({tuple(epoch) for epoch in asked}) > 1, "each epoch has an order of its own"
    again = RefYoutubeVos(root, frames=4, held=0)
    assert [(again.take(n).clip, again.take(n).text) for n in range(4)] == asked[0]


def test_masks_are_those_of_the_sampled_frames(root):
    from synthetic_set import SHAPES, truth

    sample = RefYoutubeVos(root, frames=3, held=0).take(0)
    label = int(sample.text.split()[1])
    assert len(sample.frames) == 3
    for frame, mask in zip((0, 2, 5), sample.masks, strict=True):
        assert np.array_equal(mask, truth(sample.clip, frame) == label)
    assert sample.frames[0].shape[:2] == SHAPES[sample.clip] == sample.size
    assert torch.as_tensor(sample.masks).dtype == torch.bool


def test_held_out_videos_are_never_trained_on(root):
    source = RefYoutubeVos(root, frames=2, held=1)
    held = {sample.clip for sample in source.held_out()}
    assert len(held) == 1
    assert held.isdisjoint({source.take(number).clip for number in range(source.length)})
    with pytest.raises(BadInput, match="--val"):
        RefYoutubeVos(root, frames=2, held=2)


def test_a_missing_frame_is_said_and_a_missing_dataset_too(root, tmp_path):
    source = RefYoutubeVos(root, frames=3, held=0)
    next((root / "train/JPEGImages").rglob("00000.jpg")).unlink()
    with pytest.raises(BadInput, match="is missing"):
        [source.take(number) for number in range(4)]
    with pytest.raises(BadInput, match="is missing"):
        RefYoutubeVos(tmp_path / "nowhere", frames=3, held=0)
