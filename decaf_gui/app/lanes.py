"""What the timeline shows, as data: a lane for each object and each candidate, spans and marks by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decaf_gui.app.palette import GHOST, OBJECTS, Colour, object_colour
from decaf_gui.core.doubt import Doubt
from decaf_gui.core.masks import Masks
from decaf_gui.core.project.edits import tracklet_masks
from decaf_gui.core.project.planning import Span
from decaf_gui.core.project.rows import (
    MarkRow,
    ObjectRow,
    Project,
    PromptRow,
    TrackletRow,
    VerdictRow,
)

Kind = Literal["object", "candidate"]
State = Literal["present", "absent", "pending"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames of one state; frames in no stretch are not known."""

    span: Span
    state: State


@dataclass(frozen=True)
class Lane:
    """One object, or one candidate that nobody has accepted: its spans, its marks and how doubtful it is.

    `ghost` candidates are those that the scores (or the threshold) left out, and rejected ones.
    """

    kind: Kind
    id: int
    name: str
    colour: Colour
    ghost: bool = False
    stretches: tuple[Stretch, ...] = ()
    prompts: frozenset[int] = frozenset()
    locked: tuple[Span, ...] = ()
    reviewed: tuple[Span, ...] = ()
    changed: frozenset[int] = frozenset()
    doubts: Mapping[int, Doubt] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Kind, int]:
        """What tells it from the others."""
        return self.kind, self.id


def object_lane(
    project: Project,
    object_id: int,
    *,
    pending: Iterable[int] = (),
    changed: Iterable[int] = (),
    doubts: Mapping[int, Doubt] | None = None,
) -> Lane:
    """The lane of an object.

    `pending` are frames whose masks are not stored yet, `changed` those of the last receipt; `doubts` by frame, where
    they are known: they take a while, they look at every mask.
    """
    row = project.need(ObjectRow, object_id)
    masks = project.masks(object_id)
    marks = list(project.where(MarkRow, object=object_id))
    return Lane(
        "object",
        object_id,
        row.name,
        object_colour(object_id, row.colour),
        stretches=stretches(masks, pending),
        prompts=frozenset(int(frame) for owner, frame in project.rows(PromptRow) if owner == object_id),
        locked=spans(mark.frame for mark in marks if mark.locked),
        reviewed=spans(mark.frame for mark in marks if mark.reviewed),
        changed=frozenset(changed),
        doubts=doubts or {},
    )


def candidate_lanes(project: Project, expression: int, threshold: float | None = None) -> list[Lane]:
    """The candidates of an expression that are no objects, the best first; ghosts behind the others.

    Without a `threshold`, those are ghosts that the scores did not select; with one, those whose score lies under it.
    """
    found: list[tuple[bool, float, Lane]] = []
    for row in project.where(TrackletRow, expression=expression):
        verdict = project.find(VerdictRow, row.id)
        if verdict is not None and verdict.state == "accepted":
            continue
        total = total_score(row)
        chosen = row.selected if threshold is None else total >= threshold and not row.suppressed
        ghost = not chosen or (verdict is not None and verdict.state == "rejected")
        colour = GHOST if ghost else OBJECTS[row.id % len(OBJECTS)]
        known = stretches(tracklet_masks(project, row.id))
        name = f"candidate {row.id} ({total:.2f})"
        lane = Lane("candidate", row.id, name, colour, ghost, known, frozenset({row.frame}))
        found.append((ghost, -total, lane))
    return [lane for _, _, lane in sorted(found, key=lambda entry: entry[:2])]


def total_score(row: TrackletRow) -> float:
    """The mean of the known parts of a candidate's score (3.4)."""
    parts = [row.attention, row.sam] + ([] if row.consistency is None else [row.consistency])
    return sum(parts) / len(parts)


def stretches(masks: Masks, pending: Iterable[int] = ()) -> tuple[Stretch, ...]:
    """Runs of frames of one state."""
    states: dict[int, State] = {frame: "absent" if masks.absent(frame) else "present" for frame in masks}
    states |= dict.fromkeys(pending, "pending")
    found = []
    for _, run in groupby(enumerate(sorted(states)), lambda pair: (pair[1] - pair[0], states[pair[1]])):
        frames = [frame for _, frame in run]
        found.append(Stretch(Span(frames[0], frames[-1]), states[frames[0]]))
    return tuple(found)


def spans(frames: Iterable[int]) -> tuple[Span, ...]:
    """Runs of consecutive frames."""
    found = []
    for _, run in groupby(enumerate(sorted(frames)), lambda pair: pair[1] - pair[0]):
        listed = [frame for _, frame in run]
        found.append(Span(listed[0], listed[-1]))
    return tuple(found)


def attention_curve(maps: NDArray[np.float32]) -> list[float]:
    """How strongly each sampled frame is attended to, as a share of the strongest: from maps (Ts, Hp, Wp)."""
    strength = maps.reshape(len(maps), -1).mean(axis=1) if maps.size else np.zeros(0)
    most = float(strength.max(initial=0.0))
    return [float(value / most) if most > 0 else 0.0 for value in strength]
