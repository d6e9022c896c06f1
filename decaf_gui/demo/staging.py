"""Where shapes are: a cast of different looks and sizes, and straight ways that keep apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decaf_gui.demo.world import COLOURS, MOTIONS, SHAPES, Actor, Floats, Level, ShapesObject

STEP = {"still": (0.0, 0.0), "left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}


def stage(rng: np.random.Generator, world: Level, frames: int, size: tuple[int, int]) -> list[Actor]:
    """A cast whose paths keep apart as far as the level asks: the best of some tries."""
    count = int(rng.integers(world.shapes[0], world.shapes[1] + 1))
    looks = _looks(rng, world, count)
    best: list[Actor] = []
    least = np.inf
    for _ in range(12):
        cast = [_actor(rng, world, i, look, frames, size) for i, look in enumerate(looks)]
        crowd = _crowding(cast, world.spacing)
        if crowd < least:
            best, least = cast, crowd
        if crowd == 0:
            break
    return best


def _looks(rng: np.random.Generator, world: Level, count: int) -> list[tuple[str, str]]:
    """(colour, shape) of each; all differ in both unless a twin shares a colour or a shape."""
    colours = list(rng.permutation(COLOURS)[:count])
    shapes = list(rng.permutation(SHAPES)[:count]) if count <= len(SHAPES) else list(rng.choice(SHAPES, count))
    for i in range(1, count):
        if rng.random() < world.twins:
            colours[i] = colours[0]
        elif rng.random() < world.twins:
            shapes[i] = shapes[0]
    return [(str(c), str(s)) for c, s in zip(colours, shapes, strict=True)]


def _actor(
    rng: np.random.Generator, world: Level, index: int, look: tuple[str, str], frames: int, size: tuple[int, int]
) -> Actor:
    side = min(size)
    low, high = world.radius
    share = float(rng.uniform(0, 1))
    radius = (low + share * (high - low)) * side
    word = "small" if share < 0.33 else ("large" if share > 0.67 else "medium")
    motion = str(rng.choice(MOTIONS))
    leaves = motion != "still" and rng.random() < world.leavers
    returns = bool(leaves and rng.random() < 0.5)
    centres = _path(rng, motion, leaves, returns, radius, frames, size)
    spin = rng.uniform(-0.6, 0.6) if rng.random() < 0.3 else 0.0
    angles = rng.uniform(-0.25, 0.25) + np.linspace(0, spin, frames)
    thing = ShapesObject(index + 1, look[1], look[0], word, motion, bool(leaves), returns)
    return Actor(thing, radius, centres, angles)


def _path(
    rng: np.random.Generator,
    motion: str,
    leaves: bool,
    returns: bool,
    radius: float,
    frames: int,
    size: tuple[int, int],
) -> Floats:
    """Centres (T, 2) as (x, y): a straight way along `motion`, with a little sway."""
    extent = np.array([size[1], size[0]], float)
    margin = np.minimum(radius * 1.05, extent / 2)
    step = np.array(STEP[motion])
    reach = extent - 2 * margin
    length = float(rng.uniform(0.45, 0.85)) * float(reach @ np.abs(step))
    start = margin + rng.uniform(0, 1, 2) * reach
    axis = int(np.argmax(np.abs(step)))
    if motion != "still":
        slack = reach[axis] - length
        along = margin[axis] + rng.uniform(0, 1) * slack
        start[axis] = along if step[axis] > 0 else extent[axis] - along
    if leaves:  # on until nothing of it is left in the picture
        gone = start[axis] + 1.3 * radius if step[axis] < 0 else extent[axis] - start[axis] + 1.3 * radius
        length = float(gone)
    times = np.linspace(0, 1, frames) if frames > 1 else np.zeros(1)
    if leaves:
        times = np.minimum(times * (2.2 if returns else 1.4), 1.0)
    if returns:
        back = np.clip((np.linspace(0, 1, frames) - 0.6) / 0.4, 0, 1)
        times = times - back * 0.7
    sway = np.sin(np.linspace(0, 2 * np.pi, frames) + rng.uniform(0, 6))[:, None] * 0.01 * min(size)
    across = np.array([abs(step[1]), abs(step[0])]) if motion != "still" else np.zeros(2)
    return np.asarray(start + times[:, None] * length * step + sway * across)


def _crowding(cast: Sequence[Actor], spacing: float) -> float:
    """Pixels by which pairs come closer than `spacing` times the sum of their radii, summed over frames."""
    total = 0.0
    for i, a in enumerate(cast):
        for b in cast[i + 1 :]:
            gap = np.linalg.norm(a.centres - b.centres, axis=1) - spacing * (a.radius + b.radius)
            total += float(np.maximum(-gap, 0).sum())
    return total
