"""Each benchmark's way of averaging, by name, as its official evaluator does it (formats spec, sections 2, 3 and 12).

J and F of a frame are the same everywhere; what is averaged first, and what a missing prediction costs, is not.
All values are in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from decaf_gui.core.errors import BadInput
from decaf_gui.evaluation.metrics import Protocol as Task
from decaf_gui.evaluation.scoring import Fault, ObjectOutcome, Outcome

PREDICTION_FAULTS: frozenset[Fault] = frozenset({"video", "expression", "frame"})
MEASURES = ("J", "F", "A", "R", "A255", "R255")


@dataclass(frozen=True, slots=True)
class Line:
    """A mean: of a `level` ("split", "kind", "turn" or "video"), over `count` units (expressions or objects).

    `zeros` of these count as 0 because nothing was predicted; `left_out` more are in no mean. `measures` is empty
    when there is nothing to average.
    """

    level: str
    name: str
    measures: Mapping[str, float]
    count: int
    zeros: int = 0
    left_out: int = 0

    @property
    def jf(self) -> float | None:
        """J&F: the mean of both means."""
        return (self.measures["J"] + self.measures["F"]) / 2 if self.measures else None


@dataclass(frozen=True, slots=True)
class Summary:
    """What one protocol says of a split: `total`, and the parts that it consists of."""

    protocol: str
    total: Line
    parts: tuple[Line, ...] = ()


@dataclass(frozen=True)
class Protocol:
    """One way of averaging. `counts` says for people what is averaged and what a missing prediction costs.

    `task` is set for those that score label maps under DAVIS' rules; they average `ObjectOutcome`s, all others
    `Outcome`s of expressions. `zero_for` are the faults that count as 0; what else failed is left out.
    """

    name: str
    title: str
    counts: str
    average: Callable[[Protocol, Sequence[Outcome], Sequence[ObjectOutcome]], Summary]
    zero_for: frozenset[Fault] = field(default=frozenset())
    task: Task | None = None

    def __call__(self, outcomes: Sequence[Outcome], objects: Sequence[ObjectOutcome] = ()) -> Summary:
        """The averages."""
        return self.average(self, outcomes, objects)

    def counted(self, outcomes: Iterable[Outcome]) -> list[Outcome]:
        """Those that are in the mean: scored ones, and failed ones that cost."""
        return [o for o in outcomes if o.scored or o.fault in self.zero_for]


def mean_line(
    protocol: Protocol, level: str, name: str, outcomes: Sequence[Outcome], digits: int | None = None
) -> Line:
    """The mean over expressions; `digits` of percent that each one is rounded to before (ReVOS)."""
    counted = protocol.counted(outcomes)
    zeros = sum(not outcome.scored for outcome in counted)
    known = [name for name in MEASURES if any(name in outcome.measures for outcome in counted)] or ["J", "F"]
    values = {key: [_rounded(o.measures.get(key, 0.0), digits) for o in counted] for key in known}
    means = {key: fmean(column) for key, column in values.items()} if counted else {}
    return Line(level, name, means, len(counted), zeros, len(outcomes) - len(counted))


def _rounded(value: float, digits: int | None) -> float:
    # As the script has it: percent, rounded. NumPy's rounding, not Python's, which differs in the last place.
    return value if digits is None else float(np.round(100 * value, digits)) / 100


def over_expressions(protocol: Protocol, outcomes: Sequence[Outcome], _: Sequence[ObjectOutcome]) -> Summary:
    """Every expression counts the same; parts are the kinds of expressions, where the dataset has them."""
    kinds = sorted({outcome.kind for outcome in outcomes} - {""})
    parts = [mean_line(protocol, "kind", kind, [o for o in outcomes if o.kind == kind]) for kind in kinds]
    return Summary(protocol.name, mean_line(protocol, "split", "", outcomes), tuple(parts))


def half_and_half(protocol: Protocol, outcomes: Sequence[Outcome], _: Sequence[ObjectOutcome]) -> Summary:
    """ReVOS: means of rounded percents over referring and over reasoning expressions, then half of each.

    Negative expressions are in neither. With one kind alone there is no total.
    """
    parts = [
        mean_line(protocol, "kind", kind, [o for o in outcomes if o.kind == kind], digits=2)
        for kind in ("referring", "reasoning")
    ]
    referring, reasoning = (part.measures for part in parts)
    means = {key: (value + reasoning[key]) / 2 for key, value in referring.items() if key in reasoning}
    total = Line(
        "split",
        "",
        means,
        sum(part.count for part in parts),
        sum(part.zeros for part in parts),
        sum(part.left_out for part in parts),
    )
    return Summary(protocol.name, total, tuple(parts))


def over_objects(protocol: Protocol, outcomes: Sequence[Outcome], objects: Sequence[ObjectOutcome]) -> Summary:
    """DAVIS: every object of a turn (an annotator's label maps) counts the same; the turns' means are averaged."""
    objects = [entry for entry in objects if entry.task == protocol.task]
    turns = sorted({entry.turn for entry in objects})
    parts = []
    for turn in turns:
        of_turn = [entry for entry in objects if entry.turn == turn]
        means = {"J": fmean(entry.j for entry in of_turn), "F": fmean(entry.f for entry in of_turn)}
        parts.append(Line("turn", turn, means, len(of_turn)))
    means = {key: fmean(part.measures[key] for part in parts) for key in ("J", "F")} if parts else {}
    known = {entry.video for entry in objects}
    left_out = sum(outcome.video not in known for outcome in outcomes)
    return Summary(protocol.name, Line("split", "", means, len(objects), 0, left_out), tuple(parts))


_ALL = (
    Protocol(
        "rvos",
        "MeViS, VISA's Ref-DAVIS",
        "All frames of an expression, then all expressions. A video without any predictions counts 0; an expression "
        "or frame that is missing leaves its expression out.",
        over_expressions,
        frozenset({"video"}),
    ),
    Protocol(
        "expressions",
        "All expressions (DecAF's own tables)",
        "All frames of an expression, then all expressions; whatever is missing counts 0.",
        over_expressions,
        PREDICTION_FAULTS,
    ),
    Protocol(
        "revos",
        "ReVOS",
        "All frames of an expression, rounded to 0.01 percent, then referring and reasoning expressions apart, then "
        "half of each. Whatever is missing counts 0; negative expressions do not count.",
        half_and_half,
        PREDICTION_FAULTS,
    ),
    Protocol(
        "reason-vos",
        "ReasonVOS",
        "The frames that have a true mask, then all expressions of all objects. What is missing is left out.",
        over_expressions,
    ),
    Protocol(
        "ref-davis",
        "Ref-DAVIS17 (ReferFormer)",
        "Label maps of each of the four annotators under DAVIS' unsupervised rules (all frames, void left out, "
        "objects matched freely), all objects; then the mean of the four. A video with a missing mask is left out.",
        over_objects,
        task="davis-unsup",
    ),
    Protocol(
        "davis-unsup",
        "DAVIS 2017, unsupervised",
        "Label maps: all frames, void left out, predictions matched to the objects of the first frame; all objects.",
        over_objects,
        task="davis-unsup",
    ),
    Protocol(
        "davis-semi",
        "DAVIS 2017, semi-supervised",
        "Label maps: without the first and the last frame, labels as they are, void is background; all objects.",
        over_objects,
        task="davis-semi",
    ),
)
PROTOCOLS: Mapping[str, Protocol] = {entry.name: entry for entry in _ALL}


def protocol_named(name: str) -> Protocol:
    """The protocol called `name`. Raises BadInput, naming the known ones."""
    try:
        return PROTOCOLS[name]
    except KeyError:
        raise BadInput(f'There is no way of averaging "{name}": choose among {", ".join(PROTOCOLS)}.') from None


def bootstrap(values: Sequence[float], *, draws: int = 2000, seed: int = 0, level: float = 0.95) -> tuple[float, float]:
    """The percentile interval of the mean of `values`, by drawing as many of them with replacement.

    Raises BadInput when there are none.
    """
    if not values:
        raise BadInput("There is nothing to take an interval of.")
    random, given = np.random.default_rng(seed), np.asarray(values, float)
    means = [float(random.choice(given, len(given)).mean()) for _ in range(draws)]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
