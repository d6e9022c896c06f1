"""The shapes world: seeded clips of moving coloured shapes with exact masks and true expressions.

A clip holds 2 to 7 shapes over a plain kind of scene. Shapes have a depth (nearer ones hide farther ones), some
leave the picture and some of those return. Every expression is true of exactly its targets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
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
MOTIONS = ("still", "left", "right", "up", "down")
EXPRESSION_KINDS = ("colour", "shape", "colour_shape", "size", "motion", "position", "relation")
GENERIC = ("shape", "object", "thing")

_SCENES: dict[str, tuple[int, int, int]] = {
    "grass": (62, 84, 54),
    "sky": (142, 164, 186),
    "sand": (158, 142, 112),
    "water": (52, 76, 98),
    "brick": (104, 72, 62),
    "snow": (206, 208, 212),
}
_STEP = {"still": (0.0, 0.0), "left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
_DIRECTION = {
    "left": ("moves left", "is moving to the left", "travels left"),
    "right": ("moves right", "is moving to the right", "travels right"),
    "up": ("moves up", "is moving upwards", "rises"),
    "down": ("moves down", "is moving downwards", "sinks"),
    "still": ("stands still", "does not move", "stays in place"),
}
_SIDES = (("left", 0, -1), ("right", 0, 1), ("top", 1, -1), ("bottom", 1, 1))
_RELATIONS = (("left of", 0, -1), ("right of", 0, 1), ("above", 1, -1), ("below", 1, 1))


@dataclass(frozen=True, slots=True)
class Level:
    """How hard the world is: counts, radii (of the shorter side), noise of scene and shapes, crowding."""

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


_LEVELS = {
    "kind": Level("kind", (2, 4), (0.12, 0.25), 5, 0.4, 0, 0, 0.1, 0.25, 1.0),
    "medium": Level("medium", (3, 5), (0.09, 0.2), 12, 0.6, 10, 4, 0.25, 0.25, 0.7),
    "hard": Level("hard", (4, 7), (0.05, 0.14), 22, 0.8, 26, 14, 0.4, 0.35, 0.3),
}
LEVELS = tuple(_LEVELS)


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


@dataclass(frozen=True, eq=False)
class _Actor:
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


def make_clip(seed: int, level: str = "kind", frames: int = 24, size: tuple[int, int] = (240, 320)) -> ShapesClip:
    """The clip of a seed, the same bit by bit each time. `size` is (H, W) in pixels."""
    world = _LEVELS[level_named(level)]
    rng = np.random.default_rng((seed, LEVELS.index(level), frames, *size))
    background = str(rng.choice(BACKGROUNDS))
    actors = _stage(rng, world, frames, size)
    scene = _scene(rng, background, world, size)
    pictures, masks = _film(rng, scene, actors, world, frames)
    shown: NDArray[np.bool_] = np.asarray(masks.reshape(len(actors), frames, -1).any(axis=2))
    expressions = tuple(_expressions(rng, actors, shown, size))
    fps = float(rng.choice([8, 10, 12, 15]))
    return ShapesClip(pictures, masks, tuple(a.thing for a in actors), expressions, background, fps, seed, level)


def vocabulary() -> tuple[str, ...]:
    """Every word that expressions and answers are made of."""
    words = {*SHAPES, *COLOURS, *BACKGROUNDS, *GENERIC, "shapes", "small", "large", "which", "the", "that", "is"}
    words |= {word for phrases in _DIRECTION.values() for phrase in phrases for word in phrase.split()}
    words |= {word for text, *_ in (*_SIDES, *_RELATIONS) for word in text.split()}
    return tuple(sorted(words | {"on", "at", "side", "leaves", "disappears", "picture", "clip", "in", "what"}))


# --- where things are ------------------------------------------------------------------------------------------


def _stage(rng: np.random.Generator, world: Level, frames: int, size: tuple[int, int]) -> list[_Actor]:
    """A cast whose paths keep apart as far as the level asks: the best of some tries."""
    count = int(rng.integers(world.shapes[0], world.shapes[1] + 1))
    looks = _looks(rng, world, count)
    best: list[_Actor] = []
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
) -> _Actor:
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
    return _Actor(thing, radius, centres, angles)


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
    step = np.array(_STEP[motion])
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


def _crowding(cast: Sequence[_Actor], spacing: float) -> float:
    """Pixels by which pairs come closer than `spacing` times the sum of their radii, summed over frames."""
    total = 0.0
    for i, a in enumerate(cast):
        for b in cast[i + 1 :]:
            gap = np.linalg.norm(a.centres - b.centres, axis=1) - spacing * (a.radius + b.radius)
            total += float(np.maximum(-gap, 0).sum())
    return total


# --- how things look -------------------------------------------------------------------------------------------


def _scene(rng: np.random.Generator, name: str, world: Level, size: tuple[int, int]) -> NDArray[np.float32]:
    """The background, float32 (H, W, 3): each scene has a tint and a pattern of its own."""
    height, width = size
    scene = np.empty((height, width, 3), np.float32)
    scene[:] = np.array(_SCENES[name], np.float32) + rng.uniform(-8, 8)
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


def _film(
    rng: np.random.Generator, scene: NDArray[np.float32], actors: Sequence[_Actor], world: Level, frames: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Draws all frames, far shapes first: pictures (T, H, W, 3) and visible masks (K, T, H, W)."""
    height, width = scene.shape[:2]
    skins = [_skin(rng, actor, world, (height, width)) for actor in actors]
    depth = rng.permutation(len(actors))
    pictures = np.empty((frames, height, width, 3), np.uint8)
    masks = np.zeros((len(actors), frames, height, width), bool)
    for t in range(frames):
        picture = scene.copy()
        for index in depth:
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


def _skin(rng: np.random.Generator, actor: _Actor, world: Level, size: tuple[int, int]) -> NDArray[np.float32]:
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


def _coverage(actor: _Actor, t: int, size: tuple[int, int]) -> tuple[NDArray[np.float32], tuple[int, int, int, int]]:
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


# --- what can be said ------------------------------------------------------------------------------------------


def _expressions(
    rng: np.random.Generator, actors: Sequence[_Actor], shown: NDArray[np.bool_], size: tuple[int, int]
) -> Iterator[ShapesExpression]:
    things = [actor.thing for actor in actors]
    for kind, text, ids in (
        *_by_look(rng, things),
        *_by_size(rng, actors),
        *_by_motion(rng, actors, shown),
        *_by_position(rng, actors, shown, size),
        *_by_relation(rng, actors, shown, size),
    ):
        if any(shown[i].any() for i, thing in enumerate(things) if thing.id in ids):
            words = {thing.shape for thing in things if thing.id in ids}
            yield ShapesExpression(text, tuple(ids), kind, words.pop() if len(words) == 1 else "shapes")


Said = tuple[str, str, list[int]]


def _noun(rng: np.random.Generator) -> str:
    return str(rng.choice(GENERIC, p=[0.6, 0.25, 0.15]))


def _by_look(rng: np.random.Generator, things: Sequence[ShapesObject]) -> Iterator[Said]:
    for colour in dict.fromkeys(thing.colour for thing in things):
        yield "colour", f"the {colour} {_noun(rng)}", [o.id for o in things if o.colour == colour]
    for shape in dict.fromkeys(thing.shape for thing in things):
        yield "shape", f"the {shape}", [o.id for o in things if o.shape == shape]
    for colour, shape in dict.fromkeys((thing.colour, thing.shape) for thing in things):
        same = [o.id for o in things if (o.colour, o.shape) == (colour, shape)]
        yield "colour_shape", f"the {colour} {shape}", same


def _by_size(rng: np.random.Generator, actors: Sequence[_Actor]) -> Iterator[Said]:
    """The one that is clearly the largest or smallest, if its size word says so."""
    order = sorted(actors, key=lambda actor: actor.radius)
    if len(order) > 1 and order[-1].thing.size == "large" and order[-2].radius < 0.8 * order[-1].radius:
        yield "size", f"the large {_noun(rng)}", [order[-1].thing.id]
    if len(order) > 1 and order[0].thing.size == "small" and order[0].radius < 0.8 * order[1].radius:
        yield "size", f"the small {_noun(rng)}", [order[0].thing.id]


def _by_motion(rng: np.random.Generator, actors: Sequence[_Actor], shown: NDArray[np.bool_]) -> Iterator[Said]:
    for motion in MOTIONS:
        movers = [actor.thing for actor in actors if actor.thing.motion == motion]
        if len(movers) == 1 and not movers[0].returns:
            phrase = str(rng.choice(_DIRECTION[motion]))
            noun = _noun(rng)
            text = f"which {noun} {phrase}?" if rng.random() < 0.35 else f"the {noun} that {phrase}"
            yield "motion", text, [movers[0].id]
    leavers = [a.thing.id for a, seen in zip(actors, shown, strict=True) if seen[0] and not seen.all()]
    if len(leavers) == 1 and next(a.thing for a in actors if a.thing.id == leavers[0]).leaves:
        yield "motion", f"the {_noun(rng)} that {rng.choice(['leaves the picture', 'disappears'])}", leavers


def _mostly(values: NDArray[np.bool_], shown: NDArray[np.bool_]) -> bool:
    """Whether something holds on at least nine of ten of the frames that show it, and there are enough."""
    return bool(shown.sum() >= 0.5 * len(shown) and values[shown].mean() >= 0.9)


def _by_position(
    rng: np.random.Generator, actors: Sequence[_Actor], shown: NDArray[np.bool_], size: tuple[int, int]
) -> Iterator[Said]:
    if len(actors) < 2:
        return
    centres = np.stack([actor.centres for actor in actors])  # (K, T, 2)
    for word, axis, sign in _SIDES:
        along = centres[..., axis] * sign
        extent = size[1] if axis == 0 else size[0]
        for i, actor in enumerate(actors):
            others = np.delete(along, i, axis=0).max(axis=0)
            if _mostly(along[i] > others + 0.1 * extent, shown[i]):
                where = f"on the {word}" if axis == 0 else f"at the {word}"
                yield "position", f"the {_noun(rng)} {where}", [actor.thing.id]


def _by_relation(
    rng: np.random.Generator, actors: Sequence[_Actor], shown: NDArray[np.bool_], size: tuple[int, int]
) -> Iterator[Said]:
    """The only one on that side of a shape that can be named by colour and form."""
    centres = np.stack([actor.centres for actor in actors])
    looks = [(actor.thing.colour, actor.thing.shape) for actor in actors]
    for i, look in enumerate(looks):
        if looks.count(look) > 1 or len(actors) < 2:
            continue
        for word, axis, sign in _RELATIONS:
            gap = (centres[..., axis] - centres[i, :, axis]) * sign  # (K, T), positive: on that side
            extent = size[1] if axis == 0 else size[0]
            clear = [j for j in range(len(actors)) if j != i and _mostly(gap[j] > 0.12 * extent, shown[j] & shown[i])]
            never = [j for j in range(len(actors)) if j != i and (gap[j] < -0.03 * extent).mean() > 0.8]
            if len(clear) == 1 and len(clear) + len(never) == len(actors) - 1:
                text = f"the {_noun(rng)} {word} the {look[0]} {look[1]}"
                yield "relation", text, [actors[clear[0]].thing.id]
