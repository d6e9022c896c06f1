"""Loading SAM2 from every layout that is accepted, and refusing the others in one line."""

from __future__ import annotations

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import save_file
from tiny_sam import blob_clip, tiny_base, tiny_config

from decaf_gui.core.entities import Prompt
from decaf_gui.core.errors import BadInput
from decaf_gui.tracking import FeatureStore, Session, load_sam
from decaf_gui.tracking.architecture import RELEASES, build_sam, released_config


def reinitialised(name: str):
    """A released size with random weights, not initialised twice: quick."""
    with torch.device("meta"):
        return build_sam(released_config(name))


@pytest.fixture(scope="module")
def tiny_release(tmp_path_factory):
    """A random sam2.1-hiera-tiny, saved as the released .pt."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("sam") / "my_weights.pt"
    weights = build_sam(released_config("sam2.1-tiny")).state_dict()
    torch.save({"model": weights}, path)
    return path, weights


def test_released_file_loads_with_its_weights_and_postprocessing(tiny_release):
    path, weights = tiny_release
    model = load_sam(path)
    assert model.image_size == 1024
    assert all(torch.equal(value, weights[key]) for key, value in model.state_dict().items())
    assert model.sam_mask_decoder.dynamic_multimask_via_stability
    assert model.binarize_mask_from_pts_for_mem_enc
    assert model.fill_hole_area == 8
    assert not model.training


def test_safetensors_with_the_same_keys_load_too(tiny_release, tmp_path):
    _, weights = tiny_release
    save_file({k: v.contiguous() for k, v in weights.items()}, tmp_path / "sam.safetensors")
    model = load_sam(tmp_path / "sam.safetensors")
    assert torch.equal(model.no_mem_embed, weights["no_mem_embed"])


def test_released_size_gives_a_mask_at_the_source_size(tiny_release):
    clip = blob_clip(1, (72, 128))
    answer = Session(FeatureStore(load_sam(tiny_release[0]), clip)).prompt(1, Prompt(0, ((60.0, 30.0, True),)))
    assert answer.mask.shape == (72, 128)
    assert 0 <= answer.iou <= 1


@pytest.mark.parametrize("name", RELEASES)
def test_every_released_size_is_told_apart_by_its_weights(name, tmp_path):
    from decaf_gui.tracking.checkpoints import _release_of

    assert _release_of(tmp_path, reinitialised(name).state_dict()) == name


def test_bundled_demo_loads_and_its_folder_does(tmp_path):
    by_name = load_sam("demo")
    assert sum(p.numel() for p in by_name.parameters()) < 4_000_000
    assert not any(p.requires_grad for p in by_name.parameters())


def test_folder_of_ours_loads(tmp_path):
    model = tiny_base()
    config = {"model_type": "sam2", "name": "tiny", "model": tiny_config()}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    loaded = load_sam(tmp_path)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in loaded.state_dict().items())


def refused(path, words):
    with pytest.raises(BadInput, match=words) as caught:
        load_sam(path)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol 4")
def test_pickles_that_would_run_code_are_not_loaded(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, ("touch " + str(tmp_path / "ran"),)

    torch.save({"model": Evil()}, tmp_path / "evil.pt")
    refused(tmp_path / "evil.pt", "more than tensors")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Evil()))
    refused(tmp_path / "plain.pt", "evil|tensors|cannot be read")
    assert not (tmp_path / "ran").exists()


def test_configuration_of_a_folder_builds_nothing_but_sam2(tmp_path):
    config = {"model_type": "sam2", "model": {"_target_": "subprocess.run", "args": ["true"]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    refused(tmp_path, "not a part of SAM2")


def test_other_layouts_are_refused_with_a_reason(tmp_path):
    refused("nothing-here", "no SAM2")
    refused("facebook/sam2.1-hiera-large", "decaf-gui models download facebook/sam2.1-hiera-large")
    refused(tmp_path, "config.json")
    (tmp_path / "text.pt").write_text("hello")
    refused(tmp_path / "text.pt", "tensors|cannot be read")
    save_file({"vision_encoder.x": torch.zeros(1)}, tmp_path / "hf.safetensors")
    refused(tmp_path / "hf.safetensors", "Sam2Video")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    refused(tmp_path / "other.safetensors", "no SAM2 weights")


def test_missing_weights_are_named(tiny_release, tmp_path):
    weights = dict(tiny_release[1])
    del weights["no_mem_embed"]
    torch.save({"model": weights}, tmp_path / "cut.pt")
    refused(tmp_path / "cut.pt", "no_mem_embed is missing")
