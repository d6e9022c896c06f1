"""Tiny random checkpoints of the families besides the older Qwen, saved in the hub's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from random_qwen import SPECIAL, TEMPLATE, byte_tokenizer
from transformers import (
    GotOcr2ImageProcessor,
    InternVLConfig,
    InternVLForConditionalGeneration,
    InternVLProcessor,
    InternVLVideoProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
    LlavaOnevisionImageProcessor,
    LlavaOnevisionProcessor,
    LlavaOnevisionVideoProcessor,
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

TEXT: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 128,  # bitsandbytes wants multiples of 64 on the CPU
    "max_position_embeddings": 8192,
}
PLAIN_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<video>\n"
    "{% elif part['type'] == 'image' %}IMAGE\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TILE, PATCH = 64, 8
LLAVA_TILE = 56
PINPOINTS = [[LLAVA_TILE * down, LLAVA_TILE * across] for down in range(1, 7) for across in range(1, 7)]


def save_random(folder: Path, family: str, *, dtype: torch.dtype = torch.float32) -> Path:
    """A random 6-layer model with processor, tokenizer and chat template."""
    torch.manual_seed(0)
    model, processor = {"qwen3_vl": _qwen3, "internvl": _internvl, "llava_onevision": _llava}[family]()
    with torch.no_grad():  # spread the attention and let the tower say more than its default initialisation does
        for name, weight in model.named_parameters():
            if "language_model" in name and ("q_proj" in name or "k_proj" in name):
                weight.mul_(6)
            elif "vision_tower" in name and "out_proj" in name:  # SigLIP's starts so large that all tokens look alike
                weight.mul_(0.1)
            elif (
                weight.ndim > 1 and "language_model" not in name and "position" not in name and "pos_embed" not in name
            ):
                weight.mul_(4)
    end = processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    model.generation_config.eos_token_id = end
    model.to(dtype).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def _text(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    return {**TEXT, "vocab_size": len(tokenizer), "eos_token_id": end, "bos_token_id": end, "pad_token_id": end}


def _qwen3() -> tuple[Any, Any]:
    tokenizer = byte_tokenizer()
    ids = {name: tokenizer.convert_tokens_to_ids(name) for name in SPECIAL}
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True, "rope_theta": 1e6}
    vision = {"depth": 4, "hidden_size": 32, "out_hidden_size": 64, "num_heads": 2, "intermediate_size": 48}
    vision |= {"num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1, 2]}
    config = Qwen3VLConfig(
        text_config={**_text(tokenizer), "head_dim": 16, "rope_parameters": rope},
        vision_config=vision,
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
    )
    size = {"shortest_edge": 32 * 32, "longest_edge": 32 * 32 * 1024}
    images = Qwen2VLImageProcessor(size=size, patch_size=16)
    processor = Qwen3VLProcessor(images, tokenizer, Qwen3VLVideoProcessor(size=size), chat_template=TEMPLATE)
    return Qwen3VLForConditionalGeneration(config), processor


def _internvl() -> tuple[Any, Any]:
    tokenizer = byte_tokenizer()
    named = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    tokenizer.add_special_tokens({"additional_special_tokens": [*SPECIAL, *named.values()]})
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens={**named, "video_token": "<video>"},
    )
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    config = InternVLConfig(
        text_config={"model_type": "qwen2", **_text(tokenizer)},
        vision_config={**vision, "image_size": [TILE, TILE], "patch_size": [PATCH, PATCH]},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=16,
        tie_word_embeddings=False,
    )
    size = {"height": TILE, "width": TILE}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=size),
        tokenizer,
        InternVLVideoProcessor(size=size),
        image_seq_length=16,
        chat_template=PLAIN_TEMPLATE.replace("IMAGE", "<IMG_CONTEXT>"),
    )
    return InternVLForConditionalGeneration(config), processor


def _llava() -> tuple[Any, Any]:
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": [*SPECIAL, "<image>", "<video>"]})
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
    vision |= {"image_size": LLAVA_TILE, "patch_size": PATCH, "vision_use_head": False}
    config = LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **_text(tokenizer)},
        vision_config={"model_type": "siglip_vision_model", **vision},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=PINPOINTS,
        tie_word_embeddings=False,
    )
    size = {"height": LLAVA_TILE, "width": LLAVA_TILE}
    processor = LlavaOnevisionProcessor(
        LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=PINPOINTS),
        tokenizer,
        LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=(LLAVA_TILE // PATCH) ** 2,
        vision_feature_select_strategy="full",
        chat_template=PLAIN_TEMPLATE.replace("IMAGE", "<image>"),
    )
    return LlavaOnevisionForConditionalGeneration(config), processor
