"""Training curves: logs read as they were written, also broken ones; smoothing, stages; a picture that is there."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.curves import (
    Entry,
    Span,
    curves_of,
    draw,
    entry_of,
    joined,
    main,
    read_log,
    smoothed,
    split,
    stages_of,
    styles_of,
)


def line(step, minutes, stage="bare", **parts):
    return json.dumps({"step": step, "minutes": minutes, "stage": stage, **parts}) + "\n"


def write(folder, *lines):
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_text("".join(lines), encoding="utf-8")
    return folder


# reading

names = st.text("abc_ é", min_size=1, max_size=6)
meters = st.dictionaries(names, st.floats(-1e6, 1e6), max_size=4)
entries = st.builds(Entry, st.integers(0, 10**6), st.floats(0, 1e4), names, meters, meters)


@given(st.lists(entries, min_size=1, max_size=6))
@settings(max_examples=30, deadline=None)
def test_what_was_written_is_read(tmp_path_factory, listed):
    listed = sorted(listed, key=lambda entry: entry.step)
    lines = [line(e.step, e.minutes, e.stage, values=dict(e.values), held_out=dict(e.held_out)) for e in listed]
    folder = write(tmp_path_factory.mktemp("run"), *lines)
    assert read_log(folder) == read_log(folder / "log.jsonl") == listed


def test_every_cut_of_the_last_line_leaves_the_lines_before(tmp_path):
    first, last = line(1, 0.5, values={"loss": 2.0}), line(2, 1.0, values={"loss": 1.5})
    for cut in range(len(last)):
        found = read_log(write(tmp_path / "run", first, last[:cut]))
        assert [entry.step for entry in found] == ([1, 2] if cut == len(last) - 1 else [1])


def test_numbers_that_are_none_are_left_out():
    entry = entry_of('{"step": 1, "minutes": 2, "stage": "x", "values": {"a": NaN, "b": null, "c": 1, "d": Infinity}}')
    assert entry is not None
    assert entry.values == {"c": 1.0}
    assert entry_of('{"step": 1, "minutes": NaN, "stage": "x", "values": {}}') is None


def test_what_a_resumed_run_did_again_counts_once(tmp_path):
    lines = [line(step, step / 10, values={"loss": 1.0}) for step in (10, 20, 30)]
    again = [line(step, step / 10, values={"loss": 0.5}) for step in (20, 25)]
    found = read_log(write(tmp_path / "run", *lines, *again))
    assert [(entry.step, entry.values["loss"]) for entry in found] == [(10, 1.0), (20, 0.5), (25, 0.5)]


def test_runs_follow_one_another():
    first = [Entry(10, 1.0), Entry(20, 2.0)]
    anew = [Entry(5, 0.5), Entry(10, 1.0)]
    assert [(e.step, e.minutes) for e in joined([first, anew])] == [(10, 1.0), (20, 2.0), (25, 2.5), (30, 3.0)]
    going_on = [Entry(30, 3.0), Entry(40, 4.0)]
    assert [(e.step, e.minutes) for e in joined([first, going_on])] == [(10, 1), (20, 2), (30, 3), (40, 4)]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (None, "cannot be read"),
        ([], "no complete line"),
        (['{"step": 1, "minu'], "no complete line"),
        (["no json\n", line(1, 1.0)], "line 1"),
        (["[1, 2]\n", line(1, 1.0)], "line 1"),
        ([line(1, 1.0), '{"step": 2}\n', line(3, 1.0)], "line 2"),
        ([line(1, 1.0, values=[1]), line(3, 1.0)], "line 1"),
    ],
)
def test_bad_logs_are_told_in_one_line(tmp_path, capsys, lines, said):
    folder = write(tmp_path / "run", *(lines or []))
    if lines is None:
        (folder / "log.jsonl").unlink()
    assert main([str(folder), "--out", str(tmp_path / "curves.png")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "curves.png").exists()


# curves

series = st.lists(st.floats(-100, 100), min_size=1, max_size=300).map(np.array)


@given(series)
@settings(max_examples=60, deadline=None)
def test_smoothing_stays_between_the_extremes_and_keeps_order(values):
    found = smoothed(values)
    assert found.shape == values.shape
    assert values.min() - 1e-9 <= found.min() <= found.max() <= values.max() + 1e-9
    assert (np.diff(smoothed(np.sort(values))) >= -1e-9).all()


def test_smoothing_knows_steps_lines_and_outliers():
    calm = np.full(200, 3.0)
    assert smoothed(calm) == pytest.approx(calm)
    odd = calm.copy()
    odd[[20, 120]] = 900
    assert smoothed(odd) == pytest.approx(calm), "single bad values vanish"
    slope = np.arange(200.0)
    assert smoothed(slope)[10:-10] == pytest.approx(slope[10:-10]), "it does not lag behind"


def test_curves_are_taken_apart_by_name():
    log = [Entry(1, 0.5, "a", {"x": 2.0, "y": 1.0}), Entry(2, 1.0, "a", {}, {"x": 0.5}), Entry(3, 1.5, "a", {"x": 1.0})]
    found = curves_of(log, lambda entry: entry.values)
    assert {name: (list(c.minutes), list(c.values)) for name, c in found.items()} == {
        "x": ([0.5, 1.5], [2.0, 1.0]),
        "y": ([0.5], [1.0]),
    }
    assert list(curves_of(log, lambda entry: entry.held_out)["x"].values) == [0.5]


def test_stages_fill_the_time_without_gaps():
    log = [Entry(i, minutes, stage) for i, (minutes, stage) in enumerate([(1, "a"), (3, "a"), (4, "b"), (9, "a")])]
    assert stages_of(log) == [Span("a", 0, 3), Span("b", 3, 4), Span("a", 4, 9)]


def test_the_same_meter_of_two_inputs_has_one_colour_and_two_kinds_of_line():
    assert (split("video_colour_shape"), split("pointing")) == (("video", "colour_shape"), ("", "pointing"))
    found = styles_of(["image_size", "image_sides", "video_size", "norm"])
    assert list(found) == ["image_size", "video_size", "image_sides", "norm"]
    assert tuple(found["image_size"]["color"]) == tuple(found["video_size"]["color"])
    assert found["image_size"]["linestyle"] != found["video_size"]["linestyle"]
    assert len({tuple(found[name]["color"]) for name in ("image_size", "image_sides", "norm")}) == 3


# the picture


def long_log(names=30):
    log = []
    for i in range(1, 80):
        stage = "tower" if i < 5 else "large"
        values = {f"loss{k}": (k + 1) * math.exp(-i / 20) for k in range(names)} | {"zero": 0.0}
        held_out = {f"meter{k}": 1 - math.exp(-i / 30) for k in range(names)} if i % 9 == 0 else {}
        log.append(Entry(i, i / 2, stage, values, held_out))
    return log


def test_the_picture_has_ink_in_both_panels_and_nothing_runs_over_its_edge(tmp_path):
    path = tmp_path / "new" / "curves.png"
    draw(long_log(), path)
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    vivid = (pixels.max(axis=2) - pixels.min(axis=2)) > 60
    half = pixels.shape[1] // 2
    assert vivid[:, :half].sum() > 2000
    assert vivid[:, half:].sum() > 2000
    border = np.concatenate([pixels[:3].reshape(-1, 3), pixels[-3:].reshape(-1, 3), pixels[:, -3:].reshape(-1, 3)])
    assert (border == 255).all(), "legends fit"
    assert [each.name for each in path.parent.iterdir()] == ["curves.png"], "nothing is left beside it"


@pytest.mark.parametrize(
    "log",
    [
        [Entry(1, 0.0, "", {"loss": 1.0})],
        [Entry(1, 0.5, "a", {}, {"click": 0.5})],
        [Entry(1, 0.5, "a", {"loss": 0.0, "gain": -1.0}), Entry(2, 1.0, "b", {"loss": 0.0})],
    ],
)
def test_little_is_drawn_too(tmp_path, log):
    draw(log, tmp_path / "curves.svg")
    assert (tmp_path / "curves.svg").read_text().rstrip().endswith("</svg>")


def test_nothing_to_draw_and_nowhere_to_write_are_told(tmp_path):
    with pytest.raises(BadInput, match="no numbers yet"):
        draw([Entry(1, 1.0, "a")], tmp_path / "curves.png")
    for path in (tmp_path / "curves.nonsense", write(tmp_path / "run", "x") / "log.jsonl" / "curves.png"):
        with pytest.raises(BadInput, match="cannot be written"):
            draw(long_log(2), path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["run"]


def test_the_command_draws_runs_in_a_row(tmp_path):
    runs = [write(tmp_path / name, *(line(s, s / 9, name, values={"loss": 1 / s}) for s in (1, 2, 3))) for name in "ab"]
    assert main([*map(str, runs), "--out", str(tmp_path / "curves.png")]) == 0
    assert Image.open(tmp_path / "curves.png").size[0] > 1000
