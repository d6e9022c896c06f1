"""The bundled demo MLLM: a tiny Qwen2.5-VL with its own vocabulary, in the folder layout of the released models.

Nothing here is special to the engine: the exported folder loads through `AutoProcessor` and
`AutoModelForImageTextToText` exactly like Qwen/Qwen2.5-VL-7B-Instruct.
"""

from __future__ import annotations

import json
import re
import string
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2Tokenizer,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

from decaf_gui.core.entities import Expression
from decaf_gui.demo.sentences import vocabulary
from decaf_gui.demo.world import BACKGROUNDS, COLOURS, SHAPES
from decaf_gui.grounding.prompts import attribute_question, background_question, choice_question, object_question

PAD, IM_START, IM_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (
    *(PAD, IM_START, IM_END),
    *("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
)
SYSTEM_PROMPT = "You are a helpful assistant."
VOCABULARY_MULTIPLE = 16
ROPE_THETA = 30.0
"""With the released models' 1e6 a head of 32 turns by 0.002 from the left to the right of twelve columns: it could not
tell sides."""
MIN_PIXELS, MAX_PIXELS = 56 * 56, 1008 * 1008

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\n" + SYSTEM_PROMPT + "<|im_end|>\n"
    "{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in part %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True)
class InputCard:
    """How the engine shows a clip to this model: sampled frames, tokens of a video frame, scale of a frame input."""

    frames: int = 8
    video_tokens: int = 50
    frame_scale: int = 2


CARD = InputCard()


def build_config(vocabulary: int, token_ids: dict[str, int]) -> Qwen2_5_VLConfig:
    """3.1 M parameters: decoder 5 x 192 (the engine rolls out layers 2, 3 and 4), vision tower 4 x 128.

    `token_ids` gives the ids of the special tokens. Attention in the tower is windowed (84 px) in the first two blocks;
    the last two see the whole frame, for which object is the outermost or largest.
    """
    text: dict[str, Any] = {
        "vocab_size": vocabulary,
        "hidden_size": 192,
        "intermediate_size": 448,
        "num_hidden_layers": 5,
        "num_attention_heads": 6,
        "num_key_value_heads": 3,
        "max_position_embeddings": 4096,
        "rms_norm_eps": 1e-6,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROPE_THETA, "mrope_section": [4, 6, 6]},
        "bos_token_id": token_ids[PAD],
        "eos_token_id": token_ids[IM_END],
        "pad_token_id": token_ids[PAD],
        "tie_word_embeddings": True,
    }
    vision: dict[str, Any] = {
        "depth": 4,
        "hidden_size": 128,
        "intermediate_size": 256,
        "num_heads": 4,
        "out_hidden_size": 192,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "tokens_per_second": 2,
        "window_size": 84,
        "fullatt_block_indexes": [2, 3],
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=token_ids["<|image_pad|>"],
        video_token_id=token_ids["<|video_pad|>"],
        vision_start_token_id=token_ids["<|vision_start|>"],
        vision_end_token_id=token_ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )


def demo_tokenizer() -> Qwen2Tokenizer:
    """The tokenizer of the shapes world's words."""
    return build_tokenizer([*vocabulary(), *SHAPES, *COLOURS, *BACKGROUNDS])


def build_mllm(seed: int, tokenizer: Qwen2Tokenizer | None = None) -> Qwen2_5_VLForConditionalGeneration:
    """The untrained model in float32, the same for the same seed, for `demo_tokenizer` unless another is given."""
    tokenizer = demo_tokenizer() if tokenizer is None else tokenizer
    ids = {token: int(tokenizer.convert_tokens_to_ids(token)) for token in SPECIAL_TOKENS}
    rows = -(-len(tokenizer) // VOCABULARY_MULTIPLE) * VOCABULARY_MULTIPLE
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen2_5_VLForConditionalGeneration(build_config(rows, ids)).float()
    model.generation_config = GenerationConfig(
        do_sample=False,
        bos_token_id=ids[PAD],
        pad_token_id=ids[PAD],
        eos_token_id=[ids[IM_END], ids[PAD]],
    )
    return model


def build_tokenizer(words: Iterable[str]) -> Qwen2Tokenizer:
    """Byte-level BPE in which every word of the questions and every one of `words` is one token.

    Bare words are merged first and the leading space last, so "circle", " circle" and the ",circle" of a candidate
    list all end in whole words. Other text falls into bytes.
    """
    pieces = _pieces(words)
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=100_000, min_frequency=1, initial_alphabet=alphabet, show_progress=False)
    trained.train_from_iterator(pieces, trainer)
    model = json.loads(trained.to_str())["model"]
    numbers, merges = model["vocab"], [tuple(pair) for pair in model["merges"]]
    for left, right in [*(("Ġ", piece) for piece in pieces if piece.isascii()), ("Ġ", "Ċ"), (".", "Ċ")]:
        merges.append((left, right))
        numbers[left + right] = len(numbers)
    for token in SPECIAL_TOKENS:
        numbers[token] = len(numbers)
    return _qwen_tokenizer(numbers, merges)


def _qwen_tokenizer(numbers: dict[str, int], merges: list[tuple[str, str]]) -> Qwen2Tokenizer:
    tokenizer = Qwen2Tokenizer(
        vocab=numbers,
        merges=merges,
        unk_token=PAD,
        pad_token=PAD,
        eos_token=IM_END,
        extra_special_tokens=[token for token in SPECIAL_TOKENS if token not in (PAD, IM_END)],
        model_max_length=4096,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _pieces(words: Iterable[str]) -> list[str]:
    """Every run of letters, and every run of punctuation, of the questions and `words`, each once, sorted."""
    plain, described = Expression("x"), Expression("x", attributes=("y",))
    asked = [object_question(plain), background_question("x"), choice_question(plain, ["x", "y"])]
    asked += [attribute_question(plain), object_question(described, "attributes")]
    frame = f"system\n{SYSTEM_PROMPT}\nuser\nassistant\n"
    letters = re.findall(r"[^\W\d_]+", " ".join([*asked, frame, *words]))
    marks = re.findall(rf"[{re.escape(string.punctuation)}]+", " ".join(asked))
    return sorted({*letters, *marks})


def build_processor(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLProcessor:
    """Pictures keep their size (up to rounding to 28 pixels): the default would blow small clips up."""
    size = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
    shape = {"patch_size": 14, "merge_size": 2, "temporal_patch_size": 2}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=size, **shape),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(size=size, **shape),
        chat_template=CHAT_TEMPLATE,
    )


def export_folder(
    model: Qwen2_5_VLForConditionalGeneration, processor: Qwen2_5_VLProcessor, folder: Path, notes: dict[str, Any]
) -> None:
    """Writes model (bfloat16), processor and `decaf.json` (the input card and `notes`), readable by everyone."""
    folder.mkdir(parents=True, exist_ok=True)
    half = Qwen2_5_VLForConditionalGeneration(model.config).to(torch.bfloat16)
    half.load_state_dict(model.state_dict())
    half.generation_config = model.generation_config
    half.save_pretrained(folder)
    processor.save_pretrained(folder)
    card = {"input": asdict(CARD), **notes}
    (folder / "decaf.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)
