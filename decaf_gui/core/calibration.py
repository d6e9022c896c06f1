"""How far a score can be trusted: decisions of persons turned into "above this score, so many were right".

A decision is one candidate's score and whether a person accepted it. The share of accepted ones among all at or above
a threshold estimates the precision there; Wilson's score interval (E. B. Wilson, JASA 22, 1927, pages 209 to 212) says
how well so many decisions determine it. It takes decisions for independent, and each threshold by itself.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

Z95 = 1.959963984540054
"""The normal distribution's quantile of 0.975: two-sided 95 %."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A candidate's score, and whether a person accepted it."""

    score: float
    accepted: bool


@dataclass(frozen=True, slots=True)
class Level:
    """What decisions say of the scores at or above a threshold: `accepted` of `decisions`, and the 95 % interval."""

    threshold: float
    accepted: int
    decisions: int
    low: float
    high: float

    @property
    def precision(self) -> float:
        """The share that was accepted."""
        return self.accepted / self.decisions


def wilson(accepted: int, decisions: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval (low, high) of a share; (0, 1) without decisions. `z` 1.96 is 95 %."""
    if not decisions:
        return 0.0, 1.0
    share, weight = accepted / decisions, z * z / decisions
    middle = share + weight / 2
    half = z * math.sqrt(share * (1 - share) / decisions + weight / (4 * decisions))
    low, high = (middle - half) / (1 + weight), (middle + half) / (1 + weight)
    return (0.0 if accepted == 0 else low), (1.0 if accepted == decisions else high)  # exact at the ends


def levels(decisions: Iterable[Decision]) -> list[Level]:
    """A level at every score that was decided on, the lowest first."""
    found: list[Level] = []
    accepted = total = 0
    ordered = sorted(decisions, key=attrgetter("score"), reverse=True)
    for score, group in groupby(ordered, key=attrgetter("score")):
        said = [decision.accepted for decision in group]
        accepted, total = accepted + sum(said), total + len(said)
        found.append(Level(score, accepted, total, *wilson(accepted, total)))
    return found[::-1]


def level_at(known: Sequence[Level], threshold: float) -> Level | None:
    """What `levels` say of a threshold; None when no decision reaches it."""
    place = bisect_left(known, threshold, key=attrgetter("threshold"))
    return None if place == len(known) else replace(known[place], threshold=threshold)


def lowest_level(known: Sequence[Level], wanted: float) -> Level | None:
    """The level of the lowest threshold at which the interval begins at `wanted` or above; None: at none."""
    return next((level for level in known if level.low >= wanted), None)
