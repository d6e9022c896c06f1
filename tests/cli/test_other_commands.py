"""The commands beside `propose`: demo clips, models, doctor, and what damaged videos and full disks lead to."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import av
import pytest
from PIL import Image

from decaf_gui.commands import demo_clip
from decaf_gui.core.clip import Clip
from decaf_gui.demo.scenes import SCENES
from decaf_gui.demo.shapes import make_clip

COMMAND = [sys.executable, "-m", "decaf_gui.cli"]


def run(*arguments: str, **more):
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=200, **more)


def test_models_list_shows_every_id_whole_and_what_is_here():
    shown = run("models", "list", env={**os.environ, "COLUMNS": "80"})
    assert shown.returncode == 0
    for id in ("demo", "Qwen/Qwen2.5-VL-7B-Instruct", "facebook/sam2.1-hiera-base-plus"):
        assert id in shown.stdout.split()
    rows = json.loads(run("models", "list", "--json").stdout)["rows"]
    assert {row["here"] for row in rows if row["id"] == "demo"} == {"yes"}
    assert all(row["licence"] and row["size"] for row in rows)


def test_models_where_prints_a_folder_that_exists():
    for id, kind in (("demo", "mllm"), ("demo-sam", "sam")):
        folder = Path(run("models", "where", id).stdout.strip())
        assert (folder / "model.safetensors").is_file()
        assert folder.name == f"demo-{kind}"


def test_nothing_is_downloaded_unless_agreed_to(tmp_path):
    done = run("models", "download", "facebook/sam2.1-hiera-tiny", env={**os.environ, "HF_HOME": str(tmp_path)})
    assert done.returncode == 2
    assert "156.0 MB" in done.stderr
    assert "Apache-2.0" in done.stderr
    assert not list(tmp_path.rglob("*.pt*"))


def test_offline_mode_is_kept_to_and_explained(tmp_path):
    quiet = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = run("models", "download", "--yes", "facebook/sam2.1-hiera-tiny", env=quiet)
    assert done.returncode == 1
    assert "offline" in done.stderr.splitlines()[-1]


def test_doctor_reports_and_its_json_says_the_same():
    shown, told = run("doctor"), run("doctor", "--json")
    assert shown.returncode == told.returncode == 0
    names = [row["what"] for row in json.loads(told.stdout)["rows"]]
    assert {"Python", "torch", "sam2", "memory", "H.264 encoder", "log file"} <= set(names)
    assert all(name in shown.stdout for name in names)


def test_demo_writes_clips_with_truth(tmp_path):
    out = tmp_path / "world"
    done = run("demo", "--write", str(out), "--seed", "5", "--clips", "2", "--level", "medium", "--frames", "3")
    assert done.returncode == 0, done.stderr
    assert len(list((out / "videos").glob("*.mp4"))) == 2
    assert len(list((out / "Annotations/480p/medium00005").glob("*.png"))) == 3
    assert set(json.loads((out / "expressions.json").read_text())) == {"medium00005", "medium00006"}


def test_demo_writes_its_scenes(tmp_path):
    done = run("demo", "--write", str(tmp_path), "--scenes", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["clips"] == len(SCENES)
    assert {path.stem for path in (tmp_path / "videos").iterdir()} == {scene.name for scene in SCENES}


def test_the_demo_without_a_window_takes_a_scene_or_the_clip_of_a_seed():
    name, shapes, wanted = demo_clip(None)
    assert name in {scene.name for scene in SCENES}
    assert wanted in shapes.expressions
    name, shapes, wanted = demo_clip((5, "medium", 3))
    assert (name, len(shapes.frames)) == ("medium00005", 3)
    assert wanted in make_clip(5, "medium", 3).expressions


def test_evaluation_prints_every_measure_with_counts(tmp_path):
    done = run("demo", "--evaluate", "--clips", "1", "--seed", "60001", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    measures = {row["measure"] for row in result["rows"]}
    expected = {"object word: video", "click IoU", "propagation J: one object", "present recall", "pipeline J&F"}
    which = ("fused, contrastive", "video, object-only", "frame, object-only")
    maps = [f"{what}: {name}" for what in ("pointing", "Otsu IoU", "rank-1") for name in which]
    assert expected | set(maps) <= measures
    assert all(row["count"] > 0 and 0 <= row["low"] <= row["mean"] <= row["high"] <= 1 for row in result["rows"])


@pytest.fixture
def broken(tmp_path):
    """A 40-frame video whose index stands in front, cut off after three fifths of its bytes."""
    whole = tmp_path / "whole.mp4"
    with av.open(str(whole), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"g": "5"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for picture in make_clip(5, "medium", 40, (120, 160)).frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    path = tmp_path / "broken.mp4"
    path.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])
    return path


def test_a_video_that_ends_too_early_says_how_much_can_be_read_and_can_be_used(broken, tmp_path):
    done = run("propose", str(broken), "the circle", "--out", str(tmp_path / "o"))
    assert done.returncode == 2
    with Clip.open(broken) as clip:
        readable = len(clip)
    assert 0 < readable < 40
    assert f"{readable} frames could be read" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    again = run("propose", str(broken), "the circle", "--out", str(tmp_path / "o"), "--accept-damage")
    assert again.returncode == 0, again.stderr
    assert len(list((tmp_path / "o/davis/Annotations/480p/broken").iterdir())) == readable


def test_stages_are_shown_live_on_a_terminal(tmp_path):
    Image.fromarray(make_clip(5, "kind", 1, (120, 160)).frames[0]).save(tmp_path / "one.png")
    leader, follower = pty.openpty()
    command = [*COMMAND, "propose", str(tmp_path / "one.png"), "the triangle", "--out", str(tmp_path / "o")]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, stdout=follower, stderr=follower, close_fds=True, env=environment)
    os.close(follower)
    shown = b""
    with suppress(OSError):  # the terminal's other end is closed: the command has ended
        while piece := os.read(leader, 4096):
            shown += piece
    os.close(leader)
    assert process.wait(60) == 0
    assert b"\x1b[" in shown
    assert all(stage in shown.decode() for stage in ("load", "vision", "candidates", "tracking", "Writing davis"))


def test_heads_are_found_saved_and_used(tmp_path):
    out = tmp_path / "heads.json"
    done = run("heads", "shapes", "--out", str(out), "--limit", "6")
    assert done.returncode == 0, done.stderr
    assert "of 6 pairs" in done.stdout + done.stderr
    scored = run(
        *("evaluate", "shapes", "--limit", "1", "--method", "loc-head-mask", "--heads", str(out)),
        *("--out", str(tmp_path / "scores")),
    )
    assert scored.returncode == 0, scored.stderr
    assert "loc-head-mask" in (tmp_path / "scores/shapes.md").read_text()
    again = run("heads", "shapes", "--out", str(out))
    assert again.returncode == 2
    assert "exists" in again.stderr


def test_pairs_of_a_file_are_read_beside_it_and_wrong_lines_named(tmp_path):
    import numpy as np
    import pytest
    from PIL import Image

    from decaf_gui.core.errors import BadInput
    from decaf_gui.evaluation_commands import read_pairs

    picture = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text('{"image": "a.png", "text": "the dog"}\n\n')
    (pair,) = read_pairs(pairs)
    assert (pair.text, pair.image.tolist()) == ("the dog", picture.tolist())
    pairs.write_text('{"image": "a.png", "text": "x"}\n{"image": 3}\n')
    with pytest.raises(BadInput, match=r"Line 2 of .*pairs\.jsonl does not fit"):
        read_pairs(pairs)
    with pytest.raises(BadInput, match="cannot be read"):
        read_pairs(tmp_path / "none")


def test_what_is_asked_wrongly_is_told(tmp_path):
    for words, told in (
        (("evaluate", "mevis"), "Say where mevis lies"),
        (("evaluate", "nothing", str(tmp_path)), "nothing"),
        (("evaluate", "shapes", "--method", "magic"), 'no method "magic"'),
        (("evaluate", "shapes", "--method", "loc-head"), "decaf-gui heads"),
        (("ablate", "davis"), "ablations of shapes"),
        (("ablate", "shapes", "--tables", "99"), "99"),
    ):
        done = run(*words, *(("--out", str(tmp_path / "out")) if words[0] == "evaluate" else ()))
        assert done.returncode == 2, words
        assert told in done.stderr
        assert len(done.stderr.splitlines()) == 1
