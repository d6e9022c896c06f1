"""Single rows and whole passes against transformers' own full forward passes with eager attention."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from baseline_cases import finish, reference_inputs
from random_families import save_random
from random_qwen import FrameList, save_random_qwen
from transformers import AutoModelForImageTextToText, AutoProcessor

from decaf_gui.baselines.reading import answer, head_maps, row_attention, speak
from decaf_gui.baselines.settings import TamSettings
from decaf_gui.baselines.tam import rank_gaussian, token_map, without_context, word_map
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.settings import GroundingSettings

SETTINGS = GroundingSettings(max_new_tokens=5, prefill_chunk=17, vision_batch=1)
QUESTION = "Where is the dog?"
SIZE, FRAMES = (84, 112), tuple(range(5))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_random_qwen(tmp_path_factory.mktemp("baselines"), "qwen2_5_vl")


@pytest.fixture(scope="module")
def clip():
    return FrameList(5, SIZE)


@pytest.fixture(scope="module")
def eager(folder):
    model = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    return model.eval(), AutoProcessor.from_pretrained(folder)


def shown(clip, kind):
    return VisualInput(clip.fingerprint, kind, FRAMES, SIZE), [clip[f] for f in FRAMES]


def visual_places(model, ids, kind):
    token = model.config.video_token_id if kind == "video" else model.config.image_token_id
    return (ids == token).nonzero()[:, 0]


@pytest.mark.parametrize("kind", ["video", "image"])
def test_head_maps_equal_the_last_rows_of_eager_attention(folder, clip, eager, kind):
    model, processor = eager
    mllm = Mllm.load(folder)
    given, frames = shown(clip, kind)
    prefix = finish(mllm.prefix(given, frames, SETTINGS))
    found = head_maps(mllm, prefix, QUESTION)[-1]
    made = reference_inputs(processor, frames, kind, QUESTION)
    with torch.inference_mode():
        attentions = model(**made, output_attentions=True, use_cache=False).attentions
    places = visual_places(model, made["input_ids"][0], kind)
    rows = np.stack([a[0, :, -1].numpy() for a in attentions])
    expected = rows[:, :, places].reshape(6, 4, *((3, 3, 4) if kind == "video" else (1, 3, 4)))
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert (np.abs(found - expected).max(axis=(2, 3, 4)) <= 1e-5 * rows.max(axis=-1)).all()
    some = head_maps(mllm, prefix, QUESTION, [4, 1])[-1]
    assert np.array_equal(some, found[[4, 1]])


def test_one_row_is_the_softmax_written_out():
    rng = np.random.default_rng(0)
    query, keys = rng.normal(size=(6, 8)), rng.normal(size=(3, 11, 8))
    found = row_attention(torch.tensor(query), torch.tensor(keys), 0.3).numpy()
    for head in range(6):
        scores = np.exp(np.array([0.3 * float(query[head] @ key) for key in keys[head // 2]]))
        assert found[head] == pytest.approx(scores / scores.sum(), rel=1e-5)


@pytest.mark.parametrize("kind", ["video", "image"])
def test_reading_leaves_the_prefix_as_it_was_and_answers_as_the_model_does(folder, clip, kind):
    mllm = Mllm.load(folder)
    given, frames = shown(clip, kind)
    prefix = finish(mllm.prefix(given, frames, SETTINGS))
    before = finish(mllm.ask(prefix, QUESTION, SETTINGS))
    head_maps(mllm, prefix, "Something else, longer than the other")
    assert answer(mllm, prefix, QUESTION, 5) == [a.text for a in before]
    assert prefix.cache.get_seq_length() == prefix.length
    after = finish(mllm.ask(prefix, QUESTION, SETTINGS))
    assert all(np.array_equal(a.maps, b.maps) for a, b in zip(before, after, strict=True))


# --- TAM ---------------------------------------------------------------------------------------------------------


def dense_tam(model, made, kind, said, place, grid, *, causal, window):
    """The method's steps on all logits of one full pass over prompt and answer, in loops and float64."""
    given = dict(made)
    ids = torch.cat([made["input_ids"][0], said])
    given["input_ids"], given["attention_mask"] = ids[None], torch.ones(1, len(ids), dtype=torch.long)
    extra = torch.zeros(1, len(said), dtype=made["mm_token_type_ids"].dtype)
    given["mm_token_type_ids"] = torch.cat([made["mm_token_type_ids"], extra], dim=1)
    with torch.inference_mode():
        logits = model(**given, use_cache=False).logits[0].double().numpy()
    logits = np.maximum(logits, 0)
    visual = visual_places(model, made["input_ids"][0], kind).numpy()
    prompt_length, token = len(made["input_ids"][0]), int(said[place])
    own = logits[visual, token]
    if causal:
        interference, total = np.zeros(len(visual)), 0.0
        for at in range(int(visual[-1]) + 1, prompt_length + place):
            if int(ids[at]) != token:
                total += logits[at, token]
                interference += logits[at, token] * logits[visual, int(ids[at])]
        if total > 0 and interference.any():
            interference /= total
            scale = (own * interference).sum() / (interference**2).sum()
            own = np.maximum(own - scale * interference, 0)
    return dense_rank_filter(own.reshape(grid), window)


def dense_rank_filter(maps, window):
    out, reach = np.zeros_like(maps), window // 2
    t, h, w = maps.shape
    for f, y, x in np.ndindex(t, h, w):
        values = sorted(
            maps[f, min(max(y + i, 0), h - 1), min(max(x + j, 0), w - 1)]
            for i in range(-reach, reach + 1)
            for j in range(-reach, reach + 1)
        )
        mean = np.mean(values)
        width = max(np.std(values) / mean if mean > 0 else 0, 1e-3)
        weights = [np.exp(-((k - len(values) // 2) ** 2) / (2 * width**2)) for k in range(len(values))]
        out[f, y, x] = np.dot(weights, values) / np.sum(weights)
    return out


@pytest.mark.parametrize("kind", ["video", "image"])
@pytest.mark.parametrize(("causal", "window"), [(True, 3), (False, 1)])
def test_token_maps_equal_a_dense_computation(folder, clip, eager, kind, causal, window):
    model, processor = eager
    mllm = Mllm.load(folder)
    given, frames = shown(clip, kind)
    spoken = finish(speak(mllm, given, frames, QUESTION, SETTINGS))[-1]
    made = reference_inputs(processor, frames, kind, QUESTION)
    with torch.inference_mode():
        said = model.generate(**made, max_new_tokens=5, do_sample=False)[0, made["input_ids"].shape[1] :]
    end = torch.tensor(model.generation_config.eos_token_id)
    said = said[: int(torch.isin(said, end).nonzero()[0, 0])] if torch.isin(said, end).any() else said
    assert spoken.answer_ids.tolist() == said.tolist()
    assert len(said)
    grid = (3, 3, 4) if kind == "video" else (1, 3, 4)
    settings = TamSettings(causal=causal, window=window)
    for place in range(len(said)):
        expected = dense_tam(model, made, kind, said, place, grid, causal=causal, window=window)
        found = token_map(mllm, spoken, place, settings)
        assert found.shape == grid
        assert np.abs(found - expected).max() <= 1e-4 * max(1.0, float(expected.max()))


def test_context_that_explains_a_map_leaves_nothing_and_an_unrelated_one_everything():
    own = torch.tensor([0.0, 2.0, 4.0])
    explained = without_context(own, torch.stack([own * 3, torch.ones(3)]), torch.tensor([1.0, 0.0]))
    assert explained.abs().max() < 1e-6
    apart = torch.tensor([[5.0, 0.0, 0.0]])
    assert torch.equal(without_context(own, apart, torch.tensor([1.0])), own)
    assert torch.equal(without_context(own, apart, torch.tensor([0.0])), own)


def test_rank_filter_keeps_flat_maps_and_drops_lone_peaks():
    flat = np.full((2, 4, 5), 0.7, np.float32)
    assert np.allclose(rank_gaussian(flat, 3), flat)
    lone = np.full((1, 7, 7), 1.0, np.float32)
    lone[0, 3, 3] = 2.0
    assert rank_gaussian(lone, 3)[0, 3, 3] == pytest.approx(1.0, abs=1e-3)


def test_word_map_is_of_the_chosen_tokens(folder, clip, monkeypatch):
    mllm = Mllm.load(folder)
    given, frames = shown(clip, "video")
    (spoken,) = finish(speak(mllm, given, frames, QUESTION, SETTINGS))
    monkeypatch.setattr("decaf_gui.baselines.tam._word_places", lambda mllm, spoken: [0, 2])
    first, last = (word_map(mllm, spoken, TamSettings(word=word)) for word in ("first", "last"))
    assert np.array_equal(first, token_map(mllm, spoken, 0, TamSettings()))
    assert np.array_equal(last, token_map(mllm, spoken, 2, TamSettings()))
    mean = word_map(mllm, spoken, TamSettings())
    scaled = [(m - m.min()) / (m.max() - m.min()) if m.max() > m.min() else np.zeros_like(m) for m in (first, last)]
    assert np.allclose(mean, np.mean(scaled, axis=0), atol=1e-6)
    monkeypatch.setattr("decaf_gui.baselines.tam._word_places", lambda mllm, spoken: [])
    assert not word_map(mllm, spoken, TamSettings()).any()


@pytest.mark.parametrize("family", ["qwen3_vl", "internvl", "llava_onevision"])
@pytest.mark.parametrize("given_input", ["paper", "native"])
def test_other_families_are_read_as_the_model_class_reads_them(family, given_input, tmp_path):
    settings = GroundingSettings(max_new_tokens=5, prefill_chunk=41, vision_batch=2, input=given_input)
    mllm, clip = Mllm.load(save_random(tmp_path, family)), FrameList(5, SIZE)
    for kind in ("video", "image"):
        frames = [clip[f] for f in FRAMES]
        given = VisualInput(clip.fingerprint, kind, FRAMES, mllm.family.input_size(SIZE, 12))
        prefix = finish(mllm.prefix(given, frames, settings))
        answers = finish(mllm.ask(prefix, QUESTION, settings))
        spoken = finish(speak(mllm, given, frames, QUESTION, settings))
        decoded = [mllm.processor.tokenizer.decode(one.answer_ids, skip_special_tokens=True).strip() for one in spoken]
        assert decoded == [one.text for one in answers]
        for one, maps in zip(answers, head_maps(mllm, prefix, QUESTION), strict=True):
            assert maps.shape[2:] == one.maps.shape
            assert (maps.sum(axis=(2, 3, 4)) <= 1 + 1e-5).all()
        assert token_map(mllm, spoken[0], 0, TamSettings()).shape == answers[0].maps.shape
