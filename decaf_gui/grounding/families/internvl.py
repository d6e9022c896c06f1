"""InternVL3 (and 2.5) in transformers' own format, the repositories that end in -hf."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers.models.got_ocr2.image_processing_got_ocr2 import get_optimal_tiled_canvas

from decaf_gui.grounding.families.base import (
    Family,
    Frame,
    Kind,
    Seeing,
    VisualLayout,
    plain_layout,
    seen_in_batches,
)


class InternVl(Family):
    """Square tiles: one per video frame; images are cut into up to 12 of them, behind which comes a thumbnail.

    Sizes and token counts follow from that alone: 448-pixel tiles of 16 x 16 tokens in the released models.
    """

    system = (
        "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。"
    )

    def __init__(self, model: Any, processor: Any) -> None:
        super().__init__(model, processor)
        vision = model.config.vision_config
        self.tile = int(vision.image_size[0])
        self.side = int(self.tile // vision.patch_size[0] * model.config.downsample_ratio)

    def input_size(self, size: tuple[int, int], tokens: int) -> tuple[int, int]:
        """One tile, whatever the clip's shape."""
        return self.tile, self.tile

    def most_tokens(self, kind: Kind, frames: int, video_tokens: int, frame_scale: int) -> int:
        """Whole tiles: one per video frame, for images as many as there may be, and the thumbnail."""
        tiles = frames if kind == "video" else self.processor.image_processor.max_patches + 1
        return int(tiles * self.side**2)

    def placeholder(self, kind: Kind) -> int:
        """Videos are runs of images."""
        return int(self.model.config.image_token_id)

    def spell(self, layout: VisualLayout) -> list[str | int]:
        """Video frames are numbered lines, each between start and end."""
        start, end = self.processor.start_image_token, self.processor.end_image_token
        if layout.kind == "image":
            return [start, layout.count, end]
        spelled: list[str | int] = []
        for frame in range(layout.shown):
            line = f"{end}\n" if frame else ""
            spelled += [f"{line}Frame{frame + 1}: {start}", layout.count // layout.shown]
        return [*spelled, end]

    def encode(self, frames: Sequence[Frame], kind: Kind, size: tuple[int, int], batch: int) -> Seeing:
        """Tiles never look at each other in the tower. Frame inputs are cut by their own shape, whatever `size`."""
        if kind == "video":
            features = yield from seen_in_batches(frames, batch, self._see_video)
            return features.flatten(0, 1)[None], plain_layout(kind, len(frames), (len(frames), self.side, self.side))
        features = yield from seen_in_batches(frames, batch, self._see_images)
        return features, self._tiled(frames[0].shape[:2], features.shape[1])

    def _see_video(self, pictures: list[Tensor]) -> Tensor:
        made = self.processor.video_processor(
            videos=[torch.stack(pictures)],
            do_sample_frames=False,
            size={"height": self.tile, "width": self.tile},
            return_tensors="pt",
        )
        return self._tower(made["pixel_values_videos"][0])

    def _see_images(self, pictures: list[Tensor]) -> Tensor:
        made = self.processor.image_processor(images=pictures, crop_to_patches=True, return_tensors="pt")
        tokens: Tensor = self._tower(made["pixel_values"])
        return tokens.reshape(len(pictures), -1, tokens.shape[-1])

    def _tower(self, tiles: Tensor) -> Tensor:
        """(tiles, side * side, D)."""
        return torch.as_tensor(self.model.model.get_image_features(tiles.to(self.model.device)).pooler_output)

    def _tiled(self, size: tuple[int, ...], count: int) -> VisualLayout:
        """Tile by tile, each row by row; what is left of `count` is the thumbnail."""
        image_processor, side = self.processor.image_processor, self.side
        columns, rows = get_optimal_tiled_canvas(
            size, (self.tile, self.tile), image_processor.min_patches, image_processor.max_patches
        )
        cells = torch.arange(rows * columns * side * side).view(rows, columns, side, side)
        grid = (1, rows * side, columns * side)
        return VisualLayout("image", 1, grid, count, cells.transpose(1, 2).flatten())
