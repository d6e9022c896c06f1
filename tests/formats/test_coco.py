"""COCO: pycocotools reads what is written, and reading it gives the label set back, overlaps and all."""

from __future__ import annotations

import contextlib
import io
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
from pycocotools.coco import COCO

from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage
from decaf_gui.formats import coco
from decaf_gui.formats.base import Written


def load(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def test_pycocotools_reads_the_masks_boxes_and_areas(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    labels = two_objects(clip)
    events = list(coco.write(labels, clip, tmp_path / "out"))
    assert [e.done for e in events if isinstance(e, Stage)] == [0, 1, 2, 3, 4]
    assert isinstance(events[-1], Written)
    data = load(tmp_path / "out/coco/annotations/instances_bear.json")
    assert [image["file_name"] for image in data.imgs.values()] == list(clip.names)
    assert {e["name"] for e in data.cats.values()} == {"dog", "ball", "cat"}
    assert sorted(data.anns) == list(range(1, 8))  # two objects on four frames, one absent once
    for annotation in data.anns.values():
        obj = labels.objects[annotation["track_id"] - 1]
        mask = obj.masks[annotation["image_id"] - 1]
        rows, columns = np.nonzero(mask)
        assert np.array_equal(data.annToMask(annotation), mask)
        assert annotation["area"] == mask.sum()
        assert annotation["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert (annotation["category_id"], annotation["iscrowd"]) == (obj.label.id, 0)
        assert isinstance(annotation["segmentation"]["counts"], str)
    assert not (tmp_path / "out/.partial").exists()


def test_the_file_says_which_expression_means_which_track(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    list(coco.write(two_objects(clip), clip, tmp_path / "out"))
    data = json.loads((tmp_path / "out/coco/annotations/instances_bear.json").read_text())
    assert [(e["text"], e["track_ids"]) for e in data["expressions"]] == [
        (EXPRESSIONS[0], [1, 2]),
        (EXPRESSIONS[1], [2]),
    ]
    assert [(o["track_id"], o["object"]) for o in data["objects"]] == [(1, 3), (2, 7)]
    assert data["info"]["provenance"] == {"models": {"sam": "demo"}}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(arrays(np.bool_, (5, 7)), min_size=3, max_size=3), max_size=4))
def test_any_label_set_comes_back_equal(tracks: list[list[Dense]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clip = image_clip(Path(folder, "bear"), 3, size=(5, 7))
        labels = label_set(clip, {10 + 2 * i: track for i, track in enumerate(tracks)}, {10: (0, 1)}, "a notice")
        list(coco.write(labels, clip, Path(folder, "out")))
        assert coco.read(Path(folder, "out/coco")) == labels
        data = load(Path(folder, "out/coco/annotations/instances_bear.json"))
        assert len(data.anns) == sum(mask.any() for track in tracks for mask in track)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_source_images_are_copied_under_their_names(suffix: str, tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear", 2, suffix)
    list(coco.write(label_set(clip, {}), clip, tmp_path / "out"))
    for name in (f"shot1.{suffix}", f"shot2.{suffix}"):
        assert (tmp_path / "out/coco/images/bear" / name).read_bytes() == (tmp_path / "bear" / name).read_bytes()


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_images_that_exif_turns_are_written_upright(suffix: str, tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear", 1, suffix)
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(picture(0)).save(tmp_path / f"bear/shot1.{suffix}", exif=exif)
    list(coco.write(label_set(clip, {}), clip, tmp_path / "out"))
    with Image.open(tmp_path / f"out/coco/images/bear/shot1.{suffix}") as image:
        assert image.getexif().get(0x0112, 1) == 1
        assert np.abs(np.asarray(image).astype(int) - picture(0)[::-1, ::-1]).mean() < 3


def test_polygons_and_uncompressed_runs_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.json"
    square = [[2, 2, 8, 2, 8, 6, 2, 6]]
    runs = {"size": list(SIZE), "counts": [0, SIZE[0], SIZE[0] * (SIZE[1] - 1)]}
    common = {"category_id": 4, "iscrowd": 0, "area": 1, "bbox": [0, 0, 1, 1]}
    data = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": SIZE[0], "width": SIZE[1]} for i in (20, 10)],
        "categories": [{"id": 4, "name": "thing"}],
        "annotations": [
            {"id": 1, "image_id": 10, "track_id": 1, "segmentation": square, **common},
            {"id": 2, "image_id": 20, "track_id": 2, "segmentation": runs, **common},
        ],
    }
    path.write_text(json.dumps(data))
    first, second = coco.read(path).objects
    assert np.array_equal(first.masks[1], load(path).annToMask(data["annotations"][0]))
    assert first.masks.absent(0)
    assert np.array_equal(second.masks[0], box(0, 0, SIZE[0], 1))
    assert first.label.name == "thing"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda data: data.pop("images"), "images is missing"),
        (lambda data: data["annotations"][0].pop("track_id"), "no track_id"),
        (lambda data: data["images"][0].update(width=9), "2 different sizes"),
    ],
)
def test_files_that_do_not_hold_one_clip_are_refused(change: object, says: str, tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear", 2)
    list(coco.write(label_set(clip, {1: [box(0, 0, 2, 2)] * 2}), clip, tmp_path / "out"))
    path = tmp_path / "out/coco/annotations/instances_bear.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(BadInput, match=says):
        coco.read(tmp_path / "out/coco")


def test_what_is_no_coco_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no COCO data"):
        coco.read(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read as JSON"):
        coco.read(tmp_path / "broken.json")
