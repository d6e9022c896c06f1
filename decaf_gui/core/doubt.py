"""Doubt: which frames of an object a person should look at first, and why.

Each part lies in [0, 1] and speaks for one way in which masks go wrong. They are joined as independent reasons are:
1 minus the product of (1 - weight * part), so that one strong reason is enough and several weak ones add up.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.masks import Masks

Maps = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Parts of the doubt about an object on a frame, each in [0, 1].

    `attention_outside`: share of the attention that lies outside of the mask. `unattended`: share of the mask where
    attention is below the frame's mean. `area_jump`: change of area from the frame before, as |log2| up to a factor of
    four; 1 where the object appears or vanishes. `shape_jump`: how far the IoU with the frame before lies under what
    is usual for the object. `presence`: how undecided SAM2 is whether the object is there. `quality`: 1 - its IoU.
    """

    attention_outside: float = 0.0
    unattended: float = 0.0
    area_jump: float = 0.0
    shape_jump: float = 0.0
    presence: float = 0.0
    quality: float = 0.0

    @property
    def total(self) -> float:
        """All parts as one number in [0, 1]."""
        return 1.0 - math.prod(1.0 - WEIGHTS[name] * part for name, part in self.parts.items())

    @property
    def parts(self) -> dict[str, float]:
        """By name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @property
    def reason(self) -> str:
        """The part that says most, in words; "" when nothing is doubtful."""
        name, part = max(self.parts.items(), key=lambda item: WEIGHTS[item[0]] * item[1])
        return REASONS[name] if part > 0 else ""


WEIGHTS: Mapping[str, float] = {
    "attention_outside": 0.3,
    "unattended": 0.3,
    "area_jump": 0.6,
    "shape_jump": 0.6,
    "presence": 0.6,
    "quality": 0.8,
}
"""How much each part counts. Ours, not the papers': attention is coarse and often lies on a part of the object only."""
REASONS: Mapping[str, str] = {
    "attention_outside": "attention lies outside of the mask",
    "unattended": "the mask has parts without attention",
    "area_jump": "the area jumps",
    "shape_jump": "the mask jumps",
    "presence": "SAM2 is not sure that it is there",
    "quality": "SAM2 expects a bad mask",
}


def doubts(
    masks: Masks,
    ious: Mapping[int, float] | None = None,
    present: Mapping[int, float] | None = None,
    maps: Maps | None = None,
    sampled: Sequence[int] = (),
) -> dict[int, Doubt]:
    """The doubt about an object on every frame that it is known on.

    `ious` are SAM2's predicted IoUs and `present` its object scores (logits) by frame, where it gave them; `maps`
    float32 (Ts, Hp, Wp) is the attention on the `sampled` frames: other frames have no attention parts.
    """
    jumps = _jumps(masks)
    where = {frame: place for place, frame in enumerate(sampled)}
    found: dict[int, Doubt] = {}
    for frame in masks:
        outside, unattended = 0.0, 0.0
        if maps is not None and frame in where:
            outside, unattended = _attention_parts(masks[frame], maps[where[frame]])
        area_jump, shape_jump = jumps[frame]
        score, quality = (present or {}).get(frame), (ious or {}).get(frame)
        found[frame] = Doubt(
            outside,
            unattended,
            area_jump,
            shape_jump,
            0.0 if score is None else _undecided(score),
            0.0 if quality is None or masks.absent(frame) else float(np.clip(1.0 - quality, 0.0, 1.0)),
        )
    return found


def _attention_parts(mask: NDArray[np.bool_], map_hw: Maps) -> tuple[float, float]:
    """(share of attention outside of the mask, share of the mask below the mean), on the map's grid."""
    rows, columns = map_hw.shape
    share = cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    attention, area = float(map_hw.sum()), float(share.sum())
    outside = 1.0 - float((map_hw * share).sum()) / attention if attention > 0 else 0.0
    unattended = float(share[map_hw < map_hw.mean()].sum()) / area if area > 0 else 0.0
    return float(np.clip(outside, 0.0, 1.0)), float(np.clip(unattended, 0.0, 1.0))


def _jumps(masks: Masks) -> dict[int, tuple[float, float]]:
    """(area jump, shape jump) of every known frame against the known one right before it."""
    pairs = [(a, b) for a, b in zip(masks.frames, masks.frames[1:], strict=False) if b == a + 1]
    seen = {b: masks.rle(a).iou(masks.rle(b)) for a, b in pairs if masks.area(a) and masks.area(b)}
    usual = float(np.median(list(seen.values()))) if seen else 1.0
    jumps = dict.fromkeys(masks.frames, (0.0, 0.0))
    for a, b in pairs:
        before, after = masks.area(a), masks.area(b)
        if before and after:
            area = min(1.0, abs(math.log2(after / before)) / 2)
            jumps[b] = (area, max(0.0, usual - seen[b]))
        elif before or after:
            jumps[b] = (1.0, 0.0)
    return jumps


def _undecided(score: float) -> float:
    """1 at an object score of 0, falling to 0 on both sides: twice the smaller probability."""
    certain = 1.0 / (1.0 + math.exp(-min(abs(score), 60.0)))
    return 2.0 * (1.0 - certain)


@dataclass(frozen=True, slots=True)
class DoubtfulFrame:
    """An entry of the queue: look here."""

    object: int
    frame: int
    doubt: Doubt


def queue(
    found: Mapping[int, Mapping[int, Doubt]],
    reviewed: Mapping[int, Iterable[int]],
    *,
    least: float = 0.15,
    apart: int = 5,
) -> list[DoubtfulFrame]:
    """The most doubtful frames that nobody has reviewed, of all objects, the most doubtful first.

    `found` and `reviewed` go by object. Of frames of one object closer than `apart` only the most doubtful is there:
    what mends it usually mends its neighbours. Doubts under `least` are left out.
    """
    seen = {thing: set(frames) for thing, frames in reviewed.items()}
    entries = [
        DoubtfulFrame(thing, frame, doubt)
        for thing, frames in found.items()
        for frame, doubt in frames.items()
        if doubt.total >= least and frame not in seen.get(thing, ())
    ]
    entries.sort(key=lambda entry: (-entry.doubt.total, entry.frame, entry.object))
    kept: list[DoubtfulFrame] = []
    for entry in entries:
        if all(entry.object != other.object or abs(entry.frame - other.frame) >= apart for other in kept):
            kept.append(entry)
    return kept
