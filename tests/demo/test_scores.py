"""The demo models' scores against a perfect, an empty and a full predictor, closed forms, and what the engine asks."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decaf_gui.commands import evaluate_demo
from decaf_gui.core.events import FrameTracked, Prompted, Proposed, Stage
from decaf_gui.core.masks import Rle
from decaf_gui.demo.scores import (
    answer_values,
    attribute_values,
    background_answers,
    map_values,
    open_shapes,
    pipeline_values,
)
from decaf_gui.demo.scores_report import (
    MEASURES,
    Row,
    Score,
    evaluate,
    kind_table,
    part_table,
    plain_rows,
    rows_of,
    scored_clip,
)
from decaf_gui.demo.scores_tracking import (
    FEW,
    NEAR,
    box_of,
    correction,
    depth_of,
    negative_click,
    propagation_values,
    tracking_values,
)
from decaf_gui.demo.shapes import make_clip, target_masks
from decaf_gui.demo.shapes_benchmark import bootstrap
from decaf_gui.demo.world import COLOURS
from decaf_gui.pipeline.engine import Engine

FRAMES, SIZE = 12, (60, 80)


def clip_with(count, absent=False):
    """The first small clip of so many objects, one of which goes away where `absent`."""
    for seed in range(60_000, 60_200):
        shapes = make_clip(seed, frames=FRAMES, size=SIZE)
        seen = shapes.masks.any(axis=(2, 3))
        gone = (~seen & (np.cumsum(seen, axis=1) > 0)).any()
        if len(shapes.objects) == count and seen[:, 0].all() and gone == absent:
            return shapes
    raise AssertionError("no such clip")


class Predictor:
    """A tracker that knows the masks of each object, (K, T, H, W); `obeys` negative clicks where it is said to."""

    def __init__(self, masks, obeys=True):
        self.masks, self.obeys, self.sweeps = masks, obeys, []

    def decode(self, clip, object_id, given):
        mask = self.masks[object_id - 1, given.frame].copy()
        for x, y, positive in given.points:
            if self.obeys and not positive:
                mask[int(y), int(x)] = False
        return Prompted(object_id, given.frame, Rle.encode(mask), 1.0, 1.0)

    def tracking(self, clip, prompts, sweeps):
        self.sweeps += [(sorted(prompts), sweep) for sweep in sweeps]
        yield Stage("prompts", 0, 1, within=True)
        for start, stop in sweeps:
            for frame in range(start, stop + 1):
                there = [i for i, listed in prompts.items() if listed[0].frame <= frame]
                masks = {i: Rle.encode(self.masks[i - 1, frame]) for i in there}
                yield FrameTracked(frame, masks, dict.fromkeys(there, 1.0), dict.fromkeys(there, 1.0))


def scores(shapes, predictor):
    """Values by measure. The clip itself is nothing to this predictor, but how long it is."""
    found = {}
    for event in tracking_values(predictor, range(len(shapes.frames)), shapes):
        if not isinstance(event, Stage):
            found.setdefault(event[0], []).append(event[1])
    return found


# SAM2


def test_a_perfect_predictor_scores_one_everywhere():
    found = scores(shapes := clip_with(3, absent=True), Predictor(shapes.masks))
    assert set(found) == {measure.name for measure in MEASURES if measure.part == "SAM2"}
    assert {name for name, values in found.items() if set(values) != {1.0}} == set()
    assert {len(found[name]) for name in found if "recall" not in name and "return" not in name} == {3}
    seen = shapes.masks.any(axis=(2, 3))[:, 1:]
    left = [np.flatnonzero(~frames) for frames in seen]
    comers = [frames[gone[0] :].any() for frames, gone in zip(seen, left, strict=True) if len(gone)]
    assert len(found["J after a return: one object"]) == sum(comers) > 0
    assert (len(found["present recall"]), len(found["absent recall"])) == (seen.sum(), (~seen).sum())


def test_an_empty_predictor_finds_nothing_but_absence():
    shapes = clip_with(3, absent=True)
    found = scores(shapes, Predictor(np.zeros_like(shapes.masks)))
    assert not any(name.startswith("negative click") for name in found), "there is no mask to click on"
    assert set(found["absent recall"]) == {1.0}
    for name in ("present recall", "click IoU", "box IoU: corners alone", "IoU after one correction: given mask"):
        assert set(found[name]) == {0.0}
    seen = shapes.masks.any(axis=(2, 3))
    assert found["propagation J: one object"] == pytest.approx(list((~seen[:, 1:]).mean(axis=1)))
    assert found["J of the last five frames: one object"] == pytest.approx(list((~seen[:, -5:]).mean(axis=1)))


def test_a_full_predictor_has_the_share_of_the_frame_and_misses_every_absence():
    shapes = clip_with(3, absent=True)
    found = scores(shapes, Predictor(np.ones_like(shapes.masks), obeys=False))
    share = shapes.masks.mean(axis=(2, 3))
    assert found["click IoU"] == pytest.approx(list(share[:, 0]))
    assert found["propagation J: one object"] == pytest.approx(list(share[:, 1:].mean(axis=1)))
    assert set(found["absent recall"]) == {0.0}
    assert set(found["present recall"]) == {1.0}
    assert set(found["negative click removes its pixel: fresh object"]) == {0.0}


def test_two_objects_are_not_tracked_as_three_and_four_are_tracked_by_three():
    two, four = clip_with(2), clip_with(4)
    assert not any("three objects" in name for name in scores(two, Predictor(two.masks)))
    predictor = Predictor(four.masks)
    found = scores(four, predictor)
    assert len(found["propagation J: three objects"]) == 3
    assert [objects for objects, _ in predictor.sweeps] == [[1], [2], [3], [4], [1, 2, 3]]


def test_an_object_counts_from_the_frame_after_it_is_first_seen():
    shapes = clip_with(3)
    masks = shapes.masks.copy()
    masks[1, :4] = False
    predictor = Predictor(masks)
    found = scores(replace(shapes, masks=masks), predictor)
    assert [sweep for _, sweep in predictor.sweeps] == [(0, 11), (4, 11), (0, 11), (0, 11)]
    assert len(found["present recall"]) == 11 + 7 + 11
    masks[1] = False
    assert len(scores(replace(shapes, masks=masks), Predictor(masks))["click IoU"]) == 2, "never seen, never asked for"


def test_the_last_five_frames_are_those_of_the_clip():
    truth = np.ones((9, 4, 4), bool)
    half = np.zeros((4, 4), bool)
    half[:2] = True
    found = {frame: truth[0] if frame >= 6 else half for frame in range(1, 9)}
    assert dict(propagation_values("x", found, truth)) == {
        "propagation J: x": (5 * 0.5 + 3) / 8,
        "J of the last five frames: x": (2 * 0.5 + 3) / 5,
    }
    assert list(propagation_values("x", {}, truth)) == [], "prompted on the last frame"


def test_after_a_return_counts_what_is_seen_after_the_first_absence():
    truth = np.ones((9, 4, 4), bool)
    truth[[3, 4, 7]] = False
    half, whole = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    half[:2] = True
    found = {frame: whole if frame in (1, 5) else half for frame in range(1, 9)}
    values = dict(propagation_values("x", found, truth))
    assert values["J after a return: x"] == pytest.approx((1 + 0.5 + 0.5) / 3)  # frames 5, 6 and 8
    assert not any("return" in name for name, _ in propagation_values("x", found, truth[[0, 1, 1, 1, 1, 1, 1, 1, 3]]))


masks = st.integers(0, 2**32 - 1).map(lambda seed: _blob(np.random.default_rng(seed)))


def _blob(rng):
    mask = np.zeros(SIZE, np.uint8)
    centre = (int(rng.integers(80)), int(rng.integers(60)))
    cv2.ellipse(mask, centre, (int(rng.integers(1, 20)), int(rng.integers(1, 20))), 30, 0, 360, 1, -1)
    return mask.astype(bool)


@given(masks)
@settings(max_examples=40, deadline=None)
def test_boxes_are_opencvs(mask):
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))
    assert box_of(mask) == (x, y, x + width, y + height)


@given(masks, masks, st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_a_negative_click_lies_on_what_is_wrong_or_near_the_border(found, truth, seed):
    click = negative_click(found, truth, np.random.default_rng(seed))
    assert click == negative_click(found, truth, np.random.default_rng(seed)), "the same each time"
    extra = found & ~truth
    assert click is not None or extra.sum() < FEW
    if click is not None:
        x, y, positive = click
        assert not positive
        assert found[int(y), int(x)]
        assert extra[int(y), int(x)] if extra.sum() >= FEW else depth_of(found)[int(y), int(x)] <= NEAR


@given(masks, masks)
@settings(max_examples=80, deadline=None)
def test_a_correction_lies_in_the_larger_error(found, truth):
    x, y, positive = correction(found, truth)
    missed, extra = truth & ~found, found & ~truth
    at = int(y), int(x)
    if missed.any() or extra.any():
        assert (missed if positive else extra)[at]
        assert positive == (missed.sum() >= extra.sum())
    else:
        assert positive
        assert truth[at]


# answers, maps, whole proposals


def test_the_first_answer_is_the_videos():
    assert list(answer_values("word", (" Star ", "star", "circle"), "star")) == [
        ("word: video", 1.0),
        ("word: frames", 1.0),
        ("word: frames", 0.0),
    ]


def test_attributes_count_as_true_and_as_named():
    shapes = make_clip(60_003, frames=2, size=(84, 112))
    wanted = next(e for e in shapes.expressions if len(e.objects) == 1)
    thing = next(thing for thing in shapes.objects if thing.id == wanted.objects[0])
    other = next(colour for colour in COLOURS if colour != thing.colour)
    values = list(attribute_values((thing.shape.upper(), other), shapes, wanted))
    assert [value for name, value in values if name == "attributes: true"] == [1.0, 0.0]
    named = [value for name, value in values if name == "attributes: named"]
    assert sum(named) == 1.0
    assert 2 <= len(named) <= 4
    assert not [name for name, _ in attribute_values((), shapes, wanted) if name == "attributes: true"]


def test_the_truth_as_a_map_scores_one_and_its_negative_zero():
    shapes = clip_with(3)
    wanted = next(e for e in shapes.expressions if len(e.objects) == 1)
    frames = (0, 5, 11)
    truth = target_masks(shapes, wanted)[list(frames)].astype(np.float32)
    for maps, expected in ((truth, 1.0), (1 - truth, 0.0)):
        found = list(map_values("m", maps, frames, shapes, wanted))
        assert {name for name, _ in found} == {"pointing: m", "Otsu IoU: m", "rank-1: m"}
        assert len(found) == 3 + 3 + 1
        assert {value for _, value in found} == {expected}
    everything = replace(wanted, objects=tuple(thing.id for thing in shapes.objects))
    names = {name for name, _ in map_values("m", truth, frames, shapes, everything)}
    assert "rank-1: m" not in names, "there is nothing to be told apart from"


def test_frames_without_a_target_do_not_count_for_maps():
    shapes = clip_with(3)
    wanted = next(e for e in shapes.expressions if len(e.objects) == 1)
    place = [thing.id for thing in shapes.objects].index(wanted.objects[0])
    hidden = shapes.masks.copy()
    hidden[place, 5] = False
    maps = target_masks(shapes, wanted)[[0, 5]].astype(np.float32)
    found = dict(map_values("m", maps, (0, 5), replace(shapes, masks=hidden), wanted))
    assert found["pointing: m"] == 1.0
    listed = [name for name, _ in map_values("m", maps, (0, 5), replace(shapes, masks=hidden), wanted)]
    assert listed.count("pointing: m") == 1


def test_the_pipeline_of_the_truth_and_of_nothing():
    truth = clip_with(2).masks[0]
    assert set(dict(pipeline_values(list(truth), truth)).values()) == {1.0}
    assert set(dict(pipeline_values(list(np.zeros_like(truth)), truth)).values()) == {0.0}


# rows and tables


def test_values_of_a_clip_stay_together():
    values = {(1, "kind"): [0.0, 0.0, 1.0], (2, "kind"): [1.0], (3, "kind"): [0.5, 0.75]}
    listed = [Score("pipeline J&F", v, clip, "size") for clip, of_clip in values.items() for v in of_clip]
    both = rows_of([*listed, Score("click IoU", 0.875, (1, "kind")), Score("click IoU", 0.885, (2, "kind"))])
    assert [(row.measure.name, row.kind) for row in both] == [
        ("click IoU", "all"),
        ("pipeline J&F", "all"),
        ("pipeline J&F", "size"),
    ]
    click, everything, of_kind = both
    assert everything.interval == of_kind.interval == bootstrap(values)
    assert everything.interval.mean == pytest.approx(3.25 / 6)
    assert (click.interval.count, click.interval.clips) == (2, 2)
    assert (click.interval.low, click.interval.high) == (0.875, 0.885)


@pytest.mark.parametrize(("value", "reached"), [(0.88, True), (0.8799, False)])
def test_a_target_is_reached_at_its_value(value, reached):
    (row,) = rows_of([Score("click IoU", value, (1, "kind"))])
    assert row.reached is reached
    columns, lines = part_table([row], "SAM2")
    cells = dict(zip(columns, lines[0], strict=True))
    assert (cells["mean [95 %]"], cells["target"]) == ("0.880", "0.88"), "one clip has no interval"
    assert cells["reached"] == ("yes" if reached else "no")
    assert [line for line in lines[1:] if line[1] != "-" or line[4] == "yes"] == [], "not measured, not reached"


def test_tables_are_at_most_100_columns_wide():
    kinds = ("colour", "colour_shape", "motion", "position", "relation", "shape", "size")
    rows = rows_of(
        Score(m.name, 0.5, (seed, "kind"), "" if m.part == "SAM2" else kind)
        for m in MEASURES
        for kind in kinds
        for seed in range(40)
    )
    parts = {measure.part for measure in MEASURES}
    for columns, lines in [*(part_table(rows, part) for part in parts), kind_table(rows)]:
        widths = [max(map(len, cells)) for cells in zip(columns, *lines, strict=True)]
        assert sum(widths) + 2 * (len(widths) - 1) <= 100
    assert len(kind_table(rows)[0]) == 1 + len(kinds)


def test_rows_for_programs_have_a_target_over_all_cases_only():
    rows = rows_of(Score("pipeline J&F", 0.7, (seed, "kind"), "size") for seed in range(3))
    every, of_kind = plain_rows(rows)
    assert (every["kind"], every["target"], every["reached"], every["mean"]) == ("all", 0.65, True, pytest.approx(0.7))
    assert (of_kind["kind"], of_kind["target"], of_kind["reached"]) == ("size", None, None)


# with the models


@pytest.fixture(scope="module")
def engine():
    return Engine()


def test_the_background_is_asked_as_the_engine_asks(engine, tmp_path, monkeypatch):
    mllm, heard = engine.mllm, []
    ask = mllm.ask

    def listen(prefix, question, given):
        answers = yield from ask(prefix, question, given)
        heard.append((question, [answer.text for answer in answers]))
        return answers

    monkeypatch.setattr(mllm, "ask", listen)
    shapes = make_clip(60_000, frames=8)
    with open_shapes(shapes, tmp_path) as clip:
        events = list(engine.propose(clip, shapes.expressions[0].text))
        found = next(event.proposal.grounding for event in events if isinstance(event, Proposed))
        engines = [(question, answer) for question, texts in heard if "background" in question for answer in texts]
        heard.clear()
        seen = mllm.counters.vision_inputs
        ours = run(background_answers(engine, clip, found))
    assert ours == tuple(answer for _, answer in engines)
    assert len(ours) == 1 + len(found.frames)
    assert {question for question, _ in heard} == {question for question, _ in engines}
    assert mllm.counters.vision_inputs == seen, "what it saw is stored"


def run(steps):
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def test_one_clip_gives_every_measure_of_its_objects(engine):
    shapes = make_clip(60_000, frames=8)
    events = list(evaluate(engine, [60_000], "kind", frames=8))
    rows = [event for event in events if isinstance(event, Row)]
    assert all(isinstance(event, Stage) for event in events[: -len(rows)])
    found = {row.measure.name: row.interval for row in rows if row.kind == "all"}
    assert {name for name, interval in found.items() if not 0 <= interval.mean <= 1} == set()
    assert found["click IoU"].count == len(shapes.objects)
    assert found["pipeline J&F"].count == found["object word: chosen category"].count == 2
    three = {name for name in found if "three objects" in name and "return" not in name}
    assert len(three) == (2 if len(shapes.objects) > 2 else 0)
    scored = {e.measure for e in scored_clip(engine, shapes, 0, 2) if isinstance(e, Score)}
    assert scored == set(found), "every measure has its row"
    sometimes = {"absent recall", "rank-1", "three objects", "after a return", "attributes: true"}
    wanted = {measure.name for measure in MEASURES}
    assert {name for name in wanted - set(found) if not any(word in name for word in sometimes)} == set()


def test_the_command_prints_all_of_it_as_json(capsys):
    evaluate_demo(60_001, 1, "kind", 6, "cpu", as_json=True)
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (result["event"], result["level"], result["frames"], result["seeds"]) == ("result", "kind", 6, [60_001])
    shown = {(row["measure"], row["kind"]): row for row in result["rows"]}
    assert shown["click IoU", "all"]["target"] == 0.88
    assert {"mean", "low", "high", "count", "clips", "reached"} <= set(shown["pipeline J&F", "all"])
    assert {kind for _, kind in shown} > {"all"}
