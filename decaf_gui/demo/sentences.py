"""What can be said of shapes: expressions that are true of exactly their targets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from decaf_gui.demo.world import BACKGROUNDS, COLOURS, GENERIC, MOTIONS, SHAPES, Actor, ShapesExpression, ShapesObject

DIRECTION = {
    "left": ("moves left", "is moving to the left", "travels left"),
    "right": ("moves right", "is moving to the right", "travels right"),
    "up": ("moves up", "is moving upwards", "rises"),
    "down": ("moves down", "is moving downwards", "sinks"),
    "still": ("stands still", "does not move", "stays in place"),
}
SIDES = (("left", 0, -1), ("right", 0, 1), ("top", 1, -1), ("bottom", 1, 1))
RELATIONS = (("left of", 0, -1), ("right of", 0, 1), ("above", 1, -1), ("below", 1, 1))


def vocabulary() -> tuple[str, ...]:
    """Every word that expressions and answers are made of."""
    words = {*SHAPES, *COLOURS, *BACKGROUNDS, *GENERIC, "shapes", "small", "large", "which", "the", "that", "is"}
    words |= {word for phrases in DIRECTION.values() for phrase in phrases for word in phrase.split()}
    words |= {word for text, *_ in (*SIDES, *RELATIONS) for word in text.split()}
    return tuple(sorted(words | {"on", "at", "side", "leaves", "disappears", "picture", "clip", "in", "what"}))


def expressions_of(
    rng: np.random.Generator, actors: Sequence[Actor], shown: NDArray[np.bool_], size: tuple[int, int]
) -> Iterator[ShapesExpression]:
    """All that is true of the actors of a picture of `size` (H, W); `shown` (K, T) says where each can be seen."""
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


def attributes_of(things: Sequence[ShapesObject]) -> tuple[str, ...]:
    """What can be seen of all of these objects: colour, size unless it is medium, shape, motion."""
    told = (
        {thing.colour for thing in things},
        {thing.size for thing in things},
        {thing.shape for thing in things},
        {"" if thing.returns else DIRECTION[thing.motion][0] for thing in things},
    )
    return tuple(word for words in told if len(words) == 1 for word in words if word not in ("", "medium"))


def reason_of(expression: ShapesExpression) -> str:
    """What the expression says of its objects and of no other, as a sentence."""
    words = expression.text.rstrip("?").split()
    match expression.kind:
        case "motion":
            said = words[2:] if words[0] == "which" else words[3:]
        case "position" | "relation":
            said = ["is", *words[2:]]
        case "colour" | "size":
            said = ["is", words[1]]
        case _:
            said = ["is", "a", *words[1:]]
    return " ".join(["nothing", "else", *said])


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


def _by_size(rng: np.random.Generator, actors: Sequence[Actor]) -> Iterator[Said]:
    """The one that is clearly the largest or smallest, if its size word says so."""
    order = sorted(actors, key=lambda actor: actor.radius)
    if len(order) > 1 and order[-1].thing.size == "large" and order[-2].radius < 0.8 * order[-1].radius:
        yield "size", f"the large {_noun(rng)}", [order[-1].thing.id]
    if len(order) > 1 and order[0].thing.size == "small" and order[0].radius < 0.8 * order[1].radius:
        yield "size", f"the small {_noun(rng)}", [order[0].thing.id]


def _by_motion(rng: np.random.Generator, actors: Sequence[Actor], shown: NDArray[np.bool_]) -> Iterator[Said]:
    for motion in MOTIONS:
        movers = [actor.thing for actor in actors if actor.thing.motion == motion]
        if len(movers) == 1 and not movers[0].returns:
            phrase = str(rng.choice(DIRECTION[motion]))
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
    rng: np.random.Generator, actors: Sequence[Actor], shown: NDArray[np.bool_], size: tuple[int, int]
) -> Iterator[Said]:
    if len(actors) < 2:
        return
    centres = np.stack([actor.centres for actor in actors])  # (K, T, 2)
    for word, axis, sign in SIDES:
        along = centres[..., axis] * sign
        extent = size[1] if axis == 0 else size[0]
        for i, actor in enumerate(actors):
            others = np.delete(along, i, axis=0).max(axis=0)
            if _mostly(along[i] > others + 0.1 * extent, shown[i]):
                where = f"on the {word}" if axis == 0 else f"at the {word}"
                yield "position", f"the {_noun(rng)} {where}", [actor.thing.id]


def _by_relation(
    rng: np.random.Generator, actors: Sequence[Actor], shown: NDArray[np.bool_], size: tuple[int, int]
) -> Iterator[Said]:
    """The only one on that side of a shape that can be named by colour and form."""
    centres = np.stack([actor.centres for actor in actors])
    looks = [(actor.thing.colour, actor.thing.shape) for actor in actors]
    for i, look in enumerate(looks):
        if looks.count(look) > 1 or len(actors) < 2:
            continue
        for word, axis, sign in RELATIONS:
            gap = (centres[..., axis] - centres[i, :, axis]) * sign  # (K, T), positive: on that side
            extent = size[1] if axis == 0 else size[0]
            clear = [j for j in range(len(actors)) if j != i and _mostly(gap[j] > 0.12 * extent, shown[j] & shown[i])]
            never = [j for j in range(len(actors)) if j != i and (gap[j] < -0.03 * extent).mean() > 0.8]
            if len(clear) == 1 and len(clear) + len(never) == len(actors) - 1:
                text = f"the {_noun(rng)} {word} the {look[0]} {look[1]}"
                yield "relation", text, [actors[clear[0]].thing.id]
