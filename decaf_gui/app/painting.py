"""The picture in the canvas, without Qt: a frame, masks over it, attention over it, at the size of the screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.app.palette import GHOST, Colour, attention_colours
from decaf_gui.app.viewport import Viewport
from decaf_gui.core.masks import Rle

Frame = NDArray[np.uint8]
Style = Literal["accepted", "candidate", "ghost", "preview"]
Mode = Literal["masks", "contours", "masks only", "none"]
MODES: tuple[Mode, ...] = ("masks", "contours", "masks only", "none")
SURROUND: Colour = (32, 32, 34)
SHADOW: Colour = (20, 20, 20)
DASHES = {"candidate": (10.0, 9.0), "ghost": (2.0, 9.0), "preview": (5.0, 8.0)}
"""Lengths of a dash and of the gap after it, in screen pixels; round ends add to the one and take from the other."""
UNSEEN = 0.3
"""Screen pixels by which an outline may lie beside the mask's."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The mask of one object or candidate on the frame that is shown."""

    rle: Rle
    colour: Colour
    style: Style = "accepted"
    selected: bool = False
    opacity: float | None = None
    """Of its fill; None: the scene's. 0 leaves the contour alone."""

    @property
    def filled(self) -> bool:
        """Accepted objects and previews are filled, candidates are outlines."""
        return self.style in ("accepted", "preview")

    @property
    def line(self) -> Colour:
        """The colour of its outline."""
        return GHOST if self.style == "ghost" else self.colour


@dataclass(frozen=True, eq=False)
class Scene:
    """What is to be seen: `frame` RGB (H, W, 3), masks from below to above, attention float32 (h, w) in [0, 1].

    Lines are `pixel_ratio` times as wide, for screens of high density.
    """

    frame: Frame
    layers: tuple[Layer, ...] = ()
    attention: NDArray[np.float32] | None = None
    mode: Mode = "masks"
    opacity: float = 0.45
    attention_opacity: float = 0.75
    pixel_ratio: float = 1.0


def paint(scene: Scene, view: Viewport) -> Frame:
    """The whole widget as RGB (height, width, 3).

    Everything is made at the widget's resolution, so that the cost does not grow with the frame.
    """
    canvas = _empty(view.widget).copy()
    if scene.mode == "masks only":
        left, top, right, bottom = _rectangle(view, (0, 0, view.picture[1], view.picture[0]))
        canvas[top:bottom, left:right] = 0
    else:
        _warp(_smaller(scene.frame, view), view, canvas)
        if scene.attention is not None:
            _add_attention(canvas, scene, view)
    if scene.mode in ("masks", "masks only"):
        for layer in scene.layers:
            if layer.filled:
                own = scene.opacity if layer.opacity is None else layer.opacity
                _add_fill(canvas, layer, view, 1.0 if scene.mode == "masks only" else own)
    if scene.mode in ("masks", "contours"):
        for layer in scene.layers:
            _add_outline(canvas, layer, view, scene.pixel_ratio)
    return canvas


def heat_at(maps: NDArray[np.float32], sampled: Sequence[int], frame: int) -> NDArray[np.float32] | None:
    """Of maps (T', h, w) on sampled frames, the one at the nearest of them, as a share of the largest attention."""
    if not sampled:
        return None
    nearest = int(np.argmin([abs(other - frame) for other in sampled]))
    place = nearest * len(maps) // len(sampled)
    most = float(maps.max())
    return np.asarray(maps[place] / most if most > 0 else maps[place], np.float32)


@lru_cache(maxsize=2)
def _empty(size: tuple[int, int]) -> Frame:
    """The surround alone: filling with a colour takes ten times as long as copying."""
    return np.full((*size, 3), SURROUND, np.uint8)


def outlines(layer: Layer) -> list[NDArray[np.int32]]:
    """The closed outlines of a mask, holes as well: (n, 2) x and y of pixels, (0, 0) the upper left one."""
    box = layer.rle.box
    if box is None:
        return []
    part = np.ascontiguousarray(layer.rle.part(box), np.uint8)
    found, _ = cv2.findContours(part, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE, offset=box[:2])
    return [np.asarray(points[:, 0], np.int32) for points in found]


def _add_outline(canvas: Frame, layer: Layer, view: Viewport, ratio: float) -> None:
    """A dark line below a coloured one: it is seen on any footage. Only those of accepted objects are unbroken."""
    width = ratio * (3.0 if layer.selected else 2.0)
    lines: list[NDArray[np.float64]] = []
    closed = layer.style == "accepted"
    for points in outlines(layer):
        line = _simple((points + 0.5) * view.zoom + (view.x, view.y))
        lines += [line] if closed else dashes(line, *(ratio * length for length in DASHES[layer.style]))
    fixed = [np.round(16 * (line - 0.5)).astype(np.int32) for line in lines]
    for colour, wide in ((SHADOW, width + 2 * ratio), (layer.line, width)):
        cv2.polylines(canvas, fixed, closed, colour, max(1, round(wide)), cv2.LINE_AA, 4)


def _simple(line: NDArray[np.floating]) -> NDArray[np.float64]:
    """A closed line without the corners that nobody sees: drawing each takes longer than looking for them."""
    found = cv2.approxPolyDP(line.astype(np.float32)[:, None], UNSEEN, True)
    return np.asarray(found[:, 0], np.float64)


def dashes(line: NDArray[np.float64], on: float, off: float) -> list[NDArray[np.float64]]:
    """The dashes of a closed line (n, 2): stretches of length `on`, `off` apart, every corner kept."""
    closed = np.concatenate([line, line[:1]])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    if along[-1] == 0:
        return [closed]
    starts = np.arange(0.0, along[-1], on + off)
    pieces = []
    for start, stop in zip(starts, np.minimum(starts + on, along[-1]), strict=True):
        inside = along[(along > start) & (along < stop)]
        at = np.concatenate([[start], inside, [stop]])
        pieces.append(np.stack([np.interp(at, along, closed[:, axis]) for axis in (0, 1)], axis=1))
    return pieces


def _smaller(frame: Frame, view: Viewport) -> Frame:
    """The frame, averaged down by a whole factor where it is shown at less than half its size: nothing flickers."""
    factor = int(1 / view.zoom)
    if factor < 2:
        return frame
    height, width = frame.shape[:2]
    small = cv2.resize(frame, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def _warp(source: NDArray[np.uint8], view: Viewport, target: Frame) -> None:
    """Draws a picture of any resolution where the viewport shows the whole picture, into the widget's pixels."""
    flags = cv2.INTER_NEAREST if view.zoom >= 3 else cv2.INTER_LINEAR  # large pixels are to be seen as such
    size = (view.widget[1], view.widget[0])
    matrix = _matrix(view, source.shape[:2])
    cv2.warpAffine(source, matrix, size, target, flags=flags, borderMode=cv2.BORDER_TRANSPARENT)


def _matrix(view: Viewport, shape: tuple[int, ...], x0: float = 0.0, y0: float = 0.0) -> NDArray[np.float64]:
    """From the pixels of a picture of `shape`, which stands for the whole one, to the widget's, (x0, y0) its first.

    OpenCV counts from the centre of the first pixel, we from its corner.
    """
    sx, sy = view.zoom * view.picture[1] / shape[1], view.zoom * view.picture[0] / shape[0]
    return np.array([[sx, 0, view.x - x0 + sx / 2 - 0.5], [0, sy, view.y - y0 + sy / 2 - 0.5]])


def _rectangle(view: Viewport, box: tuple[float, float, float, float]) -> tuple[int, int, int, int]:
    """The widget's pixels that a part of the picture covers, clipped: (left, top, right, bottom)."""
    left, top = view.to_widget(box[0], box[1])
    right, bottom = view.to_widget(box[2], box[3])
    height, width = view.widget
    edges = [math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)]
    clipped = np.clip(edges, 0, [width, height, width, height])
    return int(clipped[0]), int(clipped[1]), int(clipped[2]), int(clipped[3])


def _add_attention(canvas: Frame, scene: Scene, view: Viewport) -> None:
    """The map in magma; its opacity follows its value, so that no attention leaves the frame as it is."""
    assert scene.attention is not None
    left, top, right, bottom = _rectangle(view, (0, 0, view.picture[1], view.picture[0]))
    if left >= right or top >= bottom:
        return
    heat = np.clip(scene.attention, 0, 1).astype(np.float32)
    matrix = _matrix(view, heat.shape, left, top)
    size = (right - left, bottom - top)
    large = cv2.warpAffine(heat, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colours = cv2.applyColorMap(cv2.convertScaleAbs(large, alpha=255), attention_colours())
    weight = large * np.float32(scene.attention_opacity)
    part = np.ascontiguousarray(canvas[top:bottom, left:right])
    canvas[top:bottom, left:right] = cv2.blendLinear(colours, part, weight, 1 - weight)


def _add_fill(canvas: Frame, layer: Layer, view: Viewport, opacity: float) -> None:
    """A mask's pixels in its colour, only where they are."""
    box = layer.rle.box
    if box is None:
        return
    x, y, width, height = box
    left, top, right, bottom = _rectangle(view, (x, y, x + width, y + height))
    if left >= right or top >= bottom:
        return
    inside = np.ascontiguousarray(layer.rle.part(box), np.uint8)
    x0, y0 = view.to_widget(x, y)
    shift = np.array([[view.zoom, 0, x0 - left + view.zoom / 2 - 0.5], [0, view.zoom, y0 - top + view.zoom / 2 - 0.5]])
    mask = cv2.warpAffine(inside, shift, (right - left, bottom - top), flags=cv2.INTER_NEAREST)
    part = np.ascontiguousarray(canvas[top:bottom, left:right])
    colour = np.full_like(part, layer.colour)
    mixed = cv2.addWeighted(part, 1 - opacity, colour, opacity, 0)
    canvas[top:bottom, left:right] = np.where(mask[..., None] > 0, mixed, part)
