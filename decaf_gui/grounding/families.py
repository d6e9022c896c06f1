"""What differs between model families: how frames become visual tokens, where those sit, their positions.

Everything else about a multimodal LLM is common (`mllm.py`). A new family is one more class in `FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.transforms.v2 import functional as images
from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

from decaf_gui.core.errors import BadInput

Kind = Literal["video", "image"]
Frame = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class TokenGrid:
    """Visual tokens of one input: `frames` (of tokens) x `height` x `width` cells.

    `start`..`stop` is the span from the first visual token to the last (exclusive) in the sequence, `columns`
    the positions of the grid's cells counted from `start`, in (frame, row, column) order.
    """

    frames: int
    height: int
    width: int
    start: int
    stop: int
    columns: Tensor


@dataclass(frozen=True, slots=True)
class VisualLayout:
    """How one input was cut up: `patches` (t, h, w) of the vision tower, `count` visual tokens of the decoder."""

    kind: Kind
    patches: tuple[int, int, int]
    count: int


class Family(Protocol):
    """The part of a model family that `Mllm` asks for."""

    def __init__(self, model: Any, processor: Any) -> None: ...

    def input_size(self, size: tuple[int, int], tokens: int) -> tuple[int, int]:
        """Pixels (H, W) of a video frame of a clip of `size`, with at most `tokens` visual tokens."""

    def encode(
        self, frames: Sequence[Frame], kind: Kind, size: tuple[int, int], batch: int
    ) -> Generator[int, None, tuple[Tensor, VisualLayout]]:
        """Runs the vision tower, yielding the tokens done after each frame that is read and each batch of frames.

        Returns features (b, n, D) and their layout: one video (b = 1), or one image per frame.
        """

    def expand(self, ids: Tensor, layout: VisualLayout) -> tuple[Tensor, TokenGrid]:
        """The ids (n,) with the placeholder repeated once per visual token, and where the grid's cells are."""

    def positions(self, ids: Tensor, layout: VisualLayout | None) -> Tensor:
        """Position ids of a whole sequence batch (b, n), in the shape that the decoder takes."""


class QwenVl:
    """Qwen2-VL and Qwen2.5-VL: 28-pixel tokens, two frames in one temporal token, three-part rotary positions."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor
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

    def encode(
        self, frames: Sequence[Frame], kind: Kind, size: tuple[int, int], batch: int
    ) -> Generator[int, None, tuple[Tensor, VisualLayout]]:
        """Attention in the tower stays inside a frame (pair), so running it in parts changes nothing.

        Frames are read and resized one by one (each may take a seek in its file), 0 is yielded after each.
        """
        resized = []
        for frame in frames:
            picture = torch.tensor(frame).permute(2, 0, 1)
            resized.append(images.resize(picture, list(size), images.InterpolationMode.BICUBIC, antialias=True))
            yield 0
        pixels, patches = self._pixels(torch.stack(resized), kind)
        step = patches[1] * patches[2]
        done: list[Tensor] = []
        for part in pixels.split(step * batch):
            done.append(self._tower(part, (part.shape[0] // step, *patches[1:])))
            yield sum(len(tokens) for tokens in done)
        inputs = 1 if kind == "video" else len(frames)
        features = torch.cat(done).unflatten(0, (inputs, -1))
        return features, VisualLayout(kind, patches, features.shape[1])

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
        device = self.model.device
        grid = torch.tensor([patches], device=device)
        seen = self.model.model.get_video_features(pixels.to(device), grid)
        return torch.cat(tuple(seen.pooler_output))

    def expand(self, ids: Tensor, layout: VisualLayout) -> tuple[Tensor, TokenGrid]:
        """One run of placeholders, frame by frame, row by row."""
        place = self._placeholder(layout.kind)
        at = int((ids == place).nonzero()[0, 0])
        expanded = torch.cat([ids[:at], ids.new_full((layout.count,), place), ids[at + 1 :]])
        t, h, w = layout.patches
        cells = torch.arange(layout.count)
        return expanded, TokenGrid(t, h // self.merge, w // self.merge, at, at + layout.count, cells)

    def _placeholder(self, kind: Kind) -> int:
        config = self.model.config
        return int(config.video_token_id if kind == "video" else config.image_token_id)

    def positions(self, ids: Tensor, layout: VisualLayout | None) -> Tensor:
        """(3, b, n): temporal, height, width. No fps is given, so a temporal token lasts one second."""
        if layout is None:
            return torch.arange(ids.shape[1], device=ids.device).expand(3, *ids.shape)
        is_video = layout.kind == "video"
        grid = torch.tensor([layout.patches] * ids.shape[0], device=ids.device)
        kinds = (ids == self._placeholder(layout.kind)).int() * (2 if is_video else 1)
        position_ids, _ = self.model.model.get_rope_index(
            ids,
            mm_token_type_ids=kinds,
            video_grid_thw=grid if is_video else None,
            image_grid_thw=None if is_video else grid,
            second_per_grid_ts=torch.ones(ids.shape[0], device=ids.device) if is_video else None,
        )
        return torch.as_tensor(position_ids)


FAMILIES: dict[str, type[Family]] = {"qwen2_vl": QwenVl, "qwen2_5_vl": QwenVl}


def family_of(model: Any, processor: Any) -> Family:
    """The family of a loaded model. Raises BadInput for one that is not supported."""
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise BadInput(f'Models of type "{kind}" are not supported; these are: {", ".join(FAMILIES)}.')
    return FAMILIES[kind](model, processor)
