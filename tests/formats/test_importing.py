"""Labels of datasets become objects of a project; what is exported and imported again is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from labelled import EXPRESSIONS, blank_clip, box, image_clip, label_set, two_objects
from odd_labels import label_sets
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import (
    AnswerRow,
    ClipRow,
    ExpressionRow,
    LabelRow,
    MaskRow,
    ObjectRow,
    Project,
    ProvenanceRow,
)
from decaf_gui.formats.frames import kept_names
from decaf_gui.formats.importing import Import, LabelsRead, import_edit, placed, reading, work_range
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.pages import formats_markdown
from decaf_gui.formats.projects import Export, clip_names, export, label_set_of_project
from decaf_gui.formats.registry import FORMATS

READ = [name for name, form in FORMATS.items() if form.reader is not None]


def project_of(clip: Clip, path: str = "bear") -> Project:
    return edits.add_clip(Project(), path, clip.fingerprint, clip.size, clip.fps).apply(Project())


def read(source: Path, **wanted: str) -> LabelsRead:
    *stages, last = reading(Import(source, **wanted))
    assert all(isinstance(stage, Stage) for stage in stages)
    assert isinstance(last, LabelsRead)
    return last


def written(name: str, labels: LabelSet, clip: Clip, out: Path) -> Path:
    list(FORMATS[name].writer(labels, clip, out, frames=False))
    return out / name


@pytest.mark.parametrize("name", READ)
def test_an_export_is_imported_with_its_origin(name: str, tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    labels = two_objects(clip)
    found = read(written(name, labels, clip, tmp_path / "out"), format=name)
    project = import_edit(project_of(clip), 1, found, clip.names).apply(project_of(clip))
    assert [row.text for row in project.where(ExpressionRow)] == list(EXPRESSIONS)
    assert len(list(project.where(ObjectRow))) == len(found.labels.objects) > 0
    (source,) = project.where(ProvenanceRow)
    details = json.loads(source.details)
    assert source.origin == "imported"
    assert details["format"] == name
    assert details["program"].startswith("decaf-gui ")
    assert details["made_with"] == {"models": {"sam": "demo"}}
    assert len(details["sha256"]) == 64
    assert all(row.provenance == source.id for row in project.rows(MaskRow).values())
    again = label_set_of_project(project, project.need(ClipRow, 1), clip)
    for mine, theirs in zip(again.objects, found.labels.objects, strict=True):
        assert (mine.label, mine.masks, mine.expressions) == (theirs.label, theirs.masks, theirs.expressions)


@settings(max_examples=25, deadline=None)
@given(labels=label_sets(most=4))
def test_the_same_comes_out_as_went_in(labels: LabelSet) -> None:
    """Words are put in order (spaces); everything else is the same, ids of objects but for their order."""
    clip = blank_clip(labels.size, labels.frame_count)
    row = ClipRow(1, "bear", 1, "", labels.frame_count, *labels.size, 24.0, 0, labels.frame_count - 1)
    project = Project({ClipRow: {(1,): row}})
    found = LabelsRead("coco", labels, "{}")
    done = import_edit(project, 1, found, clip.names)
    again = label_set_of_project(done.apply(project), row, clip)
    assert [obj.masks for obj in again.objects] == [obj.masks for obj in labels.objects]
    for mine, theirs in zip(again.objects, labels.objects, strict=True):
        texts = {" ".join(labels.expressions[i].split()) for i in theirs.expressions} - {""}
        assert {again.expressions[i] for i in mine.expressions} == texts
        assert mine.label.name == (" ".join(theirs.label.name.split()) or "object")
    assert done.revert(done.apply(project)).same(project)


def test_labels_keep_their_ids_where_these_are_free(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    project = project_of(clip)
    for name in ("cat", "bird"):
        project = edits.add_label(project, name).apply(project)
    found = read(written("coco", two_objects(clip), clip, tmp_path / "out"))
    project = import_edit(project, 1, found, clip.names).apply(project)
    assert {row.name: row.id for row in project.where(LabelRow)} == {"cat": 1, "bird": 2, "dog": 3, "ball": 4}
    project = edits.add_label(project, "cow").apply(project)
    assert {row.id for row in project.where(LabelRow)} == {1, 2, 3, 4, 5}


def test_expressions_that_are_there_are_answered_by_more(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    project = project_of(clip)
    project = edits.add_expression(project, 1, EXPRESSIONS[1]).apply(project)
    found = read(written("mevis", two_objects(clip), clip, tmp_path / "out"))
    project = import_edit(project, 1, found, clip.names).apply(project)
    assert [row.text for row in project.where(ExpressionRow)] == [EXPRESSIONS[1], EXPRESSIONS[0]]
    assert {(row.object, row.expression) for row in project.where(AnswerRow)} == {(1, 2), (2, 1), (2, 2)}


def test_the_same_labels_are_imported_once(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    found = read(written("coco", two_objects(clip), clip, tmp_path / "out"))
    project = import_edit(project_of(clip), 1, found, clip.names).apply(project_of(clip))
    with pytest.raises(BadInput, match="in the project already: remove their objects first"):
        import_edit(project, 1, found, clip.names)
    for thing in (1, 2):
        project = edits.remove_object(project, thing).apply(project)
    assert import_edit(project, 1, found, clip.names)


def test_masks_lie_on_frames_of_the_same_name(tmp_path: Path) -> None:
    """Every other frame has labels; the clip has them all."""
    clip = image_clip(tmp_path / "bear", 6)
    part = Clip.open(tmp_path / "bear", frames=range(1, 6, 2))
    labels = label_set(part, {1: [box(t, 0, t + 2, 5) for t in range(3)]})
    found = read(written("davis", labels, part, tmp_path / "out"))
    row = project_of(clip).need(ClipRow, 1)
    assert list(placed(found.labels, row, clip.names)) == [1, 3, 5]
    assert work_range(found.labels, row, clip.names) == range(1, 6, 2)
    project = import_edit(project_of(clip), 1, found, clip.names).apply(project_of(clip))
    assert project.masks(1).frames == (1, 3, 5)
    assert np.array_equal(project.masks(1)[3], box(1, 0, 3, 5))


def test_labels_of_another_clip_are_refused(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    found = read(written("coco", two_objects(clip), clip, tmp_path / "out"))
    for other, says in (
        (image_clip(tmp_path / "big", 4, size=(9, 9)), "labels are for frames of 41x30, .* is 9x9"),
        (blank_clip(clip.size, 9), r"are for 4 frames \(shot1 to shot4\), bear has 9, and they are not called alike"),
    ):
        row = ClipRow(1, "bear", 1, "", len(other), *other.size, 24.0, 0, len(other) - 1)
        with pytest.raises(BadInput, match=says):
            placed(found.labels, row, other.names)


def test_the_clip_that_is_meant_is_the_one_that_is_called_so(tmp_path: Path) -> None:
    for name in ("bear", "deer"):
        clip = image_clip(tmp_path / name)
        home = written("youtube-vos", two_objects(clip), clip, tmp_path / "out")
    assert read(home, like="deer").labels.name == "deer"
    assert read(home, name="bear", like="deer").labels.name == "bear"
    for wanted in ({}, {"like": "cow"}, {"name": "cow", "like": "deer"}):
        with pytest.raises(BadInput, match="there are bear, deer"):
            read(home, **wanted)


def test_other_people_s_masks_without_a_table(tmp_path: Path) -> None:
    """A folder for each object, with void pixels in label maps, the first masks of YouTube-VOS' valid."""
    for name in ("dog", "left cat"):
        (tmp_path / "plain/bear" / name).mkdir(parents=True)
        Image.fromarray(box(1, 1, 5, 6).astype(np.uint8) * 255).save(tmp_path / f"plain/bear/{name}/00000.png")
    assert [obj.label.name for obj in read(tmp_path / "plain").labels.objects] == ["dog", "left cat"]
    home = tmp_path / "vos/valid"
    (home / "Annotations/0a").mkdir(parents=True)
    Image.fromarray(box(1, 1, 5, 6).astype(np.uint8)).save(home / "Annotations/0a/00000.png")
    late = box(1, 1, 5, 6).astype(np.uint8) * 255
    late[20:, 20:] = 2
    Image.fromarray(late).save(home / "Annotations/0a/00010.png")
    told = {"1": {"category": "dog", "frames": ["00000"]}, "2": {"category": "cat", "frames": ["00010"]}}
    (home / "meta.json").write_text(json.dumps({"videos": {"0a": {"objects": told}}}))
    found = read(tmp_path / "vos")
    assert [(obj.label.name, obj.masks.frames) for obj in found.labels.objects] == [("dog", (0,)), ("cat", (1,))]
    assert found.labels.source.warnings == ("Void pixels (255) on 1 frames belong to no object.",)


def test_clips_of_one_name_get_folders_of_their_own(tmp_path: Path) -> None:
    project = Project()
    for path in ("a/bear.mp4", "b/bear.mp4", "c/Bear", "bear_2.mp4", "a b", "a_b", "v1.2"):
        clip = blank_clip((5, 5), 2)
        mark = replace(image_clip(tmp_path / str(len(project.rows(ClipRow)))).fingerprint, frames=2)
        project = edits.add_clip(project, path, mark, clip.size, clip.fps).apply(project)
    assert list(clip_names(project).values()) == ["bear", "bear_2", "Bear_3", "bear_2_2", "a b", "a_b_2", "v1.2"]


def test_a_work_range_keeps_the_source_s_numbers_where_the_format_does(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "x", 7)
    for t in range(7):
        (tmp_path / f"x/shot{t + 1}.png").rename(tmp_path / f"x/{t:05d}.png")
    clip = Clip.open(tmp_path / "x")
    project = project_of(clip, "x")
    project = edits.set_work_range(project, 1, 1, 5, 2).apply(project)
    project = edits.add_object(project, 1, "dog").apply(project)
    masks = {t: edits.NewMask(Rle.encode(box(t, 0, t + 3, 9))) for t in (1, 3, 5)}
    project = edits.replace_masks(project, 1, masks, "drawn", "{}").apply(project)
    names = (
        "youtube-vos",
        "ref-youtube-vos",
        "ytvis",
        "revos",
        "reason-vos",
        "png",
        "mevis",
        "ref-davis",
        "mots",
        "coco",
    )
    list(export(Export(project, {1: tmp_path / "x"}, names, tmp_path / "out", frames=True)))
    kept, numbered = ["00001", "00003", "00005"], ["00000", "00001", "00002"]
    for name, folder, stems in (
        ("youtube-vos", "train/Annotations/x", kept),
        ("youtube-vos", "train/JPEGImages/x", kept),
        ("ref-youtube-vos", "train/Annotations/x", kept),
        ("ytvis", "train/JPEGImages/x", kept),
        ("revos", "JPEGImages/x", kept),
        ("reason-vos", "Annotations/own_x_1", kept),
        ("png", "x/001", kept),
        ("coco", "images/x", kept),
        ("mevis", "train/JPEGImages/x", numbered),
        ("ref-davis", "train/Annotations/x", numbered),
        ("mots", "x/img1", ["000001", "000002", "000003"]),
    ):
        assert sorted(file.stem for file in (tmp_path / "out" / name / folder).iterdir()) == stems, (name, folder)
    for name in names:
        found = read(tmp_path / "out" / name)
        assert [Path(each).stem for each in found.labels.names] == kept
        again = import_edit(project_of(clip, "x"), 1, found, clip.names).apply(project_of(clip, "x"))
        assert again.masks(1) == project.masks(1), name


def test_videos_of_revos_have_slashes_in_their_names(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear", suffix="jpg")
    list(FORMATS["revos"].writer(two_objects(clip), clip, tmp_path / "out"))
    home = tmp_path / "out/revos"
    path = home / "meta_expressions_train_.json"
    entry = json.loads(path.read_text())["videos"]["bear"]
    del entry["decaf_gui"]
    path.write_text(json.dumps({"videos": {"UVO/all/-bear": entry}}))
    (home / "JPEGImages/UVO/all").mkdir(parents=True)
    (home / "JPEGImages/bear").rename(home / "JPEGImages/UVO/all/-bear")
    (home / "mask_dict_foreground.json").unlink()
    found = read(home).labels
    assert (found.name, found.source.media) == ("UVO/all/-bear", home / "JPEGImages/UVO/all/-bear")
    assert [obj.masks for obj in found.objects] == [obj.masks for obj in two_objects(clip).objects]
    assert "No accuracy and robustness" in found.source.warnings[0]
    with Clip.open(found.source.media) as again:
        list(FORMATS["revos"].writer(found, again, tmp_path / "again"))
    assert (tmp_path / "again/revos/JPEGImages/UVO_all_-bear/shot1.jpg").is_file()


def test_frames_whose_names_would_sort_wrongly_are_numbered(tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear", 11)  # shot10 sorts before shot2
    *_, last = FORMATS["youtube-vos"].writer(label_set(clip, {}), clip, tmp_path / "out")
    assert any("Frames are numbered from 00000" in warning for warning in last.warnings)
    assert read(tmp_path / "out/youtube-vos").labels.names == tuple(clip.names)
    assert kept_names(["a/00001.jpg", "00002.png"]) == ("00001", "00002")
    for names in (["1.png", "1.jpg"], ["A.png", "a.png"], ["b", "a"], ["a b"], ["x.jpg.png"], ["con"], ["n" * 200]):
        assert kept_names(names) == tuple(f"{i:05d}" for i in range(len(names)))


def test_the_page_of_formats_is_the_registry() -> None:
    page = Path(__file__).parents[2] / "docs/formats.md"
    told = "renew it: uv run decaf-gui formats --markdown > docs/formats.md"
    assert page.read_text("utf-8") == formats_markdown(), told
    for form in FORMATS.values():
        assert all((form.keeps, form.loses, form.layout, form.title)), form.name
        assert f"| {form.name} |" in formats_markdown()
