"""From attention maps to candidates: point queries and the released loop of non-maximum suppression (3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.masks import Rle


@dataclass(frozen=True, slots=True)
class PointQuery:
    """A token of a map that is worth a click: (x, y) in source pixels, V at the token."""

    x: float
    y: float
    attention: float


def point_queries(map_hw: NDArray[np.float32], size: tuple[int, int], tau_pq: float) -> list[PointQuery]:
    """Every token with V >= tau_pq, row by row, at its centre: ((x + .5) / Wp * W, (y + .5) / Hp * H)."""
    rows, columns = np.nonzero(map_hw >= tau_pq)
    height, width = size
    down, right = height / map_hw.shape[0], width / map_hw.shape[1]
    return [
        PointQuery((x + 0.5) * right, (y + 0.5) * down, float(map_hw[y, x]))
        for y, x in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Rival:
    """A tracklet that was kept on an earlier frame: its id, object score, and mask on the frame looked at."""

    id: int
    score: float
    mask: Rle


@dataclass(slots=True)
class Verdict:
    """What suppression decided on one frame: indices of candidates that live, ids of rivals to delete."""

    kept: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)


def suppress(masks: Sequence[Rle], scores: Sequence[float], rivals: Sequence[Rival], nms_iou: float) -> Verdict:
    """The released loop on one frame's candidates, by falling score (spec section 6).

    A candidate that a better one of this frame suppressed is passed over. Otherwise it suppresses all weaker ones
    that it overlaps by more than `nms_iou`, then meets the rivals in order: one that it overlaps is marked for
    deletion if its score is lower, else the candidate is dropped and meets no more. Deletions are carried out only
    if any candidate of the frame is left.
    """
    order = sorted(range(len(masks)), key=lambda i: -scores[i])
    overlap = _overlaps(masks)
    suppressed: set[int] = set()
    verdict = Verdict()
    for place, index in enumerate(order):
        if index in suppressed:
            continue
        suppressed |= {other for other in order[place + 1 :] if overlap[index, other] > nms_iou}
        if _beats_rivals(masks[index], scores[index], rivals, nms_iou, verdict.deleted):
            verdict.kept.append(index)
    if not verdict.kept:
        verdict.deleted.clear()
    return verdict


def _beats_rivals(mask: Rle, score: float, rivals: Sequence[Rival], nms_iou: float, deleted: list[int]) -> bool:
    """Whether no rival that overlaps the candidate is better; the weaker ones met before that are marked."""
    for rival in rivals:
        if _iou(mask, rival.mask) > nms_iou:
            if score <= rival.score:
                return False
            if rival.id not in deleted:
                deleted.append(rival.id)
    return True


def _iou(a: Rle, b: Rle) -> float:
    """Overlap of two masks; two empty ones do not overlap."""
    return a.iou(b) if a.area and b.area else 0.0


def _overlaps(masks: Sequence[Rle]) -> NDArray[np.float64]:
    """IoU of all pairs (n, n)."""
    from pycocotools import mask as coco

    if not masks:
        return np.zeros((0, 0))
    packed = [mask.packed for mask in masks]
    return np.asarray(coco.iou(packed, packed, [0] * len(packed)), dtype=np.float64)
