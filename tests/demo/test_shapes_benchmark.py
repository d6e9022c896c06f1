"""The benchmark's clips, scores, intervals and its file, each against something simpler; and a run on one clip."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from decaf_gui.core.entities import Grounding
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage
from decaf_gui.demo import mllm_held_out, mllm_training, sam_data
from decaf_gui.demo.shapes import make_clip
from decaf_gui.demo.shapes_benchmark import (
    CASES,
    Found,
    Ledger,
    Measured,
    Record,
    bootstrap,
    by_clip,
    chosen_cases,
    chosen_expressions,
    goes_and_returns,
    groups_of,
    missing,
    pointing,
    rows_of,
    run_cases,
    scored,
    table,
)
from decaf_gui.pipeline.engine import Engine
from decaf_gui.shapes_commands import ShapesRun, run_evaluate_shapes

SETUP = {"program": "x", "settings": {"tau": 0.8}}
TWO = CASES[:2]


def record(method="m", seed=1, text="the dog", j=0.5, f=0.7, pointing=1.0, groups=("all",)):
    return Record(method, seed, "kind", text, groups, j, f, pointing)


# clips


def test_the_clips_are_held_out_and_of_two_levels():
    seeds = [case.seed for case in CASES]
    assert len(set(seeds)) == len(CASES) >= 60
    seen = min(mllm_training.FIRST_SEED, sam_data.TRAIN_SEED, sam_data.HELD_OUT_SEED)
    assert max(seeds) < seen
    assert min(seeds) > mllm_held_out.HELD_OUT_SEED + 1000, "what training chooses by"
    assert {case.level for case in CASES[:2]} == {"kind", "medium"}
    assert [c.level for c in CASES].count("medium") == len(CASES) // 2


def test_every_kind_distractors_and_returning_objects_are_there():
    counts: dict[str, int] = {}
    kinds = set()
    for case in CASES:
        shapes = make_clip(case.seed, case.level)
        kinds |= {said.kind for said in shapes.expressions}
        for said in chosen_expressions(shapes):
            for group in groups_of(shapes, said):
                counts[group] = counts.get(group, 0) + 1
    assert kinds == {"colour", "shape", "colour_shape", "size", "motion", "position", "relation"}
    assert all(counts[kind] >= 20 for kind in kinds)
    assert counts["leaves and returns"] >= 30
    assert counts["with distractors"] >= 0.9 * counts["all"]
    assert counts["several targets"] >= 5


def test_the_choice_has_each_kind_once_and_all_that_return():
    for case in CASES[:20]:
        shapes = make_clip(case.seed, case.level)
        chosen = chosen_expressions(shapes)
        assert chosen == chosen_expressions(make_clip(case.seed, case.level))
        assert {said.kind for said in chosen} == {said.kind for said in shapes.expressions}
        back = {thing.id for thing in shapes.objects if thing.returns}
        sayable = {id for id in back if any(said.objects == (id,) for said in shapes.expressions)}
        assert sayable <= {id for said in chosen for id in said.objects}


@pytest.mark.parametrize(
    ("seen", "expected"), [("0110", False), ("1011", True), ("0000", False), ("1100", False), ("0101", True)]
)
def test_who_returns_was_seen_before(seen, expected):
    shapes = make_clip(20_000, frames=4, size=(40, 60))
    masks = np.zeros_like(shapes.masks)
    masks[0, [flag == "1" for flag in seen], 3, 4] = True
    assert goes_and_returns(replace(shapes, masks=masks), shapes.objects[0].id) is expected


def test_a_number_of_clips_must_be_there():
    assert chosen_cases(None) == CASES
    assert chosen_cases(3) == CASES[:3]
    for count in (0, len(CASES) + 1):
        with pytest.raises(BadInput, match=f"There are {len(CASES)} clips"):
            chosen_cases(count)


# scores


@pytest.fixture(scope="module")
def shapes():
    return make_clip(20_003, frames=6, size=(60, 80))


def test_the_truth_scores_one_and_nothing_zero(shapes):
    said = shapes.expressions[0]
    truth = np.any([m for m, o in zip(shapes.masks, shapes.objects, strict=True) if o.id in said.objects], axis=0)
    assert truth.any(axis=(1, 2)).all()
    perfect = scored("x", shapes, said, Found(dict(enumerate(truth))))
    assert (perfect.j, perfect.f, perfect.value("jf"), perfect.pointing) == (1, 1, 1, None)
    nothing = scored("x", shapes, said, Found({t: np.zeros_like(m) for t, m in enumerate(truth)}))
    assert (nothing.j, nothing.f) == (0, 0)
    half = scored("x", shapes, said, Found({0: truth[0], 3: np.zeros_like(truth[0])}))
    assert half.j == 0.5, "frames of which a method does not speak do not count"


def test_pointing_counts_frames_that_show_the_target():
    truth = np.zeros((4, 8, 8), bool)
    truth[[0, 1, 3], :4, :4] = True
    maps = np.zeros((4, 2, 2), np.float32)
    maps[0, 0, 0] = maps[1, 1, 1] = maps[2, 0, 0] = maps[3, 0, 0] = 1
    assert pointing(Grounding(maps, (0, 1, 2, 3), ""), truth) == pytest.approx(2 / 3)
    assert pointing(Grounding(maps[2:3], (2,), ""), truth) is None


# intervals


def test_one_value_per_clip_gives_the_normal_interval():
    values = np.random.default_rng(3).normal(0.6, 0.1, 400)
    found = bootstrap({(i, "kind"): [float(v)] for i, v in enumerate(values)})
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.15 * half)
    assert found.high == pytest.approx(values.mean() + half, abs=0.15 * half)
    assert (found.count, found.clips) == (400, 400)


def test_more_of_the_same_in_a_clip_is_no_more_evidence():
    values = np.random.default_rng(4).random(30)
    once = bootstrap({(i, "kind"): [v] for i, v in enumerate(values)})
    many = bootstrap({(i, "kind"): [v] * 5 for i, v in enumerate(values)})
    assert (many.low, many.high) == pytest.approx((once.low, once.high))
    assert many.count == 5 * once.count


def test_rows_are_means_of_their_groups_and_know_what_lacks():
    records = [
        record(seed=1, groups=("all", "colour"), j=0.2, f=0.4, pointing=None),
        record(seed=2, groups=("all", "size"), j=0.6, f=0.8, pointing=0.5),
    ]
    rows = {(row.group, row.measure): row.interval for row in rows_of(records)}
    assert rows["all", "jf"].mean == pytest.approx(0.5)
    assert rows["size", "j"].mean == pytest.approx(0.6)
    assert ("colour", "pointing") not in rows
    assert (rows["all", "pointing"].mean, rows["all", "pointing"].count) == (0.5, 1)
    columns, lines = table(rows_of(records))
    assert [dict(zip(columns, line, strict=True))["pointing"] for line in lines] == ["50.0", "-", "50.0"]


def test_the_order_of_records_does_not_matter():
    rng = np.random.default_rng(0)
    records = [record(seed=int(s), text=str(i), j=float(rng.random())) for i, s in enumerate(rng.integers(0, 9, 40))]
    assert bootstrap(by_clip(records, "j")) == bootstrap(by_clip(records[::-1], "j"))


# the file, and going on


def test_a_line_that_was_cut_is_forgotten_and_the_rest_kept(tmp_path):
    path = tmp_path / "lines.jsonl"
    with Ledger(path, SETUP) as ledger:
        ledger.add(record(text="a"))
        ledger.add(record(text="b", pointing=None))
    path.write_bytes(path.read_bytes()[:-9])
    with Ledger(path, SETUP) as ledger:
        assert list(ledger.records.values()) == [record(text="a")]
        ledger.add(record(text="c"))
    assert [json.loads(line).get("text") for line in path.read_text().splitlines()] == [None, "a", "c"]


def test_lines_of_other_settings_are_not_taken_for_these(tmp_path):
    path = tmp_path / "lines.jsonl"
    with Ledger(path, SETUP):
        pass
    before = path.read_bytes()
    with pytest.raises(BadInput, match="other models or settings"), Ledger(path, SETUP | {"program": "y"}):
        pass
    assert path.read_bytes() == before


def test_a_broken_run_goes_on_with_what_is_missing(tmp_path):
    asked = []

    def everything(engine, clip, text):
        asked.append((clip.name, text))
        yield Stage("looking")
        return Found({t: np.ones(clip.size, bool) for t in range(len(clip))})

    runners = {"everything": everything}
    engine = Engine()
    whole = sum(len(chosen_expressions(make_clip(case.seed, case.level))) for case in TWO)
    with Ledger(tmp_path / "x.jsonl", SETUP) as ledger:
        assert missing(TWO, runners, ledger) == whole
        events = run_cases(engine, TWO, runners, ledger)
        while len(ledger.records) < 3:
            next(events)
        events.close()
    with Ledger(tmp_path / "x.jsonl", SETUP) as ledger:
        assert missing(TWO, runners, ledger) == whole - 3
        events = list(run_cases(engine, TWO, runners, ledger))
        assert sum(isinstance(event, Measured) for event in events) == whole - 3
        assert missing(TWO, runners, ledger) == 0
        assert len(ledger.of(["everything"], TWO)) == whole
        assert ledger.of(["everything"], CASES[2:]) == ledger.of(["other"], TWO) == []
    assert len(asked) == whole


def test_the_command_writes_its_reports_and_a_second_run_measures_nothing(tmp_path, capsys):
    run = ShapesRun(tmp_path, clips=1, device="cpu")
    run_evaluate_shapes(run, as_json=False)
    assert "decaf" in capsys.readouterr().out
    names = ["shapes.csv", "shapes.json", "shapes.jsonl", "shapes.md"]
    first = {name: (tmp_path / name).read_bytes() for name in names}
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    run_evaluate_shapes(run, as_json=False)
    assert "runs to go" not in capsys.readouterr().err
    assert {name: (tmp_path / name).read_bytes() for name in names} == first
    rows = json.loads(first["shapes.json"])["rows"]
    assert {row["method"] for row in rows} == {"decaf", "attention-mask"}
    assert all(0 <= row["low"] <= row["mean"] + 1e-9 <= row["high"] + 2e-9 <= 1 + 2e-9 for row in rows)
    assert len(first["shapes.csv"].splitlines()) == 1 + len(rows)
    assert b"synthetic shapes only" in first["shapes.md"]


def test_unknown_methods_are_told_before_anything_is_done(tmp_path):
    with pytest.raises(BadInput, match='no method "sam": choose from decaf, attention-mask'):
        run_evaluate_shapes(ShapesRun(tmp_path), ["sam"], as_json=False)
    assert not list(tmp_path.iterdir())
