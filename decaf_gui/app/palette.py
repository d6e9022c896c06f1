"""Colours on the screen: of objects by their id, and of attention by its value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
OBJECTS: tuple[Colour, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (0, 114, 178),
    (213, 94, 0),
    (204, 121, 167),
    (153, 221, 255),
    (187, 204, 51),
    (255, 170, 187),
)
"""Okabe and Ito's colour-blind-safe set without black, and four light ones of Paul Tol's; RGB."""
GHOST: Colour = (150, 150, 150)
NEW: Colour = (255, 255, 255)
"""Of the preview of an object that there is not yet."""


def object_colour(object_id: int, own: str = "", colours: Sequence[Colour] = OBJECTS) -> Colour:
    """The colour of an object: its `own` ("#rrggbb") if a person chose one, else the one that its id has."""
    return colour_of(own) if own else colours[(object_id - 1) % len(colours)]


def colour_of(name: str) -> Colour:
    """RGB of "#rrggbb"."""
    return int(name[1:3], 16), int(name[3:5], 16), int(name[5:7], 16)


@cache
def attention_colours() -> NDArray[np.uint8]:
    """Magma, perceptually uniform: uint8 (256, 1, 3) RGB, as OpenCV takes a colour map."""
    ramp = np.arange(256, dtype=np.uint8)[:, None]
    return np.ascontiguousarray(cv2.applyColorMap(ramp, cv2.COLORMAP_MAGMA)[..., ::-1])
