"""The public interface on the bundled models: events, counters, clicks, tracking, cancelling."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from decaf_gui import Clip, Engine
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, FrameTracked, Proposed, Stage, TrackletsReady
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.evaluation.metrics import region_similarity
from decaf_gui.pipeline.settings import Settings

SEED, LENGTH = 4, 20


@pytest.fixture(scope="module")
def shapes() -> ShapesClip:
    return make_clip(SEED, frames=LENGTH)


@pytest.fixture(scope="module")
def folder(shapes: ShapesClip, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("shapes")
    for i, frame in enumerate(shapes.frames):
        Image.fromarray(frame).save(where / f"{i:03d}.png")
    return where


@pytest.fixture
def clip(folder: Path) -> Clip:
    return Clip.open(folder)


@pytest.fixture(scope="module")
def events(folder: Path, shapes: ShapesClip):
    engine = Engine(settings=Settings().changed({"tau_trk": "0.1", "tau_pq": "0.6"}))
    with Clip.open(folder) as clip:
        first = list(engine.propose(clip, shapes.expressions[0].text))
        second = list(engine.propose(clip, "which shape moves?"))
    return first, second


def test_events_come_in_order_and_end_with_the_proposal(events):
    kinds = [type(event) for event in events[0] if not isinstance(event, Stage)]
    assert kinds[0] is AttentionReady
    assert kinds[1] is TrackletsReady
    assert kinds[-1] is Proposed
    assert set(kinds[2:-1]) <= {FrameTracked}


def test_events_survive_pickling(events):
    for event in events[0]:
        assert type(pickle.loads(pickle.dumps(event))) is type(event)


def test_every_frame_is_encoded_once_and_every_input_seen_once(events):
    for proposed in (events[0][-1], events[1][-1]):
        counters = proposed.proposal.counters
        assert counters["frames_encoded"] == LENGTH  # one candidate at least is selected, and so tracked everywhere
        assert counters["vision_inputs"] == counters["prefix_prefills"] == 1 + 8


def test_proposal_has_masks_at_source_size_on_all_frames(events, shapes):
    proposal = events[0][-1].proposal
    size = shapes.frames.shape[1:3]
    assert proposal.grounding.maps.dtype == np.float32
    assert 0 <= proposal.grounding.maps.min() <= proposal.grounding.maps.max() <= 1
    assert len(proposal.grounding.frames) == len(proposal.grounding.maps) == 8
    assert proposal.selected, "with low thresholds at least the best candidate is selected"
    for tracklet in proposal.selected:
        assert tracklet.masks.frames == tuple(range(LENGTH))
        assert tracklet.masks[0].shape == size
    union = np.zeros(size, bool)
    for tracklet in proposal.selected:
        union |= tracklet.masks[7]
    assert np.array_equal(proposal.mask(7), union)
    with pytest.raises(BadInput, match=f"has {LENGTH}"):
        proposal.mask(LENGTH)


def test_candidates_are_kept_with_unique_ids(events):
    ids = [t.id for proposed in (events[0][-1], events[1][-1]) for t in proposed.proposal.tracklets]
    assert len(ids) == len(set(ids))


def test_provenance_names_models_settings_and_program(events):
    provenance = events[0][-1].proposal.provenance
    assert provenance["mllm"]["id"] == "demo"
    assert len(provenance["sam"]["weights"]) >= 16
    assert provenance["settings"]["tracking"]["tau_trk"] == 0.1
    assert provenance["settings"]["grounding"]["frames"] == 8
    assert provenance["program"].startswith("decaf-gui ")
    assert "synthetic" in provenance["notice"] or "real video" in provenance["notice"]


def test_click_finds_the_clicked_shape_and_tracking_follows_it(clip, shapes):
    engine = Engine()
    index = int(np.argmax(shapes.masks[:, 0].reshape(len(shapes.objects), -1).sum(1)))
    truth = shapes.masks[index]
    ys, xs = np.nonzero(truth[0])
    point = (float(np.median(xs)) + 0.5, float(np.median(ys)) + 0.5, True)
    answer = engine.prompt(clip, 5, 0, points=[point])
    assert answer.mask.shape == clip.size
    assert answer.mask.dtype == bool
    assert answer.mask[int(point[1]), int(point[0])]
    tracked = list(engine.track(clip, [5], 0, len(clip) - 1))
    assert [event.frame for event in tracked] == list(range(len(clip)))
    assert region_similarity(answer.mask, tracked[0].masks[5].dense()) > 0.99
    backward = list(engine.track(clip, [5], 4, 0))
    assert [event.frame for event in backward] == [4, 3, 2, 1, 0]


def test_closing_a_proposal_half_way_leaves_the_engine_usable(clip, shapes):
    engine = Engine()
    text = shapes.expressions[0].text
    whole = list(engine.propose(clip, text))[-1].proposal
    for stop in (AttentionReady, TrackletsReady, FrameTracked):
        half = engine.propose(clip, text)
        for event in half:
            if isinstance(event, stop):
                break
        half.close()
    again = list(engine.propose(clip, text))[-1].proposal
    assert np.array_equal(whole.grounding.maps, again.grounding.maps)
    assert [t.masks for t in whole.tracklets] == [t.masks for t in again.tracklets]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda e, c: e.propose(c, "  "), "empty"),
        (lambda e, c: e.prompt(c, 1, 99, points=[(1, 1, True)]), "no frame 99"),
        (lambda e, c: e.prompt(c, 1, 0), "needs points"),
        (lambda e, c: e.prompt(c, 1, 0, points=[(1e6, 1, True)]), "outside"),
        (lambda e, c: e.prompt(c, 1, 0, box=(5, 5, 5, 9)), "empty"),
        (lambda e, c: e.prompt(c, 1, 0, mask=np.ones((3, 3), bool)), "resize"),
        (lambda e, c: list(e.track(c, [77], 0, 3)), "77"),
        (lambda e, c: list(e.track(c, [1], 0, 99)), "no frame 99"),
    ],
)
def test_bad_input_is_refused(clip, call, message):
    with pytest.raises(BadInput, match=message):
        call(Engine(), clip)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "cpu:x"])
def test_devices_that_are_not_there_are_refused(device):
    with pytest.raises(BadInput, match=device):
        Engine(device=device)


def test_an_unknown_precision_is_told_at_once():
    with pytest.raises(BadInput, match=r"3bit.*float32, bfloat16, float16, 8bit, 4bit"):
        Engine(dtype="3bit")
