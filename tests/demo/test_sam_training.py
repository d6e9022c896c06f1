"""The tiny SAM2's training: losses against torchvision and numpy, prompts against the masks, runs that go on."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest
import torch
from torchvision.ops import sigmoid_focal_loss

from decaf_gui.core.resources import resource
from decaf_gui.demo import sam_data, sam_losses, sam_training
from decaf_gui.demo.sam_data import load_batch
from decaf_gui.demo.sam_model import demo_config, export, fresh_model
from decaf_gui.demo.sam_training import Teacher, new_run, resume, save, train_step
from decaf_gui.tracking import load_sam


@pytest.fixture
def masks():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 12, 16, generator=generator)
    return logits, (torch.rand(5, 12, 16, generator=generator) > 0.6).float()


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


def test_prompts_lie_on_their_objects():
    rng = np.random.default_rng(1)
    truth = load_batch(rng, 6, 1).masks[0].flatten(0, 1)
    clicks = sam_data.random_clicks(rng, truth)[:, 0]
    for mask, (x, y), box in zip(truth.numpy(), clicks.tolist(), sam_data.box_corners(truth).numpy(), strict=True):
        assert mask[int(y), int(x)] == 1
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        assert box.tolist() == [[left, top], [left + width, top + height]]


def test_a_correction_is_a_positive_click_on_what_is_missed_or_a_negative_one_on_what_is_too_much():
    rng = np.random.default_rng(2)
    truth = load_batch(rng, 6, 1).masks[0].flatten(0, 1)
    logits = torch.roll(truth, 9, dims=2) * 2 - 1
    prompt = {"point_coords": sam_data.random_clicks(rng, truth), "point_labels": torch.ones(len(truth), 1).int()}
    after = sam_data.corrected_prompt(rng, prompt, logits, truth)
    assert after["point_coords"].shape == (len(truth), 2, 2)
    signs = set()
    for mask, found, (x, y), label in zip(
        truth > 0, logits > 0, after["point_coords"][:, 1].tolist(), after["point_labels"][:, 1].tolist(), strict=True
    ):
        signs.add(label)
        inside = mask[int(y), int(x)], found[int(y), int(x)]
        assert inside == ((True, False) if label == 1 else (False, True))
    assert signs == {0, 1}


def test_videos_begin_with_objects_in_sight_and_lose_some_of_them():
    rng = np.random.default_rng(3)
    seen = torch.cat([load_batch(rng, 4, 5).masks.flatten(3).any(3).flatten(1) for _ in range(8)], 1)  # (T, N)
    assert seen[0].all()
    assert 0.02 < float((~seen).float().mean()) < 0.3


def test_teacher_passes_the_true_presence_on_and_keeps_the_models_own_word():
    model = fresh_model(0).eval()
    teacher = Teacher(model)
    batch = load_batch(np.random.default_rng(4), 1, 1)
    clicks = {"point_coords": torch.full((4, 1, 2), 40.0), "point_labels": torch.ones(4, 1).int()}
    empty = {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}
    teacher.truth = torch.tensor([1.0, 0.0, 1.0, 0.0])
    with torch.no_grad():
        heads = sam_training.step_frame(model, sam_training.encode(model, batch.images[0], 4), 0, empty, clicks)
    assert (heads[6][:, 0] > 0).tolist() == [True, False, True, False]
    assert (heads[3].flatten(1).amax(1) < -100).tolist() == [False, True, False, True]
    assert teacher.scores.abs().max() < 10


def test_a_run_goes_on_where_it_was_saved(tmp_path):
    rng = np.random.default_rng(5)
    run = new_run(1)
    teacher = Teacher(run.model)
    meters = [train_step(run, teacher, rng, 0.1) for _ in range(2)]
    assert all(np.isfinite(list(m.values())).all() for m in meters)
    run.seconds["image"] = 12.0
    save(run, tmp_path)
    again = resume(tmp_path)
    assert (again.step, again.stage, again.seconds) == (2, "image", {"image": 12.0, "video": 0.0})
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name])
    one, two = ({"loss": 0.0}, {"loss": 0.0})
    one = train_step(run, teacher, np.random.default_rng(6), 0.2)
    two = train_step(again, Teacher(again.model), np.random.default_rng(6), 0.2)
    assert one["loss"] == pytest.approx(two["loss"], rel=1e-4)


def test_video_stage_begins_from_the_average_and_learns(tmp_path):
    run = new_run(1)
    teacher = Teacher(run.model)
    sam_training.begin_video(run)
    assert run.stage == "video"
    before = run.model.memory_encoder.pix_feat_proj.weight.clone()
    batch = load_batch(np.random.default_rng(7), 1, 3)
    loss, meters = sam_training.video_losses(run.model, teacher, batch, np.random.default_rng(1), 0.5)
    loss.backward()
    assert {"next", "present"} <= set(meters)
    gradients = [p.grad for n, p in run.model.named_parameters() if n.startswith(("memory_enc", "memory_att"))]
    assert sum(g is not None and bool(g.abs().max() > 0) for g in gradients) > 0.9 * len(gradients)
    assert torch.equal(before, run.average.memory_encoder.pix_feat_proj.weight)


def test_an_export_is_loaded_by_the_programs_own_loader_and_is_the_same_model(tmp_path):
    model = fresh_model(3).eval()
    export(model, tmp_path / "sam")
    again = load_sam(tmp_path / "sam", "cpu")
    for name, value in again.state_dict().items():
        torch.testing.assert_close(value.float(), model.state_dict()[name].half().float())
    assert (tmp_path / "sam/model.safetensors").stat().st_mode & 0o777 == 0o644


def test_the_bundled_model_has_this_architecture_and_fits_the_budget():
    folder = resource("models/demo-sam")
    config = json.loads((folder / "config.json").read_text())
    assert config["model"] == demo_config(config["model"]["image_size"])
    total = sum(f.stat().st_size for kind in ("sam", "mllm") for f in resource(f"models/demo-{kind}").iterdir())
    assert total < 25 << 20
