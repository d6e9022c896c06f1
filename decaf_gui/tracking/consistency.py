"""Attention consistency: do a tracklet's masks stay on attended regions over time (eqs. 6 to 8)?"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.masks import Masks
from decaf_gui.tracking.settings import TrackingSettings

Maps = NDArray[np.float32]


def attended_cells(maps: Maps, settings: TrackingSettings) -> tuple[Maps, float]:
    """V-hat (Ts, Hp, Wp) of eq. 7, and the denominator of eq. 8: the sum of V over the cells above mu_t."""
    mu = _thresholds(maps, settings)[:, None, None]
    above = maps > mu if settings.strict else maps >= mu
    penalty = -maps.max(axis=(1, 2), keepdims=True) if settings.penalty else np.zeros_like(mu)
    return np.where(above, maps, penalty).astype(np.float32), float(maps[above].sum())


def _thresholds(maps: Maps, settings: TrackingSettings) -> Maps:
    """The mean of each frame's map, or Otsu's threshold on it (256 steps): (Ts,)."""
    if settings.threshold == "mean":
        return np.asarray(maps.mean(axis=(1, 2)))
    grey = (maps * 255).astype(np.uint8)
    found = [cv2.threshold(g, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 255 for g in grey]
    return np.array(found, np.float32)


def pooled_masks(masks: Masks, frames: Sequence[int], grid: tuple[int, int]) -> Maps:
    """A tracklet's masks as shares of each map cell: float32 (Ts, Hp, Wp), adaptive average pooling.

    Pixels are counted inside of the mask's box only; the counts are whole numbers, so the shares are exact.
    """
    down, across = _windows(masks.size[0], grid[0]), _windows(masks.size[1], grid[1])
    cell_pixels = np.outer(down.sum(axis=1), across.sum(axis=1))
    pooled = np.zeros((len(frames), *grid), np.float32)
    for place, frame in enumerate(frames):
        box = masks.box(frame)
        if box is not None:
            x, y, width, height = box
            inside = masks[frame][y : y + height, x : x + width].astype(np.float32)
            counts = down[:, y : y + height] @ inside @ across[:, x : x + width].T
            pooled[place] = counts / cell_pixels
    return pooled


def _windows(pixels: int, cells: int) -> Maps:
    """Which pixels each cell averages, as 0 and 1: (cells, pixels). Neighbours share a pixel where it is cut."""
    place, cell = np.arange(pixels), np.arange(cells)[:, None]
    first, last = cell * pixels // cells, -(-(cell + 1) * pixels // cells)
    return ((place >= first) & (place < last)).astype(np.float32)


def consistency_scores(
    tracks: Sequence[Masks], frames: Sequence[int], maps: Maps, settings: TrackingSettings
) -> list[float]:
    """s_ac (eq. 8) of every tracklet; with `normalise`, positive ones are divided by the largest."""
    cells, whole = attended_cells(maps, settings)
    grid = (maps.shape[1], maps.shape[2])
    scores = [float((pooled_masks(m, frames, grid) * cells).sum()) / whole if whole else 0.0 for m in tracks]
    best = max(scores, default=0.0)
    if not settings.normalise or best <= 0:
        return scores
    return [score / best if score > 0 else score for score in scores]
