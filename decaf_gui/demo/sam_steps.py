"""One step of the demo's SAM2, as its training and its held-out measures run it: features, heads, memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

CLIP_LENGTH = 30
"""Clips count as this long in the pointers' time code, as in a longer clip at use."""
Prompt = dict[str, Tensor]
"""`point_coords` (N, P, 2) in model pixels (x, y) and `point_labels` (N, P): 1, 0, or 2 and 3 for box corners."""
Vision = tuple[list[Tensor], list[Tensor], list[Any]]
"""Features and position codes (h*w, N, C) and sizes (h, w) of each level, as the tracking step takes them."""
Bank = dict[str, dict[int, Any]]


class Teacher:
    """Hooks the mask decoder: keeps its raw outputs, and passes the true presence on while training.

    Without it SAM2 replaces the mask of an object that it believes absent, and its gradient is lost.
    """

    def __init__(self, model: Any) -> None:
        self.truth: Tensor | None = None
        self.masks = self.ious = self.scores = torch.empty(0)
        self.handle = model.sam_mask_decoder.register_forward_hook(self._hook)

    def _hook(self, _module: Any, _inputs: Any, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        self.masks, self.ious, tokens, self.scores = output
        if self.truth is None:
            return output
        forced = torch.where(self.truth[:, None] > 0, 10.0, -10.0)
        return self.masks, self.ious, tokens, forced


def new_bank() -> Bank:
    """A memory that holds nothing yet."""
    return {"cond_frame_outputs": {}, "non_cond_frame_outputs": {}}


def encode(model: Any, images: Tensor, repeat: int | Sequence[int]) -> Vision:
    """Features of B images, each `repeat` times (one number, or one for each image) in a row."""
    out = model.forward_image(images)
    often = repeat if isinstance(repeat, int) else torch.tensor(repeat, device=images.device)
    for name in ("backbone_fpn", "vision_pos_enc"):
        out[name] = [level.repeat_interleave(often, 0) for level in out[name]]
    _, features, positions, sizes = model._prepare_backbone_features(out)
    return features, positions, sizes


def step_frame(
    model: Any,
    vision: Vision,
    index: int,
    bank: Bank,
    prompt: Prompt | None,
    mask: Tensor | None = None,
    previous: Tensor | None = None,
    *,
    alone: bool = True,
) -> tuple[Tensor, ...]:
    """SAM2's tracking step on one frame: its head outputs. A prompt reads the memory only if not `alone`."""
    initial = alone and (prompt is not None or mask is not None)
    _, heads, _, _ = model._track_step(index, initial, *vision, prompt, mask, bank, CLIP_LENGTH, False, previous)
    return tuple(heads)


def remember(model: Any, vision: Vision, heads: tuple[Tensor, ...], *, prompted: bool) -> dict[str, Any]:
    """An output as the memory bank holds it."""
    features, positions = model._encode_new_memory(vision[0], vision[2], heads[4], heads[6], prompted)
    return {"maskmem_features": features, "maskmem_pos_enc": positions, "obj_ptr": heads[5]}


def upsampled(low: Tensor, side: int) -> Tensor:
    """Decoder logits (N, 1, h, w) at the model's size: (N, S, S)."""
    return functional.interpolate(low, size=(side, side), mode="bilinear", align_corners=False)[:, 0]
