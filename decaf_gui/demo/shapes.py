"""The shapes world: seeded clips of moving coloured shapes with exact masks and true expressions.

A clip holds 2 to 7 shapes over a plain kind of scene. Shapes have a depth (nearer ones hide farther ones), some
leave the picture and some of those return. Every expression is true of exactly its targets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decaf_gui.demo.drawing import film, scene_of
from decaf_gui.demo.sentences import expressions_of
from decaf_gui.demo.staging import stage
from decaf_gui.demo.world import BACKGROUNDS, LEVELS, ShapesExpression, ShapesObject, level_named


@dataclass(frozen=True, eq=False)
class ShapesClip:
    """`frames` uint8 (T, H, W, 3) RGB; `masks` bool (K, T, H, W): the pixels of each object that can be seen."""

    frames: NDArray[np.uint8]
    masks: NDArray[np.bool_]
    objects: tuple[ShapesObject, ...]
    expressions: tuple[ShapesExpression, ...]
    background: str
    fps: float
    seed: int
    level: str


def make_clip(seed: int, level: str = "kind", frames: int = 24, size: tuple[int, int] = (240, 320)) -> ShapesClip:
    """The clip of a seed, the same bit by bit each time. `size` is (H, W) in pixels."""
    world = LEVELS[level_named(level)]
    rng = np.random.default_rng((seed, tuple(LEVELS).index(level), frames, *size))
    background = str(rng.choice(BACKGROUNDS))
    actors = stage(rng, world, frames, size)
    scene = scene_of(rng, background, world, size)
    pictures, masks = film(rng, scene, actors, world, frames)
    shown: NDArray[np.bool_] = np.asarray(masks.reshape(len(actors), frames, -1).any(axis=2))
    expressions = tuple(expressions_of(rng, actors, shown, size))
    fps = float(rng.choice([8, 10, 12, 15]))
    return ShapesClip(pictures, masks, tuple(a.thing for a in actors), expressions, background, fps, seed, level)


def target_masks(clip: ShapesClip, wanted: ShapesExpression) -> NDArray[np.bool_]:
    """What an expression means, the union of its targets: bool (T, H, W)."""
    targets = [place for place, thing in enumerate(clip.objects) if thing.id in wanted.objects]
    return np.asarray(clip.masks[targets].any(axis=0))
