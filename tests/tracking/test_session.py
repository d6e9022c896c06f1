"""Our session against the sam2 package's SAM2VideoPredictor, and what the predictor cannot do."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_sam import blob_clip, tiny_base, tiny_predictor

from decaf_gui.core.entities import Prompt
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import FrameTracked
from decaf_gui.core.masks import Rle
from decaf_gui.tracking import features
from decaf_gui.tracking.features import FeatureStore, preprocess
from decaf_gui.tracking.planned import Tracking
from decaf_gui.tracking.session import WINDOW, Session

COUNT = 10
SIZE = (48, 72)
CIRCLE, SQUARE = ((14.0, 20.0, True),), ((50.0, 15.0, True), (30.0, 40.0, False))
BOX = (38.0, 6.0, 62.0, 24.0)


def square_mask() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[8:22, 40:60] = True
    return mask


@pytest.fixture
def one_frame_at_a_time(monkeypatch):
    """As the predictor encodes: in a batch of frames, sums are added up in another order."""
    monkeypatch.setattr(features, "AHEAD", 1)


@pytest.fixture(scope="module")
def clip():
    return blob_clip(COUNT)


@pytest.fixture(scope="module")
def base():
    return tiny_base()


class Reference:
    """The predictor on the same frames, with logits by (object, frame)."""

    def __init__(self, clip, folder, **changes):
        for i, frame in enumerate(clip):
            Image.fromarray(frame).save(folder / f"{i}.jpg")
        self.predictor = tiny_predictor(**changes)
        self.state = self.predictor.init_state(str(folder))
        images = torch.cat([preprocess(frame, self.predictor.image_size) for frame in clip])
        self.state["images"], self.state["cached_features"] = images, {}

    def prompt(self, object_id, prompt):
        if prompt.mask is not None:
            mask = torch.from_numpy(prompt.mask)
            out = self.predictor.add_new_mask(self.state, prompt.frame, object_id, mask)
        else:
            points = [[x, y] for x, y, _ in prompt.points] or None
            labels = [int(p) for *_, p in prompt.points] or None
            out = self.predictor.add_new_points_or_box(
                self.state, prompt.frame, object_id, points=points, labels=labels, box=prompt.box
            )
        return out[2][out[1].index(object_id), 0]

    def track(self, start, stop):
        found = {}
        span = self.predictor.propagate_in_video(self.state, start, abs(stop - start), reverse=stop < start)
        for frame, ids, logits in span:
            found.update({(object_id, frame): logits[i, 0] for i, object_id in enumerate(ids)})
        return found


def assert_same(masks: dict, logits: dict, *, exact: bool) -> None:
    """Masks by (object, frame) against logits: exact, or as the specification allows for batched objects."""
    assert masks.keys() == logits.keys()
    wrong = total = 0
    for key, mask in masks.items():
        truth = (logits[key] > 0).numpy()
        different = mask != truth
        if exact:
            assert not different.any(), key
        assert not (different & (logits[key].abs() > 0.05).numpy()).any(), key
        wrong, total = wrong + int(different.sum()), total + different.size
    assert wrong <= 1e-5 * total


def track(session, ids, start, stop):
    return {(i, e.frame): rle.dense() for e in session.track(ids, start, stop) for i, rle in e.masks.items()}


PROMPTS = {
    "point": Prompt(0, CIRCLE),
    "points": Prompt(0, SQUARE),
    "box": Prompt(0, box=BOX),
    "box and point": Prompt(0, ((45.0, 12.0, True),), box=BOX),
    "mask": Prompt(0, mask=square_mask()),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_one_object_equals_the_predictor_bit_by_bit(name, clip, base, tmp_path, one_frame_at_a_time):
    reference, session = Reference(clip, tmp_path), Session(FeatureStore(base, clip))
    expected = reference.prompt(1, PROMPTS[name])
    answer = session.prompt(1, PROMPTS[name])
    assert np.array_equal(answer.mask, (expected > 0).numpy())
    found = track(session, [1], 0, COUNT - 1)
    assert_same(found, reference.track(0, COUNT - 1), exact=True)
    areas = [mask.mean() for mask in found.values()]
    assert 0.01 < np.mean(areas) < 0.99, "the random model gives trivial masks: this test would prove nothing"
    low = session.objects[1].recent[4]["pred_masks"]
    kept = reference.state["output_dict_per_obj"][0]["non_cond_frame_outputs"][4]["pred_masks"]
    assert torch.equal(low, kept)


def test_backward_equals_the_predictor(clip, base, tmp_path, one_frame_at_a_time):
    reference, session = Reference(clip, tmp_path), Session(FeatureStore(base, clip))
    for target in (reference, session):
        target.prompt(1, Prompt(6, CIRCLE))
    assert_same(track(session, [1], 6, 0), reference.track(6, 0), exact=True)


def test_forward_then_backward_equals_the_predictor(clip, base, tmp_path, one_frame_at_a_time):
    reference, session = Reference(clip, tmp_path), Session(FeatureStore(base, clip))
    for target in (reference, session):
        target.prompt(1, Prompt(4, mask=square_mask()))
    assert_same(track(session, [1], 4, COUNT - 1), reference.track(4, COUNT - 1), exact=True)
    assert_same(track(session, [1], 4, 0), reference.track(4, 0), exact=True)


def test_correction_on_a_tracked_frame_equals_the_predictor_and_stays(clip, base, tmp_path, one_frame_at_a_time):
    reference, session = Reference(clip, tmp_path), Session(FeatureStore(base, clip))
    for target in (reference, session):
        target.prompt(1, PROMPTS["mask"])
    before = track(session, [1], 0, COUNT - 1)
    reference.track(0, COUNT - 1)
    fix = Prompt(5, ((20.0, 30.0, True), (50.0, 15.0, False)))
    expected = reference.prompt(1, fix)
    answer = session.prompt(1, fix)
    assert np.array_equal(answer.mask, (expected > 0).numpy())
    after = track(session, [1], 0, COUNT - 1)
    assert_same(after, reference.track(0, COUNT - 1), exact=True)
    assert np.array_equal(after[1, 5], answer.mask), "the correction was lost"
    assert any((before[1, t] != after[1, t]).any() for t in (6, 7, 8)), "the correction had no effect"


def test_several_objects_equal_the_predictor(clip, base, tmp_path):
    reference, session = Reference(clip, tmp_path), Session(FeatureStore(base, clip))
    for target in (reference, session):
        target.prompt(1, PROMPTS["point"])
        target.prompt(2, PROMPTS["mask"])
        target.prompt(7, PROMPTS["box"])
    assert_same(track(session, [1, 2, 7], 0, COUNT - 1), reference.track(0, COUNT - 1), exact=False)


def test_objects_prompted_on_different_frames_share_a_batch_and_equal_the_predictor(clip, base, tmp_path):
    """Their memories differ in number, so each group reads its own; everything after that is one batch."""
    prompts = {1: Prompt(0, CIRCLE), 2: Prompt(0, SQUARE), 3: Prompt(2, mask=square_mask()), 4: Prompt(5, box=BOX)}
    session = Session(FeatureStore(base, clip))
    for object_id, prompt in prompts.items():
        session.prompt(object_id, prompt)
    found = track(session, list(prompts), 0, COUNT - 1)
    found |= track(session, list(prompts), COUNT - 1, 0)
    expected = {}
    for object_id, prompt in prompts.items():  # the predictor takes all of an object's prompts before it tracks
        folder = tmp_path / str(object_id)
        folder.mkdir()
        reference = Reference(clip, folder)
        reference.prompt(object_id, prompt)
        expected |= reference.track(prompt.frame, COUNT - 1)
        if prompt.frame:
            expected |= reference.track(prompt.frame, 0)
    assert_same(found, expected, exact=False)


def test_postprocessing_equals_the_predictors(clip, tmp_path, one_frame_at_a_time):
    extra = {
        "dynamic_multimask_via_stability": True,
        "dynamic_multimask_stability_delta": 0.05,
        "dynamic_multimask_stability_thresh": 0.98,
    }
    changes = {"sam_mask_decoder_extra_args": extra, "binarize_mask_from_pts_for_mem_enc": True}
    reference, session = Reference(clip, tmp_path, **changes), Session(FeatureStore(tiny_base(**changes), clip))
    for target in (reference, session):
        target.prompt(1, PROMPTS["points"])
    assert_same(track(session, [1], 0, COUNT - 1), reference.track(0, COUNT - 1), exact=True)


def test_objects_prompted_on_different_frames_join_when_the_sweep_meets_them(clip, base):
    session = Session(FeatureStore(base, clip))
    session.prompt(1, Prompt(0, CIRCLE))
    session.prompt(2, Prompt(5, SQUARE))
    seen = {event.frame: set(event.masks) for event in session.track([1, 2], 0, COUNT - 1)}
    assert all(seen[t] == ({1, 2} if t >= 5 else {1}) for t in range(COUNT))
    alone = Session(FeatureStore(base, clip))
    alone.prompt(2, Prompt(5, SQUARE))
    expected = track(alone, [2], 5, COUNT - 1)
    both = track(session, [2], 5, COUNT - 1)
    assert all(np.array_equal(both[key], expected[key]) for key in expected)


def test_separate_clicks_in_one_batch_equal_single_ones(clip, base):
    session = Session(FeatureStore(base, clip))
    points = [(10.0, 10.0), (14.0, 20.0), (50.0, 15.0), (70.0, 40.0)] * 10
    rles, ious = session.decode_points(3, points)
    assert session.objects == {}
    for (x, y), rle, iou in zip(points[:4], rles, ious, strict=False):
        single = Session(FeatureStore(base, clip)).prompt(1, Prompt(3, ((x, y, True),)))
        assert (single.mask != rle.dense()).mean() < 1e-3
        assert single.iou == pytest.approx(iou, abs=1e-5)


def test_same_clicks_give_the_same_mask_after_an_undo(clip, base):
    session = Session(FeatureStore(base, clip))
    session.prompt(1, PROMPTS["point"])
    track(session, [1], 0, COUNT - 1)
    a, b = (20.0, 30.0, True), (50.0, 15.0, False)
    first = session.prompt(1, Prompt(5, (a,)))
    both = session.prompt(1, Prompt(5, (a, b)))
    again = session.prompt(1, Prompt(5, (a,)))
    assert again.rle == first.rle
    assert both.rle != first.rle
    session.clear(1, 5)
    assert session.prompt(1, Prompt(5, (a,))).rle == first.rle


def test_prompted_object_leaves_the_sweep_and_the_others_go_on(clip, base):
    session = Session(FeatureStore(base, clip))
    for object_id, name in ((1, "point"), (2, "mask")):
        session.prompt(object_id, PROMPTS[name])
    sweep = session.track([1, 2], 0, COUNT - 1)
    seen = [set(next(sweep).masks) for _ in range(3)]
    session.prompt(1, Prompt(1, ((30.0, 30.0, True),)))
    session.prompt(3, Prompt(2, CIRCLE))
    seen += [set(event.masks) for event in sweep]
    assert seen == [{1, 2}] * 3 + [{2}] * (COUNT - 3)
    assert set(track(session, [1, 3], 2, 4)) == {(i, t) for i in (1, 3) for t in (2, 3, 4)}


def test_removed_object_leaves_the_sweep(clip, base):
    session = Session(FeatureStore(base, clip))
    session.prompt(1, PROMPTS["point"])
    sweep = session.track([1], 0, 4)
    next(sweep)
    session.remove(1)
    assert [event.masks for event in sweep] == [{}] * 4


def test_closed_sweep_can_be_taken_up_again(clip, base):
    whole, cut = (Session(FeatureStore(base, clip)) for _ in range(2))
    for session in (whole, cut):
        session.prompt(1, PROMPTS["mask"])
    expected = track(whole, [1], 0, COUNT - 1)
    sweep = cut.track([1], 0, COUNT - 1)
    for _ in range(5):
        next(sweep)
    sweep.close()
    rest = track(cut, [1], 5, COUNT - 1)
    assert all(np.array_equal(rest[key], expected[key]) for key in rest)


def test_memory_does_not_grow_with_the_clip(base):
    clip = blob_clip(70)
    session = Session(FeatureStore(base, clip))
    session.prompt(1, PROMPTS["point"])
    sizes = [len(session.objects[1].recent) for _ in session.track([1], 0, 69)]
    assert max(sizes) <= 2 * WINDOW + 2
    assert len(session.objects[1].masks) == 70


def test_click_far_from_every_prompt_still_corrects_the_tracked_mask(base):
    clip = blob_clip(60)
    session = Session(FeatureStore(base, clip))
    session.prompt(1, PROMPTS["mask"])
    masks = track(session, [1], 0, 59)
    assert 30 not in session.objects[1].recent
    inside = np.argwhere(masks[1, 30])
    assert len(inside), "nothing tracked at frame 30: this test would prove nothing"
    session.prompt(1, Prompt(30, ((float(inside[0][1]) + 0.5, float(inside[0][0]) + 0.5, True),)))
    assert session.objects[1].before[30] is not None
    assert set(session.objects[1].recent) >= {24, 25, 26, 27, 28, 29}


def test_frame_list_shares_the_features_of_the_clip(clip, base):
    store = FeatureStore(base, clip)
    sampled, full = Session(store, [1, 4, 8]), Session(store)
    sampled.prompt(1, Prompt(4, CIRCLE))
    assert [e.frame for e in sampled.track([1], 4, 1)] == [4, 1]
    assert [e.frame for e in sampled.track([1], 4, 8)] == [4, 8]
    full.prompt(1, Prompt(4, CIRCLE))
    track(full, [1], 4, COUNT - 1)
    track(full, [1], 4, 0)
    assert store.encoded == COUNT
    with pytest.raises(BadInput, match="Frame 2 is not"):
        sampled.prompt(1, Prompt(2, CIRCLE))


def test_small_budget_keeps_few_frames_and_pinned_ones(clip, base):
    store = FeatureStore(base, clip, device_bytes=0, host_bytes=0)
    store.pin([0])
    for frame in (0, 1, 2, 1, 0):
        store.vision(frame, 1)
    assert store.encoded == 4  # 0, 1, 2, then 1 again; 0 stayed
    assert len(store._kept["device"]) <= 2


class Counted:
    """A clip that notes which frames are decoded, and in which thread."""

    def __init__(self, frames):
        self.frames, self.decoded = frames, []

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.decoded.append((index, threading.current_thread().name))
        return self.frames[index]


def test_small_frames_are_encoded_several_at_a_time_with_equal_features(clip, base):
    together, single = FeatureStore(base, clip), FeatureStore(base, clip)
    single.vision(0, 1)
    together.vision(0, 1)
    runs = []
    handle = base.image_encoder.register_forward_pre_hook(lambda _module, inputs: runs.append(len(inputs[0])))
    together.prepare([1, 2, 3, 4, 5])
    together.prepare([2, 3, 4, 5])
    handle.remove()
    assert runs == [features.AHEAD], "frames that are there were encoded again, or one by one"
    assert together.encoded == 1 + features.AHEAD
    for frame in (1, 2, 3, 4):
        pairs = zip(together.vision(frame, 1).features, single.vision(frame, 1).features, strict=True)
        assert all(torch.allclose(a, b, atol=1e-4) for a, b in pairs)


def test_large_models_encode_one_frame_at_a_time(clip, base, monkeypatch):
    monkeypatch.setattr(features, "SMALL_SIDE", base.image_size - 1)
    store = FeatureStore(base, clip)
    store.vision(0, 1)
    store.prepare([1, 2, 3])
    assert store.encoded == 2


def test_a_sweep_reads_frames_ahead_in_a_thread_each_once(clip, base):
    source = Counted(clip)
    session = Session(FeatureStore(base, source))
    session.prompt(1, Prompt(0, CIRCLE))
    source.decoded.clear()
    found = track(session, [1], 0, COUNT - 1)
    assert sorted(frame for frame, _ in source.decoded) == list(range(1, COUNT))
    assert all(name.startswith("frames") for _, name in source.decoded)
    plain = Session(FeatureStore(base, clip))
    plain.prompt(1, Prompt(0, CIRCLE))
    for frame in range(COUNT):
        plain.store.vision(frame, 1)
    assert_same_masks(found, track(plain, [1], 0, COUNT - 1))


def test_a_closed_sweep_leaves_no_thread_and_reads_no_further(clip, base):
    source = Counted(clip * 20)
    session = Session(FeatureStore(base, source))
    session.prompt(1, Prompt(0, CIRCLE))
    before = threading.active_count()
    sweep = session.track([1], 0, len(source) - 1)
    next(sweep)
    sweep.close()
    assert threading.active_count() == before
    decoded = len(source.decoded)
    assert decoded < 20
    session.store.vision(150, 1)
    assert len(source.decoded) == decoded + 1


def test_a_frame_that_cannot_be_read_fails_where_it_is_asked_for(clip, base):
    class Broken(Counted):
        def __getitem__(self, index):
            if index == 6:
                raise BadInput("Frame 6 cannot be decoded.")
            return super().__getitem__(index)

    session = Session(FeatureStore(base, Broken(clip)))
    session.prompt(1, Prompt(0, CIRCLE))
    seen = []
    with pytest.raises(BadInput, match="Frame 6"):
        seen.extend(event.frame for event in session.track([1], 0, COUNT - 1))


def test_masks_begin_many_objects_as_prompts_begin_one(clip, base):
    other = np.zeros(SIZE, bool)
    other[30:44, 5:30] = True
    masks = {4: square_mask(), 9: other}
    together, single = Session(FeatureStore(base, clip)), Session(FeatureStore(base, clip))
    together.prompt_masks(3, {i: Rle.encode(mask) for i, mask in masks.items()})
    for object_id, mask in masks.items():
        single.prompt(object_id, Prompt(3, mask=mask))
    assert_same_masks(track(together, [4, 9], 3, COUNT - 1), track(single, [4, 9], 3, COUNT - 1))


def assert_same_masks(found: dict, expected: dict) -> None:
    """Up to 1e-3 of the pixels: batches round differently, and the random model makes much of it."""
    assert found.keys() == expected.keys()
    assert np.mean([(found[key] != expected[key]).mean() for key in found]) < 1e-3
    assert any(mask.any() for mask in found.values())


def test_objects_without_prompts_cannot_be_tracked(clip, base):
    session = Session(FeatureStore(base, clip))
    with pytest.raises(BadInput, match="no object 4"):
        session.track([4], 0, 3)
    session.prompt(4, PROMPTS["point"])
    session.clear(4, 0)
    with pytest.raises(BadInput, match="no prompt"):
        session.track([4], 0, 3)


def test_small_holes_are_filled_and_large_ones_stay():
    from decaf_gui.tracking.session import fill_holes

    logits = np.full((20, 20), 5.0, np.float32)
    logits[3:5, 3:5] = -1
    logits[10:14, 10:14] = -1
    filled = fill_holes(logits, 8)
    assert (filled[3:5, 3:5] > 0).all()
    assert (filled[10:14, 10:14] < 0).all()


@pytest.mark.usefixtures("one_frame_at_a_time")
class TestDecoding:
    """A prompt by itself, against the predictor's first prompt on a frame that was never tracked."""

    @pytest.mark.parametrize("points", [CIRCLE, SQUARE])
    def test_points_alone(self, clip, base, tmp_path, points):
        prompt = Prompt(3, points)
        found = Session(FeatureStore(base, clip)).decode(1, prompt)
        expected = Reference(clip, tmp_path).prompt(1, prompt)
        assert np.array_equal(found.mask, (expected > 0).numpy())

    @pytest.mark.parametrize("points", [CIRCLE, SQUARE])
    def test_points_correct_their_base(self, clip, base, tmp_path, points):
        reference = Reference(clip, tmp_path)
        reference.prompt(1, Prompt(3, mask=square_mask()))
        expected = reference.prompt(1, Prompt(3, points))  # sees the mask before it as logits
        found = Session(FeatureStore(base, clip)).decode(1, Prompt(3, points, base=square_mask()))
        assert np.array_equal(found.mask, (expected > 0).numpy())
        alone = Session(FeatureStore(base, clip)).decode(1, Prompt(3, points))
        assert not np.array_equal(found.mask, alone.mask), "the base was not read"

    def test_it_reads_and_leaves_no_state(self, clip, base):
        session = Session(FeatureStore(base, clip))
        prompt = Prompt(4, CIRCLE, base=square_mask())
        first = session.decode(1, prompt)
        assert not session.objects
        session.prompt(1, Prompt(0, CIRCLE))
        list(session.track([1], 0, COUNT - 1))
        before = dict(session.objects[1].masks)
        assert session.decode(1, prompt) == first
        assert session.objects[1].masks == before
        assert session.prompt(1, prompt) == first, "as a prompt of the object it gives another mask"
        mask = session.decode(2, Prompt(0, mask=square_mask()))
        assert mask.rle.area > 0


def test_planned_tracking_is_what_a_fresh_session_tracks(clip, base):
    prompts = {1: (Prompt(2, CIRCLE), Prompt(6, SQUARE, base=square_mask())), 2: (Prompt(4, mask=square_mask()),)}
    store = FeatureStore(base, clip)
    events = [e for e in Tracking(store, prompts, ((2, 9), (6, 0))) if isinstance(e, FrameTracked)]
    session = Session(store)
    for thing, given in prompts.items():
        for prompt in given:
            session.prompt(thing, prompt)
    assert events == [*session.track([1, 2], 2, 9), *session.track([1, 2], 6, 0)]


def test_an_object_leaves_planned_tracking_at_any_time(clip, base):
    prompts = {thing: (Prompt(0, CIRCLE),) for thing in (1, 2, 3)}
    tracking = Tracking(FeatureStore(base, clip), prompts, ((0, 5), (5, 0)))
    next(tracking)
    tracking.leave(3)
    seen = []
    for event in tracking:
        if isinstance(event, FrameTracked):
            seen.append((event.frame, set(event.masks)))
            if event.frame == 2 and len(seen) < 6:
                tracking.leave(2)
    assert seen[:4] == [(0, {1, 2}), (1, {1, 2}), (2, {1, 2}), (3, {1})]
    assert {1} in [things for _, things in seen[6:]]
    tracking.leave(1)
    tracking.close()
    assert list(tracking) == []
