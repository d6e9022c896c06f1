"""A pass with gradients: its maps are those that grounding reads, its gradients those of a plain dense pass."""

from __future__ import annotations

from contextlib import nullcontext, suppress

import numpy as np
import pytest
import torch
from dense import dense_attention
from random_families import save_random
from random_qwen import FrameList, save_random_qwen

from decaf_gui.grounding.families import FAMILIES
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.recording import Enough, GradientRecorder, recording
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.grounding.steering import SoftPrompts
from decaf_gui.steering.passes import Rolling, checkpointed, run_decoder, steered_maps
from decaf_gui.steering.rolling import rolled_row
from decaf_gui.steering.seeing import finished

FRAMES, QUESTION = (0, 1, 2), "Where is the dog?"
SETTINGS = GroundingSettings(max_new_tokens=1, vision_batch=2)
HOW = Rolling(3, "vmax", 1 << 14)


@torch.no_grad()
def seen(mllm, kind):
    clip = FrameList(3, (84, 112))
    shown = VisualInput(clip.fingerprint, kind, FRAMES, mllm.family.input_size(clip.size, 12))
    return finished(mllm.see(shown, [clip[f] for f in FRAMES], SETTINGS))


@pytest.mark.parametrize("family", FAMILIES)
def test_maps_are_those_that_grounding_reads_and_reach_the_prompts(family, tmp_path):
    folder = (save_random_qwen if family in ("qwen2_vl", "qwen2_5_vl") else save_random)(tmp_path, family)
    mllm = Mllm.load(folder)
    mllm.model.requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    prompts = SoftPrompts(*(torch.randn(4, 64, generator=generator) * 0.05 for _ in range(2)), "random", family)
    clip = FrameList(3, (84, 112))
    for kind in ("video", "image"):
        shown = VisualInput(clip.fingerprint, kind, FRAMES, mllm.family.input_size(clip.size, 12))
        for given in (prompts, None):
            steered = mllm.steered(given)
            prefix = finished(steered.prefix(shown, [clip[f] for f in FRAMES], SETTINGS))
            expected = np.stack([answer.maps for answer in finished(steered.ask(prefix, QUESTION, SETTINGS))])
            soft = None if given is None else given.of(kind).clone().requires_grad_()
            maps = steered_maps(mllm, *seen(mllm, kind), QUESTION, soft, HOW)
            assert maps.shape == expected.shape
            assert np.abs(maps.detach().numpy() - expected).max() <= 1e-5 * expected.max()
            if soft is not None:
                maps.flatten(1)[:, :3].sum().backward()
                assert bool((soft.grad.abs().sum(dim=1) > 0).all())
    assert all(parameter.grad is None for parameter in mllm.model.parameters())


def dense_maps(sequence, recorder):
    """The rollout of recorded queries and keys with N x N matrices, differentiable."""
    n, first, last = len(sequence), sequence.grid.start, sequence.grid.stop
    r = torch.eye(n, dtype=torch.float64)
    for layer in sorted(recorder.keys):
        a = dense_attention(recorder.queries[layer][0][0], recorder.keys[layer][0], recorder.scaling)
        weight = a[:, :, first:last].max(-1).values.mean(-1)
        r = ((a * (weight / weight.max())[:, None, None]).mean(0) + torch.eye(n)) / 2 @ r
    return r[-1, first + sequence.grid.columns]


@pytest.mark.parametrize("inside", [False, True], ids=["backward after", "backward while recording"])
def test_gradients_equal_those_without_checkpoints_and_chunks(qwen_folder, inside):
    """In float64; also when a backward pass runs while a recorder listens, which must not record again."""
    mllm = Mllm.load(qwen_folder)
    mllm.model.double().requires_grad_(False)
    features, layout = seen(mllm, "video")
    values = torch.randn(4, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.05
    wanted = torch.rand(layout.count, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    plain = values.clone().requires_grad_()
    sequence, recorder = mllm.embed(features, layout, QUESTION, plain), GradientRecorder(range(3, 6))
    with recording(recorder):
        mllm.decoder(inputs_embeds=sequence.embeds, position_ids=sequence.positions, use_cache=False)
    (dense_maps(sequence, recorder) * wanted).sum().backward()

    soft = values.clone().requires_grad_()
    sequence, recorder = mllm.embed(features, layout, QUESTION, soft), GradientRecorder(range(3, 6), stop_at=5)
    run_decoder(mllm, sequence, recorder)
    from decaf_gui.grounding.rollout import LayerQk

    layers = [LayerQk(recorder.queries[at][0][0], recorder.keys[at][0], recorder.scaling) for at in (3, 4, 5)]
    row = rolled_row(layers, (sequence.grid.start, sequence.grid.stop), 1 << 12)
    kept = dict(recorder.keys)
    with recording(recorder) if inside else nullcontext():
        (row[sequence.grid.start + sequence.grid.columns] * wanted).sum().backward()
    assert recorder.keys == kept
    assert all(len(chunks) == 1 for chunks in recorder.queries.values())
    assert (soft.grad - plain.grad).abs().max() <= 1e-6 * plain.grad.abs().max()


def test_checkpointed_layers_are_as_before_afterwards(mllm):
    layers = list(mllm.decoder.layers)
    layers[1].forward = layers[1].forward  # as packages that hook into modules do
    before = [vars(layer).get("forward") for layer in layers]
    with suppress(Enough), checkpointed(layers):
        assert all("forward" in vars(layer) for layer in layers)
        raise Enough
    assert [vars(layer).get("forward") for layer in layers] == before
