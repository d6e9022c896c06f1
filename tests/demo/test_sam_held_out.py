"""The tiny SAM2's held-out measures: closed forms on made-up trackings, a perfect model, and the session's masks."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from decaf_gui.core.entities import Prompt
from decaf_gui.core.resources import resource
from decaf_gui.demo import sam_held_out
from decaf_gui.demo.sam_held_out import TARGETS, Tracked, composite, held_out, shown_clips, tracking_measures
from decaf_gui.demo.scores import inner_point
from decaf_gui.tracking import load_sam
from decaf_gui.tracking.features import FeatureStore
from decaf_gui.tracking.session import Session


def test_tracking_measures_equal_their_closed_forms():
    present = np.arange(29) < 19
    scores = np.where(present, 2.0, -2.0)
    scores[0], scores[20], scores[21] = -3.0, 3.0, 1.0  # one of 19 missed; one of 10 too many, one without a mask
    found = (scores > 0) & (np.arange(29) != 21)
    one = Tracked(np.full(29, 0.5), present, found, scores, first=True, three=False)
    here = np.ones(29, bool)
    two = Tracked(np.linspace(0, 1, 29), here, here, np.full(29, 4.0), first=False, three=True, retold=(0.5, 0.7))
    told = tracking_measures([one, two])
    assert told["J_one"] == 0.5
    assert told["J_three"] == pytest.approx(0.5)
    assert told["J_last"] == pytest.approx((0.5 + np.linspace(0, 1, 29)[-5:].mean()) / 2)
    assert "J_back" not in told, "one is gone to the end, the other one never"
    returned = Tracked(np.linspace(0, 1, 29), (here_again := np.arange(29) % 10 != 3), here, np.ones(29), True, False)
    after = here_again & (np.arange(29) > 3)
    assert tracking_measures([one, returned])["J_back"] == pytest.approx(np.linspace(0, 1, 29)[after].mean())
    assert (told["present"], told["score_present"]) == pytest.approx((47 / 48, 47 / 48))
    assert (told["absent"], told["score_absent"]) == pytest.approx((9 / 10, 8 / 10))
    assert told["absent_at_95"] == pytest.approx(9 / 10), "a limit of 2 leaves 47 of 48 and the one too many"
    assert (told["retold_from"], told["retold"]) == (0.5, 0.7)


def test_measures_without_a_case_are_left_out():
    always = np.ones(29, bool)
    here = Tracked(np.ones(29), always, always, np.ones(29), first=True, three=False)
    assert {"J_three", "absent", "retold"}.isdisjoint(tracking_measures([here]))


def test_what_reaches_the_targets_is_above_one_and_no_measure_pays_for_another():
    assert composite(TARGETS) == pytest.approx(1)
    assert composite(dict.fromkeys(TARGETS, 2.0)) == pytest.approx(1.03)
    lopsided = {**TARGETS, "click": 1.0, "absent_at_95": TARGETS["absent_at_95"] - 0.1}
    assert composite(lopsided) < 1


def test_a_perfect_model_has_ones_everywhere(monkeypatch):
    truths = []

    def remembering(seeds, level="kind", frames=4):
        truths.append(shown_clips(seeds, level, 4))
        return truths[-1]

    monkeypatch.setattr(sam_held_out, "shown_clips", remembering)
    monkeypatch.setattr(sam_held_out, "CORRECTED", 2)
    monkeypatch.setattr(sam_held_out, "encode", lambda model, images, repeats: ([torch.zeros(1)], [], []))
    monkeypatch.setattr(sam_held_out, "remember", lambda *args, **rest: {})

    def answer(model, vision, index, bank, prompt, **rest):
        masks = torch.from_numpy(truths[-1].masks[:, index])
        logits = masks.float()[:, None] * 20 - 10
        scores = masks.flatten(1).any(1).float()[:, None] * 2 - 1
        return (None, None, None, logits, None, None, scores)

    monkeypatch.setattr(sam_held_out, "step_frame", answer)

    class Model(torch.nn.Linear):
        image_size = 64

    found = held_out(Model(1, 1), clips=10, seed=70_000)
    objects = found.pop("objects")
    assert objects == sum(len(shown.masks) for shown in truths)
    assert sum(len(shown.clips) for shown in truths) == 10
    removed = [found.pop(name) for name in ("negative", "negative_base")]
    assert removed == [0, 0], "there was nothing to remove: the click lay on the object"
    assert all(value == 1 for value in found.values()), found


def test_clicks_and_tracking_are_those_of_the_programs_own_session():
    model = load_sam(resource("models/demo-sam"))
    shown = shown_clips([70_001, 70_002], frames=6)
    stills, tracked = sam_held_out.still_measures(model, shown), sam_held_out.track(model, shown)
    first = 0
    for clip, count in zip(shown.clips, shown.counts, strict=True):
        session = Session(FeatureStore(model, clip.frames))
        for i in range(first, first + count):
            masks = shown.masks[i]
            given = session.prompt(i, Prompt(0, ((*inner_point(masks[0]), True),)))
            assert iou(given.mask, masks[0]) == pytest.approx(stills["click"][i], abs=0.01)
        events = list(session.track(range(first, first + count), 0, 5))
        for i in range(first, first + count):
            overlaps = [iou(e.masks[i].dense(), shown.masks[i][e.frame]) for e in events[1:]]
            assert overlaps == pytest.approx(list(tracked[i].overlaps), abs=0.03)
        first += count


def iou(one, two):
    union = (one | two).sum()
    return (one & two).sum() / union if union else 1.0
