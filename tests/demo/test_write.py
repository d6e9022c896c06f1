"""Demo clips on disk, read back by the DAVIS reader, by PIL and by PyAV."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.demo.shapes import make_clip
from decaf_gui.demo.write import write_clips
from decaf_gui.formats import davis

FRAMES = 5


@pytest.mark.parametrize("video", [True, False])
def test_frames_are_those_of_the_world(tmp_path, video):
    (path,) = write_clips(tmp_path, 11, 1, "kind", FRAMES, video=video)
    expected = make_clip(11, "kind", FRAMES).frames
    with Clip.open(path) as clip:
        assert len(clip) == FRAMES
        errors = [np.abs(clip[i].astype(float) - expected[i]).mean() for i in range(FRAMES)]
    assert max(errors) < 6  # lossy, but the same pictures


def test_ground_truth_is_read_back_by_the_davis_reader(tmp_path):
    list(write_clips(tmp_path, 11, 2, "kind", FRAMES, video=True))
    for seed in (11, 12):
        shapes = make_clip(seed, "kind", FRAMES)
        labels = davis.read(tmp_path, f"kind{seed:05d}")
        assert labels.frame_count == FRAMES
        found = {obj.id: np.stack([obj.masks[t] for t in range(FRAMES)]) for obj in labels.objects}
        for thing, masks in zip(shapes.objects, shapes.masks, strict=True):
            assert np.array_equal(found.get(thing.id, np.zeros_like(masks)), masks)


def test_masks_are_indexed_with_the_palette_of_davis(tmp_path):
    list(write_clips(tmp_path, 3, 1, "kind", 1, video=True))
    picture = Image.open(tmp_path / "Annotations/480p/kind00003/00000.png")
    assert picture.mode == "P"
    assert picture.getpalette()[:9] == [0, 0, 0, 128, 0, 0, 0, 128, 0]


def test_expressions_and_image_set_name_every_clip_also_of_earlier_calls(tmp_path):
    for seed, level in ((3, "kind"), (8, "hard")):
        list(write_clips(tmp_path, seed, 1, level, 2, video=False))
    table = json.loads((tmp_path / "expressions.json").read_text())
    assert sorted(table) == ["hard00008", "kind00003"]
    assert (tmp_path / "ImageSets/2017/val.txt").read_text().split() == ["kind00003", "hard00008"]
    said = [(e["text"], tuple(e["objects"])) for e in table["kind00003"]["expressions"]]
    assert said == [(e.text, e.objects) for e in make_clip(3, "kind", 2).expressions]


def test_breaking_off_leaves_only_complete_clips(tmp_path):
    writing = write_clips(tmp_path, 3, 5, "kind", 2, video=False)
    next(writing)
    writing.close()
    assert [p.name for p in (tmp_path / "JPEGImages/480p").iterdir()] == ["kind00003"]
    assert list(json.loads((tmp_path / "expressions.json").read_text())) == ["kind00003"]


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="cannot be written"):
        list(write_clips(tmp_path / "file", 3, 1, "kind", 2, video=True))


def test_an_unknown_level_writes_nothing(tmp_path):
    with pytest.raises(BadInput):
        list(write_clips(tmp_path / "out", 3, 1, "easy", 2, video=True))
    assert not (tmp_path / "out").exists()
