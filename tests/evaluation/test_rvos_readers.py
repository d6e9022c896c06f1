"""Every benchmark's layout is read back; hostile and broken files are named, and the rest is still read."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rvos_layouts import (
    ANNOTATIONS,
    BUILDERS,
    MEVIS_OBJECTS,
    NAMES,
    prediction_folders,
    rle,
    tracks,
    write_json,
    write_png,
)
from synthetic_set import FRAMES, SHAPES, truth

from decaf_gui.core.errors import BadInput
from decaf_gui.evaluation.protocols import protocol_named
from decaf_gui.evaluation.run import Finished, Run, evaluate
from decaf_gui.formats.pngs import read_mask
from decaf_gui.formats.rvos import DATASETS, dataset_named
from decaf_gui.formats.rvos.base import Ask, RleTruth, RvosDataset, Split, inside


def opened(name: str, root, split: str = "") -> Split:
    return dataset_named(name).open(BUILDERS[name](root), split)


def masks(ask: Ask, name: str):
    assert ask.truth is not None
    assert ask.truth.size == SHAPES[name]
    return [ask.truth.layers(i, SHAPES[name]) > 0 for i in range(len(ask.frames))]


def edited(path, change) -> None:
    data = json.loads(path.read_text())
    change(data)
    write_json(path, data)


@pytest.mark.parametrize("name", BUILDERS)
def test_videos_expressions_frames_and_true_masks(name, tmp_path):
    split = opened(name, tmp_path, {"ref-youtube-vos": "train"}.get(name, ""))
    assert not split.problems
    assert split.public
    asks = {ask.folder: ask for ask in split.asks if ask.kind != "negative"}
    expected = {folder: rest for folder, *rest in prediction_folders(name)}
    assert set(asks) == set(expected)
    for folder, (sequence, objects, id_) in expected.items():
        ask = asks[folder]
        assert (ask.id, ask.frames) == (id_, NAMES)
        assert ask.text.startswith("thing")
        for t, mask in enumerate(masks(ask, sequence)):
            assert np.array_equal(mask, np.isin(truth(sequence, t), objects))


@pytest.mark.parametrize("name", BUILDERS)
def test_clips_hold_the_listed_frames_alone(name, tmp_path):
    for video in opened(name, tmp_path).videos:
        with video.open() as clip:
            assert list(clip.names) == [f"{frame}.jpg" for frame in NAMES]
            assert clip.size in SHAPES.values()
            assert len({frame.tobytes() for frame in clip}) == FRAMES


def test_what_is_not_public_has_no_truth(tmp_path):
    BUILDERS["mevis"](tmp_path / "mevis", "valid")
    for name, root in (
        ("mevis", tmp_path / "mevis"),
        ("ref-youtube-vos", BUILDERS["ref-youtube-vos"](tmp_path / "yt")),
    ):
        split = dataset_named(name).open(root, "valid")
        assert not split.public
        assert not split.problems
        assert split.asks
        assert all(ask.truth is None for ask in split.asks)


def test_valid_of_ref_youtube_vos_is_without_the_videos_of_test(tmp_path):
    names = [f"{i:010d}" for i in range(507)]
    video = {"frames": ["00000"], "expressions": {"0": {"exp": "it"}}}
    write_json(tmp_path / "meta_expressions/valid/meta_expressions.json", {"videos": dict.fromkeys(names, video)})
    dataset = dataset_named("ref-youtube-vos")
    with pytest.raises(BadInput, match=r"test/meta_expressions\.json is missing: it tells which 202 of the 507"):
        dataset.open(tmp_path, "valid")
    write_json(tmp_path / "meta_expressions/test/meta_expressions.json", {"videos": dict.fromkeys(names[:305], video)})
    assert [v.name for v in dataset.open(tmp_path, "valid").videos] == names[305:]


def test_revos_kinds_and_negative_expressions(tmp_path):
    asks = opened("revos", tmp_path).asks
    assert [ask.kind for ask in asks[:4]] == ["referring", "reasoning", "referring", "negative"]
    assert isinstance(asks[3].truth, RleTruth)
    assert not asks[3].truth.layers(0, SHAPES["synthseq-a"]).any()
    assert asks[3].truth.size == SHAPES["synthseq-a"], "the foreground tells it"


def test_overlapping_objects_are_counted_twice_but_are_one_mask():
    square = np.ones((3, 4), bool)
    both = RleTruth("here", ((rle(square),), (rle(square),)))
    assert (both.layers(0, (3, 4)) == 2).all()


def test_annotators_of_ref_davis(tmp_path):
    asks = [ask for ask in opened("ref-davis", tmp_path).asks if ask.video == "synthseq-a"]
    assert [(a.turn, a.label) for a in asks] == [(f"anno_{i % 4}", 1 + i // 4) for i in range(8)]


def test_frames_out_of_order_keep_their_masks(tmp_path):
    """mask_dict follows the list as it is; clips follow the numbers."""
    root = BUILDERS["mevis"](tmp_path)
    order = [3, 0, 5, 1, 4, 2]

    def shuffle(data):
        for video in data["videos"].values():
            video["frames"] = [NAMES[i] for i in order]

    edited(root / "valid_u/meta_expressions.json", shuffle)
    write_json(root / "valid_u/mask_dict.json", {k: [track[i] for i in order] for k, track in tracks().items()})
    for ask in dataset_named("mevis").open(root).asks:
        assert ask.frames == NAMES
        for t, mask in enumerate(masks(ask, ask.video)):
            assert np.array_equal(mask, np.isin(truth(ask.video, t), MEVIS_OBJECTS[ask.id]))


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc", "a//b", "", ".", "a\\b", "C:x", "a\nb", " a", 7, None])
def test_names_that_lead_elsewhere_are_refused(name, tmp_path):
    with pytest.raises(BadInput, match=r"no path inside|must be a text"):
        inside(name, "here")


HOSTILE = ["../../evil", "/evil", "a/../../evil", "..", "x\\..\\evil"]


@pytest.mark.parametrize("evil", HOSTILE)
@pytest.mark.parametrize("name", ["mevis", "revos", "ref-davis", "ref-youtube-vos"])
def test_hostile_videos_frames_and_expressions_are_left_out_and_named(name, evil, tmp_path):
    root = BUILDERS[name](tmp_path)
    path = {
        "mevis": "valid_u/meta_expressions.json",
        "revos": "meta_expressions_valid_.json",
        "ref-davis": "meta_expressions/valid/meta_expressions.json",
        "ref-youtube-vos": "meta_expressions/train/meta_expressions.json",
    }[name]
    split = "train" if name == "ref-youtube-vos" else ""
    whole = len(dataset_named(name).open(root, split).asks)

    def change(data):
        first = next(iter(data["videos"].values()))
        data["videos"][evil] = first
        data["videos"]["framed"] = {**first, "frames": [evil]}
        first["expressions"][evil] = dict(first["expressions"]["0"])

    edited(root / path, change)
    found = dataset_named(name).open(root, split)
    assert len(found.asks) == whole
    places = {(p.video, p.expression) for p in found.problems}
    assert places >= {(evil, ""), ("framed", ""), (next(v.name for v in found.videos), evil)}
    assert all(str(root) in p.reason for p in found.problems)


def test_hostile_sources_of_reason_vos(tmp_path):
    root = BUILDERS["reason-vos"](tmp_path)

    def change(data):
        first, second = data["videos"].values()
        first["source"] = "../../evil"
        second["expressions"][0]["obj_id"] = "../../1"
        second["expressions"].append("no object")

    edited(root / "meta_expressions.json", change)
    found = dataset_named("reason-vos").open(root)
    assert [ask.folder for ask in found.asks] == ["mose_synthseq-b_2/1"]
    assert len(found.problems) == 3
    assert '"obj_id" must be a whole number' in found.problems[0].reason + found.problems[1].reason


def test_two_expressions_in_one_folder_are_both_left_out(tmp_path):
    root = BUILDERS["reason-vos"](tmp_path)
    edited(
        root / "meta_expressions.json",
        lambda d: d["videos"]["synthseq-a"]["expressions"].append(d["videos"]["synthseq-a"]["expressions"][0]),
    )
    found = dataset_named("reason-vos").open(root)
    assert len(found.asks) == 3
    assert {p.reason for p in found.problems} == {"2 expressions share the folder mose_synthseq-a_1/0."}


def test_unknown_annotations_and_wrong_lists_are_named(tmp_path):
    root = BUILDERS["mevis"](tmp_path)

    def change(data):
        wanted = data["videos"]["synthseq-a"]["expressions"]
        wanted["0"]["anno_id"] = [999]
        wanted["1"]["anno_id"] = "11"
        del wanted["2"]["exp"]
        data["videos"]["broken"] = {"frames": "00000"}
        data["videos"]["empty"] = {"frames": [], "expressions": {}}
        data["videos"]["twice"] = {"frames": ["00000", "00000"], "expressions": {}}
        data["videos"]["none"] = None

    edited(root / "valid_u/meta_expressions.json", change)
    edited(root / "valid_u/mask_dict.json", lambda d: d.update({"12": d["12"][:-1]}))
    found = dataset_named("mevis").open(root)
    assert [ask.folder for ask in found.asks] == ["synthseq-b/1"]
    reasons = {(p.video, p.expression): p.reason for p in found.problems}
    assert "annotation 999 is not in" in reasons["synthseq-a", "0"]
    assert "\"anno_id\" must be a list, not '11'" in reasons["synthseq-a", "1"]
    assert '"exp" must be a text, it is missing' in reasons["synthseq-a", "2"]
    assert "annotation 12 has 5 masks, the video 6 frames" in reasons["synthseq-b", "0"]
    assert '"frames" must be a list' in reasons["broken", ""]
    assert "no frames are listed" in reasons["empty", ""]
    assert "frame 00000 is listed twice" in reasons["twice", ""]
    assert '"frames" must be a list, it is missing' in reasons["none", ""]


@pytest.mark.parametrize(
    "entry",
    [
        "text",
        7,
        {"size": [120, 160]},
        {"size": [120, 160], "counts": None},
        {"size": [120], "counts": "0"},
        {"size": ["a", "b"], "counts": "0"},
        {"size": [120, 160], "counts": "ü"},
        {"size": [120, 160], "counts": "41202"},
        {"size": [120, 160], "counts": [-5, 10]},
        {"size": [120, 160], "counts": [1 << 40]},
        {"size": [60, 160], "counts": rle(np.ones((60, 160)))["counts"]},
        {"size": [1 << 20, 1 << 20], "counts": "0"},
    ],
)
def test_damaged_masks_are_bad_input(entry):
    with pytest.raises(BadInput):
        RleTruth("here", ((entry,),)).layers(0, (120, 160))


@pytest.mark.parametrize("content", ["{", "[]", "\xff\xfe", "null", "[" * 100_000, '{"videos": []}'])
@pytest.mark.parametrize("name", BUILDERS)
def test_unreadable_json_is_named_with_what_was_expected(name, content, tmp_path):
    root = BUILDERS[name](tmp_path)
    (path,) = [p for p in root.rglob("meta_expressions*.json") if "train" not in p.parts]
    path.write_text(content, "latin-1")
    with pytest.raises(BadInput, match=r"expressions by video|must be an object") as error:
        dataset_named(name).open(root, "valid" if name == "ref-youtube-vos" else "")
    assert str(path) in str(error.value)


def test_a_missing_dataset_says_what_should_be_there(tmp_path):
    for dataset in DATASETS.values():
        with pytest.raises(BadInput, match="is missing: it should hold"):
            dataset.open(tmp_path)
        with pytest.raises(BadInput, match=r"has no split \"x\": choose among"):
            dataset.open(tmp_path, "x")
    with pytest.raises(BadInput, match="choose among ref-davis, ref-youtube-vos, mevis, revos, reason-vos"):
        dataset_named("imagenet")


def test_a_missing_frame_is_named(tmp_path):
    video = opened("mevis", tmp_path).videos[0]
    video.files[2].unlink()
    with pytest.raises(BadInput, match=r"00010\.jpg is missing: the dataset lists this frame"):
        video.open()


def test_masks_of_any_kind_count_what_is_not_zero(tmp_path):
    mask = np.zeros((6, 7), np.uint8)
    mask[2:4, 3:6] = 1
    for mode in ("1", "L", "P", "RGB", "RGBA", "LA"):
        path = tmp_path / f"{mode}.png"
        Image.fromarray(mask * 255).convert(mode).save(path)
        assert np.array_equal(read_mask(path), mask > 0), mode
    palette = Image.fromarray(mask)
    palette.putpalette([0, 0, 0, 128, 0, 0])
    palette.save(tmp_path / "indexed.png")
    assert np.array_equal(read_mask(tmp_path / "indexed.png"), mask > 0)
    Image.fromarray(mask.astype(np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(BadInput, match="8-bit"):
        read_mask(tmp_path / "deep.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(BadInput, match="cannot be read as an image"):
        read_mask(tmp_path / "text.png")


def test_label_maps_of_another_size_are_named(tmp_path):
    ask = opened("ref-davis", tmp_path).asks[0]
    write_png(tmp_path / "valid/Annotations/synthseq-a/00010.png", np.zeros((5, 5)))
    assert ask.truth is not None
    with pytest.raises(BadInput, match=r"00010\.png: the mask is 5x5, 160x120 was expected"):
        ask.truth.layers(2, SHAPES["synthseq-a"])


def test_a_dataset_is_added_with_one_file_and_one_line(tmp_path, monkeypatch):
    """The file that docs/evaluation.md shows, and its line."""
    page = (Path(__file__).parents[2] / "docs/evaluation.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    module: dict[str, object] = {}
    exec(compile(source, "mine.py", "exec"), module)
    mine = module["DATASET"]
    assert isinstance(mine, RvosDataset)
    monkeypatch.setitem(DATASETS, mine.name, mine)
    (tmp_path / "test.txt").write_text("walk the left foot\n")
    half = np.zeros((8, 9))
    half[:4] = 1
    write_png(tmp_path / "walk-masks/1.png", np.ones((8, 9)))
    write_png(tmp_path / "walk/1.jpg", np.ones((8, 9)))
    write_png(tmp_path / "masks/walk/0/1.png", half)
    split = dataset_named("mine").open(tmp_path)
    assert [ask.text for ask in split.asks] == ["the left foot"]
    assert split.videos[0].open().size == (8, 9)
    run = Run(split, tmp_path / "out", (protocol_named("expressions"),), given=tmp_path / "masks")
    *_, last = evaluate(run)
    assert isinstance(last, Finished)
    assert last.report.summaries[0].total.measures["J"] == 0.5
    (tmp_path / "test.txt").write_text("../walk the left foot\n")
    with pytest.raises(BadInput, match=r"must be without slashes|no path inside"):
        dataset_named("mine").open(tmp_path)


def test_annotation_numbers_of_the_builders_are_distinct():
    assert len(set(ANNOTATIONS.values())) == len(ANNOTATIONS)
