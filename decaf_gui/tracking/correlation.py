"""SteerSeg's score of a tracklet: Pearson correlation of its masks with the rollout maps of video and frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.masks import Masks
from decaf_gui.tracking.consistency import pooled_masks

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Correlation:
    """Of one tracklet, in [-1, 1]: with the video's maps, the frames' maps (None: not shown), and the weighted sum."""

    video: float | None
    frame: float | None
    total: float


def correlation_scores(
    tracks: Sequence[Masks], frames: Sequence[int], parts: Mapping[str, Maps], frame_weight: float
) -> list[Correlation]:
    """Every tracklet's correlations; total = w frame + (1 - w) video, all of it the one input's where there is but one.

    `parts` holds the maps that are fused, `video` and `frame`, each (Ts, h, w) on the sampled `frames`: smoothed, and
    contrasted where the settings say so. A tracklet's masks are pooled to the cells of each. One coefficient runs over
    all cells of all frames at once, as the paper correlates attention tensors: a mask on frames where nobody looked
    counts against a tracklet, which a mean over frames would not see.
    """
    return [_scored(masks, frames, parts, frame_weight) for masks in tracks]


def _scored(masks: Masks, frames: Sequence[int], parts: Mapping[str, Maps], frame_weight: float) -> Correlation:
    video, frame = (
        pearson(pooled_masks(masks, frames, parts[name].shape[1:]), parts[name]) if name in parts else None
        for name in ("video", "frame")
    )
    if video is None or frame is None:
        return Correlation(video, frame, video if video is not None else frame if frame is not None else 0.0)
    return Correlation(video, frame, frame_weight * frame + (1 - frame_weight) * video)


def pearson(one: Maps, other: Maps) -> float:
    """Pearson's correlation coefficient of two arrays of one shape; 0 where one of them is constant."""
    a, b = (np.asarray(values, np.float64).ravel() for values in (one, other))
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.clip(a @ b / spread, -1.0, 1.0)) if spread > 0 else 0.0
