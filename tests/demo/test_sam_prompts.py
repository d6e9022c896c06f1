"""What the tiny SAM2 is shown and asked in training, against the masks themselves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from decaf_gui.demo import sam_prompts
from decaf_gui.demo.sam_data import SEEN, Wanted, load_batch
from decaf_gui.demo.sam_stages import LARGE_CLIPS, SMALL_CLIPS

PICTURES = Wanted(6, 1, 4, 128, SMALL_CLIPS)


@pytest.fixture
def truth():
    return load_batch(np.random.default_rng(1), PICTURES).masks[0].flatten(0, 1)


def test_prompts_lie_on_their_objects(truth):
    rng = np.random.default_rng(1)
    clicks = sam_prompts.random_clicks(rng, truth)[:, 0]
    for mask, (x, y), box in zip(truth.numpy(), clicks.tolist(), sam_prompts.box_corners(truth).numpy(), strict=True):
        assert mask[int(y), int(x)] == 1
        left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
        assert box.tolist() == [[left, top], [left + width, top + height]]


@pytest.mark.parametrize("correct", [sam_prompts.correcting_clicks, sam_prompts.plain_corrections])
def test_a_correction_is_a_positive_click_on_what_is_missed_or_a_negative_one_on_what_is_too_much(truth, correct):
    rng = np.random.default_rng(2)
    found = torch.roll(truth, 9, dims=2)
    signs = set()
    for _ in range(3):
        clicks = correct(rng, found * 2 - 1, truth)
        assert clicks["point_coords"].shape == (len(truth), 1, 2)
        for mask, have, (x, y), label in zip(
            truth > 0,
            found > 0,
            clicks["point_coords"][:, 0].tolist(),
            clicks["point_labels"][:, 0].tolist(),
            strict=True,
        ):
            signs.add(label)
            assert (mask[int(y), int(x)], have[int(y), int(x)]) == ((True, False) if label else (False, True))
    assert signs == {0, 1}


def test_where_nothing_is_wrong_a_click_goes_anywhere_on_the_object_or_a_negative_one_on_its_rim(truth):
    clicks = sam_prompts.correcting_clicks(np.random.default_rng(2), truth, truth)
    labels = clicks["point_labels"][:, 0].tolist()
    assert set(labels) == {0, 1}
    for mask, (x, y), label in zip(truth.numpy(), clicks["point_coords"][:, 0].tolist(), labels, strict=True):
        depth = cv2.distanceTransform(np.pad(mask, 1, mode="edge").astype(np.uint8), cv2.DIST_C, 3)[1:-1, 1:-1]
        assert mask[int(y), int(x)] == 1
        assert label == 1 or depth[int(y), int(x)] <= 2


def test_plain_corrections_are_positive_half_of_the_time_and_always_where_nothing_is_too_much(truth):
    rng = np.random.default_rng(4)
    shifted = torch.roll(truth, 9, dims=2)
    labels = [sam_prompts.plain_corrections(rng, shifted, truth)["point_labels"] for _ in range(10)]
    assert 0.4 < float(torch.cat(labels).float().mean()) < 0.6
    clicks = sam_prompts.plain_corrections(rng, truth, truth)
    assert bool(clicks["point_labels"].all())
    for mask, (x, y) in zip(truth, clicks["point_coords"][:, 0].tolist(), strict=True):
        assert mask[int(y), int(x)] == 1


def test_masks_to_be_corrected_are_what_was_found_or_the_truth_with_something_wrong(truth):
    rng = np.random.default_rng(3)
    found = torch.zeros_like(truth)
    found[:, :20, :20] = 1
    same, wrong = 0, []
    for _ in range(4):
        for made, have, want in zip(sam_prompts.disturbed(rng, found, truth, 4), found, truth, strict=True):
            if torch.equal(made, have):
                same += 1
            else:
                wrong.append(float((made != want).float().sum() / want.sum()))
    assert 0.35 < same / (4 * len(truth)) < 0.65
    assert 0.02 < np.median(wrong) < 2


def test_masks_become_the_logits_of_the_session(truth):
    logits = sam_prompts.as_logits(truth)
    assert logits.shape == (len(truth), 1, 32, 32)
    assert float(logits.max()) == pytest.approx(10, abs=0.1)
    assert float(logits.min()) == pytest.approx(-10, abs=0.1)
    inside = (logits > 0).flatten(1).float().mean(1)
    torch.testing.assert_close(inside, truth.flatten(1).mean(1), atol=0.02, rtol=0.1)


def test_videos_begin_with_objects_in_sight_and_lose_some_of_them_for_good_parts():
    rng = np.random.default_rng(3)
    wanted = Wanted(4, 5, 3, 96, SMALL_CLIPS, medium=0.5)
    area = torch.cat([load_batch(rng, wanted).masks.mean((3, 4)).flatten(1) for _ in range(5)], 1)  # (T, N)
    assert (area[0] > SEEN / 2).all()
    assert 0.05 < float((area == 0).float().mean()) < 0.4


def test_masks_lie_where_the_pictures_show_the_objects():
    batch = load_batch(np.random.default_rng(5), Wanted(4, 2, 2, 192, LARGE_CLIPS))
    for picture, masks in zip(batch.images.flatten(0, 1), batch.masks.flatten(0, 1), strict=True):
        for mask in masks:
            inner = torch.from_numpy(cv2.erode(mask.numpy(), np.ones((5, 5))))
            outer = torch.from_numpy(cv2.dilate(mask.numpy(), np.ones((9, 9)))) - torch.from_numpy(
                cv2.dilate(mask.numpy(), np.ones((5, 5)))
            )
            if inner.sum() > 50 and outer.sum() > 50:
                colours = [picture[:, region > 0].median(1).values for region in (inner, outer)]
                assert (colours[0] - colours[1]).abs().max() > 0.1
