"""How good SAM2 is by itself on a clip of the shapes world: clicks, boxes, corrections, tracking, absence.

Prompts and sweeps go the way that the window's do: `Engine.decode` and `Engine.tracking`, at the source size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Protocol

import numpy as np

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Box, Point, Prompt
from decaf_gui.core.events import Event, FrameTracked, Prompted, Stage
from decaf_gui.demo.scores import Mask, Value, depth_of, inner_point
from decaf_gui.demo.shapes import ShapesClip
from decaf_gui.evaluation.metrics import region_similarity

TOGETHER = 3
"""How many objects are tracked together."""
LAST = 5
"""How many frames the end of a clip has."""
FEW, NEAR = 10, 3.0
"""Fewer wrong pixels than this are not worth a negative click; pixels from the border where one goes instead."""


class Tracker(Protocol):
    """What is asked of the engine."""

    def decode(self, clip: Clip, object_id: int, given: Prompt) -> Prompted: ...

    def tracking(
        self, clip: Clip, prompts: Mapping[int, Sequence[Prompt]], sweeps: Sequence[tuple[int, int]]
    ) -> Iterable[Event]: ...


def tracking_values(tracker: Tracker, clip: Clip, shapes: ShapesClip) -> Iterator[Value | Stage]:
    """Every object prompted where it is first seen and tracked from there by itself; then three of them together."""
    starts = {index: frame for index, truth in enumerate(shapes.masks) if (frame := first_seen(truth)) is not None}
    clicks = {i: Prompt(frame, ((*inner_point(shapes.masks[i, frame]), True),)) for i, frame in starts.items()}
    for done, (index, frame) in enumerate(starts.items()):
        yield Stage("clicks and tracking", done, len(starts), shapes.objects[index].shape, within=True)
        truth, random = shapes.masks[index], np.random.default_rng((shapes.seed, index))
        yield from prompt_values(asking(tracker, clip, index + 1), truth[frame], frame, random)
        found = tracked(tracker, clip, {index: clicks[index]})[index]
        yield from propagation_values("one object", found, truth)
        yield from absence_values(found, truth)
    if len(starts) >= TOGETHER:
        chosen = {index: clicks[index] for index in list(clicks)[:TOGETHER]}
        for index, found in tracked(tracker, clip, chosen).items():
            yield from propagation_values("three objects", found, shapes.masks[index])


def first_seen(truth: Mask) -> int | None:
    """The first frame of (T, H, W) on which an object has a pixel."""
    seen = np.flatnonzero(truth.any(axis=(1, 2)))
    return int(seen[0]) if len(seen) else None


# one frame


def asking(tracker: Tracker, clip: Clip, object_id: int) -> Callable[[Prompt], Mask]:
    """What answers a prompt for one object with its mask (H, W)."""
    return lambda given: tracker.decode(clip, object_id, given).mask


def prompt_values(
    ask: Callable[[Prompt], Mask], truth: Mask, frame: int, random: np.random.Generator
) -> Iterator[Value]:
    """A click, a box, one correction and a negative click on an object with the mask `truth` (H, W) on `frame`.

    `ask` answers a prompt with a mask (H, W). The click is the object's innermost point. What comes after it is given
    twice: together with the click, as on a fresh object, and alone as a correction of the click's mask, which is how
    masks are corrected that were tracked or proposed.
    """
    click: Point = (*inner_point(truth), True)
    first = ask(Prompt(frame, (click,)))
    yield "click IoU", region_similarity(first, truth)
    box = box_of(truth)
    centre: Point = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2, True)
    yield "box IoU: corners and centre", region_similarity(ask(Prompt(frame, (centre,), box)), truth)
    yield "box IoU: corners alone", region_similarity(ask(Prompt(frame, (), box)), truth)
    fix, away = correction(first, truth), negative_click(first, truth, random)
    base = first if first.any() else None
    for name, before, mask in (("fresh object", (click,), None), ("given mask", (), base)):
        fixed = ask(Prompt(frame, (*before, fix), base=mask))
        yield f"IoU after one correction: {name}", region_similarity(fixed, truth)
        if away is not None:
            left = ask(Prompt(frame, (*before, away), base=mask))
            yield f"negative click removes its pixel: {name}", float(not left[int(away[1]), int(away[0])])


def correction(found: Mask, truth: Mask) -> Point:
    """A click in the larger kind of error: positive on missed pixels, negative on false ones."""
    missed, extra = truth & ~found, found & ~truth
    wrong, positive = (missed, True) if missed.sum() >= extra.sum() else (extra, False)
    return (*inner_point(wrong if wrong.any() else truth), positive if wrong.any() else True)


def box_of(mask: Mask) -> Box:
    """The smallest box around a mask that is not empty."""
    y, x = np.nonzero(mask)
    return float(x.min()), float(y.min()), float(x.max()) + 1, float(y.max()) + 1


def negative_click(found: Mask, truth: Mask, random: np.random.Generator) -> Point | None:
    """A negative click on a pixel of the mask `found` (H, W), as an annotator would give one after a first click.

    It lies on the innermost pixel that `found` has wrongly. Where these are fewer than `FEW`, it lies on a random pixel
    of `found` at most `NEAR` pixels from its border, not the one clicked first. None where there is none.
    """
    extra = found & ~truth
    if int(extra.sum()) >= FEW:
        return (*inner_point(extra), False)
    rim = found & (depth_of(found) <= NEAR)
    x, y = inner_point(truth)
    rim[int(y), int(x)] = False
    places = np.argwhere(rim)
    if not len(places):
        return None
    y, x = places[int(random.integers(len(places)))] + 0.5
    return float(x), float(y), False


# over the clip


def tracked(tracker: Tracker, clip: Clip, clicks: Mapping[int, Prompt]) -> dict[int, dict[int, Mask]]:
    """Objects tracked together from a prompt each to the clip's end: masks by frame after the prompt, by object."""
    found: dict[int, dict[int, Mask]] = {index: {} for index in clicks}
    sweep = (min(prompt.frame for prompt in clicks.values()), len(clip) - 1)
    for event in tracker.tracking(clip, {index + 1: [prompt] for index, prompt in clicks.items()}, [sweep]):
        if isinstance(event, FrameTracked):
            for index, prompt in clicks.items():
                if event.frame > prompt.frame:
                    found[index][event.frame] = event.masks[index + 1].dense()
    return found


def propagation_values(name: str, found: Mapping[int, Mask], truth: Mask) -> Iterator[Value]:
    """Mean J of one object over all tracked frames, and over those of the clip's last five."""
    overlaps = {frame: region_similarity(mask, truth[frame]) for frame, mask in found.items()}
    late = [overlap for frame, overlap in overlaps.items() if frame >= len(truth) - LAST]
    back = come_back(np.array([truth[frame].any() for frame in overlaps], bool))
    again = [overlap for overlap, returned in zip(overlaps.values(), back, strict=True) if returned]
    for measure, values in (("propagation J", overlaps.values()), ("J of the last five frames", late)):
        if values:
            yield f"{measure}: {name}", fmean(values)
    if again:
        yield f"J after a return: {name}", fmean(again)


def come_back(present: Mask) -> Mask:
    """The frames of (T,) on which an object is seen again after it was gone; it was seen before them."""
    return present & np.logical_or.accumulate(~present)


def absence_values(found: Mapping[int, Mask], truth: Mask) -> Iterator[Value]:
    """On every tracked frame: whether the mask is empty where the object is not seen, and not empty where it is."""
    for frame, mask in found.items():
        if truth[frame].any():
            yield "present recall", float(mask.any())
        else:
            yield "absent recall", float(not mask.any())
