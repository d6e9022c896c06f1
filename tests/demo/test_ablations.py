"""The tables' lines against the paper's, what they share against doing it alone, and differences by hand."""

from __future__ import annotations

import numpy as np
import pytest

from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Proposed
from decaf_gui.demo.ablations import (
    AS_IT_IS,
    TABLES,
    Grounder,
    Variation,
    ablation_markdown,
    chosen_tables,
    differences,
    knows_wordings,
    lines_of,
    standing_of,
    variations_of,
)
from decaf_gui.demo.scores import open_shapes
from decaf_gui.demo.shapes import make_clip
from decaf_gui.demo.shapes_benchmark import Record
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.settings import Settings
from decaf_gui.shapes_commands import ShapesRun, run_ablate_shapes

QWEN = Settings(grounding=GroundingSettings(frames=16, frame_scale=2, start_layer=14))
LINES = {"4a": 4, "4b": 3, "4c": 2, "5a": 3, "5b": 3, "6": 9, "7": 5, "10": 4, "11": 4, "12": 4}
"""How many lines each of the paper's tables has (of 4a: with and without SAM)."""


def test_tables_have_the_papers_lines_and_its_default_once():
    assert {table: len(lines) for table, (_, lines) in TABLES.items()} == LINES
    for table, (_, lines) in TABLES.items():
        same = [line for line in lines if line.settings(QWEN, 28) == QWEN]
        assert len(same) == (2 if table == "4a" else 1), table
    everything = [line for _, lines in TABLES.values() for line in lines]
    assert len({line.name for line in everything}) == len(everything)
    changed = [(line.settings(QWEN, 28), line.method) for line in everything if line.settings(QWEN, 28) != QWEN]
    assert all(changed.count(each) == 1 for each in changed)


def test_rollouts_begin_at_the_papers_layers():
    found = [line.settings(QWEN, 28).grounding.start_layer for line in TABLES["5b"][1]]
    assert found == [7, 14, 21]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ("4a", "4b", "4c", "5a", "5b", "6", "7")),
        (("5", "4b"), ("4b", "5a", "5b")),
        (("6",), ("6",)),
    ],
)
def test_tables_are_chosen_by_number(names, expected):
    assert chosen_tables(names, knows_wordings=False) == expected


def test_tables_that_there_are_not_or_that_do_not_fit_are_refused():
    with pytest.raises(BadInput, match='no table "8"'):
        chosen_tables(["8"], knows_wordings=True)
    with pytest.raises(BadInput, match="demo model knows only the paper's"):
        chosen_tables(["4", "11"], knows_wordings=False)
    assert chosen_tables(["11"], knows_wordings=True) == ("11",)
    assert set(chosen_tables([], knows_wordings=True)) == set(TABLES)
    assert not knows_wordings(Engine())


def test_what_the_model_decides_is_filled_in():
    engine = Engine()
    chosen = standing_of(engine, Settings()).grounding
    assert (chosen.frames, chosen.frame_scale, chosen.start_layer) == (8, 2, engine.mllm.layers // 2)


def test_lines_that_change_nothing_are_run_once():
    names = list(variations_of(["6", "7"], QWEN, 28))
    assert names[0] == "as it is"
    assert len(names) == 1 + 8 + 4
    assert "as it is, attention mask" in variations_of(["4a"], QWEN, 28)
    elsewhere = QWEN.changed({"tau_trk": "0.7"})
    assert "tau_trk 0.8, tau_pq 0.8" in variations_of(["6"], elsewhere, 28)
    assert "tau_trk 0.7, tau_pq 0.8" not in variations_of(["6"], elsewhere, 28)


def test_groundings_are_shared_and_give_what_proposing_alone_gives(tmp_path):
    shapes = make_clip(21_001, "medium", frames=8)
    text = shapes.expressions[0].text
    many = {"tracking.tau_trk": "0.1", "tracking.tau_pq": "0.5", "tracking.nms_iou": "0.9"}
    engine, grounder = Engine(), Grounder()
    lines = (Variation("default"), Variation("many", many), Variation("mask", many, method="attention-mask"))
    with open_shapes(shapes, tmp_path) as clip:
        found, questions = {}, []
        for line in lines:
            events = grounder.runner(line, Settings())(engine, clip, text)
            while line.name not in found:
                try:
                    next(events)
                except StopIteration as end:
                    found[line.name] = end.value
            questions.append(engine.mllm.counters.questions)
        assert len(set(questions)) == 1, "the maps do not depend on tracking"
        for name, values in (("default", {}), ("many", many)):
            alone = Engine(settings=Settings().changed(values)).propose(clip, text)
            proposal = next(event.proposal for event in alone if isinstance(event, Proposed))
            for t in range(len(clip)):
                assert np.array_equal(found[name].masks[t], proposal.mask(t))
        assert found["mask"].grounding is found["many"].grounding


def record(method, seed, text, jf):
    return Record(method, seed, "kind", text, ("all",), jf, jf, None)


def test_differences_are_of_the_same_expressions():
    base = [record("as it is", 1, "a", 0.5), record("as it is", 1, "b", 0.25), record("as it is", 2, "a", 0.75)]
    own = [record("x", 2, "a", 1.0), record("x", 1, "b", 0.0), record("x", 3, "a", 0.9)]
    assert differences(own, base) == {(1, "kind"): [-0.25], (2, "kind"): [0.25]}


def test_a_paired_difference_is_surer_than_its_parts():
    rng = np.random.default_rng(0)
    base = [record("as it is", seed, "a", float(v)) for seed, v in enumerate(rng.random(50) * 0.8)]
    name = "tau_trk 0.7, tau_pq 0.8"
    own = [record(name, r.seed, "a", r.j + 0.1) for r in base]
    lines = {line.variation: line for line in lines_of(["6"], base + own, QWEN, 28)}
    assert list(lines) == [name, "tau_trk 0.8, tau_pq 0.8"], "what was not measured has no line"
    gap = lines[name].difference
    assert (gap.mean, gap.low, gap.high) == pytest.approx((0.1, 0.1, 0.1))
    assert lines["tau_trk 0.8, tau_pq 0.8"].difference is None
    text = ablation_markdown(list(lines.values()))
    assert "+10.0 [+10.0, +10.0]" in text
    assert "as it is |" in text


def test_the_command_writes_a_table(tmp_path, capsys):
    run_ablate_shapes(ShapesRun(tmp_path, clips=1, device="cpu"), ["4a"], as_json=False)
    assert "object only, attention mask" in capsys.readouterr().out
    text = (tmp_path / "ablations.md").read_text()
    assert "(as table 4a)" in text
    assert {path.name for path in tmp_path.iterdir()} == {f"ablations.{end}" for end in ("md", "csv", "json", "jsonl")}
    assert set(AS_IT_IS) == {"decaf", "attention-mask"}
