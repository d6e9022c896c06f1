"""Runs: predictions in the dataset's layout, resuming, failures that hurt nobody else, reports, sheets, submissions."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rvos_layouts import BUILDERS, NAMES, prediction_folders, predictions, write_json, write_png
from synthetic_set import FRAMES, SHAPES, prediction, truth

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.masks import Masks
from decaf_gui.evaluation.ledger import Ledger
from decaf_gui.evaluation.methods import METHODS, Answer, Models, method_named, spread
from decaf_gui.evaluation.protocols import protocol_named
from decaf_gui.evaluation.report import as_csv, as_data, as_table, interval_of, rows_of, write_submission
from decaf_gui.evaluation.run import Finished, Report, Run, Scored, evaluate, pooled
from decaf_gui.evaluation.sheets import PREDICTED, TRUE, extremes, write_sheets
from decaf_gui.formats.rvos import dataset_named

BY_SIZE = {size: name for name, size in SHAPES.items()}


class Drawn:
    """A method that knows the synthetic set: the shifted objects whose numbers are in the expression's text."""

    name = "drawn"

    def __init__(self, fails: dict[str, BaseException] | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.freed = 0
        self.fails = fails or {}

    @property
    def identity(self) -> dict[str, object]:
        return {"kind": "shift"}

    def predict(self, clip: Clip, text: str) -> Iterator[Event]:
        self.asked.append((BY_SIZE[clip.size], text))
        yield Stage("drawing")
        if text in self.fails:
            raise self.fails.pop(text)
        ks = {"thing 0": (1,), "thing 1": (2,), "thing 2": (1, 2)}[text]
        drawn = {t: np.isin(prediction("shift", BY_SIZE[clip.size], t), ks) for t in range(FRAMES)}
        yield Answer(Masks.encode(drawn, clip.size))

    def free(self) -> None:
        self.freed += 1


def mevis_run(tmp_path: Path, **more) -> Run:
    root = tmp_path / "mevis"
    if not root.exists():
        BUILDERS["mevis"](root)
    split = dataset_named("mevis").open(root)
    return Run(split, tmp_path / "out", tuple(protocol_named(p) for p in ("rvos", "expressions")), **more)


def report_of(run: Run) -> Report:
    *_, last = evaluate(run)
    assert isinstance(last, Finished)
    return last.report


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_predictions_lie_in_the_dataset_s_layout_with_every_frame(tmp_path):
    run = mevis_run(tmp_path, method=Drawn())
    report = report_of(run)
    expected = predictions(tmp_path / "expected", "mevis", "shift")
    made, wanted = run.predictions, {str(p.relative_to(expected)) for p in expected.rglob("*.png")}
    assert {str(p.relative_to(made)) for p in made.rglob("*.png")} == wanted
    for name in wanted:
        with Image.open(made / name) as image:
            assert image.mode == "L"
            assert np.array_equal(np.array(image), np.array(Image.open(expected / name)))
    assert report.complete
    assert not report.failures
    assert not (run.folder / ".partial").exists()


def test_masks_that_were_given_score_as_those_that_were_predicted(tmp_path):
    first = report_of(mevis_run(tmp_path, method=Drawn()))
    given = mevis_run(tmp_path, given=predictions(tmp_path / "masks", "mevis", "shift"))
    second = report_of(Run(given.split, tmp_path / "other", given.protocols, given=given.given))
    assert first.summaries == second.summaries
    assert first.outcomes == second.outcomes


def test_revos_predictions_are_zero_and_one(tmp_path):
    split = dataset_named("revos").open(BUILDERS["revos"](tmp_path / "revos"))
    method = Drawn({"an elephant": DecafError("no elephants")})
    run = Run(split, tmp_path / "out", (protocol_named("revos"),), method)
    report = report_of(run)
    path = run.predictions / "UVO/all/-synthseq-a/0/00000.png"
    assert set(np.unique(np.array(Image.open(path)))) == {0, 1}
    assert {p.reason for p in report.failures if p.expression == "3"} == {"no elephants", "KeyError: 'an elephant'"}


@pytest.mark.parametrize("broken_at", range(2, 20, 3))
def test_a_run_that_was_broken_off_does_nothing_twice(tmp_path, broken_at):
    method = Drawn()
    events = evaluate(mevis_run(tmp_path, method=method))
    for _ in range(broken_at):
        next(events)
    events.close()
    before = list(method.asked)
    done = {folder for folder, *_ in prediction_folders("mevis") if (tmp_path / "out/predictions" / folder).is_dir()}
    kept = tree(tmp_path / "out/predictions")
    again = Drawn()
    report = report_of(mevis_run(tmp_path, method=again))
    assert len(again.asked) == 6 - len(done)
    assert len(before) - len(done) in (0, 1), "at most the one in work is asked again"
    assert kept.items() <= tree(tmp_path / "out/predictions").items()
    assert report.complete
    third = Drawn()
    assert report_of(mevis_run(tmp_path, method=third)).summaries == report.summaries
    assert not third.asked


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import test_rvos_run as tests
for event in tests.evaluate(tests.mevis_run(Path(sys.argv[2]), method=tests.Drawn())):
    if isinstance(event, tests.Stage):
        print(event.name, flush=True)
        time.sleep(0.02)
"""


@pytest.mark.parametrize("stages", [4, 9])
def test_a_killed_process_loses_nothing(tmp_path, stages):
    BUILDERS["mevis"](tmp_path / "mevis")
    command = [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(stages):
            assert process.stdout.readline()
        process.kill()
    kept = tree(tmp_path / "out/predictions")
    done = {name.rpartition("/")[0] for name in kept}
    assert all(sum(name.startswith(f"{folder}/") for name in kept) == FRAMES for folder in done)
    again = Drawn()
    report = report_of(mevis_run(tmp_path, method=again))
    assert report.complete
    assert len(again.asked) == 6 - len(done) < 6
    assert kept.items() <= tree(tmp_path / "out/predictions").items()


def test_scores_are_read_back_and_not_made_again(tmp_path):
    run = mevis_run(tmp_path, given=predictions(tmp_path / "masks", "mevis", "shift"))
    first = report_of(run)
    ledger = run.folder / "scores.jsonl"
    lines = ledger.read_text().splitlines()
    assert len(lines) == 1 + 6
    noted = json.loads(lines[1])
    noted["value"]["J"] = 0.125
    ledger.write_text("\n".join([lines[0], json.dumps(noted), *lines[2:]]) + "\n")
    second = report_of(run)
    assert second.outcomes[0].measures["J"] == 0.125
    assert second.outcomes[1:] == first.outcomes[1:]
    assert ledger.read_text().splitlines()[1:] == [json.dumps(noted), *lines[2:]]


def test_masks_that_changed_are_scored_again(tmp_path):
    run = mevis_run(tmp_path, given=predictions(tmp_path / "masks", "mevis", "shift"))
    first = report_of(run)
    write_png(run.predictions / "synthseq-a/0/00000.png", truth("synthseq-a", 0) == 1)
    second = report_of(run)
    assert second.outcomes[0].jf > first.outcomes[0].jf
    assert second.outcomes[1:] == first.outcomes[1:]


def test_a_line_that_a_kill_cut_off_is_dropped(tmp_path):
    run = mevis_run(tmp_path, given=predictions(tmp_path / "masks", "mevis", "shift"))
    first = report_of(run)
    ledger = run.folder / "scores.jsonl"
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-40])
    assert report_of(run).outcomes == first.outcomes
    assert ledger.read_bytes() == whole


def test_a_folder_of_another_run_is_refused(tmp_path):
    report_of(mevis_run(tmp_path, method=Drawn()))
    with pytest.raises(BadInput, match=r"is of another run: .* Choose another --out"):
        report_of(mevis_run(tmp_path, given=predictions(tmp_path / "masks", "mevis", "shift")))
    ledger = tmp_path / "out/scores.jsonl"
    ledger.write_text(ledger.read_text() + "nonsense\n")
    with pytest.raises(BadInput, match="line 8, is no record"):
        report_of(mevis_run(tmp_path, method=Drawn()))
    ledger.write_bytes(b"")
    with pytest.raises(BadInput, match="does not say what it is"):
        Ledger.open(ledger, {})


def test_a_file_in_the_folder_s_place_is_told(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(BadInput, match=r"out cannot be written to .* choose another --out folder"):
        report_of(mevis_run(tmp_path, method=Drawn()))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BadInput("The expression is empty."), "The expression is empty."),
        (RuntimeError("a\nb"), "RuntimeError: a b"),
        (MemoryError(), "MemoryError: "),
    ],
)
def test_what_fails_is_listed_and_tried_again(tmp_path, error, told):
    method = Drawn({"thing 1": error})
    report = report_of(mevis_run(tmp_path, method=method))
    (failure,) = report.failures
    assert (failure.video, failure.expression) == ("synthseq-a", "1")
    assert failure.reason == told.strip()
    assert sum(o.scored for o in report.outcomes) == 5
    assert not report.complete
    assert {s.protocol: (s.total.count, s.total.zeros) for s in report.summaries} == {
        "rvos": (5, 0),
        "expressions": (6, 1),
    }
    again = Drawn()
    assert report_of(mevis_run(tmp_path, method=again)).complete
    assert again.asked == [("synthseq-a", "thing 1")]


def test_half_written_masks_of_a_killed_run_are_not_taken_over(tmp_path):
    write_png(tmp_path / "out/.partial/masks/99999.png", np.ones((3, 3)))
    run = mevis_run(tmp_path, method=Drawn())
    assert report_of(run).complete
    assert not list(run.folder.rglob("99999.png"))
    assert not (run.folder / ".partial").exists()


@pytest.mark.parametrize("evil", ["../../evil", "/decaf-evil", "synthseq-a/../../../evil"])
def test_hostile_names_write_nothing_outside_of_the_run_s_folder(tmp_path, evil):
    root = BUILDERS["mevis"](tmp_path / "mevis")
    path = root / "valid_u/meta_expressions.json"
    data = json.loads(path.read_text())
    good = data["videos"]["synthseq-a"]
    data["videos"][evil] = good
    data["videos"]["framed"] = {**good, "frames": [evil, *good["frames"][1:]]}
    good["expressions"][evil] = dict(good["expressions"]["0"])
    write_json(path, data)
    before = tree(tmp_path)
    report = report_of(mevis_run(tmp_path, method=Drawn()))
    assert len(report.failures) >= 3
    assert sum(o.scored for o in report.outcomes) == 6
    after = tree(tmp_path)
    assert {name for name in after if not name.startswith("out/")} == set(before)
    assert not Path("/decaf-evil").exists()


def test_ctrl_c_ends_the_run(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        report_of(mevis_run(tmp_path, method=Drawn({"thing 1": KeyboardInterrupt()})))
    again = Drawn()
    assert report_of(mevis_run(tmp_path, method=again)).complete
    assert ("synthseq-a", "thing 0") not in again.asked


def test_a_video_without_its_frames_is_the_dataset_s_fault(tmp_path):
    run = mevis_run(tmp_path, method=Drawn())
    run.split.videos[0].files[1].unlink()
    report = report_of(run)
    assert {o.fault for o in report.outcomes if o.video == "synthseq-a"} == {"dataset"}
    assert all("00005.jpg is missing" in failure.reason for failure in report.failures)
    assert [(s.total.count, s.total.zeros, s.total.left_out) for s in report.summaries] == [(3, 0, 3)] * 2


class Lazy(Drawn):
    """Gives a mask of the first frame only, or none at all."""

    def predict(self, clip: Clip, text: str) -> Iterator[Event]:
        if text != "thing 0":
            yield Answer(Masks.encode({0: np.ones(clip.size, bool)}, clip.size))


def test_a_method_must_answer_with_every_frame(tmp_path):
    report = report_of(mevis_run(tmp_path, method=Lazy()))
    assert [o.problem for o in report.outcomes[:2]] == [
        "drawn gave no mask of frame 0.",
        "drawn gave no mask of frame 1.",
    ]


def test_missing_and_unfit_predictions_are_named(tmp_path):
    masks = predictions(tmp_path / "masks", "mevis", "perfect")
    (masks / "synthseq-a/0/00010.png").unlink()
    write_png(masks / "synthseq-a/1/00015.png", np.zeros((7, 9)))
    (masks / "synthseq-a/2/00020.png").write_text("no image")
    for path in (masks / "synthseq-b/0").iterdir():
        path.unlink()
    (masks / "synthseq-b/0").rmdir()
    report = report_of(mevis_run(tmp_path, given=masks))
    reasons = [o.problem for o in report.outcomes[:4]]
    assert "synthseq-a/0/00010.png is missing: one PNG mask per frame was expected" in reasons[0]
    assert "synthseq-a/1/00015.png: the mask is 9x7, 160x120 was expected" in reasons[1]
    assert "synthseq-a/2/00020.png cannot be read as an image" in reasons[2]
    assert "synthseq-b/0 is missing: a folder with 6 PNG masks was expected" in reasons[3]
    assert [o.fault for o in report.outcomes] == ["frame", "frame", "frame", "expression", "", ""]
    assert all(o.jf == 1 for o in report.outcomes[4:])


def test_damaged_truth_is_told_from_damaged_predictions(tmp_path):
    root = BUILDERS["mevis"](tmp_path / "mevis")
    path = root / "valid_u/mask_dict.json"
    tracks = json.loads(path.read_text())
    tracks["10"][3] = {"size": [120, 160], "counts": "broken!"}
    tracks["13"][0]["size"] = [1, 1]
    write_json(path, tracks)
    report = report_of(mevis_run(tmp_path, given=predictions(tmp_path / "masks", "mevis", "perfect")))
    faults = {(o.video, o.id): o.fault for o in report.outcomes}
    assert faults["synthseq-a", "0"] == faults["synthseq-a", "2"] == "dataset"
    assert faults["synthseq-b", "1"] in ("dataset", "frame")
    assert faults["synthseq-a", "1"] == faults["synthseq-b", "0"] == ""


def test_a_video_of_label_maps_counts_as_a_whole_or_not_at_all(tmp_path):
    masks = predictions(tmp_path / "masks", "ref-davis", "perfect")
    (masks / "synthseq-a/5/00010.png").unlink()
    split = dataset_named("ref-davis").open(BUILDERS["ref-davis"](tmp_path / "data"))
    report = report_of(Run(split, tmp_path / "out", (protocol_named("ref-davis"), protocol_named("rvos")), given=masks))
    maps, expressions = (summary.total for summary in report.summaries)
    assert (maps.measures["J"], maps.count, maps.left_out) == (1.0, 8, 8)
    assert (expressions.count, expressions.left_out) == (15, 1)
    assert any("left out of the label maps" in p.reason and "00010.png is missing" in p.reason for p in report.failures)


def test_an_object_that_cannot_be_read_takes_its_video_out_of_the_label_maps(tmp_path):
    root = BUILDERS["ref-davis"](tmp_path / "data")
    path = root / "meta_expressions/valid/meta_expressions.json"
    data = json.loads(path.read_text())
    data["videos"]["synthseq-b"]["expressions"]["7"]["obj_id"] = "many"
    write_json(path, data)
    masks = predictions(tmp_path / "masks", "ref-davis", "perfect")
    run = Run(dataset_named("ref-davis").open(root), tmp_path / "out", (protocol_named("ref-davis"),), given=masks)
    report = report_of(run)
    assert (report.summaries[0].total.count, report.summaries[0].total.left_out) == (8, 7)
    assert [(p.video, p.expression) for p in report.failures] == [("synthseq-b", "7")]


def test_limit_takes_the_first_videos(tmp_path):
    method = Drawn()
    report = report_of(mevis_run(tmp_path, method=method, limit=1))
    assert {name for name, _ in method.asked} == {"synthseq-a"}
    assert not report.complete
    assert method.freed == 1


@pytest.mark.parametrize(("name", "top"), [("mevis", ""), ("ref-youtube-vos", "Annotations/")])
def test_submissions_hold_every_mask_where_the_server_looks(tmp_path, name, top):
    root = tmp_path / "data"
    if name == "mevis":
        BUILDERS[name](root, "valid")
    else:
        BUILDERS[name](root)
    split = dataset_named(name).open(root, "valid")
    run = Run(split, tmp_path / "out", (), Drawn() if name == "mevis" else None, given_for(name, tmp_path))
    report = report_of(run)
    assert report.complete
    assert not report.summaries
    with zipfile.ZipFile(write_submission(run)) as archive:
        names = set(archive.namelist())
        wanted = {f"{top}{folder}/{frame}.png" for folder, *_ in prediction_folders(name) for frame in NAMES}
        assert names == wanted
        for entry in wanted:
            with Image.open(io.BytesIO(archive.read(entry))) as image:
                assert image.mode == "L"
                assert set(np.unique(np.array(image))) <= {0, 255}


def given_for(name: str, tmp_path: Path) -> Path | None:
    return None if name == "mevis" else predictions(tmp_path / "masks", name, "shift")


def test_no_submission_with_a_missing_mask(tmp_path):
    split = dataset_named("mevis").open(BUILDERS["mevis"](tmp_path / "data", "valid"), "valid")
    masks = predictions(tmp_path / "masks", "mevis", "shift")
    (masks / "synthseq-b/2/00025.png").unlink()
    run = Run(split, tmp_path / "out", (), given=masks)
    report_of(run)
    with pytest.raises(BadInput, match=r"No submission was written: .*00025\.png is missing"):
        write_submission(run)
    assert not (run.folder / "submission.zip").exists()


def full_report(tmp_path: Path) -> tuple[Run, Report]:
    run = mevis_run(tmp_path, given=predictions(tmp_path / "masks", "mevis", "shift"))
    return run, report_of(run)


def test_table_csv_and_json_say_the_same(tmp_path):
    run, report = full_report(tmp_path)
    rows = list(rows_of([report], pooled([report], run.protocols)))
    levels = [row.level for row in rows]
    assert [levels.count(level) for level in ("expression", "video", "split", "overall")] == [6, 2, 2, 2]
    read = list(csv.DictReader(io.StringIO(as_csv(rows), newline="")))
    data = json.loads(json.dumps(as_data(rows, [report])))
    assert [float(row["J&F"]) for row in read] == [row["measures"]["J&F"] for row in data["rows"]]
    video = next(row for row in data["rows"] if row["level"] == "video")
    own = [o.jf for o in report.outcomes if o.video == "synthseq-a"]
    assert video["measures"]["J&F"] == pytest.approx(np.mean(own))
    titles, cells = as_table(rows)
    assert titles == ["level", "name", "averaged as", "J&F", "J", "F", "of", "note"]
    assert cells[-1][:6] == ["overall", "all splits", "expressions", "81.23", "86.27", "76.20"], "the golden values"
    low, high = interval_of(report) or (0, 0)
    assert low < np.mean([o.jf for o in report.outcomes]) < high


def test_sheets_show_the_best_and_the_worst(tmp_path):
    run, report = full_report(tmp_path)
    found = extremes(report, 2)
    ranked = sorted(report.outcomes, key=lambda o: o.jf)
    assert found == {"best": [ranked[-1], ranked[-2]], "worst": [ranked[0], ranked[1]]}
    assert len(extremes(report, 100)["best"]) == len(extremes(report, 100)["worst"]) == 3
    for path in write_sheets(run, report, 2):
        pixels = np.array(Image.open(path))
        assert (pixels == TRUE).all(axis=-1).sum() > 100
        assert (pixels == PREDICTED).all(axis=-1).sum() > 100
    assert {p.name for p in run.folder.glob("*.png")} == {"best.png", "worst.png"}


def test_sheets_without_the_pictures_are_grey(tmp_path):
    run, report = full_report(tmp_path)
    for video in run.split.videos:
        for file in video.files:
            file.unlink()
    (path, _) = write_sheets(run, report, 1)
    assert (np.array(Image.open(path)) == 128).all(axis=-1).any()


def test_frames_between_sampled_ones_have_the_nearest_mask():
    sampled = np.zeros((3, 4, 5), bool)
    sampled[0, 0], sampled[1, 1], sampled[2, 2] = True, True, True
    masks = spread(sampled, (0, 4, 7), 9)
    assert [int(np.flatnonzero(masks[i].any(axis=1))[0]) for i in range(9)] == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_a_method_is_added_with_one_line(monkeypatch):
    with pytest.raises(BadInput, match='There is no method "drawn": choose among decaf, attention-mask'):
        method_named("drawn", Models())
    monkeypatch.setitem(METHODS, "drawn", lambda models: Drawn())
    assert method_named("drawn", Models()).name == "drawn"


def test_scored_events_come_one_per_expression(tmp_path):
    events = list(evaluate(mevis_run(tmp_path, method=Drawn())))
    assert len([e for e in events if isinstance(e, Scored)]) == 6
    assert isinstance(events[-1], Finished)
