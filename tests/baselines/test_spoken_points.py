"""Key points in answers of many forms, and the way back to the source frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as images

from decaf_gui.baselines.points import SpokenPoint, parse_points, to_source, unit_of

ANSWERS = {
    '[{"point_2d": [120, 48], "label": "dog"}]': [(120, 48)],
    '```json\n[\n\t{"point_2d": [120, 48], "label": "dog"},\n\t{"point_2d": [7, 9], "label": "cat"}\n]\n```': [
        (120, 48),
        (7, 9),
    ],
    '```\n{"point_2d": [1, 2]}\n```': [(1, 2)],
    'The dog is here: {"point_2d": [1, 2], "label": "dog"} and that is all.': [(1, 2)],
    '{"point": [3, 4]}': [(3, 4)],
    '{"keypoint": {"x": 3, "y": 4}}': [(3, 4)],
    '[{"x": 3, "y": 4}, {"X": 5, "Y": 6}]': [(3, 4), (5, 6)],
    '{"points": [[3, 4], [5, 6]]}': [(3, 4), (5, 6)],
    '{"objects": [{"label": "a", "coordinates": [3, 4]}]}': [(3, 4)],
    '{"bbox_2d": [10, 20, 30, 60], "label": "dog"}': [(20, 40)],
    '{"point_2d": [1, 2], "bbox_2d": [10, 20, 30, 60]}': [(1, 2)],
    "[120, 48]": [(120, 48)],
    "[[1, 2], [3, 4]]": [(1, 2), (3, 4)],
    '[{"point_2d": ["12", "34"]}]': [(12, 34)],
    "[{'point_2d': [12, 34], 'label': 'dog'}]": [(12, 34)],
    '[{"point_2d": [12, 34], "label": "dog"},]': [(12, 34)],
    '[{"point_2d": [12, 34], "label": "dog"}, {"point_2d": [5': [(12, 34)],
    '[{"point_2d": [12, 34], "label": "do': [(12, 34)],
    '[{"point_2d": [12, 3': [],
    '[{"point_2d": [12, 34], "label": "a"}, {"point_2d": [12, 34], "label": "b"}]': [(12, 34)],
    "The key point is (12, 34).": [(12, 34)],
    "(12.5, 34.25) and (1, 2)": [(12.5, 34.25), (1, 2)],
    '<points x1="12" y1="34" alt="dog">dog</points>': [(12, 34)],
    '<point x="12" y="34">': [(12, 34)],
    "x: 12, y: 34": [(12, 34)],
    "[]": [],
    "```json\n[]\n```": [],
    "": [],
    "circle": [],
    "There are 2 dogs.": [],
    "null": [],
    '{"point_2d": null}': [],
    '{"point_2d": [NaN, 3]}': [],
    '{"point_2d": [1e999, 3]}': [],
    '{"point_2d": [true, false]}': [],
    '{"point_2d": [1, 2, 3]}': [],
    '{"point_2d": "unknown"}': [],
    "[" * 1200: [],
}


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda text: text[:40])
def test_points_are_read(answer):
    assert [(p.x, p.y) for p in parse_points(answer)] == ANSWERS[answer]


@pytest.mark.parametrize("answer", ['{"point_2d": ["45%", "60%"]}', "(45%, 60%)", "[45%, 60 %]", 'x="45%" y="60%"'])
def test_percent_signs_are_kept(answer):
    assert parse_points(answer) == [SpokenPoint(45, 60, percent=True)]


def test_decimals_are_kept():
    assert parse_points("[0.45, 0.6]") == [SpokenPoint(0.45, 0.6, exact=True)]


WRAPPINGS = ("{}", "```json\n{}\n```", "Here: {} .", "<answer>{}</answer>")
whole = st.integers(0, 4000)


@given(
    points=st.lists(st.tuples(whole, whole), min_size=1, max_size=6, unique=True),
    wrapping=st.sampled_from(WRAPPINGS),
    indent=st.sampled_from([None, 1, 4]),
    label=st.text("abc \"'\\é", max_size=8),
)
def test_written_points_are_read_back(points, wrapping, indent, label):
    made = json.dumps([{"point_2d": list(point), "label": label} for point in points], indent=indent)
    assert [(p.x, p.y) for p in parse_points(wrapping.replace("{}", made))] == points


@given(points=st.lists(st.tuples(whole, whole), min_size=1, max_size=5, unique=True), cut=st.integers(0, 400))
def test_answers_that_break_off_give_whole_points_only(points, cut):
    made = json.dumps([{"point_2d": list(point), "label": "it"} for point in points])
    found = [(p.x, p.y) for p in parse_points(made[:cut])]
    assert found == points[: len(found)]


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error(text):
    assert all(np.isfinite([p.x, p.y]).all() for p in parse_points(text))


@pytest.mark.parametrize(
    ("point", "family", "expected"),
    [
        (SpokenPoint(300, 20), "qwen2_5_vl", "pixels"),
        (SpokenPoint(300, 20), "qwen2_vl", "thousandths"),
        (SpokenPoint(300, 20), "internvl", "thousandths"),
        (SpokenPoint(0.5, 1.0, exact=True), "qwen2_5_vl", "fraction"),
        (SpokenPoint(1, 0), "qwen2_5_vl", "pixels"),
        (SpokenPoint(30, 20, percent=True), "qwen2_vl", "percent"),
    ],
)
def test_units_are_told_apart(point, family, expected):
    assert unit_of(point, "auto", family) == expected
    assert unit_of(point, "percent", family) == "percent"


@pytest.mark.parametrize("unit", ["thousandths", "percent", "fraction"])
def test_shares_of_the_sides_mean_the_same_place(unit):
    scale = {"thousandths": 1000, "percent": 100, "fraction": 1}[unit]
    assert to_source(SpokenPoint(0.25 * scale, 0.5 * scale), unit, (84, 112), (240, 320)) == pytest.approx((80, 120))
    assert to_source(SpokenPoint(1.1 * scale, 0.5 * scale), unit, (84, 112), (240, 320)) is None


def test_points_outside_of_the_input_are_dropped():
    for x, y in ((-1, 5), (112, 5), (5, 84), (5, -3)):
        assert to_source(SpokenPoint(x, y), "pixels", (84, 112), (240, 320)) is None
    assert to_source(SpokenPoint(111, 83), "pixels", (84, 112), (240, 320)) is not None


@given(
    source=st.tuples(st.integers(60, 400), st.integers(60, 400)),
    cells=st.tuples(st.integers(3, 14), st.integers(3, 14)),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
@example(source=(140, 235), cells=(3, 3), place=(0.078125, 0.08203125))  # all that can be lost is lost
def test_a_painted_spot_is_found_where_it_was_painted(source, cells, place):
    """Paint a spot in the source, resize as the model's input is, name its brightest pixel, come back."""
    shown = (cells[0] * 28, cells[1] * 28)
    # the spot is as large as a pixel of the input at least, so that it is the brightest there
    radii = [max(3, -(-2 * s // i)) for s, i in zip(source, shown, strict=True)]
    y, x = (int(r + p * (s - 1 - 2 * r)) for r, p, s in zip(radii, place, source, strict=True))
    frame = np.zeros((*source, 3), np.uint8)
    frame[y - radii[0] : y + radii[0] + 1, x - radii[1] : x + radii[1] + 1] = 255
    picture = torch.from_numpy(frame).permute(2, 0, 1)
    resized = images.resize(picture, list(shown), images.InterpolationMode.BICUBIC, antialias=True)[0].float().numpy()
    rows, columns = np.nonzero(resized >= 0.98 * resized.max())
    named = SpokenPoint(float(np.median(columns)), float(np.median(rows)))
    found = to_source(named, "pixels", shown, source)
    assert found is not None
    # the spot's centre is (x + .5, y + .5); half a pixel of the coarser raster is all that can be lost
    # (and the rounding of float64)
    slack = [0.5 * max(1, s / i) + 0.5 + 1e-9 for s, i in zip(source, shown, strict=True)]
    assert abs(found[0] - (x + 0.5)) <= slack[1]
    assert abs(found[1] - (y + 0.5)) <= slack[0]
