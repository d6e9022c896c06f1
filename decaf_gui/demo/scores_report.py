"""The demo models on held-out clips: every measure with its interval beside its target."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event, Proposed, Stage
from decaf_gui.demo.scores import (
    Value,
    answer_values,
    attribute_values,
    attributes_named,
    background_answers,
    open_shapes,
    pick_expressions,
    proposal_values,
)
from decaf_gui.demo.scores_tracking import tracking_values
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.demo.shapes_benchmark import Interval, bootstrap, within
from decaf_gui.demo.world import ShapesExpression
from decaf_gui.pipeline.engine import Engine

Part = Literal["multimodal LLM", "SAM2", "whole pipeline"]
HEADLINE = "fused, contrastive"
"""The map that SAM2 is prompted from."""
OTHER_MAPS = (
    "fused, object-only",
    *(f"{m}, {kind}" for m in ("video", "frame") for kind in ("contrastive", "object-only")),
)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure, a share from 0 to 1: of which part it is, and the mean that the models are meant to reach."""

    name: str
    part: Part
    target: float | None = None


MEASURES = (
    Measure("object word: chosen category", "multimodal LLM", 0.85),
    Measure("object word: video", "multimodal LLM"),
    Measure("object word: frames", "multimodal LLM"),
    Measure("background word: video", "multimodal LLM", 0.95),
    Measure("background word: frames", "multimodal LLM"),
    Measure("attributes: true", "multimodal LLM"),
    Measure("attributes: named", "multimodal LLM"),
    Measure(f"pointing: {HEADLINE}", "multimodal LLM", 0.75),
    Measure(f"rank-1: {HEADLINE}", "multimodal LLM", 0.90),
    Measure(f"Otsu IoU: {HEADLINE}", "multimodal LLM", 0.40),
    *(
        Measure(f"{name}: {maps}", "multimodal LLM")
        for maps in OTHER_MAPS
        for name in ("pointing", "rank-1", "Otsu IoU")
    ),
    Measure("click IoU", "SAM2", 0.88),
    Measure("IoU after one correction: fresh object", "SAM2", 0.90),
    Measure("IoU after one correction: given mask", "SAM2"),
    Measure("box IoU: corners and centre", "SAM2", 0.88),
    Measure("box IoU: corners alone", "SAM2"),
    Measure("negative click removes its pixel: fresh object", "SAM2", 0.94),
    Measure("negative click removes its pixel: given mask", "SAM2"),
    Measure("propagation J: one object", "SAM2", 0.85),
    Measure("propagation J: three objects", "SAM2", 0.80),
    Measure("J of the last five frames: one object", "SAM2", 0.75),
    Measure("J of the last five frames: three objects", "SAM2"),
    Measure("J after a return: one object", "SAM2"),
    Measure("J after a return: three objects", "SAM2"),
    Measure("absent recall", "SAM2", 0.85),
    Measure("present recall", "SAM2", 0.95),
    Measure("pipeline J", "whole pipeline"),
    Measure("pipeline F", "whole pipeline"),
    Measure("pipeline J&F", "whole pipeline", 0.65),
)


@dataclass(frozen=True, slots=True)
class Score:
    """One case of a measure on the clip (seed, level); `kind` is the expression's, empty where none was asked."""

    measure: str
    value: float
    clip: tuple[int, str]
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Row(Event):
    """One line of the report: a measure over all its cases (kind "all"), or over those of one kind of expression."""

    measure: Measure
    kind: str
    interval: Interval

    @property
    def reached(self) -> bool | None:
        """Whether the mean is at its target; None without one."""
        return None if self.measure.target is None else self.interval.mean >= self.measure.target


def evaluate(
    engine: Engine, seeds: Iterable[int], level: str, *, frames: int = 24, expressions_per_clip: int = 2
) -> Iterator[Event]:
    """Scores the engine's models on one clip of `frames` frames per seed: `Stage`s, then the `Row`s."""
    seeds, scores = list(seeds), list[Score]()
    for done, seed in enumerate(seeds):
        yield Stage("evaluate", done, len(seeds), f"clip of seed {seed}")
        for event in scored_clip(engine, make_clip(seed, level, frames), done, expressions_per_clip):
            if isinstance(event, Stage):
                yield event
            else:
                scores.append(event)
        engine.free()
    yield Stage("evaluate", len(seeds), len(seeds))
    yield from rows_of(scores)


def scored_clip(engine: Engine, shapes: ShapesClip, turn: int, expressions: int) -> Iterator[Score | Stage]:
    """All cases of one clip: `expressions` of it proposed (kinds by `turn`), then every object prompted and tracked."""
    on = (shapes.seed, shapes.level)
    with tempfile.TemporaryDirectory() as folder, open_shapes(shapes, Path(folder)) as clip:
        for wanted in pick_expressions(shapes, turn, expressions):
            yield from _scores(_proposed(engine, clip, shapes, wanted), on, wanted.kind)
        yield from _scores(tracking_values(engine, clip, shapes), on, "")


def _proposed(engine: Engine, clip: Clip, shapes: ShapesClip, wanted: ShapesExpression) -> Iterator[Value | Stage]:
    for event in engine.propose(clip, wanted.text):
        if isinstance(event, Stage):
            yield Stage(event.name, event.done, event.total, event.note, within=True)
        elif isinstance(event, Proposed):
            yield from proposal_values(event.proposal, shapes, wanted)
            answers = yield from background_answers(engine, clip, event.proposal.grounding)
            yield from answer_values("background word", answers, shapes.background)
            named = yield from within(attributes_named(engine, clip, wanted.text))
            yield from attribute_values(named, shapes, wanted)


def _scores(found: Iterable[Value | Stage], clip: tuple[int, str], kind: str) -> Iterator[Score | Stage]:
    for each in found:
        yield each if isinstance(each, Stage) else Score(each[0], each[1], clip, kind)


def rows_of(scores: Iterable[Score]) -> list[Row]:
    """Every measure that has cases, in the order of `MEASURES`: over all of them, then by kind of expression."""
    found: dict[tuple[str, str], dict[tuple[int, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for score in scores:
        for kind in ("all", score.kind) if score.kind else ("all",):
            found[score.measure, kind][score.clip].append(score.value)
    kinds = sorted({kind for _, kind in found}, key=lambda kind: (kind != "all", kind))
    keys = [(measure, kind) for measure in MEASURES for kind in kinds if (measure.name, kind) in found]
    return [Row(measure, kind, bootstrap(found[measure.name, kind])) for measure, kind in keys]


# for people and for programs


def part_table(rows: Iterable[Row], part: Part) -> tuple[list[str], list[list[str]]]:
    """Columns and lines of one part: each of its measures over all cases, beside its target."""
    known = {row.measure.name: row for row in rows if row.kind == "all"}
    lines = [_line(measure, known.get(measure.name)) for measure in MEASURES if measure.part == part]
    return ["measure", "mean [95 %]", "count", "target", "reached"], lines


def _line(measure: Measure, row: Row | None) -> list[str]:
    target = "" if measure.target is None else f"{measure.target:.2f}"
    if row is None:
        return [measure.name, "-", "0", target, "-" if target else ""]
    reached = {None: "", True: "yes", False: "no"}[row.reached]
    return [measure.name, shown(row.interval), str(row.interval.count), target, reached]


def shown(interval: Interval) -> str:
    """A mean and its interval; of one clip the mean alone, because there is nothing to draw from."""
    if interval.clips < 2:
        return f"{interval.mean:.3f}"
    return f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def kind_table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Columns and lines of the means by kind of expression: the measures with targets, and the pipeline's."""
    means = {(row.measure.name, row.kind): row.interval for row in rows}
    kinds = list(dict.fromkeys(row.kind for row in rows if row.kind != "all"))
    asked = [m for m in MEASURES if any((m.name, kind) in means for kind in kinds)]
    wanted = [m for m in asked if m.target is not None or m.part == "whole pipeline"]
    lines = [[m.name, *(_mean(means.get((m.name, kind))) for kind in kinds)] for m in wanted]
    counts = [means.get(("pipeline J&F", kind)) for kind in kinds]
    return ["measure", *kinds], [*lines, ["expressions", *(str(c.count) if c else "-" for c in counts)]]


def _mean(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.mean:.3f}"


def plain_rows(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows for JSON. Targets are of all cases: rows of one kind have none."""
    return [
        {
            "measure": row.measure.name,
            "part": row.measure.part,
            "kind": row.kind,
            **asdict(row.interval),
            "target": row.measure.target if row.kind == "all" else None,
            "reached": row.reached if row.kind == "all" else None,
        }
        for row in rows
    ]
