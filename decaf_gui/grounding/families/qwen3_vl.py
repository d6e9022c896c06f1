"""Qwen3-VL."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from decaf_gui.grounding.families.base import Kind, VisualLayout
from decaf_gui.grounding.families.qwen_vl import QwenVl

FRAMES_PER_SECOND = 2
"""Frames are shown without their times; so a temporal token of two lasts one second, as for the older Qwen."""


class Qwen3Vl(QwenVl):
    """Tokens of 32 pixels; each temporal token has its time before it as text; the tower feeds three layers at once.

    Features of its inner layers ("deepstack") are added to the hidden states behind the first decoder layers.
    """

    def mark(self, kind: Kind) -> str:
        """Of a video also the start and end around it: each temporal token has its own."""
        mark = super().mark(kind)
        return (
            f"{self.processor.vision_start_token}{mark}{self.processor.vision_end_token}" if kind == "video" else mark
        )

    def spell(self, layout: VisualLayout) -> list[str | int]:
        """Per temporal token: the mean time of its frames (an odd last one counts twice), and its cells."""
        t, h, w = layout.grid
        if layout.kind == "image":
            return [h * w]
        start, end = self.processor.vision_start_token, self.processor.vision_end_token
        merged = self.model.config.vision_config.temporal_patch_size
        spelled: list[str | int] = []
        for first in range(0, t * merged, merged):
            last = min(first + merged, layout.shown) - 1
            seconds = (first + last) / 2 / FRAMES_PER_SECOND
            spelled += [f"<{seconds:.1f} seconds>{start}", h * w, end]
        return spelled

    def _tower(self, pixels: Tensor, patches: tuple[int, int, int]) -> Tensor:
        """What the embeddings take and what the first layers take, side by side: (tokens, (1 + layers) * D)."""
        seen = self._seen(pixels, patches)
        levels = [seen.pooler_output, *seen.deepstack_features]
        return torch.cat([torch.cat(tuple(level)) for level in levels], dim=-1)

    def decoder_options(self, visual: Tensor, further: Tensor) -> dict[str, Any]:
        """Features for the first layers, one tensor (b * v, D) each."""
        levels = further.shape[-1] // self.model.config.text_config.hidden_size
        return {
            "visual_pos_masks": visual.expand(len(further), -1),
            "deepstack_visual_embeds": [level.flatten(0, 1) for level in further.chunk(levels, dim=-1)],
        }
