"""The coordinator: everything is recorded at once, failures are retried or listed, exports are whole after any kill."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from killed_prelabel import FORMATS, run_here
from PIL import Image
from pycocotools import mask as coco
from quick_engine import FRAMES, QuickEngine, box, write_clip, write_source
from safetensors.numpy import save_file

from decaf_gui.batch.labelling import Plan, reports_of
from decaf_gui.batch.prelabelling import Exported, Finished, Overall, identity_of, prelabel
from decaf_gui.batch.reports import Failed, Labelled, Started
from decaf_gui.batch.sources import read_source
from decaf_gui.batch.worklist import Problem, SourceClip, Wanted, WorkList
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import ExpressionRow, TrackletRow
from decaf_gui.core.project.store import Store
from decaf_gui.pipeline.settings import Settings

HEAD = {"source": "here"}


def begun(out: Path, source: Path) -> WorkList:
    worklist = WorkList.begin(out, HEAD)
    found = read_source(source)
    worklist.add(found.clips, found.problems)
    return worklist


def run(out: Path, source: Path, runner=run_here, **plan) -> list:
    with begun(out, source) as worklist:
        return list(prelabel(worklist, runner, Plan(out, **plan)))


def check_all_is_there(out: Path, clips: int, expressions: int = 2) -> None:
    """One result per pair, a whole project per clip, and exports as other programs read them."""
    with WorkList.open(out, read_only=True) as worklist:
        rows = worklist.rows()
        assert worklist.failures() == []
        assert worklist.unexported(FORMATS) == []
    assert {(row.clip, row.expression) for row in rows} == {
        (f"clip{k}", f"thing {e}") for k in range(clips) for e in range(expressions)
    }
    assert len(rows) == clips * expressions
    assert all(row.state == "done" and row.result.selected == 1 for row in rows)
    assert {path.name for path in (out / "projects").iterdir()} == {f"clip{k}.decaf" for k in range(clips)}
    for path in (out / "projects").iterdir():
        with Store.open(path, read_only=True) as store:
            assert len(store.project.rows(ExpressionRow)) == expressions
            assert len(store.project.rows(TrackletRow)) == 2 * expressions
    assert not (out / "exports/.partial").exists()
    listed = (out / "exports/davis/ImageSets/2017/val.txt").read_text().split()
    assert sorted(listed) == sorted({f"clip{k}" for k in range(clips)})
    for k in range(clips):
        check_masks(out, f"clip{k}", expressions)
    videos = json.loads(next((out / "exports/ytvis").rglob("*.json")).read_text())
    assert len(videos["videos"]) == clips
    assert len(videos["annotations"]) == clips * expressions
    for annotation in videos["annotations"]:
        assert all(pixels(segmentation) > 0 for segmentation in annotation["segmentations"])


def pixels(segmentation: dict) -> int:
    packed = isinstance(segmentation["counts"], str)
    return int(coco.area(segmentation if packed else coco.frPyObjects(segmentation, *segmentation["size"])))


def check_masks(out: Path, clip: str, expressions: int) -> None:
    files = sorted((out / f"exports/davis/Annotations/480p/{clip}").iterdir())
    assert len(files) == FRAMES
    for frame, file in enumerate(files):
        with Image.open(file) as image:
            labels = np.array(image)
        drawn = np.zeros_like(labels)
        for e in range(expressions):
            drawn[box(f"thing {e}", 0, frame)] = e + 1
        np.testing.assert_array_equal(labels, drawn)


def test_projects_exports_and_progress(tmp_path):
    events = run(tmp_path / "out", write_source(tmp_path / "in", 3), formats=FORMATS)
    check_all_is_there(tmp_path / "out", 3)
    kinds = [type(event) for event in events]
    assert kinds.count(Started) == kinds.count(Labelled) == 3
    assert kinds.count(Exported) == 3 * len(FORMATS)
    overall = [event for event in events if isinstance(event, Overall)]
    assert [event.done for event in overall] == [0, 2, 4, 6]
    assert overall[0].left is None
    assert overall[-1].left == 0
    assert events[-1] == Finished(6, 6, ())


def test_a_second_start_has_nothing_to_do_but_new_clips(tmp_path):
    source, out = write_source(tmp_path / "in", 2), tmp_path / "out"
    run(out, source, formats=FORMATS)
    before = {path: path.read_bytes() for path in (out / "projects").iterdir()}
    write_clip(source / "clip2", 2)
    with (source / "expressions.csv").open("a") as table:
        table.write("clip2,thing 0,\nclip2,thing 1,\n")
    events = run(out, source, formats=FORMATS)
    assert [event.clip for event in events if isinstance(event, Started)] == ["clip2"]
    assert {path: path.read_bytes() for path in before} == before
    check_all_is_there(out, 3)


def test_another_export_is_written_later_of_what_a_person_left(tmp_path):
    source, out = write_source(tmp_path / "in", 1), tmp_path / "out"
    run(out, source)
    assert not (out / "exports").exists()
    with Store.open(out / "projects/clip0.decaf") as store:
        store.do(edits.reject(store.project, 1))
    events = run(out, source, formats=("davis",))
    assert [type(event) for event in events] == [Overall, Exported, Finished]
    with Image.open(out / "exports/davis/Annotations/480p/clip0/00000.png") as image:
        np.testing.assert_array_equal(np.array(image), box("thing 1", 0, 0))


def test_what_is_missing_is_listed_and_the_rest_goes_on(tmp_path):
    source, out = write_source(tmp_path / "in", 2), tmp_path / "out"
    with (source / "expressions.csv").open("a") as table:
        table.write("ghost,a dog,\n")
    *_, last = run(out, source, formats=("davis",))
    reason = f"There is no file or folder {source / 'ghost'}."
    assert last == Finished(4, 5, (Problem("ghost", "a dog", reason),))
    write_clip(source / "ghost", 9)
    *_, last = run(out, source, formats=("davis",))
    assert last == Finished(5, 5, ())


def test_a_clip_whose_worker_dies_is_tried_as_often_as_planned(tmp_path):
    def runner(works, plan, workers):
        for work in works:
            if work.clip == "clip0" or (work.clip == "clip1" and work.attempt == 1):
                yield Started(work.clip, "1")
                yield Failed(work.clip, "1", f"died {work.attempt}", again=True)
            else:
                yield from reports_of(QuickEngine(), work, plan, "1")

    events = run(tmp_path / "out", write_source(tmp_path / "in", 3), runner, attempts=3)
    begins = [event.clip for event in events if isinstance(event, Started)]
    assert begins == ["clip0", "clip1", "clip2", "clip0", "clip1", "clip0"]
    assert events[-1].failures == (Problem("clip0", "thing 0", "died 3"), Problem("clip0", "thing 1", "died 3"))
    assert events[-1].done == 4


def test_an_export_that_cannot_be_written_is_listed_and_tried_at_the_next_start(tmp_path):
    source, out = write_source(tmp_path / "in", 1), tmp_path / "out"
    (out / "exports").mkdir(parents=True)
    (out / "exports/davis").touch()
    *_, last = run(out, source, formats=("davis", "ytvis"))
    assert last.done == 2
    ((clip, expression, reason),) = [(p.clip, p.expression, p.reason) for p in last.failures]
    assert (clip, expression) == ("clip0", "")
    assert reason.startswith("not written as davis: ")
    (out / "exports/davis").unlink()
    *_, last = run(out, source, formats=FORMATS)
    assert last == Finished(2, 2, ())
    check_all_is_there(out, 1)


def test_closing_it_closes_the_runner_and_keeps_what_was_recorded(tmp_path):
    closed = []

    def runner(works, plan, workers):
        try:
            yield from run_here(works, plan, workers)
        finally:
            closed.append(True)

    source, out = write_source(tmp_path / "in", 3), tmp_path / "out"
    with begun(out, source) as worklist:
        events = prelabel(worklist, runner, Plan(out, FORMATS))
        next(event for event in events if isinstance(event, Exported))
        events.close()
        assert closed == [True]
        assert worklist.totals()["done"] == 2
    run(out, source, formats=FORMATS)
    check_all_is_there(out, 3)


def test_clips_of_the_same_name_stay_apart_in_exports(tmp_path):
    clips = [SourceClip("cat", write_clip(tmp_path / side / "cat", k), (Wanted("x"),)) for k, side in enumerate("ab")]
    with WorkList.begin(tmp_path / "out", HEAD) as worklist:
        worklist.add(clips)
        *_, last = prelabel(worklist, run_here, Plan(tmp_path / "out", ("davis",)))
    assert last == Finished(2, 2, ())
    assert sorted(p.name for p in (tmp_path / "out/exports/davis/Annotations/480p").iterdir()) == ["cat", "cat_2"]


def test_the_identity_is_of_models_and_settings_but_not_of_memory_or_device(tmp_path):
    plan = Plan(tmp_path)
    same = Plan(
        tmp_path / "other", ("davis",), device="cuda:1", settings=Settings().changed({"prefix_host_bytes": "1"})
    )
    assert identity_of(plan) == identity_of(same)
    assert identity_of(plan) != identity_of(Plan(tmp_path, settings=Settings().changed({"tau_trk": "0.123"})))
    assert identity_of(plan) != identity_of(Plan(tmp_path, dtype="float16"))
    save_file({"frame": np.zeros(1)}, tmp_path / "prompts", {"sha256": "1"})
    steered = Plan(tmp_path, settings=Settings().changed({"steering": str(tmp_path / "prompts")}))
    before = identity_of(steered)
    save_file({"frame": np.zeros(1)}, tmp_path / "prompts", {"sha256": "2"})
    assert identity_of(steered) != before
    with pytest.raises(BadInput, match="no soft prompts at /nowhere"):
        identity_of(Plan(tmp_path, settings=Settings().changed({"steering": "/nowhere"})))


KILLS, CLIPS = 8, 12


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_nothing_is_lost_doubled_or_half_after_kill_9_at_any_moment(tmp_path):
    source, out = write_source(tmp_path / "in", CLIPS), tmp_path / "out"
    chance = random.Random(0)
    command = [sys.executable, str(Path(__file__).with_name("killed_prelabel.py")), str(source), str(out)]
    for _ in range(KILLS):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(chance.randrange(1, 14)):
                process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
        with WorkList.open(out, read_only=True) as worklist:
            assert worklist.totals()["done"] % 2 == 0, "half a clip is done"
            for row in worklist.rows():
                assert (row.state == "done") <= worklist.project(row.clip).exists()
    finished = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.split()[-1] == "Finished"
    check_all_is_there(out, CLIPS)
