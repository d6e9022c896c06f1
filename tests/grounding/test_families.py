"""Every family against transformers' own processors and full forward passes, and its layout against painted pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from dense import dense_rollout
from random_families import LLAVA_TILE, PATCH, TILE, save_random
from random_qwen import FrameList, save_random_qwen
from transformers import AutoModelForImageTextToText, AutoProcessor

from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady
from decaf_gui.grounding.families import FAMILIES, VisualLayout, family_named, only_grid
from decaf_gui.grounding.ground import ground
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.recording import Recorder
from decaf_gui.grounding.settings import GroundingSettings

FRAMES = tuple(range(5))
SETTINGS = GroundingSettings(max_new_tokens=6, prefill_chunk=41, vision_batch=2)
QUESTION = "Where is the dog?"
SYSTEM = {
    "qwen3_vl": None,  # what its template brings
    "internvl": "你是书生·万象，英文名是InternVL，"
    "是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。",
    "llava_onevision": "You are a helpful assistant.",
}
NEW = tuple(SYSTEM)


@pytest.fixture(scope="module", params=NEW)
def family(request):
    return request.param


@pytest.fixture(scope="module")
def folder(family, tmp_path_factory):
    return save_random(tmp_path_factory.mktemp(family), family)


@pytest.fixture(scope="module")
def eager(folder):
    model = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    return model.eval(), AutoProcessor.from_pretrained(folder)


def finish(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


def prefix_of(mllm, clip, kind, settings=SETTINGS, frames=FRAMES):
    shown = VisualInput(clip.fingerprint, kind, frames, clip.size)
    return finish(mllm.prefix(shown, [clip[f] for f in frames], settings))


def ask(mllm, clip, kind, question=QUESTION, settings=SETTINGS, frames=FRAMES):
    return finish(mllm.ask(prefix_of(mllm, clip, kind, settings, frames), question, settings))


def question_text(processor, family, kind):
    messages = [{"role": "user", "content": [{"type": kind}, {"type": "text", "text": QUESTION}]}]
    if SYSTEM[family] is not None:
        messages.insert(0, {"role": "system", "content": [{"type": "text", "text": SYSTEM[family]}]})
    return processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def qwen3_video(processor, text, video):
    """As the model was trained: what the processor writes for a video takes the place of its start and end as well."""
    metadata = [{"fps": 2, "frames_indices": list(range(len(video))), "total_num_frames": len(video)}]
    made = processor.video_processor(
        [video], video_metadata=metadata, do_sample_frames=False, do_resize=False, return_metadata=True
    )
    written = processor.replace_video_token(made, 0)
    text = text.replace("<|vision_start|><|video_pad|><|vision_end|>", written)
    ids = processor.tokenizer(text, return_tensors="pt")["input_ids"]
    kinds = (ids == processor.video_token_id).int() * 2
    pixels = {name: torch.as_tensor(made[name]) for name in ("pixel_values_videos", "video_grid_thw")}
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "mm_token_type_ids": kinds, **pixels}


def native_inputs(processor, family, clip, kind):
    """What the model's own processor makes of frames 0 to 4, or of frame 2."""
    text = question_text(processor, family, kind)
    resized = {"do_resize": False} if family == "qwen3_vl" else {}
    if kind == "image":
        image = torch.from_numpy(clip[2]).permute(2, 0, 1)
        return processor(text=[text], images=[image], return_tensors="pt", **resized)
    video = torch.from_numpy(np.stack([clip[f] for f in FRAMES])).permute(0, 3, 1, 2)
    if family == "qwen3_vl":
        return qwen3_video(processor, text, video)
    return processor(text=[text], videos=[video], return_tensors="pt", **resized)


def grid_indices(family, kind, grid, total):
    """Which of `total` visual tokens is the grid's cell: counted out token by token."""
    found = np.full(grid, -1)
    if family == "internvl" and kind == "image":
        side = TILE // PATCH // 2
        index = 0
        for tile_row in range(grid[1] // side):
            for tile_column in range(grid[2] // side):
                for row in range(side):
                    for column in range(side):
                        found[0, tile_row * side + row, tile_column * side + column] = index
                        index += 1
        assert total - index in (0, side * side)
        return found
    index = (LLAVA_TILE // PATCH) ** 2 if family == "llava_onevision" and kind == "image" else 0
    for frame in range(grid[0]):
        for row in range(grid[1]):
            for column in range(grid[2]):
                found[frame, row, column] = index
                index += 1
            index += family == "llava_onevision" and kind == "image"
    assert total - index == (family == "llava_onevision" and kind == "video")
    return found


def reference(model, processor, family, clip, kind, chosen, grid):
    """Eager rollout (t, h, w), the ids that were read, and the greedy answer."""
    made = native_inputs(processor, family, clip, kind)
    seen = {}
    hook = model.model.language_model.register_forward_pre_hook(
        lambda _module, _args, kwargs: seen.update(kwargs), with_kwargs=True
    )
    with torch.inference_mode():
        attentions = model(**made, output_attentions=True, use_cache=False).attentions
    hook.remove()
    ids = made["input_ids"][0]
    name = "video_token_id" if kind == "video" and family != "internvl" else "image_token_id"
    visual = (ids == getattr(model.config, name)).nonzero()[:, 0]
    cells = visual[torch.from_numpy(grid_indices(family, kind, grid, len(visual)).ravel())]
    if chosen == "paper":
        kept = torch.ones(len(ids), dtype=torch.bool)
        kept[visual] = False
        kept[cells] = True
        ids, embeds = ids[kept], seen["inputs_embeds"][:, kept]
        cells = kept.cumsum(0)[cells] - 1
        if family != "qwen3_vl":  # nothing lies beside its grid
            with torch.inference_mode():
                attentions = model.model.language_model(inputs_embeds=embeds, output_attentions=True).attentions
                tokens = model.generate(inputs_embeds=embeds, max_new_tokens=6, do_sample=False)[0]
                visual = cells.sort().values
    if chosen == "native" or family == "qwen3_vl":
        with torch.inference_mode():
            tokens = model.generate(**made, max_new_tokens=6, do_sample=False)[0, len(ids) :]
    first, last = int(visual[0]), int(visual[-1]) + 1
    r = torch.eye(len(ids))
    for a in [a[0].float() for a in attentions][len(attentions) // 2 :]:
        weight = a[:, :, first:last].max(-1).values.mean(-1)
        r = ((a * (weight / weight.max())[:, None, None]).mean(0) + torch.eye(len(ids))) / 2 @ r
    text = processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    return r[-1, cells].reshape(grid).numpy(), ids, text


GRIDS = {
    ("qwen3_vl", "video"): (3, 3, 5),
    ("qwen3_vl", "image"): (1, 3, 5),
    ("internvl", "video"): (5, 4, 4),
    ("internvl", "image"): (1, 8, 12),
    ("llava_onevision", "video"): (5, 4, 4),
    ("llava_onevision", "image"): (1, 12, 21),
}


@pytest.mark.parametrize("chosen", ["paper", "native"])
@pytest.mark.parametrize("kind", ["video", "image"])
def test_rollout_sequence_and_answer_equal_transformers_eager_attention(family, folder, eager, kind, chosen):
    clip = FrameList(5, (96, 160))
    mllm, settings = Mllm.load(folder), replace(SETTINGS, input=chosen)
    ask(mllm, clip, kind, "Another question on the same prefix?", settings)
    answers = ask(mllm, clip, kind, QUESTION, settings)
    answer = answers[0] if kind == "video" else answers[2]
    grid = GRIDS[family, kind]
    expected, ids, text = reference(*eager, family, clip, kind, chosen, grid)
    prefix = prefix_of(mllm, clip, kind, settings)
    whole, _ = mllm.family.expand(mllm._template_ids(kind, QUESTION), prefix.layout)
    assert whole.tolist() == ids.tolist()
    assert answer.maps.shape == grid
    assert np.abs(answer.maps - expected).max() <= 1e-5 * expected.max()
    assert answer.text == text
    assert mllm.counters.prefix_prefills == mllm.counters.vision_inputs == (1 if kind == "video" else 5)


@pytest.mark.parametrize("size", [(160, 96), (64, 64), (60, 200), (280, 280)])
def test_frame_inputs_of_any_shape_equal_the_reference(family, folder, eager, size):
    if family == "qwen3_vl":
        size = (size[0] // 32 * 32, size[1] // 32 * 32)
    clip = FrameList(3, size)
    for chosen in ("paper", "native"):
        answer = ask(Mllm.load(folder), clip, "image", settings=replace(SETTINGS, input=chosen), frames=(2,))[0]
        expected, _, text = reference(*eager, family, clip, "image", chosen, answer.maps.shape)
        assert np.abs(answer.maps - expected).max() <= 1e-5 * expected.max()
        assert answer.text == text


@pytest.mark.parametrize("chosen", ["paper", "native"])
def test_batches_and_chunks_change_nothing(folder, chosen):
    clip = FrameList(5, (96, 160))
    whole = GroundingSettings(max_new_tokens=6, prefill_chunk=10_000, vision_batch=100, input=chosen)
    for kind in ("video", "image"):
        one = ask(Mllm.load(folder), clip, kind, settings=whole)
        cut = ask(Mllm.load(folder), clip, kind, settings=replace(SETTINGS, input=chosen))
        for a, b in zip(one, cut, strict=True):
            assert a.text == b.text
            assert np.abs(a.maps - b.maps).max() <= 1e-5 * a.maps.max()
    together = ask(Mllm.load(folder), clip, "image", settings=whole)
    for index in FRAMES:
        alone = ask(Mllm.load(folder), clip, "image", settings=whole, frames=(index,))[0]
        assert alone.text == together[index].text
        assert np.abs(alone.maps - together[index].maps).max() <= 1e-5 * alone.maps.max()


def encoded(mllm, frames, kind):
    """Features (b, cells, D) in (frame, row, column) order, and the grid."""
    with torch.inference_mode():
        features, layout = finish(mllm.family.encode(frames, kind, frames[0].shape[:2], 3))
    return features[:, layout.cells], layout.grid


def painted_cells(mllm, size, kind):
    """Cells (frame, row, column) that were painted, one at a time, and those whose token changed most."""
    rng = np.random.default_rng(3)
    frames = rng.integers(100, 156, (5, *size, 3), dtype=np.uint8)
    before, (t, h, w) = encoded(mllm, frames, kind)
    merged = -(-len(frames) // t) if kind == "video" else 1
    for frame, row, column in [(0, 0, 0), (3, h // 2, w - 1), (4, h - 1, 0), (2, h // 3, w // 2)]:
        painted = frames.copy()
        top, bottom = (size[0] * row) // h, (size[0] * (row + 1)) // h
        left, right = (size[1] * column) // w, (size[1] * (column + 1)) // w
        painted[frame, top:bottom, left:right] = (255, 0, 255)
        after, _ = encoded(mllm, painted, kind)
        changed = (after - before).norm(dim=-1).flatten()
        where = np.unravel_index(int(changed.argmax()), (5 if kind == "image" else t, h, w))
        yield (frame // merged, row, column), tuple(int(i) for i in where)


@pytest.mark.parametrize("kind", ["video", "image"])
@pytest.mark.parametrize("tiles", [(2, 3), (3, 1), (6, 6)])
def test_a_painted_patch_changes_the_token_of_its_cell(family, folder, kind, tiles):
    tile = {"qwen3_vl": 32, "internvl": TILE, "llava_onevision": LLAVA_TILE}[family]
    for cell, changed in painted_cells(Mllm.load(folder), (tiles[0] * tile, tiles[1] * tile), kind):
        assert changed == cell


@pytest.mark.parametrize("kind", ["video", "image"])
def test_a_painted_patch_changes_the_token_of_its_cell_in_older_qwen(qwen_folder, kind):
    for cell, changed in painted_cells(Mllm.load(qwen_folder), (84, 140), kind):
        assert changed == cell


@pytest.mark.parametrize("size", [(128, 192), (192, 64), (75, 300)])
def test_padding_moves_a_token_by_less_than_a_cell(tmp_path, size):
    """LLaVA takes padding away in whole tokens: what is left over shifts its grid by part of one."""
    for cell, changed in painted_cells(Mllm.load(save_random(tmp_path, "llava_onevision")), size, "image"):
        assert np.abs(np.subtract(changed, cell)).max() <= 1


@pytest.mark.parametrize(
    ("dtype", "quantise"),
    [("bfloat16", "none"), ("float16", "none"), ("float32", "8bit"), ("float32", "4bit"), ("bfloat16", "4bit")],
)
def test_narrow_numbers_give_the_float32_rollout_of_their_own_queries(family, tmp_path, monkeypatch, dtype, quantise):
    if quantise != "none":
        pytest.importorskip("bitsandbytes")
    folder = save_random(tmp_path, family, dtype=getattr(torch, dtype))
    mllm = Mllm.load(folder, dtype=dtype, quantise=quantise)
    kinds = {name.split(".")[1]: type(module).__name__ for name, module in mllm.model.named_modules() if "proj" in name}
    assert kinds["language_model"] == {"none": "Linear", "8bit": "Linear8bitLt", "4bit": "Linear4bit"}[quantise]
    clip = FrameList(5, (96, 160))
    prefix = prefix_of(mllm, clip, "video")
    kept, suffix = {}, {}
    rewind, joined = type(prefix).rewind, Recorder.joined

    def keep_keys(self):
        kept.update({layer: self.cache.layers[layer].keys[0].clone() for layer in self.queries})
        rewind(self)

    def keep_queries(self):
        suffix.update(joined(self))
        return dict(suffix)

    monkeypatch.setattr(Recorder, "joined", keep_queries)
    monkeypatch.setattr(type(prefix), "rewind", keep_keys)
    answer = finish(mllm.ask(prefix, QUESTION, replace(SETTINGS, max_new_tokens=1)))[0]
    qs = [torch.cat([prefix.queries[layer][0], suffix[layer][0]], dim=1) for layer in sorted(prefix.queries)]
    ks = [kept[layer][:, : qs[0].shape[1]] for layer in sorted(prefix.queries)]
    grid = prefix.grid
    row = dense_rollout(qs, ks, prefix.scaling, (grid.start, grid.stop), "vmax")
    expected = row[grid.start + grid.columns].reshape(answer.maps.shape).numpy()
    assert qs[0].dtype == getattr(torch, dtype)
    assert np.abs(answer.maps - expected).max() <= 1e-5 * expected.max()


@pytest.mark.parametrize("chosen", ["paper", "native"])
def test_the_four_questions_give_maps_on_the_frames_grid(family, folder, chosen):
    clip = FrameList(7, (96, 160))
    mllm = Mllm.load(folder)
    settings = GroundingSettings(frames=5, video_tokens=15, max_new_tokens=3, contrast=False, input=chosen)
    last = list(ground(mllm, clip, Expression("the dog"), settings))[-1]
    assert isinstance(last, AttentionReady)
    assert last.grounding.maps.shape == (5, *{**GRIDS, ("qwen3_vl", "image"): (1, 6, 10)}[family, "image"][1:])
    assert len(last.grounding.answers) == 6
    assert (mllm.counters.vision_inputs, mllm.counters.prefix_prefills) == (6, 6)
    list(ground(mllm, clip, Expression("what jumps?"), settings))
    assert (mllm.counters.vision_inputs, mllm.counters.prefix_prefills) == (6, 6)


def test_text_only_answer_equals_generate(family, folder, eager):
    model, processor = eager
    text = question_text(processor, family, "image")
    image = {"qwen3_vl": "<|vision_start|><|image_pad|><|vision_end|>", "internvl": "<IMG_CONTEXT>\n"}
    text = text.replace(image.get(family, "<image>\n"), "")
    ids = processor.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        tokens = model.generate(input_ids=ids, max_new_tokens=6, do_sample=False)[0, ids.shape[1] :]
    expected = processor.tokenizer.decode(tokens, skip_special_tokens=True).strip()
    assert Mllm.load(folder).complete(QUESTION, SETTINGS) == expected


def test_what_lies_beside_the_grid_is_another_prefix(folder, family):
    mllm, clip = Mllm.load(folder), FrameList(5, (96, 160))
    paper = prefix_of(mllm, clip, "image")
    native = prefix_of(mllm, clip, "image", replace(SETTINGS, input="native"))
    beside = {"qwen3_vl": 0, "internvl": 16, "llava_onevision": 49 + 12}[family]
    assert native.length - paper.length == beside
    assert len(mllm.prefixes) == 2


def test_tokens_beside_the_grid_are_dropped_in_order():
    features = torch.arange(8.0).reshape(1, 8, 1)
    layout = VisualLayout("image", 1, (1, 2, 2), 8, torch.tensor([6, 4, 1, 2]))
    left, kept = only_grid(features, layout)
    assert left.flatten().tolist() == [1, 2, 4, 6]
    assert left.flatten()[kept.cells].tolist() == [6, 4, 1, 2]
    assert kept.count == 4


def test_an_unknown_family_is_told_the_known_ones(tmp_path):
    known = "qwen2_vl, qwen2_5_vl, qwen3_vl, internvl, llava_onevision"
    assert ", ".join(FAMILIES) == known
    with pytest.raises(BadInput, match=f'"blip".*{known}'):
        family_named("blip")
    (tmp_path / "config.json").write_text('{"model_type": "blip"}')
    with pytest.raises(BadInput, match=f'"blip".*{known}'):
        Mllm.load(tmp_path)


def test_a_device_map_gives_what_one_device_gives(folder):
    pytest.importorskip("accelerate")
    clip = FrameList(5, (96, 160))
    layers = {f"model.language_model.layers.{layer}": "cpu" for layer in range(1, 6)}
    mapped = Mllm.load(folder, device_map={"": "cpu", **layers})
    assert mapped.model.dtype == torch.float32
    for one, other in zip(ask(Mllm.load(folder), clip, "image"), ask(mapped, clip, "image"), strict=True):
        assert one.text == other.text
        assert np.abs(one.maps - other.maps).max() <= 1e-5 * one.maps.max()


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_accelerators_give_what_the_cpu_gives(folder, device):
    if not getattr(torch, device).is_available():
        pytest.skip(f"no {device} here")
    clip, mllm = FrameList(5, (96, 160)), Mllm.load(folder, device=device, dtype="float32")
    mllm.prefixes.device_bytes = 0  # every prefix is put into host memory and fetched back
    for kind in ("video", "image"):
        for one, other in zip(ask(Mllm.load(folder), clip, kind), ask(mllm, clip, kind), strict=True):
            assert np.abs(one.maps - other.maps).max() <= 1e-3 * one.maps.max()


@pytest.mark.parametrize("quantise", ["4bit", "8bit"])
def test_what_is_not_installed_is_said_in_one_line(tmp_path, monkeypatch, quantise):
    folder = save_random_qwen(tmp_path, "qwen2_vl")
    missing = {"accelerate"}
    monkeypatch.setattr("decaf_gui.grounding.mllm.find_spec", lambda name: None if name in missing else object())
    with pytest.raises(BadInput, match=r"accelerate.*pip install accelerate") as caught:
        Mllm.load(folder, quantise=quantise)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match="Device maps need"):
        Mllm.load(folder, device_map="auto")
    missing.add("bitsandbytes")
    missing.remove("accelerate")
    with pytest.raises(BadInput, match=r"bitsandbytes.*pip install bitsandbytes"):
        Mllm.load(folder, quantise=quantise)
    with pytest.raises(BadInput, match="none, 4bit, 8bit"):
        Mllm.load(folder, quantise="2bit")
