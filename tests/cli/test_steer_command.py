"""`decaf-gui steer train`: what it writes, how it goes on, and what it says of bad input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from decaf_gui import cli
from decaf_gui.grounding.steering import load_prompts
from decaf_gui.steering import memory, training

sys.path[:0] = [str(Path(__file__).parents[1] / room) for room in ("grounding", "evaluation")]
SMALL = ["--set", "frames=2", "--set", "video_tokens=12", "--set", "frame_scale=1", "--device", "cpu"]
SHORT = [*SMALL, "--prompts", "4", "--accumulate", "2", "--val", "1", "--val-every", "2"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    from random_qwen import save_random_qwen

    return str(save_random_qwen(tmp_path_factory.mktemp("qwen"), "qwen2_5_vl"))


@pytest.fixture
def steer(monkeypatch, tmp_path, capsys):
    """Runs `steer train` here: exit code, standard output and error."""
    monkeypatch.setattr("decaf_gui.pipeline.logs.start_logging", lambda **_: None)

    def run(*words: str):
        code = cli._guarded(lambda: cli.app(["steer", "train", *words], standalone_mode=False))
        return code, *capsys.readouterr()

    return run


def test_a_run_writes_prompts_log_and_curves_and_goes_on(steer, model, tmp_path):
    out = tmp_path / "run"
    words = ["shapes", "--out", str(out), "--mllm", model, *SHORT]
    code, _, said = steer(*words, "--steps", "2")
    assert code == 0, said
    assert {file.name for file in out.iterdir()} == {"prompts.safetensors", "checkpoint.pt", "log.jsonl", "curves.png"}
    assert "--set steering=" in said
    assert "GiB" in said
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], "held_out" in line) for line in log] == [(0, True), (2, False), (2, True)]
    assert load_prompts(out / "prompts.safetensors").model == model
    code, _, said = steer(*words, "--steps", "2")
    assert (code, said.count("\n")) == (2, 1)
    assert "--resume" in said
    code, told, _ = steer(*words, "--steps", "2", "--resume", "--json")
    assert code == 0
    assert json.loads(told.splitlines()[-1])["written"][0] == str(out / "prompts.safetensors")


def test_a_dataset_is_gone_through_once(steer, model, tmp_path):
    from rvos_layouts import ref_youtube_vos

    root = ref_youtube_vos(tmp_path / "data")
    code, told, said = steer(str(root), "--out", str(tmp_path / "run"), "--mllm", model, *SHORT, "--json")
    assert code == 0, said
    stages = [json.loads(line) for line in told.splitlines()]
    assert [entry["total"] for entry in stages if entry.get("stage") == "steering"] == [1], (
        "two expressions, two a step"
    )
    assert stages[-1]["event"] == "result"
    assert set(stages[-1]["held_out"]) >= {"video_dice", "frame_pointing"}


def test_interrupted_runs_keep_their_checkpoint(steer, model, tmp_path, monkeypatch):
    real, seen = training.map_losses, []

    def interrupt(*given):
        seen.append(given)
        if len(seen) > 8:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(training, "map_losses", interrupt)
    words = ["shapes", "--out", str(tmp_path / "run"), "--mllm", model, *SHORT, "--steps", "9"]
    code, _, said = steer(*words)
    assert (code, said.splitlines()[-1]) == (130, "decaf-gui: interrupted")
    assert load_prompts(tmp_path / "run/prompts.safetensors").training["step"] >= 1


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["nowhere"], "no source"),
        (["shapes", "--epochs", "1"], "--steps instead"),
        (["shapes", "--steps", "2", "--epochs", "1"], "not both"),
        (["shapes", "--rate", "0"], "rate"),
        (["shapes", "--device", "tpu"], "tpu"),
        (["shapes", "--dtype", "int7"], "int7"),
        (["shapes", "--mllm", "nobody"], "nobody"),
        (["shapes", "--set", "frames"], "NAME=VALUE"),
    ],
)
def test_bad_input_is_one_line(steer, tmp_path, words, reason):
    code, _, said = steer(*words, "--out", str(tmp_path / "run"))
    assert code == 2
    assert reason in said.splitlines()[-1]
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_no_dataset_is_said(steer, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, said = steer(str(tmp_path / "empty"), "--out", str(tmp_path / "run"), "--device", "cpu")
    assert code == 2
    assert "meta_expressions.json is missing" in said.splitlines()[-1]


def test_what_does_not_fit_into_memory_is_refused_before_it_is_loaded(steer, model, tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "available_bytes", lambda _: 1000)
    code, _, said = steer("shapes", "--out", str(tmp_path / "run"), "--mllm", model, *SHORT)
    assert code == 1
    assert "GiB free" in said.splitlines()[-1]
