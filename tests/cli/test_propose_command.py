"""The main job from the shell: files and counts, several expressions, JSON, overwrite, Ctrl+C, kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from decaf_gui.commands import described
from decaf_gui.core.errors import BadInput
from decaf_gui.demo.shapes import make_clip

LENGTH = 12
COMMAND = [sys.executable, "-m", "decaf_gui.cli"]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "clip"
    folder.mkdir()
    for i, frame in enumerate(make_clip(4, frames=LENGTH, size=(120, 160)).frames):
        Image.fromarray(frame).save(folder / f"shot{i + 1}.png")
    return folder


def propose(clip: Path, out: Path, *more: str, expressions: tuple[str, ...] = ("the green shape",)):
    command = [*COMMAND, "propose", str(clip), *expressions, "--out", str(out), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=280)


@pytest.fixture(scope="module")
def result(clip_folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("result") / "out"
    formats = ["--format", "davis", "--format", "coco", "--format", "overlay"]
    expressions = ("the green shape", "the orange circle")
    settings = ("--set", "tau_trk=0.1", "--set", "tau_pq=0.6", "--attention")
    done = propose(clip_folder, out, *formats, *settings, expressions=expressions)
    assert done.returncode == 0, done.stderr
    return out, done


def test_labels_have_every_frame_and_object(result):
    out, _ = result
    frames = sorted((out / "davis/JPEGImages/480p/clip").iterdir())
    labels = sorted((out / "davis/Annotations/480p/clip").iterdir())
    assert [f.name for f in frames] == [f"{i:05d}.jpg" for i in range(LENGTH)]
    assert [f.name for f in labels] == [f"{i:05d}.png" for i in range(LENGTH)]
    record = json.loads((out / "proposals/clip.json").read_text())
    selected = sum(t["selected"] for p in record["proposals"] for t in p["tracklets"])
    coco = COCO(str(next((out / "coco/annotations").glob("instances_*.json"))))
    assert len(coco.imgs) == LENGTH
    tracks = {a["track_id"] for a in coco.anns.values()}
    assert tracks <= set(range(1, selected + 1))
    seen = set(np.unique([np.array(Image.open(p)) for p in labels])) - {0}
    assert seen <= set(range(1, selected + 1))
    assert seen, "no object was labelled anywhere"


def test_the_attention_has_masks_of_its_own(result):
    """Against OpenCV: the fused map at the frame's size, as uint8 over Otsu's threshold, frame by frame."""
    out, _ = result
    for number, text in enumerate(("the green shape", "the orange circle")):
        folder = out / "attention/clip" / str(number)
        with np.load(folder / "maps.npz") as maps:
            assert str(maps["expression"]) == text
            assert {"fused", "video_object", "frame_background"} <= set(maps.files)
            fused, frames = maps["fused"], maps["frames"]
        assert sorted(p.name for p in folder.glob("*.png")) == [f"{frame:05d}.png" for frame in frames]
        for cells, frame in zip(fused, frames, strict=True):
            mask = np.array(Image.open(folder / f"{frame:05d}.png"))
            assert set(np.unique(mask)) <= {0, 255}
            large = cv2.resize(cells, (160, 120), interpolation=cv2.INTER_LINEAR)
            _, expected = cv2.threshold((large * 255).round().astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
            assert (mask != expected).mean() < 0.01, "not where the attention is"


def test_overlay_video_has_every_frame(result):
    out, _ = result
    (video,) = (out / "overlay").glob("*.mp4")
    capture = cv2.VideoCapture(str(video))
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == LENGTH


def test_output_says_that_demo_models_know_nothing_of_real_video(result):
    assert "real video" in result[1].stderr


def test_both_expressions_are_recorded_with_scores_and_provenance(result):
    record = json.loads((result[0] / "proposals/clip.json").read_text())
    assert [p["expression"] for p in record["proposals"]] == ["the green shape", "the orange circle"]
    for proposal in record["proposals"]:
        assert proposal["provenance"]["mllm"]["id"] == "demo"
        assert proposal["counters"]["vision_inputs"] == 9
        assert all({"attention", "sam", "consistency", "total"} <= set(t["scores"]) for t in proposal["tracklets"])


def test_nothing_partial_is_left_behind(result):
    assert not (result[0] / ".partial").exists()


def test_existing_result_is_refused_early_and_kept(result, clip_folder):
    out, _ = result
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()}
    started = time.monotonic()
    done = propose(clip_folder, out, "--format", "davis")
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*") if p.is_file()} == before
    assert time.monotonic() - started < 20


def test_json_prints_one_event_per_line(clip_folder, tmp_path):
    done = propose(clip_folder, tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    names = [line["event"] for line in lines]
    assert names[-1] == "result"
    assert {"Stage", "AttentionReady", "TrackletsReady", "Proposed"} <= set(names)


def test_steerseg_reasons_first_and_selects_the_best_by_correlation(clip_folder, tmp_path):
    done = propose(clip_folder, tmp_path / "out", "--json", "--preset", "steerseg", "--format", "davis")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert "attributes" in [line["stage"] for line in lines if line["event"] == "Stage"]
    (ready,) = [line for line in lines if line["event"] == "AttentionReady"]
    assert {"attributes", "reasons"} <= set(ready)
    record = json.loads((tmp_path / "out/proposals/clip.json").read_text())["proposals"][0]
    assert (record["attributes_given"], record["attributes"]) == (False, ready["attributes"])
    scores = [t["scores"] for t in record["tracklets"]]
    assert all(s["scoring"] == "pearson" and -1 <= s["total"] <= 1 for s in scores)
    assert [t["selected"] for t in record["tracklets"]] == [True] + [False] * (len(scores) - 1)
    assert scores[0]["total"] == pytest.approx(
        0.3 * scores[0]["frame_correlation"] + 0.7 * scores[0]["video_correlation"]
    )


@pytest.fixture(scope="module")
def long_clip(clip_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same frames many times over: whoever interrupts has time, on a busy machine, too."""
    folder = tmp_path_factory.mktemp("long") / "clip"
    folder.mkdir()
    for i in range(50 * LENGTH):
        (folder / f"shot{i + 1}.png").symlink_to(clip_folder / f"shot{i % LENGTH + 1}.png")
    return folder


def interrupted(clip_folder: Path, out: Path, when: str, how: signal.Signals):
    command = [*COMMAND, "propose", str(clip_folder), "the green shape", "--out", str(out), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["event"] == when:
            os.kill(process.pid, how)
            break
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


def test_ctrl_c_exits_130_and_names_what_was_kept(clip_folder, long_clip, tmp_path):
    out = tmp_path / "out"
    code, errors = interrupted(long_clip, out, "TrackletsReady", signal.SIGINT)
    assert code == 130
    assert "Traceback" not in errors
    assert str(out / ".partial") in errors
    kept = json.loads((out / ".partial/proposals/clip.json").read_text())["proposals"]
    assert kept[0]["complete"] is False
    assert kept[0]["tracklets"]
    assert not (out / "davis/Annotations").exists()
    assert errors.rstrip().endswith("interrupted")
    assert propose(clip_folder, out).returncode == 0
    assert not (out / ".partial").exists()


def test_killed_run_leaves_no_finished_names_and_can_be_repeated(clip_folder, long_clip, tmp_path):
    out = tmp_path / "out"
    code, _ = interrupted(long_clip, out, "TrackletsReady", signal.SIGKILL)
    assert code == -signal.SIGKILL
    assert not (out / "davis/Annotations").exists()
    assert propose(clip_folder, out).returncode == 0
    assert len(list((out / "davis/Annotations/480p/clip").iterdir())) == LENGTH


def test_attributes_belong_to_expressions_in_their_order():
    found = described(("the dog", "the cat", "it"), ("red; moves left", "", "Small"))
    assert [expression.attributes for expression in found] == [("red", "moves left"), None, ("Small",)]
    assert [expression.attributes for expression in described(("the dog", "the cat"), ())] == [None, None]
    with pytest.raises(BadInput, match="2 expressions and 1 times --attributes"):
        described(("the dog", "the cat"), ("red",))


def test_a_persons_attributes_reach_the_question_and_the_record(clip_folder, tmp_path):
    done = propose(clip_folder, tmp_path / "out", "--attributes", "green; moves left")
    assert done.returncode == 0, done.stderr
    assert "attributes: green; moves left" in done.stderr + done.stdout
    (found,) = json.loads((tmp_path / "out/proposals/clip.json").read_text())["proposals"]
    assert found["attributes"] == ["green", "moves left"]
