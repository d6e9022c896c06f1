"""What tracking is to do: which prompts SAM2 is given of each object, and over which frames it goes.

Everything is read from the project's rows, so the same project gives the same plan: after an undo, in a reopened file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from decaf_gui.core.entities import Prompt
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Rle
from decaf_gui.core.project.rows import MaskRow, ObjectRow, Project, PromptRow, TrackletRow, VerdictRow

Direction = Literal["both", "forward", "backward"]
MOST_PROMPTS = 16
"""An object with more prompted frames than that is tracked from those nearest to where tracking starts."""


@dataclass(frozen=True, slots=True)
class Span:
    """Frames `first` to `last`, both included."""

    first: int
    last: int

    def __contains__(self, frame: int) -> bool:
        return self.first <= frame <= self.last

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))


@dataclass(frozen=True, eq=False)
class Plan:
    """One tracking job: prompts and span by object; sweeps as (start, stop), both included, in order.

    A sweep goes backward when stop < start. What it finds of an object outside of the object's span, or on a frame of
    which a person has `spoken`, is not for use.
    """

    prompts: Mapping[int, tuple[Prompt, ...]]
    spans: Mapping[int, Span]
    sweeps: tuple[tuple[int, int], ...]
    spoken: Mapping[int, frozenset[int]]

    def wants(self, object_id: int, frame: int) -> bool:
        """Whether what is found of an object on a frame is for use."""
        return frame in self.spans.get(object_id, ()) and frame not in self.spoken[object_id]

    @property
    def steps(self) -> int:
        """Frames that the sweeps pass, together."""
        return sum(abs(stop - start) + 1 for start, stop in self.sweeps)


def plan_tracking(
    project: Project, starts: Mapping[int, int], direction: Direction = "both", within: Span | None = None
) -> Plan:
    """Tracking of objects, each from its frame in `starts`, up to locked frames and the ends of the work range.

    With `within` it goes no further than that span. Raises BadInput for unknown objects, a start that is locked or
    outside, or an object that nothing is known of.
    """
    if not starts:
        raise BadInput("No object is chosen: choose one to be tracked.")
    if len({project.clip_of(thing).id for thing in starts}) > 1:
        raise BadInput("The objects belong to different clips: track them clip by clip.")
    spans = {thing: _span(project, thing, start, direction, within) for thing, start in starts.items()}
    prompts = {thing: prompts_of(project, thing, start) for thing, start in starts.items()}
    first, last = min(starts.values()), max(starts.values())
    end, begin = max(span.last for span in spans.values()), min(span.first for span in spans.values())
    sweeps = [(first, end)] if direction != "backward" else []
    if direction != "forward" and begin < last:
        sweeps.append((last, begin))
    spoken = {thing: project.spoken(thing) for thing in starts}
    return Plan(prompts, spans, tuple(sweeps) or ((last, last),), spoken)


def start_of(project: Project, object_id: int) -> int:
    """Where an object is best tracked from: the frame of its candidate, else where it is largest.

    Raises BadInput when it has no mask at all.
    """
    masks = project.masks(object_id)
    for verdict in project.where(VerdictRow, object=object_id, state="accepted"):
        frame = project.need(TrackletRow, verdict.tracklet).frame
        if frame in masks and not masks.absent(frame):
            return frame
    areas = {frame: masks.area(frame) for frame in masks}
    if not any(areas.values()):
        raise BadInput(f"{project.need(ObjectRow, object_id).name} has no mask yet: click on it first.")
    return max(areas, key=lambda frame: areas[frame])


def prompts_of(project: Project, object_id: int, start: int) -> tuple[Prompt, ...]:
    """What SAM2 is told of an object that is tracked from `start`: all that a person said, and the mask at `start`.

    Points and boxes where there are some; masks where they were drawn, corrected or locked at the ends of the span.
    Raises BadInput when there is nothing.
    """
    size, found = project.clip_of(object_id).size, {}
    for frame in sorted(_telling(project, object_id) | {start}):
        prompt = _prompt(project, object_id, frame, size)
        if prompt is not None:
            found[frame] = prompt
    if not found:
        frame = start_of(project, object_id)
        masked = _prompt(project, object_id, frame, size)
        assert masked is not None
        found[frame] = masked
    nearest = sorted(found, key=lambda frame: (abs(frame - start), frame))[:MOST_PROMPTS]
    return tuple(found[frame] for frame in sorted(nearest))


def _telling(project: Project, object_id: int) -> frozenset[int]:
    """The frames of a person's prompts and masks, but of locked ones only the ends of their runs."""
    locked = project.locked(object_id)
    inner = {frame for frame in locked if frame - 1 in locked and frame + 1 in locked}
    prompted = {int(frame) for owner, frame in project.rows(PromptRow) if owner == object_id}
    return (project.spoken(object_id) - inner) | prompted


def _prompt(project: Project, object_id: int, frame: int, size: tuple[int, int]) -> Prompt | None:
    row = project.find(PromptRow, object_id, frame)
    if row is not None:
        return as_prompt(row, size)
    mask = project.find(MaskRow, object_id, frame)
    rle = None if mask is None else Rle(size, mask.counts)
    return None if rle is None or not rle.area else Prompt(frame, mask=rle.dense())


def as_prompt(row: PromptRow, size: tuple[int, int]) -> Prompt:
    """A prompt's row as SAM2 is given it."""
    base = None if row.base is None else Rle(size, row.base).dense()
    return Prompt(row.frame, row.points, row.box, base=base)


def _span(project: Project, object_id: int, start: int, direction: Direction, within: Span | None) -> Span:
    """From `start` up to locked frames (left out), the ends of the work range and those of `within`."""
    clip = project.clip_of(object_id)
    if not 0 <= start < clip.frames:
        raise BadInput(f"There is no frame {start}: the clip has {clip.frames}, counted from 0.")
    locked = project.locked(object_id)
    if start in locked:
        name = project.need(ObjectRow, object_id).name
        raise BadInput(f"{name} is locked on frame {start}: unlock it there, or start elsewhere.")
    first, last = (clip.first, clip.last) if within is None else (within.first, within.last)
    before = max([clip.first, first, *(frame + 1 for frame in locked if frame < start)])
    after = min([clip.last, last, *(frame - 1 for frame in locked if frame > start)])
    return Span(
        start if direction == "forward" else min(start, before), start if direction == "backward" else max(start, after)
    )
