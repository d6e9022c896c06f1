"""Training soft prompts on a tiny random model: it learns, goes on exactly, keeps what it has, and leaves the model."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from steering_cases import Few, Unusable

from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Stage
from decaf_gui.grounding.steering import load_prompts
from decaf_gui.steering import training
from decaf_gui.steering.losses import EPS, map_losses, map_meters, scale
from decaf_gui.steering.training import Measured, Plan, train


def lines(events):
    return [event for event in events if isinstance(event, Measured)]


def test_training_lowers_the_loss_and_leaves_the_model_alone(job, tmp_path):
    before = {name: p.clone() for name, p in job.mllm.model.named_parameters()}
    longer = replace(job, plan=replace(job.plan, steps=12, accumulate=3, held_out_every=12))
    events = list(train(longer, tmp_path))
    stages = [event for event in events if isinstance(event, Stage)]
    assert [stage.done for stage in stages] == list(range(1, 13))
    first, last = (float(stage.note.rsplit(" ", 1)[1]) for stage in (stages[0], stages[-1]))
    assert last < first - 0.02
    assert all(p.equal(before[name]) for name, p in job.mllm.model.named_parameters())
    prompts = load_prompts(tmp_path / "prompts.safetensors")
    assert (prompts.model, prompts.weights, prompts.model_type) == ("random", "abc", "qwen2_5_vl")
    assert prompts.frame.shape == prompts.video.shape == (4, 64)
    assert (prompts.training["source"], prompts.training["step"]) == ("few", 12)
    assert prompts.training["plan"]["rate"] == 0.02
    job.mllm.steered(prompts)


def test_the_log_says_how_it_went(job, tmp_path):
    found = lines(train(job, tmp_path))
    assert [(line.step, line.stage) for line in found] == [
        (0, "without prompts"),
        (3, "steering"),
        (6, "steering"),
        (6, "steering"),
    ]
    assert {name.split("_")[1] for name in found[0].held_out} == {"bce", "dice", "pointing", "inside"}
    assert {name.split("_")[0] for name in found[0].held_out} == {"frame", "video"}
    told = [json.loads(json.dumps(line.as_dict())) for line in found]
    assert all(set(line) == {"step", "minutes", "stage", "values"} for line in told if "values" in line)
    assert any("values" in line for line in told)
    assert "video_loss" in next(line["values"] for line in told if "values" in line)


def test_a_resumed_run_equals_an_unbroken_one(job, tmp_path):
    list(train(job, tmp_path / "whole"))
    broken = train(job, tmp_path / "parts")
    for event in broken:
        if isinstance(event, Stage) and event.done == 4:
            break
    broken.close()
    assert load_prompts(tmp_path / "parts/prompts.safetensors").training["step"] == 3, "the only one that was scored"
    assert torch.load(tmp_path / "parts/checkpoint.pt", weights_only=True)["step"] == 4
    again = Few()
    list(train(replace(job, source=again), tmp_path / "parts", resume=True))
    assert again.taken == [8, 9, 10, 11]
    whole, parts = (load_prompts(tmp_path / name / "prompts.safetensors") for name in ("whole", "parts"))
    assert whole.digest == parts.digest


def test_the_best_prompts_are_kept(job, tmp_path):
    every = replace(job, plan=replace(job.plan, steps=5, rate=0.5, held_out_every=1))  # far too fast: it gets worse
    scored = {}
    for event in train(every, tmp_path):
        if isinstance(event, Measured) and event.held_out and event.step:
            meters = ("video_bce", "video_dice", "frame_bce", "frame_dice")
            scored[event.step] = sum(event.held_out[name] for name in meters)
    best = min(scored, key=scored.get)
    kept = load_prompts(tmp_path / "prompts.safetensors")
    assert kept.training["step"] == best
    assert kept.training["held_out_loss"] == pytest.approx(scored[best])
    assert best < 5, "the last ones are not the best: otherwise this shows nothing"
    last = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert not kept.video.equal(last["embeddings"]["video"])


def test_without_held_out_samples_the_last_prompts_are_kept(job, tmp_path):
    class Bare(Few):
        def held_out(self):
            return iter(())

    list(train(replace(job, source=Bare()), tmp_path))
    kept = load_prompts(tmp_path / "prompts.safetensors")
    assert kept.training["step"] == 6
    assert "held_out_loss" not in kept.training
    assert kept.video.equal(torch.load(tmp_path / "checkpoint.pt", weights_only=True)["embeddings"]["video"])


def test_layers_that_are_kept_and_computed_again_teach_the_same(job, tmp_path):
    for name, again in (("again", True), ("kept", False)):
        list(train(replace(job, again=again), tmp_path / name))
    one, other = (load_prompts(tmp_path / name / "prompts.safetensors") for name in ("again", "kept"))
    assert torch.allclose(one.video, other.video, atol=1e-5)
    assert torch.allclose(one.frame, other.frame, atol=1e-5)


def test_what_breaks_off_in_a_step_leaves_the_step_before(job, tmp_path, monkeypatch):
    steps = train(job, tmp_path)
    for event in steps:
        if isinstance(event, Stage) and event.done == 2:
            break
    assert not (tmp_path / "checkpoint.pt").exists()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "map_losses", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(steps)
    monkeypatch.undo()
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"] == 2
    list(train(job, tmp_path, resume=True))
    list(train(job, tmp_path / "whole"))
    found, expected = (load_prompts(room / "prompts.safetensors") for room in (tmp_path, tmp_path / "whole"))
    assert found.digest == expected.digest
    assert not list(tmp_path.glob(".*"))


def test_a_folder_with_another_run_is_refused(job, tmp_path):
    list(train(replace(job, plan=replace(job.plan, steps=1)), tmp_path))
    with pytest.raises(BadInput, match="--resume"):
        next(train(job, tmp_path))
    with pytest.raises(BadInput, match="plan steps 1, not 6"):
        next(train(job, tmp_path, resume=True))
    with pytest.raises(BadInput, match="weights abc, not other"):
        next(train(replace(job, weights="other"), tmp_path, resume=True))
    (tmp_path / "checkpoint.pt").write_bytes(b"nothing of the kind")
    with pytest.raises(BadInput, match="remove it"):
        next(train(job, tmp_path, resume=True))
    torch.save({"step": 1}, tmp_path / "checkpoint.pt")
    with pytest.raises(BadInput, match="no checkpoint"):
        next(train(job, tmp_path, resume=True))


def test_samples_without_their_object_teach_nothing_and_end_the_run(job, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "IDLE_STEPS", 3)
    with pytest.raises(BadInput, match="could be used"):
        list(train(replace(job, source=Unusable()), tmp_path))


def test_an_unreadable_sample_is_left_out(job, tmp_path):
    class Torn(Few):
        def take(self, number):
            if number % 2:
                raise BadInput("this frame is missing")
            return super().take(number)

    stages = [event for event in train(replace(job, source=Torn()), tmp_path) if isinstance(event, Stage)]
    assert stages[-1].done == 6


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_was(job, tmp_path, monkeypatch):
    steps = train(job, tmp_path)
    for event in steps:
        if isinstance(event, Stage):
            break
    monkeypatch.setattr(training, "total", lambda losses: losses["bce"] * float("nan"))
    with pytest.raises(DecafError, match="no number at step 1"):
        next(steps)
    assert bool(torch.isfinite(load_prompts(tmp_path / "prompts.safetensors").video).all())


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"rate": 0.0}, {"rate": float("nan")}, {"prompts": 0}, {"accumulate": 0}, {"seed": -1}]
)
def test_plans_that_make_no_sense_are_refused(wrong):
    with pytest.raises(BadInput):
        Plan(**{"steps": 10, **wrong})


def test_the_rate_warms_up_and_falls_to_nothing():
    plan = Plan(200, rate=1.0)
    rates = [plan.rate_at(step) for step in range(200)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] < 1e-3


def test_a_perfect_map_has_next_to_no_loss_whatever_its_scale():
    coverage = torch.zeros(2, 1, 4, 5)
    coverage[0, 0, 1:3, 1:3], coverage[1, 0, 3, 4] = 1, 1
    losses = map_losses(coverage * 1e-5, coverage)
    assert losses["bce"] < 2 * EPS
    assert losses["dice"] < 2 * EPS
    assert scale(coverage * 1e-5).max() == pytest.approx(1 - EPS)
    assert map_losses(1 - coverage, coverage)["dice"] > 0.9
    assert map_meters(coverage, coverage) == {"pointing": 1.0, "inside": 1.0}
    assert map_meters(1 - coverage, coverage)["pointing"] == 0
    small = coverage * 0.2
    assert map_meters(coverage, small)["pointing"] == 1, "an object smaller than a token can be pointed at"


def test_gradients_pull_maps_towards_the_object():
    coverage = torch.zeros(1, 2, 3, 3)
    coverage[0, 0, 0, 0] = 1
    maps = torch.rand(1, 2, 3, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()
    training.total(map_losses(maps, coverage)).backward()
    assert maps.grad[0, 0, 0, 0] < 0
    assert np.isfinite(maps.grad.numpy()).all()
