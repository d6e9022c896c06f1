"""A simulated annotator: how much work it takes until every object's masks are good, by what is looked at next.

The annotator knows the exact masks of shapes clips. Where a proposal is made, candidates that are a target are
accepted and the others that were selected rejected; targets that are still missing get clicks on the first frame that
shows them. Then frames are looked at, one object on one frame at a time: a mask under the goal is corrected by clicks
in the middle of its largest error (a click that does not help is undone; an object that is not there is marked so),
then the object is tracked again from there. It ends when the mean J of every object reaches the goal, or patience ends.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.bench.measure import threads
from decaf_gui.bench.results import Cell, Options, Result
from decaf_gui.core import doubt
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Point, Proposal
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, FrameTracked, Proposed, Stage
from decaf_gui.core.masks import Masks
from decaf_gui.core.project import edits
from decaf_gui.core.project.doubtful import object_doubts
from decaf_gui.core.project.edits import Edit, NewMask
from decaf_gui.core.project.planning import as_prompt, plan_tracking
from decaf_gui.core.project.rows import MarkRow, ObjectRow, Project, PromptRow, TrackletRow
from decaf_gui.demo.scores import open_shapes, pick_expressions
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.demo.world import ShapesExpression
from decaf_gui.evaluation.metrics import region_similarity
from decaf_gui.pipeline.engine import Engine

Mask = NDArray[np.bool_]
COLUMNS = (
    "way",
    "tasks",
    "goal reached",
    "interactions, mean",
    "95 % interval",
    "median",
    "mean where all ways reached it",
    "clicks",
    "frames looked at",
    "verdicts",
    "J at the start",
    "J at the end",
)
GOAL, SAME, MOST_CLICKS, MOST_LOOKS = 0.85, 0.5, 5, 40
"""Mean J to be reached; IoU from which a candidate is taken for a target; clicks on a frame, looks on a task."""
FIRST_SEED, CLIPS, FRAMES, LEVEL = 60_000, 40, 36, "kind"
"""The demo models know the `kind` level: on harder ones no number of clicks brings their masks to the goal."""
WAYS = {
    "proposal, doubt queue": "doubt",
    "proposal, frames in order": "order",
    "proposal, random frames": "random",
    "first-frame click, frames in order": "click",
}


@dataclass(eq=False)
class Effort:
    """What a task took: interactions are verdicts, looks, clicks, undos and marks of absence together."""

    verdicts: int = 0
    looks: int = 0
    clicks: int = 0
    undos: int = 0
    marks: int = 0
    reached: bool = False
    before: float = 0.0
    after: float = 0.0

    @property
    def interactions(self) -> int:
        """All that the annotator did."""
        return self.verdicts + self.looks + self.clicks + self.undos + self.marks


@dataclass(eq=False)
class Task:
    """A clip, an expression, and the exact masks (T, H, W) of its targets. `project` is what the annotator has made."""

    engine: Engine
    clip: Clip
    wanted: ShapesExpression
    truth: tuple[Mask, ...]
    project: Project
    objects: dict[int, int] = field(default_factory=dict)
    """The target that each object of the project is."""
    effort: Effort = field(default_factory=Effort)

    def do(self, edit: Edit) -> None:
        """Makes an edit."""
        self.project = edit.apply(self.project)

    def quality(self, thing: int) -> float:
        """Mean J of an object over the clip; frames that it is not known on count as empty."""
        return float(np.mean([self.frame_quality(thing, frame) for frame in range(len(self.clip))]))

    def frame_quality(self, thing: int, frame: int) -> float:
        """J of an object on a frame."""
        return region_similarity(self.mask(thing, frame), self.truth[self.objects[thing]][frame])

    def mask(self, thing: int, frame: int) -> Mask:
        """Its mask there; empty where nothing is known."""
        masks = self.project.masks(thing)
        return masks[frame] if frame in masks else np.zeros(self.clip.size, bool)

    def open_objects(self) -> list[int]:
        """The objects that are not good enough yet."""
        return [thing for thing in self.objects if self.quality(thing) < GOAL]


def run(options: Options) -> Iterator[Event]:
    """All ways on the same clips, expressions and proposals."""
    clips, frames = (1, 8) if options.quick else (CLIPS, FRAMES)
    engine = Engine(device=options.device)
    efforts: dict[str, list[Effort]] = {way: [] for way in WAYS}
    with threads(options.threads):
        for number in range(clips):
            yield Stage("bench annotator", number, clips, f"clip {number + 1}")
            shapes = make_clip(FIRST_SEED + number, LEVEL, frames)
            with tempfile.TemporaryDirectory() as folder, open_shapes(shapes, Path(folder)) as clip:
                wanted = pick_expressions(shapes, number, 1)[0]
                for way, effort in clip_efforts(engine, clip, shapes, wanted, FIRST_SEED + number).items():
                    efforts[way].append(effort)
            engine.free()
    yield Stage("bench annotator", clips, clips)
    easy = [all(efforts[way][i].reached for way in WAYS) for i in range(clips)]
    rows = tuple(row_of(way, found, easy) for way, found in efforts.items())
    title = f"A simulated annotator on shapes clips of {frames} frames, demo models, until J >= {GOAL} for every object"
    limits = {"most_looks": MOST_LOOKS, "most_clicks": MOST_CLICKS}
    setting = {"goal": GOAL, "clips": clips, "frames": frames, "level": LEVEL, "first_seed": FIRST_SEED, **limits}
    yield Result("annotator", title, COLUMNS, rows, (), setting)


def clip_efforts(
    engine: Engine, clip: Clip, shapes: ShapesClip, wanted: ShapesExpression, seed: int
) -> dict[str, Effort]:
    """What each way took on one clip and expression."""
    *_, last = (event for event in engine.propose(clip, wanted.text) if isinstance(event, Proposed))
    truth = tuple(shapes.masks[i] for i, thing in enumerate(shapes.objects) if thing.id in wanted.objects)
    found: dict[str, Effort] = {}
    for way, kind in WAYS.items():
        task = Task(engine, clip, wanted, truth, empty_project(clip, wanted.text))
        if kind != "click":
            take_proposal(task, last.proposal)
        add_missing(task)
        task.effort.before = float(np.mean([task.quality(thing) for thing in task.objects]))
        review(task, chooser(kind, seed))
        found[way] = task.effort
    return found


def empty_project(clip: Clip, text: str) -> Project:
    """A project with the clip and the expression."""
    project = Project()
    project = edits.add_clip(project, clip.path.name, clip.fingerprint, clip.size, clip.fps).apply(project)
    return edits.add_expression(project, 1, Expression(text).text).apply(project)


def take_proposal(task: Task, proposal: Proposal) -> None:
    """Accepts the selected candidates that are a target each, rejects the others: a verdict for each."""
    task.do(edits.add_proposal(task.project, 1, proposal.grounding, proposal.tracklets, "{}"))
    for row in list(task.project.where(TrackletRow, selected=True)):
        task.effort.verdicts += 1
        overlaps = {
            target: edits.tracklet_masks(task.project, row.id).iou(_as_masks(truth))
            for target, truth in enumerate(task.truth)
            if target not in task.objects.values()
        }
        best = max(overlaps, key=lambda target: overlaps[target], default=None)
        if best is None or overlaps[best] < SAME:
            task.do(edits.reject(task.project, row.id))
        else:
            task.do(edits.accept(task.project, row.id))
            task.objects[_newest(task.project)] = best


def add_missing(task: Task) -> None:
    """Targets without an object get one, by clicks on the first frame that shows them, tracked from there."""
    for target, truth in enumerate(task.truth):
        if target in task.objects.values():
            continue
        task.do(edits.add_object(task.project, 1, task.wanted.answer, 1))
        thing = _newest(task.project)
        task.objects[thing] = target
        frame = int(np.argmax(truth.any(axis=(1, 2))))
        task.effort.looks += 1
        correct(task, thing, frame)


def review(task: Task, choose: Callable[[Task], tuple[int, int] | None]) -> None:
    """Looks at what `choose` names (object, frame) until every object is good, or patience ends."""
    while task.open_objects() and task.effort.looks < MOST_LOOKS:
        chosen = choose(task)
        if chosen is None:
            break
        thing, frame = chosen
        task.effort.looks += 1
        if task.frame_quality(thing, frame) < GOAL:
            correct(task, thing, frame)
        with suppress(BadInput):  # it is marked already, as an absent one may be
            task.do(edits.set_reviewed(task.project, thing, [frame]))
    task.effort.reached = not task.open_objects()
    task.effort.after = float(np.mean([task.quality(thing) for thing in task.objects]))


def correct(task: Task, thing: int, frame: int) -> None:
    """Clicks until the mask is good or patience ends, then tracks the object from there over the whole clip."""
    truth = task.truth[task.objects[thing]][frame]
    if not truth.any():
        task.effort.marks += 1
        task.do(edits.mark_absent(task.project, thing, [frame]))
        return
    points: list[Point] = []
    while len(points) < MOST_CLICKS and task.frame_quality(thing, frame) < GOAL:
        if not click(task, thing, frame, [*points, largest_error(task.mask(thing, frame), truth)]):
            break
        points = list(task.project.need(PromptRow, thing, frame).points)
    if points:
        track(task, thing, frame)


def click(task: Task, thing: int, frame: int, points: Sequence[Point]) -> bool:
    """One more point; whether it helped. One that did not is undone."""
    before, quality = task.project, task.frame_quality(thing, frame)
    row = edits.prompt_row(task.project, thing, frame, points)
    answer = task.engine.decode(task.clip, thing, as_prompt(row, task.clip.size))
    mask = {frame: NewMask(answer.rle, answer.iou, answer.present)}
    task.do(edits.replace_masks(task.project, thing, mask, "corrected", "{}", row))
    task.effort.clicks += 1
    helped = task.frame_quality(thing, frame) > quality
    if not helped:
        task.effort.undos += 1
        task.project = before
    return helped


def track(task: Task, thing: int, frame: int) -> None:
    """As the desk does it: over the object's span, but for frames of which a person has spoken."""
    plan = plan_tracking(task.project, {thing: frame})
    masks: dict[int, NewMask] = {}
    for event in task.engine.tracking(task.clip, plan.prompts, plan.sweeps):
        if isinstance(event, FrameTracked) and thing in event.masks and plan.wants(thing, event.frame):
            masks[event.frame] = NewMask(event.masks[thing], event.ious[thing], event.present[thing])
    with suppress(BadInput):  # nothing has changed
        task.do(edits.replace_masks(task.project, thing, masks, "tracked", "{}"))


def largest_error(found: Mask, truth: Mask) -> Point:
    """The pixel farthest inside of the largest connected error; positive where the mask misses something."""
    wrong = (found ^ truth).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(wrong, connectivity=4)
    largest = 1 + int(np.argmax(stats[1:count, cv2.CC_STAT_AREA]))
    depth = cv2.distanceTransform(np.pad((labels == largest).astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return float(x) + 0.5, float(y) + 0.5, bool(truth[y, x])


# --- what is looked at next ---------------------------------------------------------------------------------


def chooser(kind: str, seed: int) -> Callable[[Task], tuple[int, int] | None]:
    """The (object, frame) to look at next, by the way of working; None when all was looked at."""
    if kind == "doubt":
        return most_doubtful
    if kind == "random":
        rng = np.random.default_rng(seed)
        return lambda task: _any_of(rng, _left(task))
    return lambda task: min(_left(task), key=lambda pair: (pair[1], pair[0]), default=None)


def most_doubtful(task: Task) -> tuple[int, int] | None:
    """The head of the doubt queue over all objects that are there; in order when nothing is doubtful."""
    found = {thing: object_doubts(task.project, thing) for thing in task.objects}
    reviewed = {thing: _reviewed(task.project, thing) for thing in task.objects}
    waiting = doubt.queue(found, reviewed)
    if waiting:
        return waiting[0].object, waiting[0].frame
    return min(_left(task), key=lambda pair: (pair[1], pair[0]), default=None)


def _left(task: Task) -> list[tuple[int, int]]:
    """All (object, frame) that nobody has looked at."""
    return [
        (thing, frame)
        for thing in task.objects
        for frame in sorted(set(range(len(task.clip))) - _reviewed(task.project, thing))
    ]


def _any_of(rng: np.random.Generator, pairs: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    return pairs[int(rng.integers(len(pairs)))] if pairs else None


def _reviewed(project: Project, thing: int) -> set[int]:
    return {row.frame for row in project.where(MarkRow, object=thing, reviewed=True)}


def _newest(project: Project) -> int:
    return max(row.id for row in project.rows(ObjectRow).values())


def _as_masks(truth: Mask) -> Masks:
    return Masks.encode(dict(enumerate(truth)), (truth.shape[1], truth.shape[2]))


# --- the table ----------------------------------------------------------------------------------------------


def row_of(way: str, efforts: Sequence[Effort], easy: Sequence[bool]) -> tuple[Cell, ...]:
    """Means over the tasks, with a bootstrap interval of the interactions; `easy` tasks once more by themselves."""
    counts = np.array([effort.interactions for effort in efforts], float)
    low, high = bootstrap(counts)

    def mean(values: Sequence[Any]) -> float:
        return round(float(np.mean(values)), 2)

    return (
        way,
        len(efforts),
        sum(effort.reached for effort in efforts),
        mean(counts.tolist()),
        f"{low:.1f} to {high:.1f}",
        float(np.median(counts)),
        mean(counts[np.array(easy)].tolist()) if any(easy) else None,
        mean([effort.clicks for effort in efforts]),
        mean([effort.looks for effort in efforts]),
        mean([effort.verdicts for effort in efforts]),
        mean([effort.before for effort in efforts]),
        mean([effort.after for effort in efforts]),
    )


def bootstrap(values: NDArray[np.float64], rounds: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of the mean."""
    drawn = np.random.default_rng(0).choice(values, (rounds, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
