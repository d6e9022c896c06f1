"""Soft prompts: files good and hostile, and steered prefixes against transformers' own eager attention."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from random_families import save_random
from random_qwen import FrameList, save_random_qwen
from safetensors.torch import save_file
from transformers import AutoModelForImageTextToText

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.families import FAMILIES
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.grounding.steering import FORMAT, SoftPrompts, load_prompts, save_prompts

FRAMES = tuple(range(5))
SETTINGS = GroundingSettings(max_new_tokens=4, prefill_chunk=23, vision_batch=2)
SOFT = {"image": 5, "video": 3}


def random_prompts(model_type: str, width: int = 64, seed: int = 0, **given) -> SoftPrompts:
    generator = torch.Generator().manual_seed(seed)
    frame, video = (torch.randn(n, width, generator=generator) * 0.05 for n in SOFT.values())
    return SoftPrompts(frame, video, "a random model", model_type, **given)


@pytest.fixture(scope="module", params=list(FAMILIES))
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    where = tmp_path_factory.mktemp(family)
    older = family in ("qwen2_vl", "qwen2_5_vl")
    return save_random_qwen(where, family) if older else save_random(where, family)


@pytest.fixture(scope="module")
def mllm(folder):
    return Mllm.load(folder)


@pytest.fixture(scope="module")
def eager(folder):
    return AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def clip():
    return FrameList(5, (84, 112))


def finish(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


def prefix_of(mllm, clip, kind, settings=SETTINGS):
    shown = VisualInput(clip.fingerprint, kind, FRAMES, mllm.family.input_size(clip.size, 12))
    return finish(mllm.prefix(shown, [clip[f] for f in FRAMES], settings))


def ask(mllm, clip, kind, question, settings=SETTINGS):
    return finish(mllm.ask(prefix_of(mllm, clip, kind, settings), question, settings))


def written_out(mllm, eager, clip, kind, question, soft, index):
    """Rollout (t, h, w) and the first answer token, by eager attention on embeddings with `soft` before them.

    Positions are those of the sequence with plain text in the prompt's place, as the family counts them.
    """
    with torch.inference_mode():
        shown = VisualInput("reference", kind, FRAMES, mllm.family.input_size(clip.size, 12))
        features, layout = finish(mllm.see(shown, [clip[f] for f in FRAMES], SETTINGS))
        ids, grid = mllm.family.expand(mllm._template_ids(kind, question), layout)
        text = mllm._ids("a")[0]
        ids = torch.cat([torch.full((len(soft),), text), ids])[None]
        tokens = len(soft) + grid.start + grid.tokens
        embeds = eager.get_input_embeddings()(ids)
        embeds[0, : len(soft)] = soft
        now, further = features[index : index + 1].tensor_split([embeds.shape[-1]], dim=-1)
        embeds[0, tokens] = now[0]
        visual = torch.zeros(ids.shape[1], dtype=torch.bool)
        visual[tokens] = True
        options = mllm.family.decoder_options(visual, further)
        result = eager.model.language_model(
            inputs_embeds=embeds,
            position_ids=mllm.family.positions(ids, layout),
            output_attentions=True,
            use_cache=False,
            **options,
        )
        token = int(eager.get_output_embeddings()(result.last_hidden_state[0, -1]).argmax())
    first, last, n = int(tokens[0]), int(tokens[-1]) + 1, ids.shape[1]
    r = torch.eye(n, dtype=torch.float64)
    for a in [a[0].double() for a in result.attentions][len(result.attentions) // 2 :]:
        weight = a[:, :, first:last].max(-1).values.mean(-1)
        r = ((a * (weight / weight.max())[:, None, None]).mean(0) + torch.eye(n)) / 2 @ r
    return r[-1, first + grid.columns].reshape(layout.grid).numpy(), token


@pytest.mark.parametrize("kind", ["video", "image"])
def test_steered_rollout_and_answer_equal_transformers_eager_attention(mllm, eager, family, clip, kind):
    prompts, index = random_prompts(family), 0 if kind == "video" else 2
    steered = mllm.steered(prompts)
    ask(steered, clip, kind, "Another question on the same prefix?")
    answer = ask(steered, clip, kind, "Where is the dog?")[index]
    expected, token = written_out(mllm, eager, clip, kind, "Where is the dog?", prompts.of(kind), index)
    assert answer.maps.shape == expected.shape
    assert np.abs(answer.maps - expected).max() <= 1e-5 * expected.max()
    first = mllm.processor.tokenizer.decode([token], skip_special_tokens=True).strip()
    assert answer.text.startswith(first)
    plain = ask(mllm, clip, kind, "Where is the dog?")[index]
    assert np.abs(plain.maps - answer.maps).max() > 1e-3 * expected.max(), "the prompts changed nothing"


@pytest.mark.parametrize("kind", ["video", "image"])
def test_soft_tokens_take_text_positions_and_all_else_moves_up(mllm, family, clip, kind):
    plain, steered = (prefix_of(m, clip, kind) for m in (mllm, mllm.steered(random_prompts(family))))
    count = SOFT[kind]
    assert (steered.soft, steered.length) == (count, plain.length + count)
    assert (steered.grid.start, steered.grid.stop) == (plain.grid.start + count, plain.grid.stop + count)
    before, after = (mllm._positions(plain.ids, plain.layout, soft) for soft in (0, count))
    assert after[..., count:].equal(before + count)
    assert after[..., :count].equal(torch.arange(count).expand(*after.shape[:-1], count))


@pytest.mark.parametrize("kind", ["video", "image"])
def test_expressions_share_one_steered_prefix_and_answer_as_if_alone(folder, family, clip, kind):
    mllm = Mllm.load(folder).steered(random_prompts(family))
    questions = ("Where?", "What is it that moves over there?", "Which one?")
    together = [ask(mllm, clip, kind, question) for question in questions]
    assert mllm.counters.prefix_prefills == (1 if kind == "video" else 5)
    for question, answers in zip(questions, together, strict=True):
        alone = ask(Mllm.load(folder).steered(random_prompts(family)), clip, kind, question)
        for one, other in zip(alone, answers, strict=True):
            assert one.text == other.text
            assert np.abs(one.maps - other.maps).max() <= 1e-5 * one.maps.max()


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return save_random_qwen(tmp_path_factory.mktemp("qwen"), "qwen2_5_vl")


def test_steered_and_plain_prefixes_never_mix(qwen, clip):
    mllm = Mllm.load(qwen)
    one, other = random_prompts("qwen2_5_vl"), random_prompts("qwen2_5_vl", seed=1)
    first = [ask(m, clip, "video", "Where?")[0] for m in (mllm, mllm.steered(one), mllm.steered(other))]
    assert (len(mllm.prefixes), mllm.counters.prefix_prefills) == (3, 3)
    same = SoftPrompts(one.frame.clone(), one.video.clone(), "elsewhere", "qwen2_5_vl")
    again = [ask(m, clip, "video", "Where?")[0] for m in (mllm.steered(None), mllm.steered(same), mllm.steered(other))]
    assert mllm.counters.prefix_prefills == 3
    assert mllm.steered(None) is mllm
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.maps, b.maps)
    assert not np.allclose(first[0].maps, first[1].maps, rtol=1e-3)


def test_chunks_change_nothing(qwen, clip):
    for kind in ("video", "image"):
        cut, whole = (
            ask(Mllm.load(qwen).steered(random_prompts("qwen2_5_vl")), clip, kind, "Where?", settings)
            for settings in (SETTINGS, replace(SETTINGS, prefill_chunk=10_000))
        )
        for a, b in zip(cut, whole, strict=True):
            assert np.abs(a.maps - b.maps).max() <= 1e-5 * a.maps.max()


def test_text_only_questions_are_not_steered(qwen):
    mllm = Mllm.load(qwen)
    steered = mllm.steered(random_prompts("qwen2_5_vl"))
    assert steered.complete("Choose.", SETTINGS) == mllm.complete("Choose.", SETTINGS)


@pytest.mark.parametrize(("model_type", "width"), [("qwen2_vl", 64), ("qwen2_5_vl", 32)])
def test_prompts_of_another_model_are_refused_in_one_line(qwen, model_type, width):
    with pytest.raises(BadInput, match=f"a random model .{model_type}, hidden size {width}") as caught:
        Mllm.load(qwen).steered(random_prompts(model_type, width))
    assert "\n" not in str(caught.value)


def test_prompts_of_other_weights_are_refused():
    prompts = random_prompts("qwen2_5_vl", weights="abc123")
    prompts.check_weights("mine", "abc123")
    random_prompts("qwen2_5_vl").check_weights("mine", "abc123")
    with pytest.raises(BadInput, match="learned for a random model"):
        prompts.check_weights("mine", "def456")


def test_a_file_keeps_all_there_is(tmp_path):
    prompts = random_prompts("qwen2_5_vl", weights="abc", training={"steps": 3, "source": "shapes"})
    read = load_prompts(save_prompts(prompts, tmp_path / "new" / "prompts.safetensors"))
    assert read.frame.equal(prompts.frame)
    assert read.video.equal(prompts.video)
    assert (read.model, read.model_type, read.weights) == ("a random model", "qwen2_5_vl", "abc")
    assert read.training == {"steps": 3, "source": "shapes"}
    assert read.digest == prompts.digest != random_prompts("qwen2_5_vl", seed=1).digest
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["prompts.safetensors"]


def test_half_numbers_are_read_as_float32(tmp_path):
    about = {"format": FORMAT, "version": "1", "model": "m", "model_type": "qwen2_vl", "hidden_size": "8"}
    file = tmp_path / "half.safetensors"
    save_file({"frame": torch.ones(2, 8).bfloat16(), "video": torch.ones(2, 8).half()}, file, metadata=about)
    read = load_prompts(file)
    assert read.frame.dtype == read.video.dtype == torch.float32


GOOD = {"format": FORMAT, "version": "1", "model": "m", "model_type": "qwen2_vl", "hidden_size": "8"}
ROWS = torch.zeros(2, 8)
HOSTILE = {
    "another format": ({"frame": ROWS, "video": ROWS}, {**GOOD, "format": "pt"}, "holds no soft prompts"),
    "no metadata": ({"frame": ROWS, "video": ROWS}, None, "holds no soft prompts"),
    "a later version": ({"frame": ROWS, "video": ROWS}, {**GOOD, "version": "2"}, "version 2"),
    "a tensor missing": ({"frame": ROWS}, GOOD, 'lacks the tensor "video"'),
    "a vector": ({"frame": ROWS, "video": torch.zeros(8)}, GOOD, "1 to 1024 embeddings"),
    "no rows": ({"frame": ROWS, "video": torch.zeros(0, 8)}, GOOD, "1 to 1024 embeddings"),
    "too many rows": ({"frame": torch.zeros(2000, 8), "video": ROWS}, GOOD, "1 to 1024 embeddings"),
    "two widths": ({"frame": ROWS, "video": torch.zeros(2, 7)}, GOOD, "different widths"),
    "another width": ({"frame": ROWS, "video": ROWS}, {**GOOD, "hidden_size": "9"}, "it says 9"),
    "a width in words": ({"frame": ROWS, "video": ROWS}, {**GOOD, "hidden_size": "wide"}, "which model"),
    "whole numbers": ({"frame": ROWS.long(), "video": ROWS}, GOOD, "no finite number"),
    "not a number": ({"frame": ROWS, "video": ROWS * float("nan")}, GOOD, "no finite number"),
    "infinite": ({"frame": ROWS + float("inf"), "video": ROWS}, GOOD, "no finite number"),
    "a broken record": ({"frame": ROWS, "video": ROWS}, {**GOOD, "training": "{"}, "which model"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_are_refused_in_one_line(tmp_path, case):
    tensors, about, reason = HOSTILE[case]
    save_file({name: t.clone() for name, t in tensors.items()}, tmp_path / "file.safetensors", metadata=about)
    with pytest.raises(BadInput, match=reason) as caught:
        load_prompts(tmp_path / "file.safetensors")
    assert "\n" not in str(caught.value)


def test_truncated_and_missing_files_are_refused(tmp_path):
    whole = save_prompts(random_prompts("qwen2_vl"), tmp_path / "prompts.safetensors").read_bytes()
    for length in (0, 4, 40, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.safetensors").write_bytes(whole[:length])
        with pytest.raises(BadInput, match="cannot be read") as caught:
            load_prompts(tmp_path / "cut.safetensors")
        assert "\n" not in str(caught.value)
    (tmp_path / "text.safetensors").write_text(json.dumps({"frame": 1}))
    for path in (tmp_path, tmp_path / "nowhere", tmp_path / "text.safetensors"):
        with pytest.raises(BadInput):
            load_prompts(path)
