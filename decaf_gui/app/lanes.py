"""What the timeline shows, as data: a lane for each object and each candidate, spans and marks by frame."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from decaf_gui.app.palette import GHOST, OBJECTS, Colour, object_colour
from decaf_gui.core.doubt import Doubt
from decaf_gui.core.entities import Tracklet
from decaf_gui.core.masks import Masks
from decaf_gui.core.project.edits import tracklet_masks
from decaf_gui.core.project.planning import Span
from decaf_gui.core.project.rows import (
    MarkRow,
    MaskRow,
    ObjectRow,
    Project,
    PromptRow,
    ProvenanceRow,
    TrackletRow,
    VerdictRow,
)

Kind = Literal["object", "candidate", "pending"]
State = Literal["present", "absent", "pending"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Frames of one state; frames in no stretch are not known."""

    span: Span
    state: State


@dataclass(frozen=True)
class Lane:
    """One object, or one candidate that nobody has accepted: its spans, its marks and how doubtful it is.

    "pending" ones belong to a proposal in work. `ghost` candidates are those that the scores (or the threshold) left
    out, and rejected ones.
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
    drawn: frozenset[int] = frozenset()
    """Frames whose masks a person has drawn."""
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
    colours: Sequence[Colour] = OBJECTS,
) -> Lane:
    """The lane of an object.

    `pending` are frames whose masks are not stored yet, `changed` those of the last receipt; `doubts` by frame, where
    they are known: they take a while, they look at every mask.
    """
    row = project.need(ObjectRow, object_id)
    masks = project.masks(object_id)
    marks = project.of_object(MarkRow, object_id).values()
    return Lane(
        "object",
        object_id,
        row.name,
        object_colour(object_id, row.colour, colours),
        stretches=stretches(masks, pending),
        prompts=frozenset(project.of_object(PromptRow, object_id)),
        drawn=_drawn(project, object_id),
        locked=spans(mark.frame for mark in marks if mark.locked),
        reviewed=spans(mark.frame for mark in marks if mark.reviewed),
        changed=frozenset(changed),
        doubts=doubts or {},
    )


def _drawn(project: Project, object_id: int) -> frozenset[int]:
    by_hand = {row.id for row in project.rows(ProvenanceRow).values() if row.origin == "drawn"}
    if not by_hand:
        return frozenset()
    rows = project.of_object(MaskRow, object_id).items()
    marks = project.of_object(MarkRow, object_id)
    return frozenset(f for f, row in rows if row.provenance in by_hand and not (f in marks and marks[f].absent))


def candidate_lanes(
    project: Project, expression: int, threshold: float | None = None, colours: Sequence[Colour] = OBJECTS
) -> list[Lane]:
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
        colour = GHOST if ghost else colours[row.id % len(colours)]
        known = stretches(tracklet_masks(project, row.id))
        name = f"candidate {row.id} ({total:.2f})" if row.scores.scored else f"candidate {row.id}"
        lane = Lane("candidate", row.id, name, colour, ghost, known, frozenset({row.frame}))
        found.append((ghost, -total, lane))
    return [lane for _, _, lane in sorted(found, key=lambda entry: entry[:2])]


def pending_lanes(tracklets: Sequence[Tracklet], colours: Sequence[Colour] = OBJECTS) -> list[Lane]:
    """The candidates of a proposal in work, with the masks that have come; suppressed ones are left out."""
    return [
        Lane(
            "pending",
            found.id,
            f"candidate ({found.scores.total:.2f})",
            colours[found.id % len(colours)] if found.selected else GHOST,
            not found.selected,
            stretches(Masks(found.masks.size), found.masks),
            frozenset({found.frame}),
        )
        for found in sorted(tracklets, key=lambda t: (not t.selected, -t.scores.total))
        if not found.suppressed
    ]


def total_score(row: TrackletRow) -> float:
    """A candidate's score, by what it was scored."""
    return row.scores.total


def stretches(masks: Masks, pending: Iterable[int] = ()) -> tuple[Stretch, ...]:
    """Runs of frames of one state."""
    frames, states = _presence(masks)
    waiting = np.array(sorted(set(pending)), np.int64)
    if waiting.size:
        stays = ~np.isin(frames, waiting)
        frames = np.concatenate([frames[stays], waiting])
        order = np.argsort(frames)
        frames, states = frames[order], np.concatenate([states[stays], np.full(waiting.size, 2)])[order]
    if not frames.size:
        return ()
    ends = np.flatnonzero((np.diff(frames) != 1) | (np.diff(states) != 0))
    runs = zip(np.append(0, ends + 1), np.append(ends, frames.size - 1), strict=True)
    return tuple(Stretch(Span(int(frames[i]), int(frames[j])), _STATES[states[i]]) for i, j in runs)


def _presence(masks: Masks) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The frames of masks, ascending, and whether the object is absent there (1) or not (0).

    Kept by identity for the masks that were asked for last: a project hands out the same ones as long as they are
    the same, lanes are asked for all the time, and whether a mask is empty takes a look into each.
    """
    kept = _KEPT.pop(id(masks), None)
    if kept is None or kept[0] is not masks:
        frames = np.fromiter(masks, np.int64, len(masks))
        states = np.fromiter((masks.absent(frame) for frame in masks), np.int64, len(masks))
        kept = (masks, frames, states)
    _KEPT[id(masks)] = kept
    if len(_KEPT) > MOST_KEPT:
        del _KEPT[next(iter(_KEPT))]
    return kept[1], kept[2]


MOST_KEPT = 256
_STATES: tuple[State, ...] = ("present", "absent", "pending")
_KEPT: dict[int, tuple[Masks, NDArray[np.int64], NDArray[np.int64]]] = {}


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
