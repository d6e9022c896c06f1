"""The overlay video: every frame, even sides, masks where they belong, legend and notice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from labelled import box, image_clip, label_set

from decaf_gui.core.clip import Clip
from decaf_gui.core.masks import Masks
from decaf_gui.formats import overlay
from decaf_gui.formats.labelset import LabelledObject, LabelSet

SIZE = (121, 161)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return image_clip(tmp_path / "bear", 3, size=SIZE)


def write(labels: LabelSet, clip: Clip, out: Path) -> Clip:
    *_, last = overlay.write(labels, clip, out)
    return Clip.open(last.path / "bear.mp4")


def silent(labels: LabelSet) -> LabelSet:
    """Without a legend."""
    objects = tuple(replace(obj, expressions=()) for obj in labels.objects)
    return replace(labels, objects=objects, expressions=())


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b).max(axis=-1)


def test_the_video_has_all_frames_at_even_sides_in_h264(clip: Clip, tmp_path: Path) -> None:
    with write(silent(label_set(clip, {})), clip, tmp_path / "out") as video:
        assert (len(video), video.size, video.fps) == (3, (122, 162), 24.0)
        for i in range(3):
            assert difference(video[i][:121, :161], clip[i]).mean() < 6
    with av.open(str(tmp_path / "out/overlay/bear.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_the_rate_of_the_clip_is_kept_exactly(clip: Clip, tmp_path: Path) -> None:
    with write(replace(label_set(clip, {}), fps=30000 / 1001), clip, tmp_path / "out") as video:
        assert video.fps == 30000 / 1001


def test_colour_lies_on_the_mask_and_nowhere_else(clip: Clip, tmp_path: Path) -> None:
    mask = box(20, 30, 60, 90, SIZE)
    labels = silent(label_set(clip, {5: [mask] * 3}))
    with write(labels, clip, tmp_path / "out") as video:
        changed = difference(video[1][:121, :161], clip[1])
    assert changed[24:56, 34:86].min() > 20
    outside = np.ones(SIZE, bool)
    outside[14:66, 24:96] = False  # chroma of yuv420p and the codec's blocks smear a little
    assert changed[outside].mean() < 6


def test_newer_objects_are_on_top_and_unlabelled_frames_stay_bare(clip: Clip) -> None:
    labels = label_set(clip, {1: [box(0, 0, 50, 50, SIZE)] * 3, 2: [box(0, 0, 50, 50, SIZE)] * 3})
    colours = overlay.object_colours(labels)
    drawn = overlay.draw_masks(clip[0], labels.objects, colours, 0)
    below = (clip[0][25, 25].astype(int) + colours[1]) // 2
    assert drawn[25, 25].tolist() == ((below + colours[2]) // 2).tolist()
    bare = LabelledObject(1, labels.objects[0].label, Masks(SIZE))
    assert np.array_equal(overlay.draw_masks(clip[0], [bare], colours, 0), clip[0])


def test_the_legend_shows_the_colours_of_each_expression_and_the_notice(clip: Clip) -> None:
    masks = [box(0, 0, 9, 9, SIZE)] * 3
    labels = label_set(clip, {1: masks, 2: masks}, {1: (0,), 2: (1,)}, notice="demo models: masks mean nothing")
    colours = overlay.object_colours(labels)
    legend = overlay.draw_legend(labels, colours)
    line = legend.shape[0] // 3
    assert legend.shape[1] == SIZE[1]
    for row, colour in enumerate([overlay.NOTICE_COLOUR, colours[1], colours[2]]):
        distance = difference(legend[row * line : (row + 1) * line], np.array(colour))
        assert distance.min() < 40  # letters are smoothed
    assert difference(legend[line:], np.array(overlay.TEXT_COLOUR)).min() < 40


def test_a_legend_of_many_long_expressions_leaves_most_of_the_picture_free(clip: Clip) -> None:
    labels = replace(label_set(clip, {}), expressions=("word " * 99,) * 40)
    legend = overlay.draw_legend(labels, {})
    assert 0 < legend.shape[0] <= SIZE[0] / 3


def test_without_expressions_and_notice_there_is_no_legend(clip: Clip) -> None:
    legend = overlay.draw_legend(silent(label_set(clip, {})), {})
    assert legend.shape[0] == 0
    assert np.array_equal(overlay.put_legend(clip[0].copy(), legend), clip[0])
