"""The model class against transformers' own full forward passes: answers, prefix reuse, rollout, counters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from dense import dense_rollout
from random_qwen import save_random_qwen
from transformers import AutoModelForImageTextToText, AutoProcessor

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.recording import Recorder
from decaf_gui.grounding.settings import GroundingSettings

SETTINGS = GroundingSettings(max_new_tokens=6, prefill_chunk=17, vision_batch=1)
FRAMES = tuple(range(5))


def finish(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


def ask(mllm, clip, kind, question, settings=SETTINGS, size=(84, 112), frames=FRAMES):
    shown = VisualInput(clip.fingerprint, kind, frames, size)
    prefix = finish(mllm.prefix(shown, [clip[f] for f in frames], settings))
    return finish(mllm.ask(prefix, question, settings))


def reference_inputs(processor, clip, kind, question):
    content = [{"type": kind}, {"type": "text", "text": question}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    if kind == "video":
        videos = [torch.from_numpy(np.stack([clip[f] for f in FRAMES])).permute(0, 3, 1, 2)]
        made = processor(text=[text], videos=videos, do_sample_frames=False, do_resize=False, return_tensors="pt")
        if "2_5" in type(processor).__name__:  # Qwen2-VL knows no seconds
            made["second_per_grid_ts"] = torch.ones(1)
    else:
        image = torch.from_numpy(clip[FRAMES[2]]).permute(2, 0, 1)
        made = processor(text=[text], images=[image], do_resize=False, return_tensors="pt")
    assert "mm_token_type_ids" in made
    return made


def eager_rollout(model, made, kind, grid):
    with torch.inference_mode():
        attentions = model(**made, output_attentions=True, use_cache=False).attentions
    place = model.config.video_token_id if kind == "video" else model.config.image_token_id
    where = (made["input_ids"][0] == place).nonzero()[:, 0]
    first, last = int(where[0]), int(where[-1]) + 1
    n = made["input_ids"].shape[1]
    r = torch.eye(n)
    for a in [a[0].float() for a in attentions][len(attentions) // 2 :]:
        weight = a[:, :, first:last].max(-1).values.mean(-1)
        r = ((a * (weight / weight.max())[:, None, None]).mean(0) + torch.eye(n)) / 2 @ r
    return r[-1, first:last].reshape(grid).numpy()


@pytest.fixture(scope="module")
def eager(qwen_folder):
    model = AutoModelForImageTextToText.from_pretrained(
        qwen_folder, attn_implementation="eager", dtype=torch.float32
    ).eval()
    return model, AutoProcessor.from_pretrained(qwen_folder)


@pytest.mark.parametrize("kind", ["video", "image"])
def test_rollout_and_answer_equal_transformers_eager_attention(qwen_folder, eager, frame_list, kind):
    model, processor = eager
    mllm = Mllm.load(qwen_folder)
    ask(mllm, frame_list, kind, "Another question on the same prefix?")
    answers = ask(mllm, frame_list, kind, "Where is the dog?")
    answer = answers[0] if kind == "video" else answers[2]
    made = reference_inputs(processor, frame_list, kind, "Where is the dog?")
    expected = eager_rollout(model, made, kind, (3, 3, 4) if kind == "video" else (1, 3, 4))
    assert answer.maps.shape == expected.shape
    assert np.abs(answer.maps - expected).max() <= 1e-5 * expected.max()
    with torch.inference_mode():
        tokens = model.generate(**made, max_new_tokens=6, do_sample=False)[0, made["input_ids"].shape[1] :]
    assert answer.text == processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()


def test_bfloat16_model_gives_the_float32_rollout_of_its_own_queries(tmp_path, frame_list, monkeypatch):
    folder = save_random_qwen(tmp_path, "qwen2_5_vl", dtype=torch.bfloat16)
    mllm = Mllm.load(folder, dtype="bfloat16")
    shown = VisualInput("clip", "video", FRAMES, (84, 112))
    prefix = finish(mllm.prefix(shown, [frame_list[f] for f in FRAMES], SETTINGS))
    kept = {}
    rewind = type(prefix).rewind

    def keep_keys(self):
        kept.update({layer: self.cache.layers[layer].keys[0].clone() for layer in self.queries})
        rewind(self)

    suffix = {}
    joined = Recorder.joined

    def keep_queries(self):
        suffix.update(joined(self))
        return dict(suffix)

    monkeypatch.setattr(Recorder, "joined", keep_queries)
    monkeypatch.setattr(type(prefix), "rewind", keep_keys)
    one_token = GroundingSettings(max_new_tokens=1)
    answer = finish(mllm.ask(prefix, "Where is the dog?", one_token))[0]
    layers = sorted(prefix.queries)
    qs = [torch.cat([prefix.queries[layer][0], suffix[layer][0]], dim=1) for layer in layers]
    ks = [kept[layer][:, : qs[0].shape[1]] for layer in layers]
    span = (prefix.grid.start, prefix.grid.stop)
    expected = dense_rollout(qs, ks, prefix.scaling, span, "vmax")[span[0] : span[1]].reshape(3, 3, 4).numpy()
    assert qs[0].dtype == torch.bfloat16
    assert np.abs(answer.maps - expected).max() <= 1e-5 * expected.max()


def test_batched_frames_equal_single_ones(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    together = ask(mllm, frame_list, "image", "Where?")
    for index, frame in enumerate(FRAMES):
        alone = ask(mllm, frame_list, "image", "Where?", frames=(frame,))[0]
        assert alone.text == together[index].text
        assert np.abs(alone.maps - together[index].maps).max() <= 1e-5 * alone.maps.max()


def test_chunks_and_vision_batches_change_nothing(qwen_folder, frame_list):
    whole = GroundingSettings(max_new_tokens=6, prefill_chunk=10_000, vision_batch=100)
    for kind in ("video", "image"):
        one = ask(Mllm.load(qwen_folder), frame_list, kind, "Where?", whole)
        cut = ask(Mllm.load(qwen_folder), frame_list, kind, "Where?", SETTINGS)
        for a, b in zip(one, cut, strict=True):
            assert a.text == b.text
            assert np.abs(a.maps - b.maps).max() <= 1e-5 * a.maps.max()


def test_vision_tower_and_prefill_run_once_per_input(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    for question in ("first", "second", "third one, longer"):
        ask(mllm, frame_list, "video", question)
        ask(mllm, frame_list, "image", question)
    assert (mllm.counters.vision_inputs, mllm.counters.prefix_prefills) == (6, 6)
    assert mllm.counters.questions == 18


def test_broken_off_question_leaves_the_prefix_usable(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    shown = VisualInput(frame_list.fingerprint, "video", FRAMES, (84, 112))
    prefix = finish(mllm.prefix(shown, [frame_list[f] for f in FRAMES], SETTINGS))
    undisturbed = finish(mllm.ask(prefix, "Where?", SETTINGS))[0]
    broken = mllm.ask(prefix, "What else is there to see?", SETTINGS)
    next(broken)
    broken.close()
    again = finish(mllm.ask(prefix, "Where?", SETTINGS))[0]
    assert again.text == undisturbed.text
    assert np.array_equal(again.maps, undisturbed.maps)


def test_prefixes_beyond_the_budget_are_computed_again(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    mllm.prefixes.device_bytes = mllm.prefixes.host_bytes = 0
    ask(mllm, frame_list, "video", "one")
    ask(mllm, frame_list, "video", "two")
    assert mllm.counters.prefix_prefills == 2
    assert len(mllm.prefixes) == 0


def test_freeing_lets_prefixes_go(qwen_folder, frame_list):
    mllm = Mllm.load(qwen_folder)
    ask(mllm, frame_list, "video", "one")
    assert len(mllm.prefixes) == 1
    mllm.free()
    assert len(mllm.prefixes) == 0


def test_text_only_answer_equals_generate(qwen_folder, eager):
    model, processor = eager
    content = [{"type": "text", "text": "Choose."}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    ids = processor.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        tokens = model.generate(input_ids=ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :]
    expected = processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    assert Mllm.load(qwen_folder).complete("Choose.", SETTINGS) == expected


def test_what_cannot_be_loaded_is_said_in_one_line(tmp_path):
    with pytest.raises(BadInput, match="cannot be loaded") as caught:
        Mllm.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_start_layer_beyond_the_model_is_refused(qwen_folder, frame_list):
    with pytest.raises(BadInput, match="6 layers"):
        ask(Mllm.load(qwen_folder), frame_list, "video", "x", GroundingSettings(start_layer=6))
