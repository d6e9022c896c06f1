"""What the attention alone says, without SAM2: masks on the sampled frames (spec section 5, table 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.entities import Expression, Grounding, Proposal, Scores, Tracklet
from decaf_gui.core.masks import Masks
from decaf_gui.grounding import fusion


def attention_masks(grounding: Grounding, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The fused maps, bilinearly at the frame's `size` (H, W), as uint8 over Otsu's threshold: bool (Ts, H, W).

    Each frame has a threshold of its own; a frame whose map is constant has an empty mask.
    """
    return fusion.attention_masks(grounding.maps, size)


def attention_tracklet(grounding: Grounding, size: tuple[int, int], id: int = 1) -> Tracklet:
    """The masks as one object of a clip of `size` (H, W), selected; known on the sampled frames and on no other.

    Its point is the centre of the cell with the most attention, its frame the cell's. SAM2 had no say: 0.
    """
    cells = grounding.maps
    place, y, x = np.unravel_index(int(cells.argmax()), cells.shape)
    point = (float((x + 0.5) / cells.shape[2] * size[1]), float((y + 0.5) / cells.shape[1] * size[0]))
    masks = dict(zip(grounding.frames, attention_masks(grounding, size), strict=True))
    scores = Scores(float(cells[place, y, x]), 0.0)
    return Tracklet(id, grounding.frames[place], point, Masks.encode(masks, size), scores, selected=True)


def attention_proposal(
    expression: Expression, grounding: Grounding, size: tuple[int, int], frame_count: int
) -> Proposal:
    """The masks as the proposal for `expression` on a clip of `frame_count` frames of `size` (H, W).

    Formats that want every frame take it where every frame is sampled (`frames` at least `frame_count`).
    """
    return Proposal(expression, size, frame_count, grounding, (attention_tracklet(grounding, size),))
