"""Models of real sizes with random weights: time and memory do not depend on what the weights say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import AutoProcessor, Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

from decaf_gui.core.resources import resource
from decaf_gui.tracking.architecture import build_sam, released_config

SMALL_TEXT = {
    "hidden_size": 1536,
    "intermediate_size": 8960,
    "num_hidden_layers": 4,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
"""Four layers of the width of Qwen2's 1.5 B decoder."""
SMALL_VISION = {"depth": 2, "hidden_size": 256, "intermediate_size": 684, "num_heads": 4, "fullatt_block_indexes": [1]}
QWEN_7B_TEXT = {
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
QWEN_7B_VISION = {"depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16}
"""Qwen/Qwen2.5-VL-7B-Instruct as its config.json has it; the rest is the class's default."""
NEVER = 1 << 30
"""A token that is never answered: answers run to their full length."""


def random_qwen(text: Mapping[str, Any], vision: Mapping[str, Any], device: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """A Qwen2.5-VL of these sizes and the processor of the demo model, whose tokens it knows: (model, processor)."""
    processor = AutoProcessor.from_pretrained(_demo_folder(), local_files_only=True, trust_remote_code=False)
    ids = processor.tokenizer.convert_tokens_to_ids
    head = text["hidden_size"] // text["num_attention_heads"]
    config = Qwen2_5_VLConfig(
        text_config={**text, "rope_parameters": _rope(head), "max_position_embeddings": 128000},
        vision_config={**vision, "out_hidden_size": text["hidden_size"]},
        image_token_id=ids("<|image_pad|>"),
        video_token_id=ids("<|video_pad|>"),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
        tie_word_embeddings=text["tie_word_embeddings"],
    )
    before = torch.get_default_dtype()
    torch.manual_seed(0)
    try:
        torch.set_default_dtype(dtype)
        with torch.device(device):
            model = Qwen2_5_VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    model.generation_config.eos_token_id = NEVER
    return model, processor


def _demo_folder() -> Path:
    return resource("models/demo-mllm")


def _rope(head: int) -> dict[str, Any]:
    """Thirds of the rotary dimensions for time, height and width, as Qwen divides 64 into 16, 24 and 24."""
    quarter = head // 8
    height = (head // 2 - quarter) // 2
    sections = [quarter, height, head // 2 - quarter - height]
    return {"rope_type": "default", "mrope_section": sections, "rope_theta": 1e6}


def random_sam(name: str, device: str) -> tuple[Any, dict[str, Any]]:
    """A released size of SAM2 with random weights, and its configuration: (SAM2Base, config)."""
    config = released_config(name)
    torch.manual_seed(0)
    with torch.device("cpu"):
        model = build_sam(config)
    return model.to(device).eval().requires_grad_(False), config
