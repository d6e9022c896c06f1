"""From raw attention maps to one fused map, and to masks without SAM (DecAF 3.3, spec sections 4 and 5).

All maps are float32 (T, h, w); nothing here knows of models.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.settings import GroundingSettings

Maps = NDArray[np.float32]


def smooth(maps: Maps, kernel: int, sigma: float) -> Maps:
    """Gaussian of `kernel` x `kernel` cells and standard deviation `sigma`, zeros beyond the border."""
    blur = [cv2.GaussianBlur(m, (kernel, kernel), sigma, borderType=cv2.BORDER_CONSTANT) for m in maps]
    return np.stack(blur).astype(np.float32)


def contrast(object_maps: Maps, background_maps: Maps) -> Maps:
    """clamp(object - background, 0, 1) (eq. 4)."""
    return np.asarray(np.clip(object_maps - background_maps, 0.0, 1.0), dtype=np.float32)


def min_max(maps: Maps, *, per_frame: bool) -> Maps:
    """Scaled to [0, 1], globally or each frame on its own; a constant map becomes 0."""
    axes = (1, 2) if per_frame else (0, 1, 2)
    low, high = maps.min(axis=axes, keepdims=True), maps.max(axis=axes, keepdims=True)
    span = high - low
    scaled: Maps = np.divide(maps - low, span, out=np.zeros_like(maps), where=span > 0)
    return scaled


def resize(maps: Maps, size: tuple[int, int]) -> Maps:
    """Bilinear to (height, width) cells with half-pixel centres (align_corners=False), no antialiasing."""
    height, width = size
    return np.stack([cv2.resize(m, (width, height), interpolation=cv2.INTER_LINEAR) for m in maps])


def repeat_frames(maps: Maps, frames: int, per_token: int) -> Maps:
    """One map per frame where a token covers `per_token` frames; the last repeat of an odd count is dropped."""
    return np.repeat(maps, per_token, axis=0)[:frames]


def fuse_maps(raw: Mapping[str, Maps], frames: int, per_token: int, settings: GroundingSettings) -> dict[str, Maps]:
    """All maps by name, `fused` among them: float32 (Ts, Hp, Wp) in [0, 1].

    `raw` holds `video_object`, `video_background` (Tv, h, w) with `per_token` frames each, and `frame_object`,
    `frame_background` (Ts, Hp, Wp), as far as the settings use them. The result adds the smoothed and contrasted
    `video` and `frame` maps, min-max scaled (video globally, each frame map on its own).
    """
    found: dict[str, Maps] = {}
    if settings.modalities != "frames":
        video = _contrasted(raw, "video", settings.video_kernel, settings)
        found["video"] = repeat_frames(min_max(video, per_frame=False), frames, per_token)
    if settings.modalities != "video":
        found["frame"] = min_max(_contrasted(raw, "frame", settings.frame_kernel, settings), per_frame=True)
    return {**found, "fused": fused_of(found)}


def _contrasted(raw: Mapping[str, Maps], name: str, kernel: int, settings: GroundingSettings) -> Maps:
    def seen(about: str) -> Maps:
        maps = raw[f"{name}_{about}"]
        return smooth(maps, kernel, settings.sigma) if settings.smoothing else maps

    return contrast(seen("object"), seen("background")) if settings.contrast else seen("object")


def fused_of(maps: Mapping[str, Maps]) -> Maps:
    """Mean of the video map (upsampled to the frame grid) and the frame map, min-max once more (eq. 5)."""
    if not maps:
        raise BadInput("There is no map to fuse.")
    grid = max((m.shape[1:] for m in maps.values()), key=lambda shape: shape[0] * shape[1])
    return min_max(np.mean([resize(m, grid) for m in maps.values()], axis=0, dtype=np.float32), per_frame=False)


def attention_masks(maps: Maps, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The masks that the attention alone gives: upsampled to (H, W), uint8, Otsu's threshold per frame (5)."""
    return np.stack([_otsu(m) for m in resize(maps, size)])


def _otsu(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    grey = (values * 255).astype(np.uint8)
    _, binary = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return np.asarray(binary > 0)
