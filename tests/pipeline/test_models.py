"""The model registry without a network: cards, places, hashes, memory."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import huggingface_hub.constants
import pytest

from decaf_gui.core.errors import BadInput
from decaf_gui.core.resources import resource
from decaf_gui.pipeline import models
from decaf_gui.pipeline.models import (
    CARDS,
    InputDefaults,
    any_card,
    card_of,
    download,
    expected_memory,
    locate,
    revision_of,
    source_of,
    weights_hash,
)

COMMIT = "ab" * 20
TEXT_7B = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28} | {
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
TOWER_25 = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "patch_size": 14}
QWEN_7B = TEXT_7B | {"vision_config": TOWER_25}
OLD_QWEN_7B = TEXT_7B | {"vision_config": {"depth": 32, "embed_dim": 1280, "hidden_size": 3584, "mlp_ratio": 4}}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put(cache: Path, repo: str, files: dict[str, str]) -> Path:
    """A snapshot in the hub's cache layout."""
    folder = cache / f"models--{repo.replace('/', '--')}"
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs/main").write_text(COMMIT)
    for name, text in files.items():
        (snapshot / name).write_text(text)
    return snapshot


def test_every_card_is_found_by_its_id_and_no_id_is_given_twice():
    assert len({(card.kind, card.id) for card in CARDS}) == len(CARDS)
    for card in CARDS:
        assert card_of(card.kind, card.id) is card
        assert card.size_bytes > 0
        assert (card.input is None) == (card.kind == "sam")


def test_the_demo_models_are_here_and_say_what_they_are_worth():
    for kind in ("mllm", "sam"):
        card = any_card(f"demo-{kind}")
        assert card is card_of(kind, "demo")
        assert source_of(card) == resource(f"models/demo-{kind}")
        assert "synthetic shapes only" in card.note
    assert any_card("demo").kind == "mllm"


def test_the_demo_input_comes_from_its_folder():
    said = json.loads((resource("models/demo-mllm") / "decaf.json").read_text())["input"]
    assert card_of("mllm", "demo").input == InputDefaults(**said)


def test_an_unknown_id_lists_the_known_ones_of_its_kind():
    with pytest.raises(BadInput) as caught:
        card_of("sam", "sam9")
    assert "facebook/sam2.1-hiera-tiny" in str(caught.value)
    assert "Qwen" not in str(caught.value)
    with pytest.raises(BadInput, match=r"Qwen.*facebook"):
        any_card("sam9")


def test_a_folder_of_ones_own_is_a_model(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"12345")
    card = card_of("mllm", str(folder))
    assert (card.size_bytes, card.input, card.note) == (5, InputDefaults(), "")
    assert source_of(card) == folder
    assert any_card(str(folder)).kind == "mllm"
    (folder / "decaf.json").write_text('{"input": {"frames": 4}, "trained_on": "synthetic shapes only"}')
    card = card_of("mllm", str(folder))
    assert card.input == InputDefaults(frames=4)
    assert card.note == models.DEMO_NOTE


def test_a_file_is_a_sam_and_no_multimodal_llm(tmp_path):
    file = tmp_path / "sam2.pt"
    file.write_bytes(b"1")
    assert any_card(str(file)).kind == "sam"
    assert source_of(card_of("sam", str(file))) == file
    with pytest.raises(BadInput, match="is a file"):
        card_of("mllm", str(file))


def test_what_is_not_here_says_how_to_get_it(cache):
    for card in CARDS:
        if card.id != "demo":
            assert locate(card) is None
            with pytest.raises(BadInput, match=f"models download {card.id}"):
                source_of(card)


def test_a_sharded_model_counts_only_when_all_its_parts_are_there(cache):
    card = card_of("mllm", "Qwen/Qwen2-VL-2B-Instruct")
    index = json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})
    files = {"config.json": "{}", "model.safetensors.index.json": index, "model-1.safetensors": "x"}
    snapshot = put(cache, card.source, files)
    assert locate(card) is None
    put(cache, card.source, {"model-2.safetensors": "y"})
    assert locate(card) == snapshot
    assert revision_of(snapshot) == COMMIT


def test_a_cached_sam_is_a_file_with_its_revision(cache):
    card = card_of("sam", "facebook/sam2-hiera-base-plus")
    snapshot = put(cache, card.source, {"sam2_hiera_base_plus.pt": "weights"})
    assert locate(card) == snapshot / "sam2_hiera_base_plus.pt"
    assert revision_of(locate(card)) == COMMIT


def test_only_the_cache_knows_revisions(tmp_path):
    assert revision_of(tmp_path / "snapshots" / "mine" / "model.safetensors") is None
    assert revision_of(resource("models/demo-sam")) is None


def test_a_place_on_this_machine_is_not_downloaded(tmp_path):
    with pytest.raises(BadInput, match="nothing to download"):
        list(download(any_card(str(tmp_path))))


def test_the_hash_is_what_its_description_says(tmp_path):
    mib = 1 << 20
    big = bytes(range(256)) * (3 * mib // 256) + b"end"
    (tmp_path / "b.safetensors").write_bytes(big)
    (tmp_path / "a.pt").write_bytes(b"small")
    (tmp_path / "notes.txt").write_text("not a weight")
    described = b"a.pt\n5\nsmall" + f"b.safetensors\n{len(big)}\n".encode() + big[:mib] + big[-mib:]
    assert weights_hash(tmp_path) == hashlib.sha256(described).hexdigest()
    middle = bytearray((1 << 20) + 7)
    (tmp_path / "a.pt").write_bytes(middle)
    assert weights_hash(tmp_path / "a.pt") == hashlib.sha256(b"a.pt\n1048583\n" + middle).hexdigest()


def test_a_folder_without_weights_has_no_hash(tmp_path):
    with pytest.raises(BadInput, match="no weight files"):
        weights_hash(tmp_path)


def test_qwen_7b_needs_what_its_published_numbers_say():
    need = expected_memory(QWEN_7B)
    assert need.weights == 2 * 8_292_166_656, "parameters as the model's page counts them"
    assert need.kv_cache == 2 * 28 * 4 * 128 * 28800 * 2
    assert need.queries == 14 * 28 * 128 * 28800 * 2
    assert (need.kv_cache + need.queries) / 2**30 == pytest.approx(4.23, abs=0.01)
    assert expected_memory(QWEN_7B, tokens=14400).kv_cache == need.kv_cache // 2


def test_the_older_tower_is_counted_too():
    assert expected_memory(OLD_QWEN_7B, dtype_bytes=1).weights == 8_291_375_616


def test_qwen3_is_counted_as_transformers_builds_it():
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    text = {"hidden_size": 256, "intermediate_size": 320, "num_hidden_layers": 5, "num_attention_heads": 4}
    text |= {"num_key_value_heads": 2, "head_dim": 128, "vocab_size": 999, "attention_bias": False}
    vision = {"depth": 4, "hidden_size": 96, "intermediate_size": 160, "num_heads": 2, "out_hidden_size": 256}
    vision |= {"deepstack_visual_indexes": [0, 2], "num_position_embeddings": 64}
    for tied in (False, True):
        config = {"text_config": text, "vision_config": vision, "tie_word_embeddings": tied}
        with torch.device("meta"):
            model = Qwen3VLForConditionalGeneration(Qwen3VLConfig(**config))
            model.tie_weights()
        counted = sum(weight.numel() for weight in model.parameters())
        assert expected_memory(config, dtype_bytes=1).weights == counted
    assert expected_memory(config, tokens=10).queries == 3 * 4 * 128 * 10 * 2


def test_a_nested_config_counts_like_a_flat_one():
    assert expected_memory({"text_config": TEXT_7B, "vision_config": TOWER_25}) == expected_memory(QWEN_7B)


def test_the_demo_weights_are_counted_as_they_are_stored():
    folder = resource("models/demo-mllm")
    need = expected_memory(json.loads((folder / "config.json").read_text()))
    stored = (folder / "model.safetensors").stat().st_size
    assert 0 <= stored - need.weights < 0.01 * stored, "the file has a header besides"


@pytest.mark.parametrize(
    "config",
    [
        {},
        TEXT_7B | {"vision_config": {"num_hidden_layers": 24, "hidden_size": 1024}},
        {"model_type": "bert", "hidden_size": 768},
        TEXT_7B,
    ],
)
def test_an_unknown_config_is_refused(config):
    with pytest.raises(BadInput, match="no config of a Qwen2-VL"):
        expected_memory(config)


def test_the_registry_imports_nothing_heavy():
    heavy = "{'torch', 'transformers', 'huggingface_hub', 'sam2', 'av'}"
    script = f"import sys, decaf_gui.pipeline.models; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
