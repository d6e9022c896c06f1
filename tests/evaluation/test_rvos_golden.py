"""Each benchmark's averages on the synthetic set equal what its official script gave (full precision)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from rvos_layouts import BUILDERS, NAMES, predictions, write_png
from synthetic_set import SHAPES, prediction

from decaf_gui.evaluation.protocols import bootstrap, protocol_named
from decaf_gui.evaluation.run import Finished, Report, Run, evaluate
from decaf_gui.evaluation.scoring import Outcome
from decaf_gui.formats.rvos import dataset_named

GOLDEN = json.loads((Path(__file__).parent.parent / "golden/davis2017.json").read_text())
KINDS = ["perfect", "shift", "erosion", "missing", "swap", "ghost"]


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    return {name: build(tmp_path_factory.mktemp(name)) for name, build in BUILDERS.items()}


def evaluated(root: Path, masks: Path, out: Path, dataset: str, *protocols: str, split: str = "") -> Report:
    opened = dataset_named(dataset).open(root, split)
    run = Run(opened, out, tuple(protocol_named(name) for name in protocols), given=masks)
    *_, last = evaluate(run)
    assert isinstance(last, Finished)
    return last.report


def total(report: Report, protocol: str):
    return next(summary.total for summary in report.summaries if summary.protocol == protocol)


@pytest.mark.parametrize("kind", KINDS)
def test_mevis(roots, tmp_path, kind):
    masks = predictions(tmp_path / "masks", "mevis", kind)
    report = evaluated(roots["mevis"], masks, tmp_path / "out", "mevis", "rvos", "expressions")
    golden = GOLDEN["mevis"][kind]
    for protocol in ("rvos", "expressions"):
        found = total(report, protocol)
        assert found.measures == pytest.approx({"J": golden["J"], "F": golden["F"]}, abs=1e-9)
        assert found.jf == pytest.approx(golden["J&F"], abs=1e-9)
    parts = {f"{o.video}_{o.id}": [o.measures["J"], o.measures["F"]] for o in report.outcomes}
    assert set(parts) == set(golden["per_expression"])
    for name, values in golden["per_expression"].items():
        assert parts[name] == pytest.approx(values, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_reason_vos(roots, tmp_path, kind):
    masks = predictions(tmp_path / "masks", "reason-vos", kind)
    report = evaluated(roots["reason-vos"], masks, tmp_path / "out", "reason-vos", "reason-vos")
    golden = GOLDEN["reasonvos"][kind]
    found = total(report, "reason-vos")
    assert found.measures == pytest.approx({"J": golden["J"], "F": golden["F"]}, abs=1e-9)
    assert found.jf == pytest.approx(golden["J&F"], abs=1e-9)
    parts = {f"mose_{o.video}_{o.id.replace('/', '_')}": [o.measures["J"], o.measures["F"]] for o in report.outcomes}
    assert set(parts) == set(golden["per_expression"])
    for name, values in golden["per_expression"].items():
        assert parts[name] == pytest.approx(values, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_ref_davis_by_expression_equals_visa_in_rounded_percent(roots, tmp_path, kind):
    masks = predictions(tmp_path / "masks", "ref-davis", kind)
    found = total(evaluated(roots["ref-davis"], masks, tmp_path / "out", "ref-davis", "rvos"), "rvos")
    golden = GOLDEN["refdavis_percent"][kind]
    percent = {"J": 100 * found.measures["J"], "F": 100 * found.measures["F"], "J&F": 100 * found.jf}
    assert {name: round(value, 2) for name, value in percent.items()} == golden


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("protocol", "task"), [("davis-unsup", "unsup"), ("davis-semi", "semi")])
def test_label_maps_equal_davis(roots, tmp_path, kind, protocol, task):
    masks = predictions(tmp_path / "masks", "ref-davis", kind)
    report = evaluated(roots["ref-davis"], masks, tmp_path / "out", "ref-davis", protocol)
    golden = GOLDEN["davis"][kind][task]
    assert total(report, protocol).measures == pytest.approx({"J": golden["J"], "F": golden["F"]}, abs=1e-9)
    assert total(report, protocol).jf == pytest.approx(golden["J&F"], abs=1e-9)


def test_ref_davis_is_the_mean_of_four_annotators(roots, tmp_path):
    annotators = ["shift", "erosion", "missing", "swap"]
    kinds = {str(i): annotators[i % 4] for i in range(8)}
    masks = predictions(tmp_path / "masks", "ref-davis", kinds)
    report = evaluated(roots["ref-davis"], masks, tmp_path / "out", "ref-davis", "ref-davis")
    golden = [GOLDEN["davis"][kind]["unsup"] for kind in annotators]
    assert total(report, "ref-davis").jf == pytest.approx(np.mean([g["J&F"] for g in golden]), abs=1e-9)
    parts = {part.name: part.measures["J"] for part in report.summaries[0].parts}
    assert parts == pytest.approx({f"anno_{i}": g["J"] for i, g in enumerate(golden)}, abs=1e-9)


def test_ref_davis_reads_the_label_maps_that_referformer_writes(roots, tmp_path):
    annotators = ["shift", "erosion", "missing", "swap"]
    for number, kind in enumerate(annotators):
        for name in SHAPES:
            for t, frame in enumerate(NAMES):
                write_png(tmp_path / f"masks/anno_{number}/{name}/{frame}.png", prediction(kind, name, t))
    report = evaluated(roots["ref-davis"], tmp_path / "masks", tmp_path / "out", "ref-davis", "ref-davis", "rvos")
    assert not report.failures
    expected = np.mean([GOLDEN["davis"][kind]["unsup"]["J&F"] for kind in annotators])
    assert total(report, "ref-davis").jf == pytest.approx(expected, abs=1e-9)
    fixed = np.mean([GOLDEN["reasonvos"][kind]["J&F"] for kind in annotators])
    assert total(report, "rvos").jf == pytest.approx(fixed, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ink", [1, 255])
def test_revos(roots, tmp_path, kind, ink):
    """Both readings of A and R come of the same masks, whatever their ink."""
    masks = predictions(tmp_path / "masks", "revos", kind, ink)
    report = evaluated(roots["revos"], masks, tmp_path / "out", "revos", "revos")
    (summary,) = report.summaries
    lines = {"overall": summary.total, **{part.name: part for part in summary.parts}}
    for table, suffix in (("revos01_percent", ""), ("revos255_percent", "255")):
        for name, golden_name in (("overall", "overall"), ("referring", "referring"), ("reasoning", "reason")):
            golden, found = GOLDEN[table][kind][golden_name], lines[name]
            percent = {"J": "J", "F": "F", "A": f"A{suffix}", "R": f"R{suffix}"}
            for measure, ours in percent.items():
                assert 100 * found.measures[ours] == pytest.approx(golden[measure], abs=1e-9), (table, name, measure)
            assert 100 * found.jf == pytest.approx(golden["JF"], abs=1e-9)


def test_ref_youtube_vos_train_is_scored_like_the_others(roots, tmp_path):
    masks = predictions(tmp_path / "masks", "ref-youtube-vos", "shift")
    report = evaluated(roots["ref-youtube-vos"], masks, tmp_path / "out", "ref-youtube-vos", "rvos", split="train")
    assert total(report, "rvos").jf == pytest.approx(GOLDEN["reasonvos"]["shift"]["J&F"], abs=1e-9)


def outcome(video: str, kind: str = "", j: float | None = None, fault=""):
    measures = {} if j is None else {"J": j, "F": j / 2}
    return Outcome(video, "0", "x", kind, measures, fault)


def test_what_is_missing_costs_what_each_script_charges():
    outcomes = [outcome("a", j=0.8), outcome("a", j=0.4), outcome("b", fault="video"), outcome("c", fault="frame")]
    outcomes += [outcome("d", fault="expression"), outcome("e", fault="dataset")]
    found = {n: protocol_named(n)(outcomes).total for n in ("rvos", "expressions", "reason-vos")}
    assert {n: (line.measures["J"], line.count, line.zeros, line.left_out) for n, line in found.items()} == {
        "rvos": (pytest.approx(1.2 / 3), 3, 1, 3),
        "expressions": (pytest.approx(1.2 / 5), 5, 3, 1),
        "reason-vos": (pytest.approx(1.2 / 2), 2, 0, 4),
    }


def test_revos_weighs_both_kinds_alike_and_leaves_negative_ones_out():
    outcomes = [outcome("a", "referring", 0.123456), outcome("a", "referring", 0.5), outcome("b", "negative", 0.0)]
    outcomes += [outcome("c", "reasoning", fault="frame")]
    line = protocol_named("revos")(outcomes).total
    assert 100 * line.measures["J"] == pytest.approx((12.35 + 50) / 2 / 2)
    assert (line.count, line.zeros) == (3, 1)


def test_nothing_scored_has_no_mean():
    for name in ("rvos", "expressions", "revos", "reason-vos", "ref-davis"):
        assert protocol_named(name)([]).total.jf is None


def test_the_interval_is_repeatable_and_as_wide_as_the_normal_one():
    values = np.random.default_rng(3).uniform(size=400)
    low, high = bootstrap(list(values), seed=5)
    assert (low, high) == bootstrap(list(values), seed=5)
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.2 * half)
    assert bootstrap([0.5]) == (0.5, 0.5)


def test_the_sequences_are_those_of_the_golden_values():
    assert set(SHAPES) == {"synthseq-a", "synthseq-b"}
