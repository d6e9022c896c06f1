"""What the generators of engine work yield: small frozen data, picklable, numpy at most, never tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.entities import Grounding, Proposal, Tracklet
from decaf_gui.core.masks import Rle


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class Stage(Event):
    """Progress of a named stage: `done` of `total` steps (total 0: unknown); `note` is for people.

    `within` marks a step inside of another stage: live displays show it, logs leave it out.
    """

    name: str
    done: int = 0
    total: int = 0
    note: str = ""
    within: bool = False


@dataclass(frozen=True, slots=True)
class AttentionReady(Event):
    """The maps of one expression are there."""

    grounding: Grounding


@dataclass(frozen=True, slots=True)
class TrackletsReady(Event):
    """All candidates, scored and selected, with masks on the sampled frames."""

    tracklets: tuple[Tracklet, ...]


@dataclass(frozen=True, slots=True)
class FrameTracked(Event):
    """Masks of the tracked objects on one frame, by object id, at the source size.

    `ious` is SAM2's predicted IoU and `present` its object score (logit; above 0 means visible), by object id.
    """

    frame: int
    masks: Mapping[int, Rle]
    ious: Mapping[int, float]
    present: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Prompted(Event):
    """What a prompt did: the object's mask on the prompted frame, at the source size.

    `iou` is SAM2's predicted IoU for it, `present` its object score (logit; above 0 means visible).
    """

    object_id: int
    frame: int
    rle: Rle
    iou: float
    present: float

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Dense bool (H, W)."""
        return self.rle.dense()


@dataclass(frozen=True, slots=True)
class Proposed(Event):
    """The last event of a proposal."""

    proposal: Proposal
