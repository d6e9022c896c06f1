"""Model families. A new one is one more file here, and its line in `FAMILIES` (docs/families.md)."""

from __future__ import annotations

from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.families.base import Family, Frame, Kind, TokenGrid, VisualLayout, only_grid, plain_layout
from decaf_gui.grounding.families.internvl import InternVl
from decaf_gui.grounding.families.llava_onevision import LlavaOnevision
from decaf_gui.grounding.families.qwen3_vl import Qwen3Vl
from decaf_gui.grounding.families.qwen_vl import QwenVl

__all__ = [
    "FAMILIES",
    "Family",
    "Frame",
    "InternVl",
    "Kind",
    "LlavaOnevision",
    "Qwen3Vl",
    "QwenVl",
    "TokenGrid",
    "VisualLayout",
    "family_named",
    "family_of",
    "only_grid",
    "plain_layout",
]

FAMILIES: dict[str, type[Family]] = {
    "qwen2_vl": QwenVl,
    "qwen2_5_vl": QwenVl,
    "qwen3_vl": Qwen3Vl,
    "internvl": InternVl,
    "llava_onevision": LlavaOnevision,
}
"""Families by the `model_type` of a model's config.json."""


def family_named(model_type: str) -> type[Family]:
    """The family of a model type. Raises BadInput, listing those that there are."""
    if model_type not in FAMILIES:
        raise BadInput(f'Models of type "{model_type}" are not supported; these are: {", ".join(FAMILIES)}.')
    return FAMILIES[model_type]


def family_of(model: Any, processor: Any) -> Family:
    """The family of a loaded model. Raises BadInput for one that is not supported."""
    return family_named(model.config.model_type)(model, processor)
