"""What the shapes world is made of: words, colours, levels, and the objects that move in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput

Floats = NDArray[np.float64]

COLOUR_VALUES: dict[str, tuple[int, int, int]] = {
    "red": (214, 40, 40),
    "green": (40, 176, 64),
    "blue": (40, 80, 224),
    "yellow": (244, 220, 40),
    "purple": (140, 50, 190),
    "orange": (250, 136, 24),
    "pink": (250, 140, 190),
    "cyan": (50, 214, 224),
}
COLOURS = tuple(COLOUR_VALUES)
SHAPES = ("circle", "square", "triangle", "star", "cross", "heart")
BACKGROUNDS = ("grass", "sky", "sand", "water", "brick", "snow")
SIZE_WORDS = ("small", "medium", "large")
MOTIONS = ("still", "left", "right", "up", "down")
GENERIC = ("shape", "object", "thing")


@dataclass(frozen=True, slots=True)
class Level:
    """How hard the world is: counts, radii (of the shorter side), noise of scene and shapes, crowding.

    `twins` is how likely a shape has the first one's colour, or else its shape.
    """

    name: str
    shapes: tuple[int, int]
    radius: tuple[float, float]
    scene_noise: float
    graded: float
    texture: float
    clutter: int
    twins: float
    leavers: float
    spacing: float


LEVELS = {
    "kind": Level("kind", (2, 4), (0.12, 0.25), 5, 0.4, 0, 0, 0.1, 0.25, 1.0),
    "medium": Level("medium", (3, 5), (0.09, 0.2), 12, 0.6, 10, 4, 0.25, 0.25, 0.7),
    "hard": Level("hard", (4, 7), (0.05, 0.14), 22, 0.8, 26, 14, 0.4, 0.35, 0.3),
    "lookalikes": Level("lookalikes", (2, 4), (0.12, 0.25), 5, 0.4, 0, 0, 0.7, 0.25, 1.0),
}


@dataclass(frozen=True, slots=True)
class ShapesObject:
    """One shape: `id` from 1, words that describe it, whether it leaves the picture and comes back."""

    id: int
    shape: str
    colour: str
    size: str
    motion: str
    leaves: bool
    returns: bool


@dataclass(frozen=True, slots=True)
class ShapesExpression:
    """A text that is true of exactly the objects with these ids; `answer` is the word for what they are."""

    text: str
    objects: tuple[int, ...]
    kind: str
    answer: str


@dataclass(frozen=True, eq=False)
class Actor:
    """A shape on its way: `centres` (T, 2) as (x, y) and `angles` (T,), in pixels and radians."""

    thing: ShapesObject
    radius: float
    centres: Floats
    angles: Floats


def level_named(name: str) -> str:
    """The level called `name`. Raises BadInput with the known ones."""
    if name not in LEVELS:
        raise BadInput(f'There is no level "{name}": choose one of {", ".join(LEVELS)}.')
    return name
