"""How the shapes world looks: scenes, skins, antialiased shapes over each other, and their visible masks."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput
from decaf_gui.demo.world import COLOUR_VALUES, Actor, Floats, Level

SCENES: dict[str, tuple[int, int, int]] = {
    "grass": (62, 84, 54),
    "sky": (142, 164, 186),
    "sand": (158, 142, 112),
    "water": (52, 76, 98),
    "brick": (104, 72, 62),
    "snow": (206, 208, 212),
}


def scene_of(rng: np.random.Generator, name: str, world: Level, size: tuple[int, int]) -> NDArray[np.float32]:
    """The background, float32 (H, W, 3): each scene has a tint and a pattern of its own."""
    height, width = size
    scene = np.empty((height, width, 3), np.float32)
    scene[:] = np.array(SCENES[name], np.float32) + rng.uniform(-8, 8)
    rows, columns = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    side = min(size)
    if name == "sky":
        scene += (rows / height * 36 - 18)[:, None, None]
    elif name == "water":
        scene += (10 * np.sin(rows / side * 55 + rng.uniform(0, 6)))[:, None, None]
    elif name == "brick":
        scene += _bricks(rows, columns, side / 9)[..., None]
    elif name == "grass":
        scene += (9 * np.sin(columns / side * 90 + rng.uniform(0, 6)))[None, :, None]
    elif name == "sand":
        scene += cv2.resize(rng.normal(0, 9, (8, 8)).astype(np.float32), (width, height))[..., None]
    noise = rng.normal(0, world.scene_noise, (height // 2 + 1, width // 2 + 1)).astype(np.float32)
    scene += cv2.resize(noise, (width, height))[..., None]
    for _ in range(world.clutter):
        _clutter(rng, scene)
    return scene


def _bricks(rows: NDArray[np.float32], columns: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    course = (rows // step).astype(int)
    mortar_rows = (rows % step < step * 0.16)[:, None]
    shifted = columns[None, :] + (course % 2)[:, None] * step
    mortar = mortar_rows | (shifted % (2 * step) < step * 0.16)
    return np.where(mortar, 22, -5).astype(np.float32)


def _clutter(rng: np.random.Generator, scene: NDArray[np.float32]) -> None:
    """A dull blotch painted into the scene."""
    height, width = scene.shape[:2]
    centre = (int(rng.integers(width)), int(rng.integers(height)))
    axes = tuple(int(v) for v in rng.uniform(0.03, 0.12, 2) * min(height, width) + 1)
    grey = scene.mean(axis=(0, 1)) + rng.uniform(-45, 45)
    colour = tuple(float(v) for v in grey + rng.uniform(-15, 15, 3))
    cv2.ellipse(scene, centre, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)


def outline(shape: str) -> Floats:
    """A polygon (n, 2) of the shape inside the unit circle, y down."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    if shape == "circle":
        return np.stack([np.cos(turn), np.sin(turn)], axis=1) * 0.92
    if shape == "square":
        return np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.8
    if shape == "triangle":
        return np.array([(0, -1), (0.95, 0.75), (-0.95, 0.75)])
    if shape == "star":
        points = np.arange(10) * np.pi / 5 - np.pi / 2
        reach = np.where(np.arange(10) % 2, 0.46, 1.05)
        return np.stack([np.cos(points) * reach, np.sin(points) * reach], axis=1)
    if shape == "cross":
        a, b = 0.36, 1.0
        half = [(-a, -b), (a, -b), (a, -a), (b, -a), (b, a), (a, a), (a, b), (-a, b), (-a, a), (-b, a), (-b, -a)]
        return np.array([*half, (-a, -a)])
    if shape == "heart":
        x = 16 * np.sin(turn) ** 3
        y = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
        return np.stack([x / 17, -y / 17], axis=1)
    raise BadInput(f'There is no shape "{shape}".')


def film(
    rng: np.random.Generator,
    scene: NDArray[np.float32],
    actors: Sequence[Actor],
    world: Level,
    frames: int,
    depth: Sequence[int] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draws all frames, far shapes first: pictures (T, H, W, 3) and visible masks (K, T, H, W).

    `depth` are places in `actors` from far to near; without it chance decides.
    """
    height, width = scene.shape[:2]
    skins = [_skin(rng, actor, world, (height, width)) for actor in actors]
    order = rng.permutation(len(actors)) if depth is None else depth
    pictures = np.empty((frames, height, width, 3), np.uint8)
    masks = np.zeros((len(actors), frames, height, width), bool)
    for t in range(frames):
        picture = scene.copy()
        for index in order:
            alpha, (y0, y1, x0, x1) = _coverage(actors[index], t, (height, width))
            if alpha.size == 0:
                continue
            window = picture[y0:y1, x0:x1]
            window += alpha[..., None] * (skins[index][y0:y1, x0:x1] - window)
            seen = alpha > 0.5
            masks[:, t, y0:y1, x0:x1] &= ~seen
            masks[index, t, y0:y1, x0:x1] |= seen
        pictures[t] = np.clip(picture, 0, 255)
    return pictures, masks


def _skin(rng: np.random.Generator, actor: Actor, world: Level, size: tuple[int, int]) -> NDArray[np.float32]:
    """The colour of the shape at every pixel: flat, graded, or with texture."""
    height, width = size
    skin = np.empty((height, width, 3), np.float32)
    skin[:] = np.array(COLOUR_VALUES[actor.thing.colour], np.float32) + rng.uniform(-8, 8, 3)
    if rng.random() < world.graded:
        slope = np.linspace(-14, 14, height, dtype=np.float32)[:, None] * float(rng.choice([-1, 1]))
        skin += slope[..., None]
    if world.texture:
        noise = rng.normal(0, world.texture, (height // 3 + 1, width // 3 + 1)).astype(np.float32)
        skin += cv2.resize(noise, (width, height))[..., None]
    return skin


def _coverage(actor: Actor, t: int, size: tuple[int, int]) -> tuple[NDArray[np.float32], tuple[int, int, int, int]]:
    """Antialiased coverage in [0, 1] of the part of the picture that the shape can touch, and that window."""
    height, width = size
    x, y = actor.centres[t]
    reach = actor.radius * 1.1 + 2
    y0, y1 = max(int(y - reach), 0), min(int(y + reach) + 1, height)
    x0, x1 = max(int(x - reach), 0), min(int(x + reach) + 1, width)
    if y1 <= y0 or x1 <= x0:
        return np.zeros((0, 0), np.float32), (0, 0, 0, 0)
    c, s = np.cos(actor.angles[t]), np.sin(actor.angles[t])
    points = outline(actor.thing.shape) @ np.array([[c, s], [-s, c]]) * actor.radius + (x - x0 - 0.5, y - y0 - 0.5)
    drawn = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(drawn, [np.round(points * 256).astype(np.int32)], 255, cv2.LINE_AA, shift=8)
    return drawn.astype(np.float32) / np.float32(255), (y0, y1, x0, x1)
