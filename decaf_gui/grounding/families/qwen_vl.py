"""Qwen2-VL and Qwen2.5-VL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as images
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.families.base import Family, Frame, Kind, Seeing, VisualLayout, plain_layout


class QwenVl(Family):
    """Tokens of 28 pixels, two frames in one temporal token, three-part rotary positions."""

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        vision = model.config.vision_config
        self.merge = vision.spatial_merge_size
        self.factor = vision.patch_size * self.merge

    def input_size(self, size: tuple[int, int], tokens: int) -> tuple[int, int]:
        """Aspect kept, both sides multiples of one token's side, by the family's own rule."""
        try:
            height, width = smart_resize(
                *size, factor=self.factor, min_pixels=4 * self.factor**2, max_pixels=tokens * self.factor**2
            )
        except ValueError as error:
            raise BadInput(f"A clip of {size[1]}x{size[0]} pixels is too narrow for this model: {error}.") from None
        return height, width

    def most_tokens(self, kind: Kind, frames: int, video_tokens: int, frame_scale: int) -> int:
        """Two frames of a video share their tokens."""
        steps = -(-frames // int(self.model.config.vision_config.temporal_patch_size))
        return super().most_tokens(kind, steps, video_tokens, frame_scale)

    def encode(self, frames: Sequence[Frame], kind: Kind, size: tuple[int, int], batch: int) -> Seeing:
        """Attention in the tower stays inside a frame (pair), so running it in parts changes nothing.

        Frames are read and resized one by one (each may take a seek in its file), 0 is yielded after each.
        """
        resized = []
        for frame in frames:
            picture = torch.tensor(frame).permute(2, 0, 1)
            resized.append(images.resize(picture, list(size), images.InterpolationMode.BICUBIC, antialias=True))
            yield 0
        pixels, (t, h, w) = self._pixels(torch.stack(resized), kind)
        done: list[Tensor] = []
        for part in pixels.split(h * w * batch):
            done.append(self._tower(part, (part.shape[0] // (h * w), h, w)))
            yield sum(len(tokens) for tokens in done)
        inputs = 1 if kind == "video" else len(frames)
        grid = (t, h // self.merge, w // self.merge)
        return torch.cat(done).unflatten(0, (inputs, -1)), plain_layout(kind, len(frames) // inputs, grid)

    def _pixels(self, stack: Tensor, kind: Kind) -> tuple[Tensor, tuple[int, int, int]]:
        """What the tower takes of frames (n, 3, h, w), and the patches of one input (t, h, w)."""
        if kind == "image":
            made = self.processor.image_processor(images=list(stack), do_resize=False, return_tensors="pt")
            return made["pixel_values"], (1, *made["image_grid_thw"][0, 1:].tolist())
        made = self.processor.video_processor(
            videos=[stack],
            do_resize=False,
            do_sample_frames=False,
            cap_pixels_per_frame=False,
            return_tensors="pt",
        )
        t, h, w = made["video_grid_thw"][0].tolist()
        return made["pixel_values_videos"], (t, h, w)

    def _tower(self, pixels: Tensor, patches: tuple[int, int, int]) -> Tensor:
        """The tower sees a run of images as it sees a video of as many temporal patches: (tokens, D)."""
        return torch.cat(tuple(self._seen(pixels, patches).pooler_output))

    def _seen(self, pixels: Tensor, patches: tuple[int, int, int]) -> Any:
        device = self.model.device
        return self.model.model.get_video_features(pixels.to(device), torch.tensor([patches], device=device))

    def positions(self, ids: Tensor, layout: VisualLayout | None) -> Tensor:
        """(3, b, n): temporal, height, width. No fps is given, so a temporal token lasts one second."""
        if layout is None:
            return torch.arange(ids.shape[1], device=ids.device).expand(3, *ids.shape)
        is_video = layout.kind == "video"
        t, h, w = layout.grid
        patches = torch.tensor([(t, h * self.merge, w * self.merge)] * ids.shape[0], device=ids.device)
        kinds = (ids == self.placeholder(layout.kind)).int() * (2 if is_video else 1)
        position_ids, _ = self.model.model.get_rope_index(
            ids,
            mm_token_type_ids=kinds,
            video_grid_thw=patches if is_video else None,
            image_grid_thw=None if is_video else patches,
            second_per_grid_ts=torch.ones(ids.shape[0], device=ids.device) if is_video else None,
        )
        return torch.as_tensor(position_ids)
