"""`decaf-gui evaluate` through `run_evaluate`: the table, the files, the exit code, and the demo models for real."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rvos_layouts import BUILDERS, predictions, rle, write_json

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Proposed
from decaf_gui.demo.shapes import make_clip
from decaf_gui.evaluation_commands import EvaluateRun, run_evaluate
from decaf_gui.grounding.fusion import attention_masks
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.settings import Settings

VALUES = {"tau_trk": "0.1", "tau_pq": "0.6"}
LENGTH = 8
"""All frames are sampled by the demo model."""


@pytest.fixture
def scored(tmp_path) -> EvaluateRun:
    root = BUILDERS["revos"](tmp_path / "data")
    masks = predictions(tmp_path / "masks", "revos", "shift")
    for video in ("synthseq-a", "synthseq-b"):  # the negative expressions
        folder = masks / f"UVO/all/-{video}"
        (folder / "3").mkdir()
        for path in (folder / "0").iterdir():
            size = np.array(Image.open(path)).shape
            Image.fromarray(np.zeros(size, np.uint8)).save(folder / "3" / path.name)
    return EvaluateRun("revos", root, tmp_path / "out", predictions=masks)


def test_the_table_has_the_golden_values(scored, capsys):
    assert run_evaluate(scored, as_json=False) == 0
    told = capsys.readouterr()
    (overall,) = [line.split() for line in told.out.splitlines() if line.startswith("overall") and " revos " in line]
    assert overall[:7] == ["overall", "all", "splits", "revos", "81.41", "86.77", "76.04"]
    assert "rounded to 0.01 percent" in told.err
    assert "(95 %, bootstrap)" in told.err
    assert {p.name for p in scored.out.iterdir()} == {"report.csv", "report.json", "valid"}
    assert {p.name for p in (scored.out / "valid").iterdir()} == {"scores.jsonl", "best.png", "worst.png"}
    rows = list(csv.DictReader((scored.out / "report.csv").open(encoding="utf-8", newline="")))
    (total,) = [row for row in rows if (row["level"], row["protocol"]) == ("split", "revos")]
    assert float(total["R255"]) == pytest.approx(0.25)
    assert len([row for row in rows if row["level"] == "expression"]) == 8


def test_json_mode_prints_json_only(scored, capsys):
    assert run_evaluate(scored, as_json=True) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[-1]["event"] == "result"
    assert lines[-1]["failed"] == 0
    (table,) = [line for line in lines if line["event"] == "table"]
    assert table["rows"][-1]["J&F"]


def test_each_shows_every_expression(scored, capsys):
    run_evaluate(replace(scored, each=True, protocols=("revos",)), as_json=False)
    assert capsys.readouterr().out.count("expression  UVO/all/") == 8


def test_failures_are_listed_and_the_exit_code_says_so(scored, capsys):
    (scored.predictions / "UVO/all/-synthseq-a/0/00000.png").unlink()
    assert run_evaluate(scored, as_json=False) == 1
    assert "skipped UVO/all/-synthseq-a 0: " in capsys.readouterr().err
    data = json.loads((scored.out / "report.json").read_text())
    assert len(data["failures"]) == 1


def test_a_foreground_that_is_missing_costs_accuracy_and_robustness_alone(scored, capsys):
    (scored.root / "mask_dict_foreground.json").unlink()
    assert run_evaluate(scored, as_json=False) == 1
    told = capsys.readouterr()
    assert "No accuracy and robustness (A, R)" in told.err
    assert "81.41" in told.out


def test_hidden_splits_give_a_submission(tmp_path, capsys):
    root = BUILDERS["ref-youtube-vos"](tmp_path / "data")
    masks = predictions(tmp_path / "masks", "ref-youtube-vos", "shift")
    run = EvaluateRun("ref-youtube-vos", root, tmp_path / "out", predictions=masks)
    assert run_evaluate(run, as_json=False) == 0
    assert (tmp_path / "out/valid/submission.zip").is_file()
    both = replace(run, splits=("valid", "train"), out=tmp_path / "both")
    assert run_evaluate(both, as_json=False) == 0
    assert "overall" in capsys.readouterr().out
    assert (tmp_path / "both/valid/submission.zip").is_file()
    assert (tmp_path / "both/train/best.png").is_file()
    limited = replace(run, limit=1, out=tmp_path / "limited")
    assert run_evaluate(limited, as_json=False) == 0
    assert "No submission was written for valid: all videos (without --limit)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dataset": "x"}, 'no dataset "x"'),
        ({"splits": ("x",)}, 'no split "x"'),
        ({"protocols": ("x",)}, 'no way of averaging "x"'),
        ({"predictions": Path("/nowhere")}, "no folder /nowhere"),
        ({"predictions": None, "method": "x"}, r'no method "x": choose among .*decaf.*loc-head'),
        ({"predictions": None, "method": "loc-head"}, "give --heads FILE"),
        ({"predictions": None, "device": "x"}, 'Unknown device "x"'),
        ({"predictions": None, "mllm": "facebook/nothing"}, "nothing"),
    ],
)
def test_what_is_wrong_from_the_start_is_told_at_once(scored, change, told):
    with pytest.raises(BadInput, match=told):
        run_evaluate(replace(scored, **change), as_json=False)
    assert not scored.out.exists()


@pytest.fixture(scope="module")
def shapes_set(tmp_path_factory):
    """MeViS' layout with a clip of the shapes world: what the demo models know."""
    root = tmp_path_factory.mktemp("shapes")
    shapes = make_clip(4, frames=LENGTH, size=(120, 160))
    names = [f"{t:05d}" for t in range(LENGTH)]
    folder = root / "valid_u/JPEGImages/clip"
    folder.mkdir(parents=True)
    for name, frame in zip(names, shapes.frames, strict=True):
        Image.fromarray(frame).save(folder / f"{name}.jpg", quality=95)
    tracks = {
        str(thing.id): [rle(mask) if mask.any() else None for mask in masks]
        for thing, masks in zip(shapes.objects, shapes.masks, strict=True)
    }
    wanted = shapes.expressions[0]
    expressions = {"0": {"exp": wanted.text, "obj_id": [0], "anno_id": list(wanted.objects)}}
    write_json(root / "valid_u/mask_dict.json", tracks)
    videos = {"clip": {"frames": names, "expressions": expressions}}
    write_json(root / "valid_u/meta_expressions.json", {"videos": videos})
    return root, wanted.text


@pytest.mark.parametrize("method", ["decaf", "attention-mask"])
def test_the_demo_models_for_real(shapes_set, tmp_path, method, capsys):
    root, text = shapes_set
    run = EvaluateRun("mevis", root, tmp_path / "out", method=method, device="cpu", values=VALUES)
    assert run_evaluate(run, as_json=False) == 0
    told = capsys.readouterr()
    assert "overall" in told.out
    assert "real video" in told.err, "the demo models know nothing of it"
    found = [np.array(Image.open(p)) > 0 for p in sorted((tmp_path / "out/valid_u/predictions/clip/0").iterdir())]
    engine = Engine(device="cpu", settings=Settings().changed(VALUES))
    with Clip.open(root / "valid_u/JPEGImages/clip") as clip:
        events = list(engine.propose(clip, text))
        if method == "decaf":
            (proposal,) = [event.proposal for event in events if isinstance(event, Proposed)]
            expected = [proposal.mask(t) for t in range(len(clip))]
        else:
            (grounding,) = [event.grounding for event in events if isinstance(event, AttentionReady)]
            assert grounding.frames == tuple(range(LENGTH)), "every frame is sampled"
            expected = list(attention_masks(grounding.maps, clip.size))
    assert any(mask.any() for mask in expected)
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("*.png") if p.parent.name == "0"}
    assert run_evaluate(run, as_json=False) == 0
    assert before == {p: p.stat().st_mtime_ns for p in before}
    with pytest.raises(BadInput, match="values was"):
        run_evaluate(replace(run, values={"tau_trk": "0.2"}), as_json=False)
