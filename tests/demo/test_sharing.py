"""Steps that two processes share: what they draw, and that both take the mean of the gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import distributed, multiprocessing

from decaf_gui.demo.sam_stages import SMALL_CLIPS, Stage
from decaf_gui.demo.sam_steps import Teacher
from decaf_gui.demo.sam_training import draw, new_run, train_step
from decaf_gui.demo.sharing import ALONE, Share, average_gradients, shared

STAGE = Stage("image", 2, 64, SMALL_CLIPS, 1e-3, videos=0.5, pictures=4, clips=2, lengths=(2, 5))


def test_alone_everything_is_drawn_as_without_a_share():
    rng, plain = np.random.default_rng(4), np.random.default_rng(4)
    assert ALONE.own(rng) is rng
    assert ALONE.first
    assert ALONE.part(5) == 5
    assert rng.random() == plain.random()
    with shared() as share:
        assert share == ALONE, "torchrun has not started this test"


def test_all_show_the_same_kind_of_step_and_other_pictures():
    for step in range(6):
        (_, one, video), (_, two, again) = (draw(np.random.default_rng(step), STAGE, Share(i, 2)) for i in (0, 1))
        assert video == again
        assert one.images.shape[:2] == two.images.shape[:2], "frames and clips"
        assert one.images.shape[1] == (1 if video else 2), "half of them"
        assert not torch.equal(one.masks, two.masks)


def test_a_part_of_few_is_at_least_one():
    assert [Share(0, 4).part(count) for count in (1, 3, 4, 16)] == [1, 1, 1, 4]


def step_of(place: int, store: str, folder: str) -> None:
    """What each of two processes does: an average of known gradients, then a step of the training."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=place, world_size=2)
    share = Share(place, 2)
    layer = torch.nn.Linear(2, 1)
    layer.weight.grad = torch.tensor([[1.0 + place, 4.0]])
    if place:
        layer.bias.grad = torch.tensor([6.0])
    average_gradients(layer, share)
    run = new_run([replace(STAGE, videos=0.0)], 1)
    run.share = share
    train_step(run, Teacher(run.model), replace(STAGE, videos=0.0), 0.5, seed=3)
    found = {"layer": (layer.weight.grad, layer.bias.grad), "weights": run.model.state_dict()}
    torch.save(found, f"{folder}/{place}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("both")
    multiprocessing.spawn(step_of, (str(folder / "store"), str(folder)), nprocs=2)
    return [torch.load(folder / f"{place}.pt", weights_only=True) for place in (0, 1)]


def test_gradients_are_means_and_one_that_is_missing_is_zero(both):
    for found in both:
        weight, bias = found["layer"]
        assert weight.tolist() == [[1.5, 4.0]]
        assert bias.tolist() == [3.0]


def test_after_a_step_both_have_the_same_weights(both):
    one, two = (found["weights"] for found in both)
    before = new_run([STAGE], 1).model.state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert any(not torch.equal(one[name], before[name]) for name in one)
