"""What a model family says of itself: how frames become visual tokens, where those sit, their positions.

Everything else about a multimodal LLM is common (`mllm.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Kind = Literal["video", "image"]
Frame = NDArray[np.uint8]
Seeing = Generator[int, None, tuple[Tensor, "VisualLayout"]]
"""Yields the visual tokens done so far, returns features and layout (see `Family.encode`)."""


@dataclass(frozen=True, slots=True, eq=False)
class TokenGrid:
    """Visual tokens of one input: `frames` (of tokens) x `height` x `width` cells.

    `start`..`stop` is the span from the first visual token to the last (exclusive) in the sequence. Counted from
    `start` are the positions of the grid's cells in (frame, row, column) order, `columns`, and of all visual tokens
    in the order of their features, `tokens`: text between them belongs to neither, tokens beside the grid only to
    `tokens`.
    """

    frames: int
    height: int
    width: int
    start: int
    stop: int
    columns: Tensor
    tokens: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class VisualLayout:
    """How one input was cut up: `shown` frames became `count` visual tokens of the decoder.

    `grid` (t, h, w) are its cells; `cells` (t * h * w,) says which of the visual tokens they are, in (frame, row,
    column) order. Visual tokens that are no cell lie beside the grid: thumbnails, base tiles, newlines.
    """

    kind: Kind
    shown: int
    grid: tuple[int, int, int]
    count: int
    cells: Tensor


def plain_layout(kind: Kind, shown: int, grid: tuple[int, int, int]) -> VisualLayout:
    """The layout of tokens that come frame by frame, row by row, with none beside the grid."""
    count = grid[0] * grid[1] * grid[2]
    return VisualLayout(kind, shown, grid, count, torch.arange(count))


def only_grid(features: Tensor, layout: VisualLayout) -> tuple[Tensor, VisualLayout]:
    """Without the tokens beside the grid, the others in their order: features (b, t * h * w, D) and their layout."""
    kept = layout.cells.sort().values
    cells = torch.searchsorted(kept, layout.cells)
    return features[:, kept.to(features.device)], replace(layout, count=len(kept), cells=cells)


class Family(ABC):
    """The part of a model family that `Mllm` asks for. Models are transformers' own, unmodified."""

    system: ClassVar[str | None] = None
    """The system prompt, where the chat template does not bring the right one."""

    def __init__(self, model: Any, processor: Any) -> None:
        self.model, self.processor = model, processor

    @abstractmethod
    def input_size(self, size: tuple[int, int], tokens: int) -> tuple[int, int]:
        """Pixels (H, W) of a video frame of a clip of `size`, with at most `tokens` visual tokens."""

    @abstractmethod
    def encode(self, frames: Sequence[Frame], kind: Kind, size: tuple[int, int], batch: int) -> Seeing:
        """Runs the vision tower, yielding the tokens done after each frame that is read and each batch of frames.

        Returns features (b, n, D) of the model's own input and their layout: one video (b = 1), or one image per frame.
        D is a multiple of the decoder's width where layers further up take features as well (`decoder_options`).
        """

    def most_tokens(self, kind: Kind, frames: int, video_tokens: int, frame_scale: int) -> int:
        """The most visual tokens of a video of `frames` frames, or of one image: for estimates of memory."""
        return frames * video_tokens if kind == "video" else video_tokens * frame_scale**2

    def mark(self, kind: Kind) -> str:
        """What the chat template writes where an input goes."""
        return str(self.processor.video_token if kind == "video" else self.processor.image_token)

    def placeholder(self, kind: Kind) -> int:
        """The id of one visual token."""
        config = self.model.config
        return int(config.video_token_id if kind == "video" else config.image_token_id)

    def spell(self, layout: VisualLayout) -> list[str | int]:
        """What stands in the mark's place: texts, and between them how many visual tokens follow each other."""
        return [layout.count]

    def expand(self, ids: Tensor, layout: VisualLayout) -> tuple[Tensor, TokenGrid]:
        """The ids (n,) with the placeholder spelled out, and where the grid's cells are."""
        place = self.placeholder(layout.kind)
        at = int((ids == place).nonzero()[0, 0])
        spelled, tokens = self._spelled(layout, place)
        start, stop = int(tokens[0]), int(tokens[-1]) + 1
        expanded = torch.cat([ids[:at], spelled.to(ids.device), ids[at + 1 :]])
        tokens = tokens - start
        return expanded, TokenGrid(*layout.grid, at + start, at + stop, tokens[layout.cells], tokens)

    def _spelled(self, layout: VisualLayout, place: int) -> tuple[Tensor, Tensor]:
        """Ids of what stands in the mark's place, and the positions of visual tokens among them."""
        ids: list[int] = []
        tokens: list[int] = []
        for piece in self.spell(layout):
            if isinstance(piece, int):
                tokens.extend(range(len(ids), len(ids) + piece))
                ids.extend([place] * piece)
            else:
                ids.extend(self.processor.tokenizer(piece, add_special_tokens=False)["input_ids"])
        return torch.tensor(ids), torch.tensor(tokens)

    def positions(self, ids: Tensor, layout: VisualLayout | None) -> Tensor:
        """Position ids of a whole sequence batch (b, n), in the shape that the decoder takes: here counted."""
        return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)

    def decoder_options(self, visual: Tensor, further: Tensor) -> dict[str, Any]:
        """What the decoder is given besides the embeddings of a chunk of n tokens.

        `visual` (n,) says which are visual; `further` (b, v, k * D) is what `encode` made of those beyond the
        decoder's width.
        """
        return {}


def seen_in_batches(
    frames: Sequence[Frame], batch: int, see: Callable[[list[Tensor]], Tensor]
) -> Generator[int, None, Tensor]:
    """Reads `batch` frames at a time, uint8 (3, H, W) each, and puts together what `see` makes of them (n, tokens, D).

    Yields the tokens done, after each frame (which may take a seek in its file) and each batch. No more than one
    batch of frames is held.
    """
    done: list[Tensor] = []
    count = 0
    for start in range(0, len(frames), batch):
        pictures: list[Tensor] = []
        for index in range(start, min(start + batch, len(frames))):
            pictures.append(torch.tensor(frames[index]).permute(2, 0, 1))
            yield count
        done.append(see(pictures))
        count += done[-1].shape[0] * done[-1].shape[1]
        yield count
    return torch.cat(done)
