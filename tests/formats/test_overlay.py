"""The overlay video: every frame, even sides, masks where they belong, legend and notice."""

from __future__ import annotations

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


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b).max(axis=-1)


def test_the_video_has_all_frames_at_even_sides_in_h264(clip: Clip, tmp_path: Path) -> None:
    with write(label_set(clip, {}), clip, tmp_path / "out") as video:
        assert (len(video), video.size, video.fps) == (3, (122, 162), 24.0)
        for i in range(3):
            assert difference(video[i][:121, :161], clip[i]).mean() < 6
    with av.open(str(tmp_path / "out/overlay/bear.mp4")) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


def test_the_rate_of_the_clip_is_kept_exactly(clip: Clip, tmp_path: Path) -> None:
    labels = LabelSet("bear", clip.size, 3, 30000 / 1001, tuple(clip.names), (), label_set(clip, {}).labels)
    with write(labels, clip, tmp_path / "out") as video:
        assert video.fps == 30000 / 1001


def test_colour_lies_on_the_mask_and_nowhere_else(clip: Clip, tmp_path: Path) -> None:
    mask = box(20, 30, 60, 90, SIZE)
    labels = label_set(clip, {5: [mask] * 3})
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
        assert (legend[row * line : (row + 1) * line] == colour).all(axis=-1).any()
    assert (legend[line : 2 * line] == overlay.TEXT_COLOUR).all(axis=-1).any()


def test_a_legend_of_many_long_expressions_leaves_most_of_the_picture_free(clip: Clip) -> None:
    labels = LabelSet("x", SIZE, 3, 24.0, tuple(clip.names), (), label_set(clip, {}).labels, ("word " * 99,) * 40)
    legend = overlay.draw_legend(labels, {})
    assert 0 < legend.shape[0] <= SIZE[0] / 3
    assert overlay.draw_legend(label_set(clip, {}), {}).shape[0] > 0
    silent = LabelSet("x", SIZE, 3, 24.0, tuple(clip.names), (), labels.labels)
    assert overlay.draw_legend(silent, {}).shape[0] == 0
    assert np.array_equal(overlay.put_legend(clip[0].copy(), overlay.draw_legend(silent, {})), clip[0])
