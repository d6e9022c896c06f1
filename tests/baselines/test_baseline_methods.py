"""Every method from a shapes clip to masks on all frames, on the bundled demo models."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from baseline_cases import shapes_pair
from PIL import Image

from decaf_gui import Clip, Engine
from decaf_gui.baselines import native
from decaf_gui.baselines.evaluated import Evaluated
from decaf_gui.baselines.loc_head import HeadsFound, discover_heads
from decaf_gui.baselines.methods import METHODS, Predicted, method_named
from decaf_gui.baselines.native import Pointed, point_maps
from decaf_gui.baselines.ours import ground_decaf
from decaf_gui.baselines.settings import LocHeadSettings, MethodSettings, NativeSettings, TamSettings
from decaf_gui.baselines.stages import nearest, with_sam
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Stage
from decaf_gui.demo.scores import inner_point
from decaf_gui.demo.shapes import make_clip, target_masks
from decaf_gui.evaluation.methods import Answer, Models
from decaf_gui.evaluation.metrics import region_similarity
from decaf_gui.pipeline.settings import Settings

SEED, LENGTH = 4, 12


@pytest.fixture(scope="module")
def shapes():
    return make_clip(SEED, frames=LENGTH)


@pytest.fixture(scope="module")
def clip(shapes, tmp_path_factory):
    folder = tmp_path_factory.mktemp("baseline_shapes")
    for i, frame in enumerate(shapes.frames):
        Image.fromarray(frame).save(folder / f"{i:03d}.png")
    with Clip.open(folder) as clip:
        yield clip


@pytest.fixture(scope="module")
def engine():
    return Engine()


@pytest.fixture(scope="module")
def settings(engine, tmp_path_factory):
    last = list(discover_heads(engine, [shapes_pair(seed)[0] for seed in range(700, 706)]))[-1]
    assert isinstance(last, HeadsFound)
    path = last.heads.save(tmp_path_factory.mktemp("heads") / "heads.json")
    return MethodSettings(Settings().changed({"tau_pq": "0.6"}), LocHeadSettings(heads_file=path))


@pytest.fixture(scope="module")
def wanted(shapes):
    return next(e for e in shapes.expressions if e.kind == "colour_shape")


def run(id, engine, clip, texts, settings):
    events = list(METHODS[id].predict(engine, clip, texts, settings))
    assert {type(event) for event in events} <= {Stage, AttentionReady, Predicted}
    found = [event for event in events if isinstance(event, Predicted)]
    assert isinstance(events[-1], Predicted)
    return found


@pytest.mark.parametrize("id", METHODS)
def test_every_method_gives_masks_on_every_frame(id, engine, clip, settings, wanted, shapes):
    texts = [wanted.text, "which shape moves?"]
    found = run(id, engine, clip, texts, settings)
    assert [(event.index, event.expression) for event in found] == list(enumerate(texts))
    for event in found:
        assert event.masks.frames == tuple(range(LENGTH))
        assert event.masks.size == shapes.frames.shape[1:3]
    if id.startswith("native"):  # the demo model knows no coordinates
        assert all("no point" in event.notes[0] for event in found)
        assert not any(event.masks.area(frame) for event in found for frame in range(LENGTH))


@pytest.mark.parametrize(
    "changed",
    [
        {"loc_head": {"shown": "video", "asked": "object", "heads": 1}},
        {"tam": {"shown": "image", "word": "last", "causal": False, "window": 1}},
    ],
)
def test_other_inputs_and_questions(changed, engine, clip, settings, wanted):
    [(room, values)] = changed.items()
    other = replace(settings, **{room: replace(getattr(settings, room), **values)})
    for id in {"loc_head": ("loc-head", "loc-head-mask"), "tam": ("tam", "tam-mask")}[room]:
        (found,) = run(id, engine, clip, [wanted.text], other)
        assert found.masks.frames == tuple(range(LENGTH))


def test_decaf_here_is_the_engine_and_its_sam_stage_is_the_shared_one(engine, clip, settings, wanted):
    (ours,) = run("decaf", engine, clip, [wanted.text], settings)
    assert any(ours.masks.area(frame) for frame in range(LENGTH))
    assert not engine.state(clip).session.objects
    events = list(with_sam(ground_decaf)(engine, clip, [wanted.text], settings))
    assert events[-1].masks == ours.masks


def test_attention_mask_of_a_frame_between_is_the_nearest_sampled_one(engine, clip, settings, wanted):
    assert nearest([0, 4, 9], 11) == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    few = replace(settings, pipeline=settings.pipeline.changed({"frames": "3"}))
    (found,) = run("attention-mask", engine, clip, [wanted.text], few)
    sampled = (0, 5, 11)
    for frame in range(LENGTH):
        near = min(sampled, key=lambda s: abs(s - frame))
        assert found.masks.rle(frame) == found.masks.rle(near)


def test_methods_without_sam_do_not_load_it(clip, settings, wanted):
    fresh = Engine()
    run("attention-mask", fresh, clip, [wanted.text], settings)
    run("tam-mask", fresh, clip, [wanted.text], settings)
    assert fresh._sam is None


@pytest.fixture
def pointing(monkeypatch, engine, clip, shapes, wanted):
    """Lets the model answer with the truth: the middle of each target, in pixels of the resized input."""
    truth = target_masks(shapes, wanted)
    asked = []

    def answers(mllm, prefix, question, limit):
        asked.append((question, prefix.layout.kind, len(prefix.ids)))
        if prefix.layout.kind == "video":
            return ["the one in the middle"]
        height, width = (28 * side for side in (prefix.grid.height, prefix.grid.width))
        texts = []
        for frame in pointing_frames[sum(n for _, kind, n in asked[:-1] if kind == "image") :][: len(prefix.ids)]:
            if not truth[frame].any():
                texts.append("```json\n[]\n```")
                continue
            x, y = inner_point(truth[frame])
            named = [int(x / clip.width * width), int(y / clip.height * height)]
            texts.append(f'```json\n[{{"point_2d": {named}, "label": "it"}}]\n```')
        return texts

    pointing_frames = []
    monkeypatch.setattr(native, "answer", answers)
    return truth, pointing_frames, asked


def overlap(found, truth):
    return np.mean([region_similarity(found.masks[f], truth[f]) for f in range(LENGTH)])


def test_all_frames_prompts_each_frame_by_itself(pointing, engine, clip, settings, wanted):
    truth, frames, asked = pointing
    frames += range(LENGTH)
    (found,) = run("native-all", engine, clip, [wanted.text], settings)
    assert sum(count for *_, count in asked) == LENGTH
    assert overlap(found, truth) > 0.5
    session = native.Session(engine.state(clip).features)
    for frame in (0, 7):
        x, y = inner_point(truth[frame])
        rles, _ = session.decode_points(frame, [(x, y)])
        assert region_similarity(found.masks[frame], rles[0].dense()) > 0.8


def test_first_frame_is_propagated(pointing, engine, clip, settings, wanted):
    truth, frames, asked = pointing
    frames += [0]
    (found,) = run("native-first", engine, clip, [wanted.text], settings)
    assert [count for *_, count in asked] == [1]
    assert overlap(found, truth) > 0.5
    assert not found.notes


def test_reference_frames_are_described_before_the_key_frame_is_grounded(pointing, engine, clip, settings, wanted):
    truth, frames, asked = pointing
    frames += [0]
    (found,) = run("native-reference", engine, clip, [wanted.text], settings)
    assert [kind for _, kind, _ in asked] == ["video", "image"]
    assert "the one in the middle" in asked[1][0]
    assert overlap(found, truth) > 0.5


def test_sixteen_frames_go_through_decafs_stage_with_ones_at_the_points(pointing, engine, clip, settings, wanted):
    truth, frames, asked = pointing
    seen = []
    original = native.sam_masks
    sampled = tuple(int(f) for f in np.floor(np.linspace(0, LENGTH - 1, 8)))
    frames += sampled
    native_sam = lambda e, c, grounding, s: (seen.append(grounding), original(e, c, grounding, s))[1]  # noqa: E731
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "sam_masks", native_sam)
        (found,) = run("native-16", engine, clip, [wanted.text], settings)
    (grounding,) = seen
    assert grounding.frames == sampled
    assert set(np.unique(grounding.maps)) == {0.0, 1.0}
    assert (grounding.maps.sum(axis=(1, 2)) == [float(truth[f].any()) for f in sampled]).all()
    assert found.masks.frames == tuple(range(LENGTH))
    off = replace(settings, pipeline=settings.pipeline.changed({"tracking.consistency": "off"}))
    asked.clear()
    (found,) = run("native-16", engine, clip, [wanted.text], off)
    assert overlap(found, truth) > 0.5


def test_points_lie_in_the_tokens_that_hold_them():
    pointed = [Pointed(3, "", ((0.0, 0.0), (320.0, 240.0)), (6, 8)), Pointed(5, "", ((159.9, 120.1),), (6, 8))]
    found = point_maps(pointed, (240, 320))
    assert found.frames == (3, 5)
    assert np.argwhere(found.maps).tolist() == [[0, 0, 0], [0, 5, 7], [1, 3, 3]]


def test_prefixes_are_shared_with_decaf(engine, clip, settings, wanted):
    engine.free()
    list(METHODS["attention-mask"].predict(engine, clip, [wanted.text], settings))
    before = engine.mllm.counters.prefix_prefills
    list(METHODS["loc-head-mask"].predict(engine, clip, [wanted.text], settings))
    list(METHODS["native-16"].predict(engine, clip, [wanted.text], settings))
    assert engine.mllm.counters.prefix_prefills == before


@pytest.mark.parametrize("id", METHODS)
def test_breaking_off_leaves_the_engine_usable(id, engine, clip, settings, wanted):
    events = METHODS[id].predict(engine, clip, [wanted.text], settings)
    for _ in range(3):
        next(events)
    events.close()
    (found,) = run("decaf", engine, clip, [wanted.text], settings)
    assert found.masks.frames == tuple(range(LENGTH))


def test_heads_are_needed_and_must_be_this_models(engine, clip, settings, wanted, tmp_path):
    from decaf_gui.baselines.heads import Heads

    with pytest.raises(BadInput, match="discover them first"):
        list(METHODS["loc-head"].predict(engine, clip, [wanted.text]))
    other = replace(Heads.load(settings.loc_head.heads_file), model="other", weights="0" * 64)
    wrong = MethodSettings(loc_head=LocHeadSettings(heads_file=other.save(tmp_path / "other.json")))
    with pytest.raises(BadInput, match="found in other"):
        list(METHODS["loc-head"].predict(engine, clip, [wanted.text], wrong))


def test_unknown_methods_and_empty_expressions_are_refused(engine, clip):
    assert method_named("tam").id == "tam"
    with pytest.raises(BadInput, match="choose one of decaf"):
        method_named("nothing")
    with pytest.raises(BadInput, match="empty"):
        METHODS["decaf"].predict(engine, clip, ["  "])


@pytest.mark.parametrize("wrong", [lambda: TamSettings(window=2), lambda: NativeSettings(max_new_tokens=0)])
def test_settings_of_methods_are_checked(wrong):
    with pytest.raises(BadInput):
        wrong()


@pytest.mark.parametrize("id", ["loc-head-mask", "native-first"])
def test_the_evaluation_takes_baselines_as_its_methods(id, engine, clip, settings, wanted):
    evaluated = Evaluated(METHODS[id], Models(), engine, settings)
    events = list(evaluated.predict(clip, wanted.text))
    assert isinstance(events[-1], Answer)
    assert events[-1].masks.frames == tuple(range(LENGTH))
    assert evaluated.name == id
    assert json.loads(json.dumps(evaluated.identity)) == evaluated.identity
    fewer = replace(settings, loc_head=replace(settings.loc_head, heads=1))
    other = Evaluated(METHODS[id], Models(), engine, fewer)
    assert (other.identity != evaluated.identity) == (id == "loc-head-mask")
