"""DAVIS 2017: what is written is what evaluators read, and reading it gives the masks back."""

from __future__ import annotations

import csv
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from labelled import EXPRESSIONS, SIZE, Dense, box, image_clip, label_set, picture, two_objects
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage
from decaf_gui.formats import davis
from decaf_gui.formats.base import Written
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.pngs import pascal_palette


def voc_palette() -> list[int]:
    """As the PASCAL VOC development kit makes it: three bits of the index at a time."""
    values = []
    for index in range(256):
        red = green = blue = 0
        rest = index
        for shift in range(7, -1, -1):
            red |= (rest & 1) << shift
            green |= (rest >> 1 & 1) << shift
            blue |= (rest >> 2 & 1) << shift
            rest >>= 3
        values += [red, green, blue]
    return values


def indices(out: Path, clip: Clip, frame: int) -> np.ndarray:
    with Image.open(out / f"davis/Annotations/480p/{clip.name}/{frame:05d}.png") as image:
        assert image.mode == "P"
        assert image.getpalette() == voc_palette()
        return np.array(image)


def test_the_palette_is_pascals() -> None:
    assert pascal_palette().ravel().tolist() == voc_palette()
    assert pascal_palette()[[1, 2, 3, 8, 9]].tolist() == [
        [128, 0, 0],
        [0, 128, 0],
        [128, 128, 0],
        [64, 0, 0],
        [192, 0, 0],
    ]


def test_every_frame_gets_a_jpeg_and_an_indexed_png_of_its_size(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    labels = two_objects(clip)
    events = list(davis.write(labels, clip, tmp_path / "out"))
    assert [e.done for e in events if isinstance(e, Stage)] == [0, 1, 2, 3, 4]
    assert isinstance(events[-1], Written)
    assert events[-1].path == tmp_path / "out/davis"
    for frame in range(4):
        expected = np.zeros(SIZE, np.uint8)
        expected[labels.objects[0].masks[frame]] = 1
        expected[labels.objects[1].masks[frame]] = 2  # the newer object is on top
        assert np.array_equal(indices(tmp_path / "out", clip, frame), expected)
        with Image.open(tmp_path / f"out/davis/JPEGImages/480p/bear/{frame:05d}.jpg") as jpeg:
            assert np.abs(np.asarray(jpeg).astype(int) - picture(frame)).mean() < 3
    assert (tmp_path / "out/davis/ImageSets/2017/val.txt").read_text() == "bear\n"
    assert not (tmp_path / "out/.partial").exists()


def test_the_tables_name_sources_objects_and_expressions(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    *_, last = davis.write(two_objects(clip), clip, tmp_path / "out")
    tables = tmp_path / "out/davis/Tables/bear"
    with (tables / "names.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [["frame", "source"]] + [[f"{t:05d}", f"shot{t + 1}.png"] for t in range(4)]
    info = json.loads((tables / "objects.json").read_text())
    assert [(o["number"], o["object"], o["label"]) for o in info["objects"]] == [(1, 3, "dog"), (2, 7, "ball")]
    assert [(e["text"], e["objects"]) for e in info["expressions"]] == [(EXPRESSIONS[0], [1, 2]), (EXPRESSIONS[1], [2])]
    assert info["provenance"] == {"models": {"sam": "demo"}}
    assert last.warnings == ("Objects overlap on 1 of 4 frames: the newer one is on top.",)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(arrays(np.bool_, (5, 7)), min_size=3, max_size=3), max_size=4))
def test_reading_gives_the_masks_back_with_overlaps_resolved(tracks: list[list[Dense]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clip = image_clip(Path(folder, "bear"), 3, size=(5, 7))
        labels = label_set(clip, {10 + 2 * i: track for i, track in enumerate(tracks)})
        list(davis.write(labels, clip, Path(folder, "out")))
        back = davis.read(Path(folder, "out/davis"))
    assert (back.name, back.size, back.frame_count, back.names) == ("bear", (5, 7), 3, tuple(clip.names))
    assert [(o.id, o.label) for o in back.objects] == [(o.id, o.label) for o in labels.objects]
    for i, obj in enumerate(back.objects):
        for frame in range(3):
            above = [track[frame] for track in tracks[i + 1 :]]
            visible = tracks[i][frame] & ~np.logical_or.reduce([np.zeros((5, 7), bool), *above])
            assert np.array_equal(obj.masks[frame], visible)


def test_a_label_set_without_overlaps_comes_back_equal(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    tracks = {t: [box(4 * t, frame, 4 * t + 3, 20 + frame) for frame in range(4)] for t in (1, 2, 5)}
    labels = label_set(clip, tracks, {2: (1,)}, notice="a notice")
    list(davis.write(labels, clip, tmp_path / "out"))
    assert davis.read(tmp_path / "out/davis") == labels


def test_objects_seen_on_the_first_frame_get_the_first_numbers(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    late = [box(0, 0, 4, 4) & (t > 0) for t in range(4)]
    early = [box(10, 10, 20, 20)] * 4
    *_, last = davis.write(label_set(clip, {1: late, 2: early}), clip, tmp_path / "out")
    assert set(np.unique(indices(tmp_path / "out", clip, 0))) == {0, 1}
    assert indices(tmp_path / "out", clip, 1)[0, 0] == 2
    assert "Not seen on frame 0: object 2" in last.warnings[0]
    assert [o.id for o in davis.read(tmp_path / "out/davis").objects] == [1, 2]


def test_jpeg_sources_are_copied_byte_by_byte_unless_exif_turns_them(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear", 2, "jpg")
    turned = Image.Exif()
    turned[0x0112] = 3
    Image.fromarray(picture(1)).save(tmp_path / "bear/shot2.jpg", exif=turned)
    list(davis.write(label_set(clip, {1: [box(0, 0, 2, 2)] * 2}), clip, tmp_path / "out"))
    frames = tmp_path / "out/davis/JPEGImages/480p/bear"
    assert (frames / "00000.jpg").read_bytes() == (tmp_path / "bear/shot1.jpg").read_bytes()
    with Image.open(frames / "00001.jpg") as image:
        assert image.getexif().get(0x0112, 1) == 1
        assert np.abs(np.asarray(image).astype(int) - picture(1)[::-1, ::-1]).mean() < 3


def test_clips_gather_in_one_dataset(tmp_path: Path) -> None:
    for name in ("bear", "a big dog"):
        clip = image_clip(tmp_path / name, 2)
        list(davis.write(label_set(clip, {1: [box(0, 0, 2, 2)] * 2}), clip, tmp_path / "out"))
    assert (tmp_path / "out/davis/ImageSets/2017/val.txt").read_text() == "bear\na_big_dog\n"
    assert davis.read(tmp_path / "out/davis", "a_big_dog").name == "a big dog"
    with pytest.raises(BadInput, match="a_big_dog, bear"):
        davis.read(tmp_path / "out/davis")


def test_an_object_that_is_not_labelled_on_every_frame_is_refused(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    whole = two_objects(clip)
    some = whole.objects[1]
    partly = LabelledObject(some.id, some.label, some.masks.restrict([0, 1, 3]))
    labels = LabelSet.of_clip(clip, [whole.objects[0], partly], whole.labels, EXPRESSIONS)
    with pytest.raises(BadInput, match="Object 7 is not labelled on frame 2"):
        next(davis.write(labels, clip, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_255_objects_are_one_too_many(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear", 1)
    with pytest.raises(BadInput, match="at most 254"):
        next(davis.write(label_set(clip, {i: [box(0, 0, 1, 1)] for i in range(255)}), clip, tmp_path / "out"))
    list(davis.write(label_set(clip, {i: [box(0, 0, 1, 1)] for i in range(254)}), clip, tmp_path / "out"))
    assert indices(tmp_path / "out", clip, 0)[0, 0] == 254


def test_other_peoples_masks_are_read_grey_or_indexed_without_void(tmp_path: Path) -> None:
    folder = tmp_path / "Annotations/480p/camel"
    folder.mkdir(parents=True)
    Image.fromarray(np.array([[0, 1], [3, 255]], np.uint8)).save(folder / "00000.png")
    Image.fromarray(np.array([[0, 0], [3, 3]], np.uint8)).convert("L").save(folder / "00005.png")
    back = davis.read(tmp_path)
    assert (back.names, [o.id for o in back.objects]) == (("00000", "00005"), [1, 3])
    assert back.objects[0].masks.absent(1)
    assert back.objects[1].masks[0].tolist() == [[False, False], [True, False]]


def test_what_is_no_mask_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no DAVIS data"):
        davis.read(tmp_path)
    folder = tmp_path / "Annotations/480p/camel"
    folder.mkdir(parents=True)
    with pytest.raises(BadInput, match="no PNG masks"):
        davis.read(tmp_path)
    Image.new("RGB", (2, 2)).save(folder / "00000.png")
    with pytest.raises(BadInput, match="is no label map"):
        davis.read(tmp_path)
