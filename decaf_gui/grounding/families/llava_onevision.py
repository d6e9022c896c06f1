"""LLaVA-OneVision in transformers' own format, the repositories that end in -hf."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.models.llava_onevision.modeling_llava_onevision import get_anyres_image_grid_shape, unpad_image

from decaf_gui.grounding.families.base import Family, Frame, Kind, Seeing, VisualLayout, seen_in_batches

FULLER = 1.1
"""Beyond this ratio of sides to the largest allowed, the tower's features are scaled down to it."""


class LlavaOnevision(Family):
    """One tile per video frame, pooled by two, and a newline at the end; images have a base tile and tiles of parts.

    The base tile shows all of an image. The tiles behind it are put together, without their padding, and read row by
    row, each with a newline behind it.
    Sizes follow from that alone: 384-pixel tiles of 27 x 27 tokens (14 x 14 pooled) in the released models.
    """

    system = "You are a helpful assistant."

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        vision = model.config.vision_config
        self.tile = int(vision.image_size)
        self.side = self.tile // int(vision.patch_size)

    def input_size(self, size: tuple[int, int], tokens: int) -> tuple[int, int]:
        """One tile, whatever the clip's shape."""
        return self.tile, self.tile

    def most_tokens(self, kind: Kind, frames: int, video_tokens: int, frame_scale: int) -> int:
        """Pooled tiles and a newline; for images the base tile, and as many tokens of tiles as may be kept."""
        if kind == "video":
            return self._pooled(frames).count
        most = int(self.model.config.vision_aspect_ratio.removeprefix("anyres_max_"))
        rows = math.ceil(FULLER * math.sqrt(most) * self.side)
        return self.side**2 + rows * (rows + 1)

    def encode(self, frames: Sequence[Frame], kind: Kind, size: tuple[int, int], batch: int) -> Seeing:
        """Tiles never look at each other in the tower. Frame inputs are cut by their own shape, whatever `size`."""
        if kind == "video":
            features = yield from seen_in_batches(frames, batch, self._see_video)
            newline = self.model.model.image_newline.to(features)[None]
            return torch.cat([features.flatten(0, 1), newline])[None], self._pooled(len(frames))
        features = yield from seen_in_batches(frames, batch, self._see_images)
        return features, self._anyres(frames[0].shape[:2], features.shape[1])

    def _see_video(self, pictures: list[Tensor]) -> Tensor:
        made = self.processor.video_processor(
            videos=[torch.stack(pictures)],
            do_sample_frames=False,
            size={"height": self.tile, "width": self.tile},
            return_tensors="pt",
        )
        seen = self.model.model.get_video_features(made["pixel_values_videos"].to(self.model.device))
        tokens: Tensor = seen.pooler_output[0, :-1]  # each call closes with a newline: the video has but one
        return tokens.reshape(len(pictures), -1, tokens.shape[-1])

    def _see_images(self, pictures: list[Tensor]) -> Tensor:
        made = self.processor.image_processor(images=pictures, return_tensors="pt")
        device = self.model.device
        pixels = made["pixel_values"].to(device, self.model.dtype)
        seen = self.model.model.get_image_features(pixels, torch.as_tensor(made["image_sizes"], device=device))
        return torch.stack(list(seen.pooler_output))

    def _pooled(self, frames: int) -> VisualLayout:
        """Frame by frame, row by row, then the newline."""
        side = math.ceil(self.side / 2)
        count = frames * side * side
        return VisualLayout("video", frames, (frames, side, side), count + 1, torch.arange(count))

    def _anyres(self, size: tuple[int, ...], count: int) -> VisualLayout:
        """The base tile, then rows of as many tokens as the unpadded image is wide, each with a newline."""
        rows, columns = self._unpadded(size)
        base = self.side * self.side
        cells = base + torch.arange(rows)[:, None] * (columns + 1) + torch.arange(columns)
        return VisualLayout("image", 1, (1, rows, columns), count, cells.flatten())

    def _unpadded(self, size: tuple[int, ...]) -> tuple[int, int]:
        """Rows and columns of an image's tokens, base tile and newlines left out."""
        config = self.model.config
        down, across = get_anyres_image_grid_shape(size, config.image_grid_pinpoints, self.tile)
        whole = torch.empty(1, down * self.side, across * self.side)
        _, rows, columns = unpad_image(whole, size).shape
        most = int(config.vision_aspect_ratio.removeprefix("anyres_max_"))
        ratio = math.sqrt(rows * columns / (most * self.side**2))
        return (int(rows // ratio), int(columns // ratio)) if ratio > FULLER else (rows, columns)
