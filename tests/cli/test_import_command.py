"""`decaf-gui import` and `decaf-gui formats`: from datasets into projects, and back out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks
from decaf_gui.core.project.rows import ClipRow, ExpressionRow, ObjectRow, ProvenanceRow
from decaf_gui.core.project.store import Store
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.registry import FORMATS
from decaf_gui.project_commands import ImportRun, import_labels

SIZE = (24, 33)


def run(*arguments: object):
    command = [sys.executable, "-m", "decaf_gui.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two clips with two objects each, as several datasets with their frames."""
    folder = tmp_path_factory.mktemp("import")
    labels = Labels.of(["dog", "ball"])
    for name in ("bear", "deer"):
        (folder / "clips" / name).mkdir(parents=True)
        for t in range(3):
            Image.fromarray(np.full((*SIZE, 3), 30 + 60 * t, np.uint8)).save(folder / f"clips/{name}/{t:05d}.jpg")
        with Clip.open(folder / "clips" / name) as clip:
            objects = []
            for number, label in enumerate(labels.entries, start=1):
                mask = np.zeros((3, *SIZE), bool)
                for t in range(3):
                    mask[t, 9 * number - 8 : 9 * number, t : t + 9] = True
                objects.append(LabelledObject(number, label, Masks.encode(dict(enumerate(mask)), SIZE), (number - 1,)))
            made = LabelSet.of_clip(clip, objects, labels, ("the dog", "the ball"))
            for form in ("davis", "coco", "mevis"):
                list(FORMATS[form].writer(made, clip, folder / "sets"))
    return folder


def test_labels_and_frames_of_a_dataset_become_a_project(folder, tmp_path):
    done = run("import", folder / "sets/davis", "--name", "bear", "--project", tmp_path / "p.decaf", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["format"], result["clip"], result["objects"]) == ("davis", 1, 2)
    with Store.open(tmp_path / "p.decaf", read_only=True) as store:
        assert [row.path.endswith("JPEGImages/480p/bear") for row in store.project.where(ClipRow)] == [True]
        assert [row.name for row in store.project.where(ObjectRow)] == ["dog 1", "ball 2"]
        assert [row.text for row in store.project.where(ExpressionRow)] == ["the dog", "the ball"]
        assert [row.origin for row in store.project.where(ProvenanceRow)] == ["imported"]
    out = run("export", tmp_path / "p.decaf", "--out", tmp_path / "o", "-f", "davis")
    assert out.returncode == 0, out.stderr
    for t in range(3):
        first, again = (
            np.asarray(Image.open(root / f"davis/Annotations/480p/bear/{t:05d}.png"))
            for root in (folder / "sets", tmp_path / "o")
        )
        assert np.array_equal(first, again)


def test_the_clip_that_is_given_names_the_one_of_the_dataset(folder, tmp_path):
    project = tmp_path / "p.decaf"
    for name in ("bear", "deer"):
        done = run("import", folder / "sets/mevis", "--clip", folder / "clips" / name, "--project", project)
        assert done.returncode == 0, done.stderr
        assert f"2 objects on 3 frames of {name} are in {project} now (mevis)." in done.stderr
    with Store.open(project, read_only=True) as store:
        assert [Path(row.path).name for row in store.project.where(ClipRow)] == ["bear", "deer"]
        assert len(list(store.project.where(ObjectRow))) == 4
    again = run("import", folder / "sets/mevis", "--frames", folder / "clips/bear", "--project", project)
    assert (again.returncode, "in the project already" in again.stderr) == (2, True)
    out = run("export", project, "--out", tmp_path / "o", "-f", "ytvis", "-f", "revos", "-f", "predictions-01")
    assert out.returncode == 0, out.stderr
    assert len(json.loads((tmp_path / "o/ytvis/train/instances.json").read_text())["videos"]) == 2
    twice = run("export", project, "--out", tmp_path / "o", "-f", "ytvis")
    assert (twice.returncode, "instances.json" in twice.stderr, "--overwrite" in twice.stderr) == (2, True, True)
    replaced = run("export", project, "--out", tmp_path / "o", "-f", "ytvis", "--overwrite")
    assert replaced.returncode == 0, replaced.stderr
    assert "Replaced: " in replaced.stderr
    assert len(json.loads((tmp_path / "o/ytvis/train/instances.json").read_text())["videos"]) == 2


def test_wrong_use_is_one_line_and_makes_nothing(folder, tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    Image.fromarray(np.zeros((5, 5, 3), np.uint8)).save(small / "0.png")
    (tmp_path / "empty").mkdir()
    cases = [
        ([folder / "sets/davis"], "there are bear, deer"),
        ([folder / "sets/davis", "--name", "cow"], "there are bear, deer"),
        ([folder / "sets/davis", "--format", "gif"], "There is no format"),
        ([folder / "sets/davis", "--format", "mevis"], "no MeViS data"),
        ([folder / "sets/davis", "--format", "overlay"], "can only be written"),
        ([tmp_path / "none"], "There is no file or folder"),
        ([tmp_path / "empty"], "looks like no format"),
        ([folder / "sets/coco", "--name", "bear", "--clip", small], "labels are for frames of 33x24"),
    ]
    for (source, *options), says in cases:
        given = {name.removeprefix("--"): value for name, value in zip(options[::2], options[1::2], strict=True)}
        with pytest.raises(BadInput, match=says):
            import_labels(ImportRun(source, tmp_path / "p.decaf", **given), as_json=True)
        assert not (tmp_path / "p.decaf").exists()
    done = run("import", folder / "sets/davis", "--project", tmp_path / "p.decaf")
    assert (done.returncode, "there are bear, deer" in done.stderr) == (2, True)
    assert done.stderr.splitlines()[-1].startswith("decaf-gui: Choose a clip")


def test_formats_are_listed():
    done = run("formats", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    assert [row["name"] for row in rows] == list(FORMATS)
    assert {row["name"] for row in rows if row["read"] == "no"} == {"overlay"}
    page = run("formats", "--markdown").stdout
    assert page == (Path(__file__).parents[2] / "docs/formats.md").read_text("utf-8")
