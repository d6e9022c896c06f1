"""The demo's scenes: short directed clips of the shapes world, each with expressions that are true of its shapes.

`python -m decaf_gui.demo.scenes` lists them. With `--check` it proposes for every ready expression with the demo models
(`--all`: for every expression) and prints J, F and J&F; exit code 1 when one that is ready comes out below 0.7.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Proposal
from decaf_gui.core.events import Event, Proposed, Stage
from decaf_gui.demo.drawing import film, scene_of
from decaf_gui.demo.shapes import ShapesClip, target_masks
from decaf_gui.demo.world import LEVELS, Actor, Floats, ShapesExpression, ShapesObject
from decaf_gui.demo.write import write_named
from decaf_gui.evaluation.metrics import boundary_f, region_similarity

if TYPE_CHECKING:
    from decaf_gui.pipeline.engine import Engine

SIZE = (360, 480)
"""Height and width of every scene."""
FPS = 12.0
WORLD = LEVELS["kind"]
"""The level of the shapes world that the scenes keep to: what the demo models were trained on."""
LEVEL = "scene"
"""What a scene's clip is called by in place of a level: no seed makes it again."""
ENOUGH = 0.7
"""The J&F that a ready expression has to reach."""

Way = float | tuple[tuple[float, float], ...]
"""A number over the clip's time, 0 to 1: constant, or (time, value) pairs with a soft start and stop between two."""


@dataclass(frozen=True, slots=True)
class Role:
    """A shape and its way. `radius` is a share of the height, `x` of the width, `y` of the height; `turn` is radians.

    `motion` is the word for how it moves; who `returns` leaves the picture and comes back.
    """

    colour: str
    shape: str
    radius: float
    motion: str
    x: Way
    y: Way
    turn: Way = 0.0
    returns: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """`cast` from far to near, with the ids 1, 2, ...; `expressions` are (kind, text, ids): true of exactly these.

    `ready` are those expressions that the demo offers. `seed` decides the grain of the picture, nothing else.
    """

    name: str
    background: str
    frames: int
    seed: int
    cast: tuple[Role, ...]
    expressions: tuple[tuple[str, str, tuple[int, ...]], ...]
    ready: tuple[str, ...]


CROSSING = Scene(
    name="crossing",
    background="sand",
    frames=48,
    seed=4,
    cast=(
        Role("red", "cross", 0.13, "still", x=0.5, y=0.2, turn=0.1),
        Role("blue", "star", 0.165, "left", x=((0, 0.84), (1, 0.16)), y=0.56, turn=((0, 0.25), (1, -0.25))),
        Role("purple", "heart", 0.215, "right", x=((0, 0.19), (1, 0.81)), y=0.69),
    ),
    expressions=(
        ("colour", "the purple shape", (3,)),
        ("colour", "the blue shape", (2,)),
        ("colour", "the red object", (1,)),
        ("shape", "the heart", (3,)),
        ("shape", "the star", (2,)),
        ("shape", "the cross", (1,)),
        ("colour_shape", "the purple heart", (3,)),
        ("colour_shape", "the blue star", (2,)),
        ("colour_shape", "the red cross", (1,)),
        ("size", "the large shape", (3,)),
        ("size", "the small shape", (1,)),
        ("motion", "the shape that moves right", (3,)),
        ("motion", "the shape that moves left", (2,)),
        ("motion", "the shape that stands still", (1,)),
        ("motion", "which object does not move?", (1,)),
        ("position", "the shape at the top", (1,)),
        ("position", "the shape at the bottom", (3,)),
        ("relation", "the shape above the blue star", (1,)),
        ("relation", "the shape below the blue star", (3,)),
    ),
    ready=(
        "the purple heart",
        "the red cross",
        "the blue star",
        "the shape that moves right",
        "the shape that stands still",
        "the shape above the blue star",
    ),
)

LOOKALIKES = Scene(
    name="lookalikes",
    background="water",
    frames=48,
    seed=2,
    cast=(
        Role("yellow", "star", 0.21, "still", x=0.82, y=0.5, turn=0.12),
        Role("cyan", "heart", 0.15, "right", x=((0, 0.13), (1, 0.45)), y=((0, 0.8), (0.5, 0.66), (1, 0.8))),
        Role("pink", "heart", 0.15, "right", x=((0, 0.27), (1, 0.59)), y=((0, 0.2), (0.5, 0.34), (1, 0.2))),
    ),
    expressions=(
        ("colour", "the cyan shape", (2,)),
        ("colour", "the pink shape", (3,)),
        ("colour", "the yellow shape", (1,)),
        ("shape", "the star", (1,)),
        ("shape", "the heart", (2, 3)),
        ("colour_shape", "the pink heart", (3,)),
        ("colour_shape", "the cyan heart", (2,)),
        ("colour_shape", "the yellow star", (1,)),
        ("size", "the large shape", (1,)),
        ("motion", "the shape that stands still", (1,)),
        ("position", "the shape at the top", (3,)),
        ("position", "the shape at the bottom", (2,)),
        ("position", "the shape on the right", (1,)),
        ("relation", "the shape above the yellow star", (3,)),
        ("relation", "the shape below the yellow star", (2,)),
        ("relation", "the shape right of the pink heart", (1,)),
        ("relation", "the shape left of the pink heart", (2,)),
    ),
    ready=(
        "the pink heart",
        "the cyan heart",
        "the shape at the top",
        "the shape left of the pink heart",
        "the shape that stands still",
    ),
)

HIDE_AND_SEEK = Scene(
    name="hide-and-seek",
    background="snow",
    frames=60,
    seed=2,
    cast=(
        Role("red", "circle", 0.125, "left", x=((0.05, 0.88), (0.4, 0.42), (0.75, 0.1)), y=0.695),
        Role("green", "square", 0.245, "still", x=0.42, y=0.66),
        Role(
            "orange",
            "star",
            0.16,
            "right",
            x=((0.08, 0.2), (0.56, 1.15), (1, 0.62)),
            y=0.21,
            turn=((0.08, -0.25), (0.56, 0.35), (1, 0.0)),
            returns=True,
        ),
    ),
    expressions=(
        ("colour", "the green shape", (2,)),
        ("colour", "the red shape", (1,)),
        ("colour", "the orange shape", (3,)),
        ("shape", "the square", (2,)),
        ("shape", "the circle", (1,)),
        ("shape", "the star", (3,)),
        ("colour_shape", "the green square", (2,)),
        ("colour_shape", "the red circle", (1,)),
        ("colour_shape", "the orange star", (3,)),
        ("size", "the large shape", (2,)),
        ("size", "the small shape", (1,)),
        ("motion", "the shape that stands still", (2,)),
        ("motion", "the shape that moves left", (1,)),
        ("motion", "the shape that leaves the picture", (3,)),
        ("position", "the shape at the top", (3,)),
        ("relation", "the shape above the green square", (3,)),
    ),
    ready=(
        "the orange star",
        "the red circle",
        "the shape that stands still",
        "the shape above the green square",
        "the large shape",
    ),
)

SIZES = Scene(
    name="sizes",
    background="sky",
    frames=48,
    seed=7,
    cast=(
        Role("yellow", "circle", 0.245, "still", x=0.5, y=0.5),
        Role("red", "triangle", 0.165, "down", x=0.85, y=((0, 0.22), (1, 0.78)), turn=((0, -0.15), (1, 0.15))),
        Role("green", "cross", 0.13, "up", x=0.15, y=((0, 0.8), (1, 0.2)), turn=((0, 0.15), (1, -0.15))),
    ),
    expressions=(
        ("colour", "the yellow shape", (1,)),
        ("colour", "the red shape", (2,)),
        ("colour", "the green shape", (3,)),
        ("shape", "the circle", (1,)),
        ("shape", "the triangle", (2,)),
        ("shape", "the cross", (3,)),
        ("colour_shape", "the yellow circle", (1,)),
        ("colour_shape", "the red triangle", (2,)),
        ("colour_shape", "the green cross", (3,)),
        ("size", "the large shape", (1,)),
        ("size", "the small shape", (3,)),
        ("motion", "the shape that stands still", (1,)),
        ("motion", "the shape that rises", (3,)),
        ("motion", "the shape that moves down", (2,)),
        ("position", "the shape on the left", (3,)),
        ("position", "the shape on the right", (2,)),
        ("relation", "the shape left of the yellow circle", (3,)),
        ("relation", "the shape right of the yellow circle", (2,)),
    ),
    ready=(
        "the large shape",
        "the green cross",
        "the red triangle",
        "the shape on the left",
        "the shape on the right",
    ),
)

SCENES = (CROSSING, LOOKALIKES, HIDE_AND_SEEK, SIZES)


def clip_of(scene: Scene) -> ShapesClip:
    """The scene as a clip, the same bit by bit each time; its expressions in the order of the scene."""
    rng = np.random.default_rng(scene.seed)
    actors = actors_of(scene)
    picture = scene_of(rng, scene.background, WORLD, SIZE)
    frames, masks = film(rng, picture, actors, WORLD, scene.frames, range(len(actors)))
    said = tuple(ShapesExpression(text, ids, kind, _answer(scene, ids)) for kind, text, ids in scene.expressions)
    objects = tuple(actor.thing for actor in actors)
    return ShapesClip(frames, masks, objects, said, scene.background, FPS, scene.seed, LEVEL)


def actors_of(scene: Scene) -> list[Actor]:
    """The cast on its way, from far to near."""
    return [_actor(number, role, scene.frames) for number, role in enumerate(scene.cast, 1)]


def write_scenes(folder: Path, scenes: Iterable[Scene] = SCENES, *, video: bool) -> Iterator[Path]:
    """Writes scenes as demo clips are written; yields each one's video, or folder of frames, when complete."""
    yield from write_named(folder, ((scene.name, clip_of(scene)) for scene in scenes), video=video)


def ready_of(scene: Scene, clip: ShapesClip) -> tuple[ShapesExpression, ...]:
    """The ready expressions of a scene's clip, in the order in which the demo offers them."""
    by_text = {said.text: said for said in clip.expressions}
    return tuple(by_text[text] for text in scene.ready)


def _answer(scene: Scene, ids: Sequence[int]) -> str:
    words = {scene.cast[number - 1].shape for number in ids}
    return words.pop() if len(words) == 1 else "shapes"


def _actor(number: int, role: Role, frames: int) -> Actor:
    height, width = SIZE
    low, high = WORLD.radius
    share = (role.radius - low) / (high - low)
    size = "small" if share < 0.33 else ("large" if share > 0.67 else "medium")  # as the shapes world says it
    thing = ShapesObject(number, role.shape, role.colour, size, role.motion, role.returns, role.returns)
    centres = np.stack([along(role.x, frames) * width, along(role.y, frames) * height], axis=1)
    return Actor(thing, role.radius * min(SIZE), centres, along(role.turn, frames))


def along(way: Way, frames: int) -> Floats:
    """The numbers of `frames` frames (T,)."""
    if not isinstance(way, tuple):
        return np.full(frames, float(way))
    times, values = np.array(way, float).T
    now = np.linspace(0, 1, frames)
    leg = np.clip(np.searchsorted(times, now, side="right") - 1, 0, len(times) - 2)
    done = np.clip((now - times[leg]) / (times[leg + 1] - times[leg]), 0, 1)
    return np.asarray(values[leg] + (values[leg + 1] - values[leg]) * done**2 * (3 - 2 * done))


def scored(proposal: Proposal, clip: ShapesClip, wanted: ShapesExpression) -> tuple[float, float]:
    """Mean J and mean F of a proposal over all frames, against the exact masks."""
    pairs = [(proposal.mask(frame), truth) for frame, truth in enumerate(target_masks(clip, wanted))]
    return fmean(region_similarity(*pair) for pair in pairs), fmean(boundary_f(*pair) for pair in pairs)


@dataclass(frozen=True, slots=True)
class Checked(Event):
    """How well the proposal for one expression of a scene covers its targets."""

    scene: str
    expression: ShapesExpression
    ready: bool
    j: float
    f: float

    @property
    def good(self) -> bool:
        """Whether the demo can offer it."""
        return (self.j + self.f) / 2 >= ENOUGH


def check(engine: Engine, scenes: Sequence[Scene] = SCENES, *, ready_only: bool = True) -> Iterator[Event]:
    """Proposes for the expressions of the scenes, on the videos that the demo shows: `Stage`s, a `Checked` for each."""
    for done, scene in enumerate(scenes):
        yield Stage("check", done, len(scenes), scene.name)
        shapes = clip_of(scene)
        with tempfile.TemporaryDirectory() as folder:
            (path,) = write_scenes(Path(folder), [scene], video=True)
            with Clip.open(path) as clip:
                for wanted in ready_of(scene, shapes) if ready_only else shapes.expressions:
                    for event in engine.propose(clip, wanted.text):
                        if isinstance(event, Proposed):
                            score = scored(event.proposal, shapes, wanted)
                            yield Checked(scene.name, wanted, wanted.text in scene.ready, *score)
        engine.free()
    yield Stage("check", len(scenes), len(scenes))


def main() -> int:
    """Lists the scenes, or checks them: the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="propose for the ready expressions and score that")
    parser.add_argument("--all", action="store_true", help="with --check: for all expressions")
    given = parser.parse_args()
    if not given.check:
        for scene in SCENES:
            sys.stdout.write(f"{scene.name}: {', '.join(scene.ready)}\n")
        return 0
    from decaf_gui.pipeline.engine import Engine

    failed = False
    for event in check(Engine(), SCENES, ready_only=not given.all):
        if isinstance(event, Checked):
            failed |= event.ready and not event.good
            sys.stdout.write(_line(event))
            sys.stdout.flush()
    return int(failed)


def _line(checked: Checked) -> str:
    scores = f"{checked.j:.3f} {checked.f:.3f} {(checked.j + checked.f) / 2:.3f}"
    word = "ready" if checked.ready else ""
    bad = "" if checked.good else f"below {ENOUGH}"
    line = f"{checked.scene:14}{checked.expression.kind:13}{checked.expression.text:38}{scores}  {word:6}{bad}"
    return line.rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
