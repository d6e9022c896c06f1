"""Projects from the command line: propose into one, look at it, export from it."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.keeping import keep_clip
from decaf_gui.core.project.rows import ExpressionRow, MaskRow, ObjectRow, ProvenanceRow, TrackletRow
from decaf_gui.core.project.store import Store
from decaf_gui.demo.write import write_clips
from decaf_gui.formats.registry import format_named


def run(*arguments: object, cwd=None):
    command = [sys.executable, "-m", "decaf_gui.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=cwd)


@pytest.fixture(scope="module")
def proposed(tmp_path_factory):
    """A project with one clip and two expressions, proposed by the demo models; one candidate accepted."""
    folder = tmp_path_factory.mktemp("projects")
    (clip,) = write_clips(folder / "media", 3, 1, "kind", 6, video=False)
    done = run("propose", clip, "the blue object", "the green object", "--project", folder / "work.decaf")
    assert done.returncode == 0, done.stderr
    with Store.open(folder / "work.decaf") as store:
        chosen = next(store.project.where(TrackletRow, selected=True, expression=1))
        store.do(edits.accept(store.project, chosen.id))
    return folder


@pytest.fixture
def folder(proposed, tmp_path):
    shutil.copytree(proposed, tmp_path / "copy")
    return tmp_path / "copy"


def test_all_candidates_and_their_origin_are_kept(proposed):
    with Store.open(proposed / "work.decaf", read_only=True) as store:
        project = store.project
        assert [row.text for row in project.where(ExpressionRow)] == ["the blue object", "the green object"]
        candidates = list(project.where(TrackletRow))
        assert any(row.selected for row in candidates)
        assert all(
            edits.tracklet_masks(project, row.id).frames == tuple(range(6)) for row in candidates if row.selected
        )
        details = json.loads(next(project.where(ProvenanceRow)).details)
        assert details["sam"]["id"] == "demo"
        assert {"settings", "program", "notice"} <= set(details)
        assert project.need(MaskRow, 1, 0).provenance == 1


def test_proposing_again_replaces_open_candidates_and_keeps_accepted_ones(folder):
    clip = next((folder / "media/JPEGImages/480p").iterdir())
    done = run("propose", clip, "the blue object", "--project", folder / "work.decaf", "--set", "tau_pq=0.9")
    assert done.returncode == 0, done.stderr
    with Store.open(folder / "work.decaf", read_only=True) as store:
        assert len(store.project.rows(ExpressionRow)) == 2
        assert len(store.project.rows(ObjectRow)) == 1
        origins = {row.provenance for row in store.project.where(TrackletRow, expression=1)}
        assert len(origins) == 2, "the accepted candidate keeps where it came from"


def test_show_says_what_there_is(proposed):
    done = run("project", "show", proposed / "work.decaf")
    assert done.returncode == 0, done.stderr
    assert "the blue object" in done.stdout
    assert "there" in done.stdout
    lines = run("project", "show", proposed / "work.decaf", "--json").stdout.splitlines()
    tables = [json.loads(line) for line in lines]
    assert [row["accepted"] for row in tables[1]["rows"]] == ["1", "0"]
    assert tables[2]["rows"][0]["masks"] == "6"


def test_check_finds_media_that_are_gone_or_changed(folder):
    assert run("project", "check", folder / "work.decaf").returncode == 0
    clip = next((folder / "media/JPEGImages/480p").iterdir())
    first = clip / "00000.jpg"
    picture = np.asarray(Image.open(first)).copy()
    picture[:50] = 0
    Image.fromarray(picture).save(first)
    changed = run("project", "check", folder / "work.decaf")
    assert (changed.returncode, "changed" in changed.stderr) == (1, True)
    refused = run("export", folder / "work.decaf", "--out", folder / "o")
    assert (refused.returncode, "changed" in refused.stderr) == (2, True)
    shutil.rmtree(clip)
    missing = run("project", "check", folder / "work.decaf")
    assert (missing.returncode, "missing" in missing.stderr) == (1, True)


def test_moved_media_are_relinked(folder):
    clip = next((folder / "media/JPEGImages/480p").iterdir())
    moved = folder / "elsewhere" / "renamed"
    moved.parent.mkdir()
    clip.rename(moved)
    assert run("project", "check", folder / "work.decaf").returncode == 1
    done = run("project", "relink", folder / "work.decaf", 1, moved)
    assert (done.returncode, done.stderr) == (0, f"Clip 1 of {folder / 'work.decaf'} is elsewhere/renamed now.\n")
    assert run("project", "check", folder / "work.decaf").returncode == 0
    shorter = folder / "shorter"
    shutil.copytree(moved, shorter)
    (shorter / "00005.jpg").unlink()
    refused = run("project", "relink", folder / "work.decaf", 1, shorter)
    assert (refused.returncode, "masks would not fit" in refused.stderr) == (2, True)


def test_the_frames_to_be_worked_on_are_exported(folder):
    with Store.open(folder / "work.decaf") as store:
        store.do(edits.set_work_range(store.project, 1, 1, 5, 2))
        masks = store.project.masks(1)
        store.do(edits.delete_masks(store.project, 1, [0]))
    assert "1 to 5 by 2" in run("project", "show", folder / "work.decaf").stdout
    done = run("export", folder / "work.decaf", "--out", folder / "o", "--format", "davis", "--format", "coco")
    assert done.returncode == 0, done.stderr
    written = sorted((folder / "o/davis/Annotations").rglob("*.png"))
    assert [file.stem for file in written] == ["00000", "00001", "00002"]
    (table,) = (folder / "o/davis/Tables").rglob("names.csv")
    assert [line.split(",")[1] for line in table.read_text().split()[1:]] == ["00001.jpg", "00003.jpg", "00005.jpg"]
    for file, frame in zip(written, (1, 3, 5), strict=True):
        assert np.array_equal(np.asarray(Image.open(file)) > 0, masks[frame])


def test_compact_says_before_and_after(folder):
    done = run("project", "compact", folder / "work.decaf")
    assert done.returncode == 0
    assert "before" in done.stderr


@pytest.mark.parametrize("which", ["accepted", "all"])
def test_export_writes_what_was_accepted_or_all(folder, which):
    done = run("export", folder / "work.decaf", "--out", folder / "o", "-f", "davis", "-f", "coco", "--objects", which)
    assert done.returncode == 0, done.stderr
    assert "synthetic shapes only" in done.stderr
    with Store.open(folder / "work.decaf", read_only=True) as store:
        project = store.project
        waiting = [row for row in project.where(TrackletRow, selected=True) if row.id != _accepted(project)]
        expected = 1 + (len(waiting) if which == "all" else 0)
        masks = project.masks(1)
    for name in ("davis", "coco"):
        labels = format_named(name).reader(folder / "o" / name)
        assert len(labels.objects) == expected
        assert labels.expressions == ("the blue object", "the green object")
        assert labels.objects[0].expressions == (0,)
    assert format_named("coco").reader(folder / "o/coco").objects[0].masks == masks
    assert not (folder / "o/davis/JPEGImages").exists()
    assert not (folder / "o/coco/images").exists()


def _accepted(project):
    from decaf_gui.core.project.rows import VerdictRow

    return next(project.where(VerdictRow, state="accepted")).tracklet


def test_export_with_frames_writes_them(folder):
    done = run("export", folder / "work.decaf", "--out", folder / "o", "--frames")
    assert done.returncode == 0, done.stderr
    assert len(list((folder / "o/davis/JPEGImages/480p").glob("*/*.jpg"))) == 6
    again = run("export", folder / "work.decaf", "--out", folder / "o")
    assert (again.returncode, "--overwrite" in again.stderr) == (2, True)
    assert run("export", folder / "work.decaf", "--out", folder / "o", "--overwrite").returncode == 0


def test_wrong_use_is_one_line_and_exit_code_2(folder):
    text = folder / "text.decaf"
    text.write_text("no project")
    cases = [
        ("project", "show", folder / "none.decaf"),
        ("project", "show", text),
        ("export", text, "--out", folder / "o"),
        ("export", folder / "work.decaf", "--out", folder / "o", "--objects", "some"),
        ("export", folder / "work.decaf", "--out", folder / "o", "-f", "gif"),
        ("propose", folder / "media", "a dog", "--project", text),
    ]
    for case in cases:
        done = run(*case)
        assert done.returncode == 2, (case, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert text.read_text() == "no project"


def test_origins_that_cannot_be_read_are_told_in_one_line(folder):
    connection = sqlite3.connect(folder / "work.decaf")
    with connection:
        connection.execute("UPDATE provenance SET details = 'junk'")
    connection.close()
    done = run("export", folder / "work.decaf", "--out", folder / "o")
    assert (done.returncode, "Provenance 1" in done.stderr) == (2, True)
    assert not (folder / "o").exists()


def test_a_project_that_somebody_works_on_is_not_proposed_into(folder):
    clip = next((folder / "media/JPEGImages/480p").iterdir())
    with Store.open(folder / "work.decaf"):
        done = run("propose", clip, "the blue object", "--project", folder / "work.decaf")
    assert (done.returncode, "working on it" in done.stderr) == (2, True)


def test_other_media_under_the_same_name_are_refused(folder):
    from decaf_gui.core.clip import Clip

    clip = next((folder / "media/JPEGImages/480p").iterdir())
    (clip / "00005.jpg").unlink()
    changed = pytest.raises(BadInput, match="changed, or was replaced")
    with Store.open(folder / "work.decaf") as store, Clip.open(clip) as opened, changed:
        keep_clip(store, opened)
