"""Region similarity J and boundary measure F, and the DAVIS 2017 evaluation of whole sequences with them.

Values equal those of davis2017-evaluation (commit ac7c43f); what it answers by leaving the program is BadInput here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput
from decaf_gui.evaluation.assignment import best_assignment

Mask = NDArray[np.bool_]
Masks3 = NDArray[np.bool_]
"""Masks of one object: bool (T, H, W)."""
LabelMaps = NDArray[np.integer]
"""A sequence of label maps: (T, H, W), 0 background, 1..N objects, 255 void."""
Protocol = Literal["davis-semi", "davis-unsup"]

VOID = 255
MOST_PROPOSALS = 20
"""davis2017-evaluation refuses more than these in the unsupervised task."""


def region_similarity(pred: Mask, truth: Mask) -> float:
    """J: intersection over union of two bool (H, W) masks; 1.0 when both are empty. Raises BadInput on two sizes."""
    pred, truth = _pair(pred, truth)
    union = int(np.count_nonzero(pred | truth))
    return int(np.count_nonzero(pred & truth)) / union if union else 1.0


def boundary_f(pred: Mask, truth: Mask, bound_th: float = 0.008) -> float:
    """F: harmonic mean of how much of each mask's boundary lies near the other's, on bool (H, W).

    Near is within `bound_th` of the frame's diagonal, in pixels rounded up (`bound_th` of 1 or more is pixels).
    Two masks without boundary agree (1.0), also when one is empty and the other fills the frame: that is how
    davis2017-evaluation counts. Raises BadInput for masks of two sizes.
    """
    pred, truth = _pair(pred, truth)
    reach = math.ceil(bound_th if bound_th >= 1 else bound_th * math.hypot(*pred.shape))
    found, wanted = boundary(pred), boundary(truth)
    count_found, count_wanted = int(found.sum()), int(wanted.sum())
    if count_found == 0 or count_wanted == 0:
        return float(count_found == count_wanted)
    disk = _disk(reach)
    precision = int((found & cv2.dilate(wanted, disk)).sum()) / count_found
    recall = int((wanted & cv2.dilate(found, disk)).sum()) / count_wanted
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def boundary(mask: Mask) -> NDArray[np.uint8]:
    """Pixels that differ from their right, lower or lower right neighbour: 0/1 (H, W)."""
    east, south, corner = np.zeros_like(mask), np.zeros_like(mask), np.zeros_like(mask)
    east[:, :-1] = mask[:, 1:]
    south[:-1] = mask[1:]
    corner[:-1, :-1] = mask[1:, 1:]
    edge = (mask ^ east) | (mask ^ south) | (mask ^ corner)
    edge[-1] = mask[-1] ^ east[-1]
    edge[:, -1] = mask[:, -1] ^ south[:, -1]
    edge[-1, -1] = False
    return edge.astype(np.uint8)


@lru_cache(maxsize=16)
def _disk(radius: int) -> NDArray[np.uint8]:
    offsets = np.arange(-radius, radius + 1)
    return np.asarray(offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2, dtype=np.uint8)


def _pair(pred: Mask, truth: Mask) -> tuple[Mask, Mask]:
    pred, truth = np.asarray(pred, dtype=bool), np.asarray(truth, dtype=bool)
    if pred.shape != truth.shape or pred.ndim != 2:
        raise BadInput(f"Masks of shape {pred.shape} and {truth.shape} cannot be compared: both must be (H, W).")
    return pred, truth


@dataclass(frozen=True, slots=True)
class Statistics:
    """One measure over the frames of an object, or averaged over objects.

    `recall` is the share of frames above 0.5; `decay` the mean of the first quarter minus that of the last.
    """

    mean: float
    recall: float
    decay: float


@dataclass(frozen=True, slots=True)
class ObjectScore:
    """One object of the truth; `matched` is the label of the prediction it was compared with."""

    sequence: str
    label: int
    matched: int
    j: Statistics
    f: Statistics


@dataclass(frozen=True, slots=True)
class DavisScore:
    """A data set's result: every object of every sequence counts the same."""

    protocol: Protocol
    objects: tuple[ObjectScore, ...]
    j: Statistics
    f: Statistics

    @property
    def jf(self) -> float:
        """J&F: the mean of both means."""
        return (self.j.mean + self.f.mean) / 2


def statistics(values: NDArray[np.float64]) -> Statistics:
    """Mean, recall and decay of one measure over the frames of an object, float (T,) with T >= 1.

    The four bins of the decay share their end frames. Raises BadInput when there is no frame.
    """
    if not len(values):
        raise BadInput("There is no frame to evaluate: davis-semi leaves the first and the last frame out.")
    # The package keeps these in uint8, which wraps beyond 256 frames; there are no such sequences in DAVIS.
    ends = (np.round(np.linspace(1, len(values), 5) + 1e-10) - 1).astype(int)
    decay = values[: ends[1] + 1].mean() - values[ends[3] :].mean()
    return Statistics(float(values.mean()), float((values > 0.5).mean()), float(decay))


def evaluate_sequence(
    pred: LabelMaps, truth: LabelMaps, protocol: Protocol, *, name: str = ""
) -> tuple[ObjectScore, ...]:
    """The scores of the objects of one sequence, from label maps (T, H, W).

    Objects are 1..N, N the greatest label of the first frame of `truth`. "davis-semi": frames 1..T-2, labels compared
    as they are, void counts as background. "davis-unsup": all frames, void left out, predicted labels matched to
    objects so that the mean J + F is greatest. Raises BadInput for different sizes or more predictions than allowed.
    """
    if pred.shape != truth.shape or truth.ndim != 3 or not len(truth):
        raise BadInput(f"{name or 'The sequence'}: {pred.shape} predicted, {truth.shape} in the truth: sizes differ.")
    semi = protocol == "davis-semi"
    count = int(np.where(truth[0] == VOID, 0, truth[0]).max())
    if semi:
        pred, truth = pred[1:-1], truth[1:-1]
    predicted = int(pred.max(initial=0))
    if predicted > (count if semi else MOST_PROPOSALS):
        allowed = f"{count} objects of the first frame" if semi else f"{MOST_PROPOSALS} proposals that DAVIS allows"
        raise BadInput(f"{name or 'The sequence'}: label {predicted} is predicted, beyond the {allowed}.")
    objects = _semi(pred, truth, count) if semi else _unsupervised(pred, truth, count, max(predicted, count))
    return tuple(ObjectScore(name, k, match, statistics(j), statistics(f)) for k, match, j, f in objects)


def evaluate_davis(sequences: Iterable[tuple[str, LabelMaps, LabelMaps]], protocol: Protocol) -> DavisScore:
    """The scores over `sequences` of (name, predicted, true label maps). Raises BadInput when there is no object."""
    objects = tuple(o for name, pred, truth in sequences for o in evaluate_sequence(pred, truth, protocol, name=name))
    if not objects:
        raise BadInput("There is no object in the truth's first frames: nothing can be evaluated.")
    return DavisScore(protocol, objects, _average([o.j for o in objects]), _average([o.f for o in objects]))


ObjectFrames = tuple[int, int, NDArray[np.float64], NDArray[np.float64]]
"""An object's label, the predicted label it is compared with, J and F of every frame."""


def _semi(pred: LabelMaps, truth: LabelMaps, count: int) -> list[ObjectFrames]:
    return [(k, k, *_measure(pred == k, truth == k)) for k in range(1, count + 1)]


def _unsupervised(pred: LabelMaps, truth: LabelMaps, count: int, proposals: int) -> list[ObjectFrames]:
    """Every object with the proposal that the best assignment on the mean of J and F gives it."""
    known = truth != VOID
    found = [(pred == p) & known for p in range(1, proposals + 1)]
    measured = [[_measure(masks, truth == k) for masks in found] for k in range(1, count + 1)]
    if not measured:
        return []
    scores = np.array([[(j.mean() + f.mean()) / 2 for j, f in row] for row in measured])
    return [(k + 1, p + 1, *measured[k][p]) for k, p in enumerate(best_assignment(scores))]


def _measure(pred: Masks3, truth: Masks3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    pairs = list(zip(pred, truth, strict=True))
    return np.array([region_similarity(*pair) for pair in pairs]), np.array([boundary_f(*pair) for pair in pairs])


def _average(parts: list[Statistics]) -> Statistics:
    mean, recall, decay = np.mean([(part.mean, part.recall, part.decay) for part in parts], axis=0)
    return Statistics(float(mean), float(recall), float(decay))
