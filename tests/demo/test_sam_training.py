"""The tiny SAM2's training: losses against torchvision and numpy, stages, runs that go on as if never stopped."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from decaf_gui.core.resources import resource
from decaf_gui.demo import sam_data, sam_held_out, sam_lessons, sam_losses, sam_training
from decaf_gui.demo.sam_data import TRAIN_SEED, Wanted, load_batch
from decaf_gui.demo.sam_model import (
    at_size,
    demo_config,
    export,
    fresh_model,
    loosen_memory,
    prepare_masks,
    prepare_memory,
)
from decaf_gui.demo.sam_prompts import as_logits
from decaf_gui.demo.sam_stages import SMALL_CLIPS, STAGES, Stage, begin_of, learning_rate, lengthened, stage_at
from decaf_gui.demo.sam_steps import Teacher, encode, new_bank, remember, step_frame
from decaf_gui.demo.sam_training import begin_run, load_start, new_run, resume, rewind_log, train, train_step
from decaf_gui.tracking import load_sam

TINY = (
    Stage("image", 2, 64, SMALL_CLIPS, 1e-3, pictures=1),
    Stage("video", 2, 64, SMALL_CLIPS, 1e-3, videos=0.5, pictures=1, clips=1, lengths=(2, 3), fits_memory=True),
    Stage(
        "fine",
        2,
        96,
        SMALL_CLIPS,
        1e-3,
        videos=0.5,
        pictures=1,
        clips=1,
        lengths=(2, 3),
        corrections=(1.0, 1.0),
        near=0.5,
    ),
)


@pytest.fixture
def masks():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 12, 16, generator=generator)
    return logits, (torch.rand(5, 12, 16, generator=generator) > 0.6).float()


@pytest.fixture
def unwatched(monkeypatch):
    monkeypatch.setattr(sam_training, "held_out", lambda model, clips: {"click": 0.5})


# losses


def test_focal_and_dice_equal_their_closed_forms(masks):
    logits, truth = masks
    reference = sigmoid_focal_loss(logits, truth, alpha=-1, gamma=2, reduction="none").flatten(1).mean(1)
    torch.testing.assert_close(sam_losses.focal_loss(logits, truth), reference)
    p, t = 1 / (1 + np.exp(-logits.numpy())), truth.numpy()
    dice = [1 - (2 * (a * b).sum() + 1) / (a.sum() + b.sum() + 1) for a, b in zip(p, t, strict=True)]
    np.testing.assert_allclose(sam_losses.dice_loss(logits, truth).numpy(), dice, rtol=1e-5)


def test_balanced_loss_does_not_change_when_the_background_is_repeated(masks):
    logits, truth = masks
    nothing = torch.zeros_like(truth)
    inside = truth * 1.0
    once = sam_losses.balanced_loss(logits * inside - 2 * (1 - inside), inside)
    twice = sam_losses.balanced_loss(
        torch.cat([logits * inside - 2 * (1 - inside), nothing - 2], 2), torch.cat([inside, nothing], 2)
    )
    torch.testing.assert_close(once, twice)


def test_identity_loss_is_ln_k_when_prompts_make_no_difference_and_nothing_when_they_do():
    truth = torch.zeros(2, 4, 8, 8)
    for k in range(4):
        truth[:, k, 2 * k : 2 * k + 2] = 1
    same = torch.randn(2, 1, 8, 8).expand(2, 4, 8, 8)
    assert float(sam_losses.identity_loss(same, truth)) == pytest.approx(np.log(4), abs=1e-5)
    assert float(sam_losses.identity_loss(truth * 40 - 20, truth)) == pytest.approx(0, abs=1e-5)


def test_mask_iou_counts_pixels(masks):
    logits, truth = masks
    found, wanted = logits.numpy() > 0, truth.numpy() > 0
    expected = [(a & b).sum() / (a | b).sum() for a, b in zip(found, wanted, strict=True)]
    np.testing.assert_allclose(sam_losses.mask_iou(logits, truth).numpy(), expected, rtol=1e-6)
    assert sam_losses.mask_iou(torch.full((1, 4, 4), -1.0), torch.zeros(1, 4, 4)).item() == 1


def test_click_loss_is_about_the_clicked_pixel_and_its_surroundings_only():
    truth = torch.zeros(1, 32, 32)
    truth[:, 8:20, 8:20] = 1
    right = truth * 40 - 20
    points = torch.tensor([[[12.5, 12.5], [22.5, 14.5]]])
    labels = torch.tensor([[1, 0]])
    assert float(sam_losses.click_loss(right, truth, points, labels)) < 1e-6
    far, near = right.clone(), right.clone()
    far[:, 31, 0] = 20
    near[:, 14, 22] = 2.0  # on at the negative click
    assert float(sam_losses.click_loss(far, truth, points, labels)) < 1e-6
    expected = np.log1p(np.exp(3)) + np.log1p(np.exp(2)) / 81  # margin of 1; 9 x 9 pixels around it
    assert float(sam_losses.click_loss(near, truth, points, labels)) == pytest.approx(expected, rel=1e-4)


def test_corners_of_boxes_are_no_clicks():
    truth = torch.ones(1, 16, 16)
    corner = torch.tensor([[[0.0, 0.0], [16.0, 16.0]]])
    wrong_there = torch.full_like(truth, 20.0)
    wrong_there[:, 0, 0] = -20
    loss = sam_losses.click_loss(wrong_there, truth, corner, torch.tensor([[2, 3]]))
    assert float(loss) < 1e-6


# the clips


def test_clips_are_of_the_levels_in_their_shares(monkeypatch):
    levels, make_clip = Counter(), sam_data.make_clip

    def noted(seed, level, *rest):
        levels[level] += 1
        return make_clip(seed, level, *rest)

    monkeypatch.setattr(sam_data, "make_clip", noted)
    load_batch(np.random.default_rng(0), Wanted(300, 1, 1, 32, ((48, 64),), medium=0.2, lookalikes=0.5))
    shares = [levels[name] / levels.total() for name in ("medium", "lookalikes", "kind")]
    np.testing.assert_allclose(shares, (0.2, 0.5, 0.3), atol=0.09)  # three standard deviations of 300 draws


@pytest.mark.parametrize(("frames", "shares"), [(1, (1, 0, 0, 0, 0)), (3, (0.1, 0.3, 0.25, 0.2, 0.15))])
def test_what_happens_in_videos_is_in_its_shares(frames, shares, monkeypatch):
    wishes, pick = Counter(), sam_data._pick

    def noted(rng, wanted, wish):
        wishes[wish] += 1
        return pick(rng, wanted, "seen")

    monkeypatch.setattr(sam_data, "_pick", noted)
    wanted = Wanted(300, frames, 1, 32, ((48, 64),), leaving=0.3, returning=0.25, crossing=0.2, shuffled=0.15)
    load_batch(np.random.default_rng(0), wanted)
    found = [wishes[name] / wishes.total() for name in ("seen", "gone", "back", "crossing", "shuffled")]
    np.testing.assert_allclose(found, shares, atol=0.09)


@pytest.mark.parametrize("wish", ["gone", "back"])
def test_what_goes_away_is_seen_first_and_what_comes_back_last_too(wish):
    rng, wanted = np.random.default_rng(0), Wanted(1, 8, 3, 32, ((60, 80),), lookalikes=0.3)
    found = [stretch for _ in range(40) if (stretch := sam_data._pick(rng, wanted, wish))]
    assert len(found) >= 6
    for clip, picked, chosen in found:
        seen = clip.masks[chosen[0], picked].any(axis=(1, 2))
        assert seen[0]
        assert (~seen).sum() >= 2
        assert seen[-1] or wish == "gone"
    assert not all(clip.masks[chosen[0], picked[-1]].any() for clip, picked, chosen in found) or wish == "back"


def test_what_is_lost_is_seen_first_then_gone_for_a_while_then_seen():
    rng, wanted = np.random.default_rng(0), Wanted(1, 8, 3, 32, ((60, 80),))
    found = [stretch for _ in range(40) if (stretch := sam_data._pick(rng, wanted, "lost"))]
    assert len(found) >= 6
    lengths = set()
    for clip, picked, chosen in found:
        seen = clip.masks[chosen[0], picked].any(axis=(1, 2))
        lengths.add(int((~seen).sum()))
        assert (seen[0], seen[-1]) == (True, True)
        assert (np.diff(seen.astype(int)) != 0).sum() == 2, "one absence"
    assert len(lengths) > 2
    assert (min(lengths) >= 2, max(lengths)) == (True, 6)


def test_what_flickers_is_seen_first_and_often_right_after_a_frame_without_it():
    rng, wanted = np.random.default_rng(0), Wanted(1, 8, 3, 32, ((60, 80),))
    found = [stretch for _ in range(40) if (stretch := sam_data._pick(rng, wanted, "flickering"))]
    assert len(found) >= 6
    comes = []
    for clip, picked, chosen in found:
        seen = clip.masks[chosen[0], picked].any(axis=(1, 2))
        assert seen[0]
        assert 2 <= (~seen).sum() <= 6
        comes.append(int((np.diff(seen.astype(int)) == 1).sum()))
    assert set(comes) >= {0, 1, 2}, "what is lost comes once"


def test_shuffled_frames_are_different_ones_in_any_order_and_the_first_shows_what_is_prompted():
    rng, wanted = np.random.default_rng(0), Wanted(1, 6, 3, 32, ((60, 80),))
    found = [stretch for _ in range(20) if (stretch := sam_data._pick(rng, wanted, "shuffled"))]
    assert len(found) >= 15
    for clip, picked, chosen in found:
        assert len(set(picked)) == 6
        assert clip.masks[chosen, picked[0]].any(axis=(1, 2)).all()
    assert sum(picked in (sorted(picked), sorted(picked)[::-1]) for _, picked, _ in found) <= 2


def test_in_a_crossing_the_first_object_meets_another_one_and_parts_from_it():
    rng, wanted = np.random.default_rng(0), Wanted(1, 9, 3, 32, ((240, 320),), lookalikes=0.3, crossing=1.0)
    found = [stretch for _ in range(25) if (stretch := sam_data._pick(rng, wanted, "crossing"))]
    assert len(found) >= 4
    for clip, picked, chosen in found:
        gaps = [_gap(clip.masks[:, t], chosen[0]) for t in picked]
        assert min(gaps[0], gaps[-1]) > 2
        assert min(gaps[1:-1]) <= 8
        assert clip.masks[chosen[0], picked[0]].any()
        assert clip.masks[chosen[0], picked[-1]].any()


def _gap(masks, k):
    """Pixels between object `k` and the nearest other one, along rows, columns and diagonals."""
    others = np.delete(masks, k, axis=0).any(axis=0)
    if not (others.any() and masks[k].any()):
        return np.inf
    return cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_C, 3)[masks[k]].min()


# the model


def test_teacher_passes_the_true_presence_on_and_keeps_the_models_own_word():
    model = fresh_model(0).eval()
    teacher = Teacher(model)
    images = load_batch(np.random.default_rng(4), Wanted(1, 1, 4, 128, SMALL_CLIPS)).images[0]
    clicks = {"point_coords": torch.full((4, 1, 2), 40.0), "point_labels": torch.ones(4, 1).int()}
    teacher.truth = torch.tensor([1.0, 0.0, 1.0, 0.0])
    with torch.no_grad():
        heads = step_frame(model, encode(model, images, 4), 0, new_bank(), clicks)
    assert (heads[6][:, 0] > 0).tolist() == [True, False, True, False]
    assert (heads[3].flatten(1).amax(1) < -100).tolist() == [False, True, False, True]
    assert teacher.scores.abs().max() < 10


def test_an_export_is_loaded_by_the_programs_own_loader_and_is_the_same_model(tmp_path):
    model = at_size(fresh_model(3), 192)
    export(model, tmp_path / "sam")
    again = load_sam(tmp_path / "sam", "cpu")
    assert again.image_size == 192
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value.float(), model.state_dict()[name].half().float())
    assert (tmp_path / "sam/model.safetensors").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("size", [128, 192, 256])
def test_every_part_that_counts_cells_follows_the_image_size(size):
    model = at_size(fresh_model(0), size)
    assert model.image_size == size
    assert model.sam_image_embedding_size == size // 16
    config = demo_config(size)["memory_attention"]["layer"]
    assert config["self_attention"]["feat_sizes"] == config["cross_attention"]["feat_sizes"] == [size // 16] * 2


def test_the_bundled_model_has_this_architecture_and_fits_the_budget():
    folder = resource("models/demo-sam")
    config = json.loads((folder / "config.json").read_text())
    assert config["model"] == demo_config(config["model"]["image_size"])
    total = sum(f.stat().st_size for kind in ("sam", "mllm") for f in resource(f"models/demo-{kind}").iterdir())
    assert total < 25 << 20


# stages


def test_stages_follow_one_another_without_a_gap():
    assert stage_at(TINY, 0) == (0, 0.0)
    assert stage_at(TINY, 2) == (1, 0.0)
    assert stage_at(TINY, 5) == (2, 0.5)
    assert stage_at(TINY, 6) == (2, 1.0)
    for name in ("image", "video", "fine"):
        place, progress = stage_at(TINY, begin_of(TINY, name))
        assert (TINY[place].name, progress) == (name, 0.0)


def test_a_longer_run_is_of_the_same_stages():
    twice = lengthened(2.0)
    assert [stage.steps for stage in twice] == [2 * stage.steps for stage in STAGES]
    assert [replace(stage, steps=1) for stage in twice] == [replace(stage, steps=1) for stage in STAGES]
    assert all(stage.steps == 1 for stage in lengthened(1e-6))
    assert lengthened(1.0) == STAGES


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_rate_rises_then_falls_to_a_sixteenth(stage):
    rates = [learning_rate(stage, step / stage.steps) for step in range(stage.steps)]
    top = int(np.argmax(rates))
    assert top < 60
    falling = stage.rate * (0.06 + 0.94 * np.cos(np.linspace(0, np.pi / 2, stage.steps, endpoint=False)) ** 2)
    np.testing.assert_allclose(rates[50:], falling[50:], rtol=1e-9)
    np.testing.assert_allclose(rates[:50], falling[:50] * np.arange(1, 51) / 50, rtol=1e-9)
    assert rates == sorted(rates[:top]) + sorted(rates[top:], reverse=True)
    assert learning_rate(stage, 1.0) == pytest.approx(0.06 * stage.rate)


def test_the_fine_stage_begins_with_the_weights_it_is_given_at_its_own_size(tmp_path):
    folder = resource("models/demo-sam")
    given = load_start(folder)
    run = begin_run(given, STAGES, begin_of(STAGES, "fine"))
    assert run.model.image_size == STAGES[-1].image_size == 192
    for one in (run.model, run.average):
        changed = {name for name, value in one.state_dict().items() if not torch.equal(value, given.state_dict()[name])}
        assert all(name.startswith("sam_prompt_encoder.mask_downscaling.") for name in changed), "fitted to be heard"
        assert len(changed) == 2
    assert all(p.requires_grad for p in run.model.parameters())
    sam_training.save(run, tmp_path)
    assert torch.equal(load_start(tmp_path / "checkpoint.pt").no_mem_embed, given.no_mem_embed)


def test_the_video_stage_fits_the_memory_and_teaches_it():
    run = new_run(TINY, 1)
    before = run.model.memory_encoder.pix_feat_proj.weight.clone()
    sam_training.enter(run, TINY, 1)
    assert not torch.equal(before, run.model.memory_encoder.pix_feat_proj.weight)
    assert torch.equal(run.average.memory_encoder.pix_feat_proj.weight, run.model.memory_encoder.pix_feat_proj.weight)
    batch = load_batch(np.random.default_rng(7), Wanted(1, 3, 4, 64, SMALL_CLIPS))
    loss, meters = sam_lessons.clip_losses(
        run.model, Teacher(run.model), batch, np.random.default_rng(1), replace(TINY[1], corrections=(1.0, 1.0)), 0.5
    )
    loss.backward()
    assert {"next", "present", "retold"} <= set(meters)
    gradients = [p.grad for n, p in run.model.named_parameters() if n.startswith(("memory_enc", "memory_att"))]
    assert sum(g is not None and bool(g.abs().max() > 0) for g in gradients) > 0.9 * len(gradients)


def test_masks_to_be_corrected_are_heard_among_the_features_and_mean_nothing_on_average():
    model = fresh_model(0)
    features = torch.randn(500, 96, generator=torch.Generator().manual_seed(0)) * 8 + 30
    batch = load_batch(np.random.default_rng(7), Wanted(8, 1, 1, 128, SMALL_CLIPS))
    logits = as_logits(batch.masks[0, :, 0])
    prepare_masks(model, features, logits, share=0.5)
    with torch.no_grad():
        dense = model.sam_prompt_encoder._embed_masks(logits).movedim(1, -1).flatten(0, 2)
    nothing = model.sam_prompt_encoder.no_mask_embed.weight[0]
    torch.testing.assert_close(dense.mean(0), nothing.detach(), atol=1e-3, rtol=1e-3)
    assert float(dense.std(0).pow(2).mean().sqrt()) == pytest.approx(4, rel=0.05)


def test_a_fresh_memory_tells_the_objects_of_a_frame_apart_at_their_places():
    """Before any training of it: a least-squares map finds where an object is in what the memory adds."""
    run = new_run(TINY, 1)
    sam_training.enter(run, (replace(STAGES[1], image_size=128),), 0)
    model, teacher = run.model.requires_grad_(False), Teacher(run.model)
    batch = load_batch(np.random.default_rng(7), Wanted(8, 1, 4, 128, SMALL_CLIPS, least=0.01))
    truth, vision, bank = batch.masks[0].flatten(0, 1), encode(model, batch.images[0], 4), new_bank()
    teacher.truth = torch.ones(len(truth))
    heads = step_frame(model, vision, 0, bank, None, truth[:, None])
    bank["cond_frame_outputs"][0] = remember(model, vision, heads, prompted=True)
    seen = model._prepare_memory_conditioned_features(
        1, False, vision[0][-1:], vision[1][-1:], vision[2][-1:], bank, 30
    )
    apart = seen.unflatten(0, (8, 4)) - seen.unflatten(0, (8, 4)).mean(1, keepdim=True)
    assert float(apart.std()) > 0.2 * float(vision[0][-1].std((0, 1)).square().mean().sqrt())
    small = torch.nn.functional.interpolate(truth[:, None], size=seen.shape[-2:], mode="area")
    wanted = small.unflatten(0, (8, 4)) - small.unflatten(0, (8, 4)).mean(1, keepdim=True)
    x, y = (values.movedim(2, -1).flatten(1, 3) for values in (apart, wanted))
    found = torch.linalg.lstsq(x[:6].flatten(0, 1), y[:6].flatten(0, 1)).solution
    missed = (x[6:] @ found - y[6:]).square().sum() / y[6:].square().sum()
    assert float(missed) < 0.5, "two clips that the map has not seen"


def test_a_loosened_memory_attends_less_to_the_same_place(monkeypatch):
    weights = []

    def attend(q, k, v, *rest, **more):
        weights.append((q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)[0, 0])
        return attended(q, k, v, *rest, **more)

    attended = functional.scaled_dot_product_attention
    model = fresh_model(0)
    prepare_memory(model, torch.randn(500, 96), (torch.rand(4, 1, 128, 128) > 0.5).float())
    cross = model.memory_attention.layers[0].cross_attn_image.requires_grad_(False)
    for projection in (cross.q_proj, cross.k_proj):
        projection.weight.zero_()
    monkeypatch.setattr(functional, "scaled_dot_product_attention", attend)
    shares = []
    for _ in range(3):
        cross(torch.zeros(1, 64, 96), torch.zeros(1, 64, 32), torch.zeros(1, 64, 32))
        shares.append(float(weights[-1].diagonal().mean()))
        loosen_memory(model, 0.5)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.7
    loosen_memory(model, 0.0)
    cross(torch.zeros(1, 64, 96), torch.zeros(1, 64, 32), torch.zeros(1, 64, 32))
    torch.testing.assert_close(weights[-1], torch.full((64, 64), 1 / 64))


def test_a_stage_loosens_the_memory_once_as_it_begins(tmp_path):
    run = new_run(TINY, 3)
    name = "memory_attention.layers.0.cross_attn_image.q_proj.bias"
    sam_training.enter(run, TINY, 1)
    before = run.average.state_dict()[name].clone()
    assert float(before.max()) == 4, "as the memory was fitted"
    sam_training.enter(run, TINY, 2)
    assert torch.equal(run.model.state_dict()[name], 0.5 * before)
    assert torch.equal(run.average.state_dict()[name], 0.5 * before)
    sam_training.save(run, tmp_path, TINY)
    again = resume(tmp_path, TINY)
    assert torch.equal(again.model.state_dict()[name], 0.5 * before)


def test_an_object_that_is_gone_shall_have_an_empty_mask_and_a_sliver_counts_for_nothing():
    teacher = Teacher(fresh_model(0))
    teacher.ious, teacher.scores = torch.zeros(2, 1), torch.full((2, 1), -3.0)
    truth, logits = torch.zeros(2, 64, 64), torch.randn(2, 64, 64)
    gone = float(sam_lessons._frame_loss(logits, truth, teacher, 0.8, 2.0))
    presence = 2 * np.log1p(np.exp(-3))
    focal = float(sigmoid_focal_loss(logits, truth, alpha=-1, gamma=2, reduction="mean"))
    empty = 4 * float(torch.nn.functional.softplus(logits).mean()) + 10 * focal
    assert gone == pytest.approx(presence + empty, rel=1e-4)
    truth[:, 0, 0] = 1
    assert float(sam_lessons._frame_loss(logits, truth, teacher, 0.8, 2.0)) == 0


def test_what_is_denied_is_denied_to_the_end_but_on_frames_with_prompts():
    present = torch.rand(8, 400, generator=torch.Generator().manual_seed(2)) > 0.2
    told = sam_lessons.denied(np.random.default_rng(3), present, 0.6, corrected_at=4)
    assert not (told & ~present).any()
    assert torch.equal(told[[0, 4]], present[[0, 4]])
    told = sam_lessons.denied(np.random.default_rng(3), torch.ones(8, 400).bool(), 0.6)
    lengths = (~told).sum(0)
    assert float((lengths > 0).float().mean()) == pytest.approx(0.6, abs=0.08)
    assert set(lengths.tolist()) == set(range(8))
    assert not (told[1:] & ~told[:-1]).any()


def test_memory_says_of_what_is_denied_that_it_is_gone_and_the_loss_that_it_is_there(monkeypatch):
    kept, asked = [], []

    def remembered(model, vision, heads, *, prompted):
        kept.append(heads[6][:, 0].detach() > 0)
        return remember(model, vision, heads, prompted=prompted)

    def loss_of(logits, truth, *rest):
        asked.append(truth)
        return logits.mean()

    monkeypatch.setattr(sam_lessons, "remember", remembered)
    monkeypatch.setattr(sam_lessons, "_frame_loss", loss_of)
    batch = load_batch(np.random.default_rng(7), Wanted(1, 6, 4, 64, SMALL_CLIPS, leaving=0.0))
    model = at_size(fresh_model(0), 64)
    stage = replace(TINY[1], denied=1.0)
    rng = next(rng for rng in map(np.random.default_rng, range(9)) if copy.deepcopy(rng).random() < 0.5)
    sam_lessons.clip_losses(model, Teacher(model), batch, rng, stage, 0.5)
    present = batch.masks.flatten(1, 2).flatten(2).mean(2) > sam_data.SEEN
    said = torch.stack(kept)
    assert torch.equal(said[0], present[0])
    assert (present & ~said).any(dim=0)[present.all(dim=0)].all()
    assert all(torch.equal(truth, batch.masks[t].flatten(0, 1)) for t, truth in enumerate(asked[-5:], 1))


# runs


def lines(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def without_time(found):
    return [{key: value for key, value in line.items() if key != "minutes"} for line in found]


def test_a_resumed_run_equals_one_that_was_not_stopped(tmp_path, monkeypatch, unwatched):
    monkeypatch.setattr(sam_training, "LOG_EVERY", 1)
    monkeypatch.setattr(sam_training, "SAVE_SECONDS", -1)
    whole = new_run(TINY, 1)
    list(train(whole, tmp_path / "whole", TINY, seed=3))
    stopped = train(new_run(TINY, 1), tmp_path / "parts", TINY, seed=3)
    for line in stopped:
        if line["step"] == 4:
            break
    stopped.close()  # the line of step 4 is written, its checkpoint is not
    again = resume(tmp_path / "parts", TINY)
    rewind_log(tmp_path / "parts", again.step)
    assert (again.step, again.place) == (3, 1)
    list(train(again, tmp_path / "parts", TINY, seed=3))
    assert again.model.image_size == 96
    for one, two in ((whole.model, again.model), (whole.average, again.average)):
        for name, value in one.state_dict().items():
            assert torch.equal(value, two.state_dict()[name]), name
    assert without_time(lines(tmp_path / "parts")) == without_time(lines(tmp_path / "whole"))


def test_a_run_goes_on_through_the_stages_it_was_begun_with_alone(tmp_path, monkeypatch, unwatched, capsys):
    begun = train(new_run(TINY, 1), tmp_path, TINY)
    monkeypatch.setattr(sam_training, "LOG_EVERY", 1)
    monkeypatch.setattr(sam_training, "SAVE_SECONDS", -1)
    assert [next(begun)["step"] for _ in range(2)] == [1, 2]
    begun.close()
    resume(tmp_path, (*TINY[:2], replace(TINY[2], steps=99)))  # what is yet to come may differ
    with pytest.raises(ValueError, match="has 2 steps of image: go on with the --length"):
        resume(tmp_path, (replace(TINY[0], steps=3), *TINY[1:]))
    nowhere = str(tmp_path / "nowhere")
    monkeypatch.setattr("sys.argv", ["sam_training", "--out", nowhere, "--resume"])
    with pytest.raises(SystemExit) as ended:
        sam_training.main()
    assert ended.value.code == 2
    assert f"There is no run to go on with in {nowhere}" in capsys.readouterr().err


def test_the_log_has_means_and_held_out_measures_and_the_best_weights_are_kept(tmp_path, monkeypatch):
    told = iter([0.3, 0.9, 0.5])
    monkeypatch.setattr(sam_training, "held_out", lambda model, clips: {"click": next(told)})
    monkeypatch.setattr(sam_training, "LOG_EVERY", 2)
    monkeypatch.setattr(sam_training, "WATCH_EVERY", 2)
    run = new_run(TINY, 1)
    steps = []
    monkeypatch.setattr(sam_training, "train_step", spy(train_step, steps))
    list(train(run, tmp_path, TINY))
    found = lines(tmp_path)
    assert [(line["step"], line["stage"]) for line in found if "held_out" in line] == [
        (2, "image"),
        (4, "video"),
        (6, "fine"),
    ]
    losses = [line["values"]["loss"] for line in found if "values" in line]
    assert losses == pytest.approx([np.mean(steps[i : i + 2]) for i in range(0, 6, 2)], abs=1e-4)
    best = torch.load(tmp_path / "best.pt", weights_only=True)
    assert (best["step"], best["place"]) == (4, 1)


def spy(step, losses):
    def wrapped(*args):
        meters = step(*args)
        losses.append(meters["loss"])
        return meters

    return wrapped


def test_a_step_depends_on_the_seed_and_its_number_alone():
    one, two = (sam_training.draw(np.random.default_rng((3, 40)), TINY[1])[1] for _ in range(2))
    assert torch.equal(one.images, two.images)
    other = sam_training.draw(np.random.default_rng((4, 40)), replace(TINY[1], videos=0.0))[1]
    assert other.images.shape != one.images.shape or not torch.equal(one.images, other.images)


def test_training_never_draws_held_out_clips(monkeypatch):
    seeds = []
    make = sam_training.load_batch.__globals__["make_clip"]
    monkeypatch.setitem(
        sam_training.load_batch.__globals__, "make_clip", lambda seed, *rest: seeds.append(seed) or make(seed, *rest)
    )
    for step in range(20):
        sam_training.draw(np.random.default_rng((1, step)), TINY[1])
    assert min(seeds) >= TRAIN_SEED > sam_held_out.REPORT_SEED + 100_000


def test_objects_that_are_prompted_are_as_large_as_the_stage_wants():
    stage = replace(TINY[0], pictures=24, least=0.03)
    masks = sam_training.draw(np.random.default_rng(2), stage)[1].masks
    assert float(masks.mean((3, 4)).min()) > 0.027, "but for what the change of size rounds away"
    small = sam_training.draw(np.random.default_rng(2), replace(stage, least=0.0))[1].masks
    assert float(small.mean((3, 4)).min()) < 0.02
