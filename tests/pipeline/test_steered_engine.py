"""The setting `steering`: soft prompts reach the maps, are read once, and stand in the provenance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from decaf_gui import Clip, Engine
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Proposed
from decaf_gui.demo.shapes import make_clip
from decaf_gui.grounding import steering
from decaf_gui.grounding.steering import SoftPrompts, save_prompts
from decaf_gui.pipeline.models import card_of
from decaf_gui.pipeline.settings import Settings
from decaf_gui.pipeline.steering import chosen_prompts, prompts_digest, prompts_file, prompts_notice

SETTINGS = {"frames": "2", "video_tokens": "12", "contrast": "off"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    for i, frame in enumerate(make_clip(4, frames=2).frames):
        Image.fromarray(frame).save(folder / f"{i}.png")
    return Clip.open(folder)


@pytest.fixture(scope="module")
def engine():
    return Engine()


def prompts_for(engine, folder, *, seed=0, weights=None, model_type="qwen2_5_vl", width=None):
    made = engine.provenance(("mllm",))["mllm"]
    width = width or engine.mllm.model.config.get_text_config().hidden_size
    tensors = torch.randn(2, 4, width, generator=torch.Generator().manual_seed(seed)) * 0.3
    prompts = SoftPrompts(*tensors, "demo", model_type, weights or made["weights"])
    return save_prompts(prompts, folder / f"{seed}.safetensors"), prompts


def attended(engine, clip, path=""):
    chosen = Settings().changed({**SETTINGS, **({"steering": str(path)} if path else {})})
    events = engine.attend(clip, "the red square", chosen)
    return next(event for event in events if isinstance(event, AttentionReady)).grounding.maps


def test_prompts_change_the_maps_and_no_other_proposals(engine, clip, tmp_path, monkeypatch):
    one, _ = prompts_for(engine, tmp_path)
    other, _ = prompts_for(engine, tmp_path, seed=1)
    read = []
    monkeypatch.setattr(
        steering, "load_prompts", lambda path, real=steering.load_prompts: read.append(path) or real(path)
    )
    plain, first = attended(engine, clip), attended(engine, clip, one)
    again, second, last = attended(engine, clip, one), attended(engine, clip, other), attended(engine, clip)
    assert read == [one, other]
    assert np.array_equal(first, again)
    assert np.array_equal(plain, last)
    assert not np.allclose(plain, first, atol=1e-3)
    assert not np.allclose(first, second, atol=1e-3)


def test_a_file_that_changed_is_read_again(engine, clip, tmp_path):
    path, _ = prompts_for(engine, tmp_path)
    first = attended(engine, clip, path)
    prompts_for(engine, tmp_path, seed=1)[0].replace(path)
    assert not np.allclose(first, attended(engine, clip, path), atol=1e-3)


def test_provenance_names_the_prompts(engine, clip, tmp_path):
    path, prompts = prompts_for(engine, tmp_path)
    proposals = []
    for values in (SETTINGS, {**SETTINGS, "steering": str(path)}):
        events = engine.propose(clip, "the red square", Settings().changed(values))
        proposals += [event.proposal for event in events if isinstance(event, Proposed)]
    assert "soft_prompts" not in proposals[0].provenance
    assert proposals[1].provenance["soft_prompts"] == {"model": "demo", "sha256": prompts.digest}
    assert proposals[1].provenance["settings"]["grounding"]["steering"] == str(path)


def test_prompts_that_do_not_fit_are_refused_at_once(engine, clip, tmp_path):
    settings = Settings().changed({**SETTINGS, "steering": str(tmp_path / "nowhere")})
    with pytest.raises(BadInput, match="no soft prompts at"):
        engine.propose(clip, "the red square", settings)
    path, _ = prompts_for(engine, tmp_path, weights="f" * 64)
    with pytest.raises(BadInput, match=r"learned for demo .ffffffff., the model is demo"):
        engine.attend(clip, "the red square", Settings().changed({**SETTINGS, "steering": str(path)}))
    path, _ = prompts_for(engine, tmp_path, seed=2, width=8)
    with pytest.raises(BadInput, match="hidden size 8"):
        attended(engine, clip, path)


def test_auto_is_what_comes_with_the_model(engine, clip, tmp_path, monkeypatch):
    path, prompts = prompts_for(engine, tmp_path)
    monkeypatch.setattr(engine, "mllm_card", replace(engine.mllm_card, prompts=str(path)))
    assert engine.resolved(Settings.preset("steerseg")).grounding.steering == str(path)
    assert engine.resolved(Settings()).grounding.steering == "none"
    assert np.array_equal(attended(engine, clip, "auto"), attended(engine, clip, path))
    assert prompts_digest("auto", engine.mllm_card) == prompts.digest == prompts_digest(str(path), engine.mllm_card)
    assert prompts_notice("auto", engine.mllm_card) == ""


def test_what_comes_with_other_weights_is_left_out_and_that_is_said(engine, clip, tmp_path, monkeypatch):
    path, _ = prompts_for(engine, tmp_path, weights="f" * 64)
    monkeypatch.setattr(engine, "mllm_card", replace(engine.mllm_card, prompts=str(path)))
    monkeypatch.setattr(engine, "settings", Settings.preset("steerseg"))
    assert engine.resolved(engine.settings).grounding.steering == "none"
    assert np.array_equal(attended(engine, clip, "auto"), attended(engine, clip))
    assert "of other weights: nothing steers" in engine.notice
    monkeypatch.setattr(engine, "settings", Settings())
    assert "weights" not in engine.notice


def test_the_demo_prompts_that_are_bundled_are_of_the_demo_weights():
    """And where none are bundled, none are used: both are right."""
    card = card_of("mllm", "demo")
    assert chosen_prompts("auto", card) == (Path(card.prompts) if card.prompts else None)
    assert prompts_notice("auto", card) == ""
    assert not card_of("mllm", card.source).prompts, "a copy elsewhere may have other weights"
    assert chosen_prompts("none", card) is None
    assert Settings().changed({"steering": ""}) == Settings()


def test_a_runs_folder_means_its_prompts(tmp_path):
    assert prompts_file(tmp_path) == tmp_path / "prompts.safetensors"
    assert prompts_file(tmp_path / "mine.safetensors") == tmp_path / "mine.safetensors"
