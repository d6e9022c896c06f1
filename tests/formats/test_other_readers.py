"""What is written is what others read: pycocotools, supervision, PIL, plain JSON, and this program's own evaluation."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import supervision
from labelled import EXPRESSIONS, SIZE, Dense, box, image_clip, label_set, two_objects
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from decaf_gui.core.clip import Clip
from decaf_gui.evaluation.protocols import protocol_named
from decaf_gui.evaluation.run import Finished, Run, evaluate
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.registry import FORMATS
from decaf_gui.formats.rvos import dataset_named


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return image_clip(tmp_path / "bear", suffix="jpg")


def write(name: str, labels: LabelSet, clip: Clip, out: Path) -> Path:
    list(FORMATS[name].writer(labels, clip, out))
    return out / name


def loaded(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def grey(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.array(image)


def on_top(labels: LabelSet, frame: int) -> np.ndarray:
    """Label map: two objects, the second one above."""
    first, second = labels.objects
    return np.where(second.masks[frame], 2, first.masks[frame]).astype(np.uint8)


def test_supervision_reads_coco_masks_boxes_and_classes(clip: Clip, tmp_path: Path) -> None:
    labels = two_objects(clip)
    home = write("coco", labels, clip, tmp_path / "out")
    with contextlib.redirect_stdout(io.StringIO()):
        read = supervision.DetectionDataset.from_coco(
            str(home / "images/bear"), str(home / "annotations/instances_bear.json"), force_masks=True
        )
    assert read.classes == ["dog", "ball", "cat"]
    assert [Path(path).name for path, *_ in read] == list(clip.names)
    for frame, (_, picture, found) in enumerate(read):
        assert picture.shape == (*SIZE, 3)
        there = [obj for obj in labels.objects if not obj.masks.absent(frame)]
        assert [read.classes[i] for i in found.class_id] == [obj.label.name for obj in there]
        for mask, corners, obj in zip(found.mask, found.xyxy, there, strict=True):
            assert np.array_equal(mask, obj.masks[frame])
            x, y, width, height = obj.masks.box(frame)
            assert corners.tolist() == [x, y, x + width, y + height]


@pytest.mark.parametrize("name", ["ytvis", "ytvis-compressed"])
def test_ytvis_tracks(name: str, clip: Clip, tmp_path: Path) -> None:
    labels = two_objects(clip)
    data = loaded(write(name, labels, clip, tmp_path / "out") / "train/instances.json")
    (video,) = data["videos"]
    assert video["file_names"] == [f"bear/shot{t + 1}.jpg" for t in range(4)]
    assert (video["width"], video["height"], video["length"]) == (SIZE[1], SIZE[0], 4)
    assert [entry["id"] for entry in data["annotations"]] == [1, 2]
    for entry, obj in zip(data["annotations"], labels.objects, strict=True):
        assert entry["category_id"] == obj.label.id
        assert [len(entry[key]) for key in ("segmentations", "bboxes", "areas")] == [4, 4, 4]
        for t, runs in enumerate(entry["segmentations"]):
            if obj.masks.absent(t):
                assert [entry[key][t] for key in ("segmentations", "bboxes", "areas")] == [None] * 3
                continue
            assert isinstance(runs["counts"], list if name == "ytvis" else str)
            packed = coco_mask.frPyObjects(runs, *SIZE) if name == "ytvis" else runs
            assert np.array_equal(coco_mask.decode(packed), obj.masks[t])
            assert entry["areas"][t] == obj.masks.area(t)
            assert entry["bboxes"][t] == list(coco_mask.toBbox(packed))


def test_ytvis_as_coco_with_a_frame_an_image(clip: Clip, tmp_path: Path) -> None:
    """pycocotools indexes it like any other file of annotations."""
    path = write("ytvis", two_objects(clip), clip, tmp_path / "out") / "train/instances.json"
    data = loaded(path)
    data["images"] = data.pop("videos")
    for entry in data["annotations"]:
        entry["image_id"] = entry["video_id"]
    path.write_text(json.dumps(data))
    with contextlib.redirect_stdout(io.StringIO()):
        assert len(COCO(str(path)).getAnnIds(imgIds=[1])) == 2


def test_ytvis_classes_of_two_projects_do_not_mix(clip: Clip, tmp_path: Path) -> None:
    """The second clip's class 1 is another one than the first's."""
    from decaf_gui.core.entities import Label, Labels

    first = two_objects(clip)
    label = Label(1, "horse")
    objects = tuple(replace(obj, label=label) for obj in first.objects)
    second = replace(first, name="deer", objects=objects, labels=Labels((label,)))
    write("ytvis", first, clip, tmp_path / "out")
    home = write("ytvis", second, clip, tmp_path / "out")
    data = loaded(home / "train/instances.json")
    assert {e["name"]: e["id"] for e in data["categories"]} == {"dog": 1, "ball": 2, "cat": 3, "horse": 4}
    assert [e["category_id"] for e in data["annotations"]] == [1, 2, 4, 4]
    assert [e["video_id"] for e in data["annotations"]] == [1, 1, 2, 2]
    assert [e["id"] for e in data["annotations"]] == [1, 2, 3, 4]


def test_mots_lines_do_not_overlap_and_pycocotools_decodes_them(clip: Clip, tmp_path: Path) -> None:
    labels = two_objects(clip)
    home = write("mots", labels, clip, tmp_path / "out") / "bear"
    maps = [np.zeros(SIZE, np.uint8) for _ in range(4)]
    for line in (home / "gt/gt.txt").read_text().splitlines():
        frame, which, kind, height, width, counts = line.split(" ")
        mask = coco_mask.decode({"size": [int(height), int(width)], "counts": counts.encode()}).astype(bool)
        assert not maps[int(frame) - 1][mask].any()
        assert (int(which) // 1000, int(which) % 1000) == (int(kind), 1)
        maps[int(frame) - 1][mask] = {3: 1, 4: 2}[int(kind)]
    for t, found in enumerate(maps):
        assert np.array_equal(found, on_top(labels, t))
    assert "seqLength=4\n" in (home / "seqinfo.ini").read_text()
    assert sorted(file.name for file in (home / "img1").iterdir()) == [f"{t:06d}.jpg" for t in range(1, 5)]


def test_cars_and_pedestrians_have_the_numbers_of_mots(tmp_path: Path) -> None:
    from decaf_gui.core.entities import Labels
    from decaf_gui.formats.mots import classes_of

    labels = Labels.of([f"class {i}" for i in range(9)] + ["pedestrian", "car"])
    found = classes_of(replace(two_objects(image_clip(tmp_path / "bear")), objects=(), labels=labels))
    assert (found["car"], found["pedestrian"]) == (1, 2)
    assert sorted(found.values()) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12], "10 means that a region is to be ignored"


def test_kitti_mots_counts_from_0_and_has_regions_to_be_ignored(tmp_path: Path) -> None:
    mask = coco_mask.encode(np.asfortranarray(box(2, 3, 9, 8).astype(np.uint8)))["counts"].decode()
    lines = [f"0 2001 2 30 41 {mask}", f"2 1001 1 30 41 {mask}", f"2 10000 10 30 41 {mask}"]
    (tmp_path / "0002.txt").write_text("\n".join(lines))
    read = FORMATS["mots"].read(tmp_path)
    assert [(obj.id, obj.label.name) for obj in read.objects] == [(1001, "car"), (2001, "pedestrian")]
    assert (read.name, read.frame_count, read.names[0]) == ("0002", 3, "000000")
    assert np.array_equal(read.objects[0].masks[2], box(2, 3, 9, 8))
    assert read.objects[0].masks.absent(0)
    assert "1 regions to be ignored" in read.source.warnings[0]


@pytest.mark.parametrize("name", ["youtube-vos", "ref-youtube-vos"])
def test_youtube_vos_keeps_names_and_says_from_where_on_objects_are(name: str, tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "frames" / "x", 4, "jpg")
    for t in (4, 3, 2, 1):
        (clip.path / f"shot{t}.jpg").rename(clip.path / f"{5 * t:05d}.jpg")
    clip = Clip.open(clip.path)
    late = [box(0, 0, 4, 4) & (t in (1, 3)) for t in range(4)]
    labels = label_set(clip, {3: [box(9, 9, 12, 12)] * 4, 7: late}, {3: (0,), 7: (0, 1)})
    home = write(name, labels, clip, tmp_path / "out")
    names = ["00005", "00010", "00015", "00020"]
    assert sorted(file.stem for file in (home / "train/Annotations/x").iterdir()) == names
    assert sorted(file.stem for file in (home / "train/JPEGImages/x").iterdir()) == names
    objects = loaded(home / "train/meta.json")["videos"]["x"]["objects"]
    assert objects == {"1": {"category": "dog", "frames": names}, "2": {"category": "ball", "frames": names[1:]}}
    for t, stem in enumerate(names):
        with Image.open(home / f"train/Annotations/x/{stem}.png") as image:
            assert image.mode == "P"
            assert np.array_equal(np.array(image), on_top(labels, t))
    if name == "ref-youtube-vos":
        entry = loaded(home / "meta_expressions/train/meta_expressions.json")["videos"]["x"]
        assert entry["frames"] == names
        assert entry["expressions"] == {
            "0": {"exp": EXPRESSIONS[0], "obj_id": "1"},
            "1": {"exp": EXPRESSIONS[0], "obj_id": "2"},
            "2": {"exp": EXPRESSIONS[1], "obj_id": "2"},
        }


def test_ref_davis_has_four_expressions_for_each_object(clip: Clip, tmp_path: Path) -> None:
    home = write("ref-davis", two_objects(clip), clip, tmp_path / "out")
    asked = loaded(home / "meta_expressions/train/meta_expressions.json")["videos"]["bear"]["expressions"]
    assert [(id_, e["obj_id"]) for id_, e in asked.items()] == [(str(i), str(1 + i // 4)) for i in range(8)]
    assert [e["exp"] for e in asked.values()] == [EXPRESSIONS[0]] * 4 + [EXPRESSIONS[0], EXPRESSIONS[1]] * 2
    assert sorted(file.name for file in (home / "train/Annotations/bear").iterdir())[0] == "00000.png"


@pytest.mark.parametrize("name", ["mevis", "revos"])
def test_mevis_and_revos_files(name: str, clip: Clip, tmp_path: Path) -> None:
    labels = two_objects(clip)
    home = write(name, labels, clip, tmp_path / "out")
    again = write(name, replace(labels, name="deer"), clip, tmp_path / "out")
    place = again / "train" if name == "mevis" else again
    meta = loaded(place / ("meta_expressions.json" if name == "mevis" else "meta_expressions_train_.json"))["videos"]
    masks = loaded(place / "mask_dict.json")
    assert [video["vid_id"] for video in meta.values()] == [0, 1]
    assert [e["anno_id"] for e in meta["bear"]["expressions"].values()] == [[0, 1], [1]]
    assert [e["anno_id"] for e in meta["deer"]["expressions"].values()] == [[2, 3], [3]]
    assert [e["obj_id"] for e in meta["deer"]["expressions"].values()] == [[0, 1], [1]]
    assert sorted(masks) == ["0", "1", "2", "3"]
    for track, obj in zip(masks.values(), [*labels.objects] * 2, strict=True):
        for t, rle in enumerate(track):
            assert (rle is None) == obj.masks.absent(t)
            assert rle is None or np.array_equal(coco_mask.decode(rle), obj.masks[t])
    if name == "revos":
        around = loaded(home / "mask_dict_foreground.json")["deer"]
        covers = [np.any([obj.masks[t] for obj in labels.objects], axis=0) for t in range(4)]
        assert [np.array_equal(coco_mask.decode(r), c) for r, c in zip(around["masks_rle"], covers, strict=True)] == [
            True
        ] * 4
        assert around["foreground_ratio"] == pytest.approx([c.mean() for c in covers])
        assert (meta["bear"]["height"], meta["bear"]["width"]) == SIZE
        assert {e["type_id"] for e in meta["bear"]["expressions"].values()} == {0}
        assert meta["bear"]["frames"] == [f"shot{t}" for t in range(1, 5)]
    else:
        assert meta["bear"]["frames"] == [f"{t:05d}" for t in range(4)]


@pytest.mark.parametrize(("name", "ink"), [("predictions", 255), ("predictions-01", 1)])
def test_predictions_have_a_file_for_every_frame_and_expression(
    name: str, ink: int, clip: Clip, tmp_path: Path
) -> None:
    labels = two_objects(clip)
    empty = replace(labels, expressions=(*EXPRESSIONS, "an elephant"))
    home = write(name, empty, clip, tmp_path / "out")
    covers: list[list[Dense]] = [[np.zeros(SIZE, bool)] * 4 for _ in range(3)]
    for i in (0, 1):
        covers[i] = [np.any([o.masks[t] for o in labels.objects if i in o.expressions], axis=0) for t in range(4)]
    for i, masks in enumerate(covers):
        for t, mask in enumerate(masks):
            assert np.array_equal(grey(home / f"masks/bear/{i}/shot{t + 1}.png"), mask * ink)


@pytest.mark.parametrize(("name", "folder"), [("png", "bear/001"), ("reason-vos", "Annotations/own_bear_1")])
def test_a_folder_of_white_masks_for_each_object(name: str, folder: str, clip: Clip, tmp_path: Path) -> None:
    labels = two_objects(clip)
    home = write(name, labels, clip, tmp_path / "out")
    for t in range(4):
        assert np.array_equal(grey(home / folder / f"shot{t + 1}.png"), labels.objects[0].masks[t] * 255)


def test_davis_2016_is_white_on_black_and_lists_pairs(clip: Clip, tmp_path: Path) -> None:
    labels = two_objects(clip)
    home = write("davis-2016", labels, clip, tmp_path / "out")
    for t in range(4):
        found = grey(home / f"Annotations/480p/bear/{t:05d}.png")
        assert np.array_equal(found, (on_top(labels, t) > 0) * 255)
    lines = (home / "ImageSets/480p/val.txt").read_text().splitlines()
    assert lines[1] == "/JPEGImages/480p/bear/00001.jpg /Annotations/480p/bear/00001.png"
    for line in lines:
        assert all((home / part.lstrip("/")).is_file() for part in line.split())


@pytest.mark.parametrize("name", ["ref-davis", "ref-youtube-vos", "mevis", "revos", "reason-vos"])
def test_the_evaluation_scores_a_written_dataset_with_itself_as_perfect(name: str, clip: Clip, tmp_path: Path) -> None:
    apart = [box(1, 1 + t, 9, 9 + t) for t in range(4)], [box(15, 15, 22, 30) & (t != 2) for t in range(4)]
    labels = label_set(clip, dict(zip((3, 7), apart, strict=True)), {3: (0,), 7: (1,)})
    root = write(name, labels, clip, tmp_path / "out")
    split = dataset_named(name).open(root, "" if name == "reason-vos" else "train")
    assert not split.problems
    given = tmp_path / "masks"
    for ask in split.asks:
        for index, frame in enumerate(ask.frames):
            path = ask.prediction_path(given, frame)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((ask.truth.layers(index, SIZE) > 0).astype(np.uint8)).save(path)
            assert np.array_equal(np.asarray(Image.open(path)) > 0, apart[EXPRESSIONS.index(ask.text)][index])
    protocols = tuple(protocol_named(each) for each in dataset_named(name).protocols)
    *_, last = evaluate(Run(split, tmp_path / "run", protocols, given=given))
    assert isinstance(last, Finished)
    for summary in last.report.summaries:
        line = summary.parts[0] if summary.protocol == "revos" else summary.total  # there is no reasoning one
        assert line.jf == 1.0
        assert {line.measures.get("A", 1.0), line.measures.get("R", 1.0)} == {1.0}


def test_predictions_are_what_evaluate_scores(clip: Clip, tmp_path: Path) -> None:
    labels = two_objects(clip)
    root = write("revos", labels, clip, tmp_path / "out")
    masks = write("predictions-01", labels, clip, tmp_path / "out") / "masks"
    split = dataset_named("revos").open(root, "train")
    *_, last = evaluate(Run(split, tmp_path / "run", (protocol_named("expressions"),), given=masks))
    assert last.report.summaries[0].total.jf == 1.0
