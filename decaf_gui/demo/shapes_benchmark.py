"""Methods on held-out clips of the shapes world: J, F, J&F and pointing by kind of expression, with intervals.

The seeds are fixed and far from all that training sees (from 1,000,000), chooses by (500 to 531) or watches (from
50,000). Every pair of clip and expression is a line of a file, so that a run that was broken off goes on.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Grounding
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Event, Proposed, Stage
from decaf_gui.demo.scores import Mask, open_shapes
from decaf_gui.demo.shapes import ShapesClip, make_clip, target_masks
from decaf_gui.demo.world import ShapesExpression
from decaf_gui.evaluation.metrics import boundary_f, region_similarity
from decaf_gui.grounding.fusion import attention_masks, resize
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.settings import Settings
from decaf_gui.pipeline.steering import prompts_digest

KIND_SEEDS, MEDIUM_SEEDS = range(20_000, 20_032), range(21_000, 21_032)
RESAMPLES, BOOTSTRAP_SEED = 2000, 0
MEASURES = ("jf", "j", "f", "pointing")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Case:
    """One clip of the benchmark: its seed and its level."""

    seed: int
    level: str


CASES = tuple(
    case
    for kind, medium in zip(KIND_SEEDS, MEDIUM_SEEDS, strict=True)
    for case in (Case(kind, "kind"), Case(medium, "medium"))
)
"""All 64 clips, levels in turn: any first part of them has both."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a method says: masks bool (H, W) of the frames that it speaks of, and where it looked, if it has maps."""

    masks: Mapping[int, Mask]
    grounding: Grounding | None = None


Runner = Callable[[Engine, Clip, str], Generator[Event, None, Found]]
"""A method with its settings: an expression on a clip becomes `Found`, with events on the way."""


@dataclass(frozen=True, slots=True)
class Record:
    """One method on one expression: means over frames, and all groups that the expression counts in.

    `pointing` is the share of sampled frames that show a target on which the map's peak lies on it; None if none does.
    """

    method: str
    seed: int
    level: str
    text: str
    groups: tuple[str, ...]
    j: float
    f: float
    pointing: float | None

    @property
    def key(self) -> tuple[str, int, str, str]:
        """What is measured once."""
        return self.method, self.seed, self.level, self.text

    @property
    def clip(self) -> tuple[int, str]:
        """The clip that it belongs to: clips are what the bootstrap draws."""
        return self.seed, self.level

    def value(self, measure: str) -> float | None:
        """One of `MEASURES`."""
        if measure == "jf":
            return (self.j + self.f) / 2
        return None if getattr(self, measure) is None else float(getattr(self, measure))


@dataclass(frozen=True, slots=True)
class Measured(Event):
    """A record that is new."""

    record: Record


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over `count` expressions of `clips` clips, and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float
    count: int
    clips: int


@dataclass(frozen=True, slots=True)
class Row:
    """One measure of one method in one group."""

    method: str
    group: str
    measure: str
    interval: Interval


# methods


def decaf(settings: Settings) -> Runner:
    """The whole method: masks of every frame."""

    def run(engine: Engine, clip: Clip, text: str) -> Generator[Event, None, Found]:
        for event in engine.propose(clip, text, settings):
            if isinstance(event, Proposed):
                proposal = event.proposal
            else:
                yield event
        return Found({t: proposal.mask(t) for t in range(len(clip))}, proposal.grounding)

    return run


def attention_mask(settings: Settings) -> Runner:
    """The attention alone, over Otsu's threshold: masks of the sampled frames (table 1)."""

    def run(engine: Engine, clip: Clip, text: str) -> Generator[Event, None, Found]:
        for event in engine.attend(clip, text, settings):
            yield event
            if isinstance(event, AttentionReady):
                found = event.grounding
        return Found(dict(zip(found.frames, attention_masks(found.maps, clip.size), strict=True)), found)

    return run


METHODS: Mapping[str, Callable[[Settings], Runner]] = MappingProxyType(
    {"decaf": decaf, "attention-mask": attention_mask}
)
"""What `evaluate shapes` can run; a baseline is one more line."""


# clips and expressions


def chosen_cases(count: int | None) -> tuple[Case, ...]:
    """The first `count` clips, all for None. Raises BadInput for more than there are."""
    if count is not None and not 1 <= count <= len(CASES):
        raise BadInput(f"There are {len(CASES)} clips, not {count}: give 1 to {len(CASES)}.")
    return CASES[:count]


def chosen_expressions(shapes: ShapesClip) -> list[ShapesExpression]:
    """One expression of each kind, which one depends on the seed; and one of each object that comes back."""
    by_kind: dict[str, list[ShapesExpression]] = defaultdict(list)
    for said in shapes.expressions:
        by_kind[said.kind].append(said)
    chosen = [listed[shapes.seed % len(listed)] for _, listed in sorted(by_kind.items())]
    for thing in shapes.objects:
        about = [said for said in shapes.expressions if said.objects == (thing.id,)]
        if thing.returns and about and not any(said in chosen for said in about):
            chosen.append(about[shapes.seed % len(about)])
    return chosen


def groups_of(shapes: ShapesClip, said: ShapesExpression) -> tuple[str, ...]:
    """All that an expression counts in: everything, its kind, its level, and what its targets are and do."""
    targets = [thing for thing in shapes.objects if thing.id in said.objects]
    groups = ["all", said.kind, f"level {shapes.level}"]
    groups += ["with distractors"] if len(targets) < len(shapes.objects) else []
    groups += ["several targets"] if len(targets) > 1 else []
    groups += ["leaves and returns"] if any(goes_and_returns(shapes, thing.id) for thing in targets) else []
    return tuple(groups)


def goes_and_returns(shapes: ShapesClip, id: int) -> bool:
    """Whether an object is seen, then not seen, then seen again."""
    [place] = [i for i, thing in enumerate(shapes.objects) if thing.id == id]
    seen = np.flatnonzero(shapes.masks[place].any(axis=(1, 2)))
    return bool(len(seen)) and bool(np.any(np.diff(seen) > 1))


# the run


class Ledger:
    """A file of JSON lines: what was run with first, then the records. Open, it takes further ones."""

    def __init__(self, path: Path, setup: Mapping[str, Any]) -> None:
        self.path, self.setup = path, json.loads(json.dumps(setup))
        self.records: dict[tuple[str, int, str, str], Record] = {}

    def __enter__(self) -> Ledger:
        """Reads what is there, without a last line that was cut. Raises BadInput when it is of another setup."""
        lines = list(_whole_lines(self.path)) if self.path.exists() else []
        if lines and lines[0] != {"setup": self.setup}:
            raise BadInput(f"{self.path} is of other models or settings: choose another folder, or use --overwrite.")
        for line in lines[1:]:
            record = Record(**{**line, "groups": tuple(line["groups"])})
            self.records[record.key] = record
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.new")
        listed: list[object] = [{"setup": self.setup}, *map(asdict, self.records.values())]
        beside.write_text("".join(json.dumps(line) + "\n" for line in listed), encoding="utf-8")
        beside.replace(self.path)
        self._file = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closes the file."""
        self._file.close()

    def add(self, record: Record) -> None:
        """Keeps a record, at once."""
        self.records[record.key] = record
        self._file.write(json.dumps(asdict(record)) + "\n")
        self._file.flush()

    def of(self, methods: Iterable[str], cases: Iterable[Case]) -> list[Record]:
        """The records of these methods and clips."""
        wanted, clips = set(methods), {(case.seed, case.level) for case in cases}
        return [record for record in self.records.values() if record.method in wanted and record.clip in clips]


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a file up to one that a killed run left unfinished."""
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def missing(cases: Iterable[Case], names: Iterable[str], ledger: Ledger) -> int:
    """How many runs the ledger lacks."""
    names = list(names)
    return sum(len(_todo(make_clip(case.seed, case.level), names, ledger)) for case in cases)


def _todo(shapes: ShapesClip, names: Iterable[str], ledger: Ledger) -> list[tuple[ShapesExpression, str]]:
    """What the ledger lacks of a clip, expression by expression."""
    names = list(names)
    wanted = [(said, name) for said in chosen_expressions(shapes) for name in names]
    return [(s, name) for s, name in wanted if (name, shapes.seed, shapes.level, s.text) not in ledger.records]


def run_cases(engine: Engine, cases: Sequence[Case], runners: Mapping[str, Runner], ledger: Ledger) -> Iterator[Event]:
    """All runners on all chosen expressions that the ledger lacks: `Stage`s and a `Measured` for each.

    What belongs to a clip is done together: it is read and its frames are encoded once, then let go.
    """
    begun, worked = time.monotonic(), 0
    for done, case in enumerate(cases):
        note = f"{case.level} {case.seed}"
        if worked:
            note += f", {duration((time.monotonic() - begun) / worked * (len(cases) - done))} left"
        yield Stage("evaluate", done, len(cases), note)
        shapes = make_clip(case.seed, case.level)
        todo = _todo(shapes, runners, ledger)
        if todo:
            yield from _run_clip(engine, shapes, todo, runners, ledger)
            worked += 1
    yield Stage("evaluate", len(cases), len(cases))


def duration(seconds: float) -> str:
    """An estimate for people."""
    return "less than a minute" if seconds < 60 else f"about {round(seconds / 60)} min"


def _run_clip(
    engine: Engine,
    shapes: ShapesClip,
    todo: Iterable[tuple[ShapesExpression, str]],
    runners: Mapping[str, Runner],
    ledger: Ledger,
) -> Iterator[Event]:
    with tempfile.TemporaryDirectory() as folder, open_shapes(shapes, Path(folder)) as clip:
        for said, name in todo:
            record = scored(name, shapes, said, (yield from within(runners[name](engine, clip, said.text))))
            ledger.add(record)
            yield Measured(record)
    engine.free()


def within(events: Generator[Event, None, Result]) -> Generator[Stage, None, Result]:
    """The stages of a run as steps inside of the evaluation's; no other event."""
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            found: Result = end.value
            return found
        if isinstance(event, Stage):
            yield Stage(event.name, event.done, event.total, event.note, within=True)


def scored(method: str, shapes: ShapesClip, said: ShapesExpression, found: Found) -> Record:
    """The record of what a method found."""
    truth = target_masks(shapes, said)
    j = fmean(region_similarity(mask, truth[t]) for t, mask in found.masks.items())
    f = fmean(boundary_f(mask, truth[t]) for t, mask in found.masks.items())
    hit = None if found.grounding is None else pointing(found.grounding, truth)
    return Record(method, shapes.seed, shapes.level, said.text, groups_of(shapes, said), j, f, hit)


def pointing(found: Grounding, truth: NDArray[np.bool_]) -> float | None:
    """On how many of the sampled frames with a target the map's highest pixel lies on it; None without such."""
    hits = []
    for map_, frame in zip(resize(found.maps, truth.shape[1:3]), found.frames, strict=True):
        if truth[frame].any():
            hits.append(float(truth[frame].flat[int(map_.argmax())]))
    return fmean(hits) if hits else None


# what comes out


def bootstrap(values: Mapping[tuple[int, str], Sequence[float]], resamples: int = RESAMPLES) -> Interval:
    """The mean of all values and the 2.5 and 97.5 % quantiles of it over draws of clips, with replacement.

    `values` by clip, at least one each: expressions of a clip stay together, because they are not independent.
    """
    sums = np.array([sum(listed) for listed in values.values()])
    counts = np.array([len(listed) for listed in values.values()])
    drawn = np.random.default_rng(BOOTSTRAP_SEED).integers(len(sums), size=(resamples, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = (float(q) for q in np.quantile(means, (0.025, 0.975)))
    return Interval(float(sums.sum() / counts.sum()), low, high, int(counts.sum()), len(sums))


def by_clip(records: Iterable[Record], measure: str) -> dict[tuple[int, str], list[float]]:
    """Known values of a measure by clip, clips in a fixed order (a resumed run has the same intervals)."""
    found: dict[tuple[int, str], list[float]] = defaultdict(list)
    for record in records:
        value = record.value(measure)
        if value is not None:
            found[record.clip].append(value)
    return {clip: sorted(found[clip]) for clip in sorted(found)}


def rows_of(records: Sequence[Record]) -> list[Row]:
    """Every measure of every method in every group that has expressions."""
    rows = []
    for method in dict.fromkeys(record.method for record in records):
        of_method = [record for record in records if record.method == method]
        for group in ordered_groups(of_method):
            in_group = [record for record in of_method if group in record.groups]
            for measure in MEASURES:
                values = by_clip(in_group, measure)
                if values:
                    rows.append(Row(method, group, measure, bootstrap(values)))
    return rows


def ordered_groups(records: Iterable[Record]) -> list[str]:
    """Everything first, then kinds, levels and what targets do, each in alphabetical order."""
    groups = {group for record in records for group in record.groups}
    return sorted(groups, key=lambda group: (group != "all", " " in group, group))


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Columns and lines for people: a line per method and group, measures in percent with their intervals."""
    cells = {(row.method, row.group, row.measure): row.interval for row in rows}
    lines = []
    for method, group in dict.fromkeys((row.method, row.group) for row in rows):
        found = [cells.get((method, group, measure)) for measure in MEASURES]
        first = cells[method, group, "jf"]
        lines.append([method, group, str(first.count), str(first.clips), *(percent(each) for each in found)])
    return ["method", "expressions", "count", "clips", "J&F", "J", "F", "pointing"], lines


def percent(interval: Interval | None) -> str:
    """A mean and its interval, in percent; of one clip the mean alone."""
    if interval is None:
        return "-"
    if interval.clips < 2:  # nothing to draw from
        return f"{100 * interval.mean:.1f}"
    return f"{100 * interval.mean:.1f} [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def markdown_table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of plain cells."""
    listed = [list(columns), ["---"] * len(columns), *map(list, lines)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in listed)


def plain_rows(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows for CSV and JSON, shares from 0 to 1."""
    return [
        {"method": row.method, "expressions": row.group, "measure": row.measure, **asdict(row.interval)} for row in rows
    ]


def setup_of(engine: Engine, settings: Settings) -> dict[str, Any]:
    """What results depend on beside clips and methods; soft prompts by what they are, wherever they lie."""
    made = {key: value for key, value in engine.provenance().items() if key != "notice"}
    chosen = {key: value for key, value in settings.as_dict().items() if key != "memory"}
    chosen["grounding"]["steering"] = prompts_digest(settings.grounding.steering, engine.mllm_card) or "none"
    return {**made, "settings": chosen}
