"""SteerSeg's table: each part is a part of the whole, differences by hand, refusals, and the command on one clip."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from decaf_gui.core.errors import BadInput
from decaf_gui.demo import shapes_benchmark
from decaf_gui.demo.shapes_benchmark import Record, setup_of
from decaf_gui.demo.steerseg_table import PARTS, lines_of, steerseg_markdown, variations
from decaf_gui.grounding.steering import SoftPrompts, save_prompts
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.settings import Settings
from decaf_gui.shapes_commands import ShapesRun, run_steerseg_shapes


def test_the_whole_is_the_preset_and_the_parts_are_its_parts():
    assert Settings().changed(PARTS["SteerSeg"]) == Settings.preset("steerseg")
    assert Settings().changed(PARTS["DecAF"]) == Settings()
    changed = [set(values.items()) for line, values in PARTS.items() if "SteerSeg" not in line]
    assert set().union(*changed) == set(PARTS["SteerSeg"].items())
    assert len(variations()) == 2 * len(PARTS)


def record(line, masks, seed, jf, pointing):
    return Record(f"{line}, {masks}", seed, "kind", "it", ("all",), jf, jf, pointing)


def test_differences_are_to_decaf_on_the_same_masks():
    records = [
        record("DecAF", "attention mask", 1, 0.2, None),
        record("DecAF", "attention mask", 2, 0.4, 0.5),
        record("DecAF", "SAM mask", 1, 0.6, 0.0),
        record("SteerSeg", "attention mask", 1, 0.3, 1.0),
        record("SteerSeg", "attention mask", 2, 0.5, 1.0),
        record("SteerSeg", "SAM mask", 1, 0.5, 1.0),
    ]
    lines = {(line.line, line.masks, line.measure): line for line in lines_of(records)}
    gap = lines["SteerSeg", "attention mask", "j"].difference
    assert (gap.mean, gap.low, gap.high, gap.clips) == pytest.approx((0.1, 0.1, 0.1, 2))
    pointing = lines["SteerSeg", "attention mask", "pointing"]
    assert (pointing.measured.mean, pointing.measured.count) == (1.0, 2)
    assert (pointing.difference.mean, pointing.difference.count) == (0.5, 1), "only where both have it"
    assert lines["SteerSeg", "SAM mask", "jf"].difference.mean == pytest.approx(-0.1)
    assert lines["DecAF", "SAM mask", "jf"].difference is None
    assert ("SteerSeg", "SAM mask", "pointing") not in lines
    text = steerseg_markdown(lines.values())
    assert text.count("## The") == 2
    assert "+10.0 [+10.0, +10.0]" in text


@pytest.fixture
def prompts(tmp_path):
    made = Engine().provenance(("mllm",))["mllm"]
    tensors = torch.randn(2, 4, 192, generator=torch.Generator().manual_seed(0)) * 0.1
    run = tmp_path / "run"
    save_prompts(SoftPrompts(*tensors, "demo", "qwen2_5_vl", made["weights"]), run / "prompts.safetensors")
    return run


def test_the_command_tries_every_part_once(prompts, tmp_path, capsys, monkeypatch):
    one = lambda shapes: shapes.expressions[:1]  # noqa: E731
    monkeypatch.setattr(shapes_benchmark, "chosen_expressions", one)
    run = ShapesRun(tmp_path / "out", clips=1, device="cpu", preset="steerseg")
    run_steerseg_shapes(run, prompts, as_json=False)
    assert "SteerSeg with contrast" in capsys.readouterr().out
    whole = json.loads((tmp_path / "out/steerseg.json").read_text())
    assert {row["line"] for row in whole["rows"]} == set(PARTS)
    assert len(whole["rows"]) == 7 * len(PARTS)
    assert whole["setup"]["settings"]["grounding"]["contrast"], "the table begins at DecAF whatever the preset"
    assert (tmp_path / "out/steerseg.md").read_text().startswith("# SteerSeg and DecAF")
    prompts.rename(tmp_path / "moved")
    run_steerseg_shapes(run, tmp_path / "moved" / "prompts.safetensors", as_json=False)
    assert "runs to go" not in capsys.readouterr().err, "prompts count by what they are"


def test_prompts_of_other_weights_or_none_are_refused(tmp_path, monkeypatch):
    run = ShapesRun(tmp_path / "out", clips=1, device="cpu")
    with pytest.raises(BadInput, match="no soft prompts at"):
        run_steerseg_shapes(run, tmp_path / "nowhere", as_json=False)
    other = save_prompts(
        SoftPrompts(*torch.ones(2, 4, 192), "another", "qwen2_5_vl", "f" * 64), tmp_path / "x.safetensors"
    )
    with pytest.raises(BadInput, match="learned for another"):
        run_steerseg_shapes(run, other, as_json=False)
    assert not (tmp_path / "out").exists()


def test_a_setup_names_prompts_by_what_they_are(prompts, tmp_path):
    engine, path = Engine(), prompts / "prompts.safetensors"
    copied = tmp_path / "copy.safetensors"
    copied.write_bytes(path.read_bytes())
    one, two = (setup_of(engine, Settings().changed({"steering": str(p)})) for p in (path, copied))
    assert one == two != setup_of(engine, Settings())
    engine.mllm_card = replace(engine.mllm_card, prompts=str(path))
    assert setup_of(engine, Settings().changed({"steering": "auto"})) == one
    assert str(tmp_path) not in json.dumps(one)
