"""A family is one file and one line: what docs/families.md writes out, against transformers' eager attention."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from random_families import PLAIN_TEMPLATE, TEXT
from random_qwen import SPECIAL, FrameList, byte_tokenizer
from transformers import (
    AutoModelForImageTextToText,
    AutoProcessor,
    CLIPImageProcessor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.families import FAMILIES
from decaf_gui.grounding.mllm import Mllm, VisualInput
from decaf_gui.grounding.settings import GroundingSettings

PAGE = Path(__file__).parents[2] / "docs/families.md"
FRAMES = (0, 1, 2)


def save_random_llava(folder: Path) -> Path:
    torch.manual_seed(0)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [*SPECIAL, "<image>"]})
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = LlavaConfig(
        text_config={"model_type": "llama", **TEXT, "vocab_size": len(tokenizer), "eos_token_id": end},
        vision_config={"model_type": "clip_vision_model", **vision, "image_size": 32, "patch_size": 8},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=16,
    )
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    images = CLIPImageProcessor(size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32})
    template = PLAIN_TEMPLATE.replace("<video>", "<image>").replace("IMAGE", "<image>")
    given = {"patch_size": 8, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    LlavaProcessor(images, tokenizer, chat_template=template, **given).save_pretrained(folder)
    return folder


@pytest.fixture
def llava(tmp_path):
    """The class as the page has it, in a file of its own."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "llava.py"
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("llava", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Llava


def finish(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


def expected_rollout(folder, clip, frames):
    """Eager attention on the processor's own input of these frames, one behind the other."""
    model = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval()
    processor = AutoProcessor.from_pretrained(folder)
    text = f"<|im_start|>user\n{'<image>' * len(frames)}\nWhere?<|im_end|>\n<|im_start|>assistant\n"
    made = processor(
        text=[text], images=[torch.from_numpy(clip[f]).permute(2, 0, 1) for f in frames], return_tensors="pt"
    )
    with torch.inference_mode():
        attentions = model(**made, output_attentions=True, use_cache=False).attentions
    seen = made["input_ids"][0] == model.config.image_token_id
    n, where = len(seen), seen.nonzero()[:, 0]
    r = torch.eye(n)
    for a in [a[0] for a in attentions][3:]:
        weight = a[:, :, where[0] : where[-1] + 1].max(-1).values.mean(-1)
        r = ((a * (weight / weight.max())[:, None, None]).mean(0) + torch.eye(n)) / 2 @ r
    return r[-1, where].reshape(len(frames), 4, 4).numpy()


def test_the_page_adds_a_family_with_one_file_and_one_line(tmp_path, llava, monkeypatch):
    folder, clip = save_random_llava(tmp_path / "model"), FrameList(3, (32, 48))
    with pytest.raises(BadInput, match='"llava" are not supported'):
        Mllm.load(folder)
    monkeypatch.setitem(FAMILIES, "llava", llava)
    mllm, settings = Mllm.load(folder), GroundingSettings(max_new_tokens=2)
    assert mllm.family.input_size(clip.size, 400) == (32, 32)
    for kind, shown in (("video", [FRAMES]), ("image", [(f,) for f in FRAMES])):
        prefix = finish(mllm.prefix(VisualInput("clip", kind, FRAMES, (32, 32)), [clip[f] for f in FRAMES], settings))
        for answer, frames in zip(finish(mllm.ask(prefix, "Where?", settings)), shown, strict=True):
            expected = expected_rollout(folder, FrameList(3, (32, 48)), frames)
            assert np.abs(answer.maps - expected).max() <= 1e-5 * expected.max()


def test_the_page_lists_every_family():
    rows = [line.split("|")[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [name for row in rows for name in re.findall(r"`(\w+)`", row) if name in FAMILIES] == list(FAMILIES)
