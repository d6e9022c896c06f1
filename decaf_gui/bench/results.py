"""What a benchmark takes and gives, and the table of all benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event

Cell = str | float | int | None

BENCHMARKS = {
    "rollout": "one row in blocks against N x N matrices: time and extra memory",
    "grounding": "first and further expression against doing everything again",
    "tracking": "our session and the SAM2 stage against the sam2 package's predictor",
    "click": "prompt to mask, on a cached frame and on a cold one",
    "worker": "stretches without an event, and clicks while the worker is busy",
    "canvas": "painting a new frame with masks, and points over one that is there",
    "decode": "sequential and random access against plain PyAV",
    "memory": "peak memory of propose over clips of growing length",
    "annotator": "a simulated annotator: work until all masks are good, by what is looked at next",
    "prelabel": "a whole set with two workers against one, and the workers' memory",
    "window": "the window: its first frame, how long it is ever deaf, a clip of ten minutes in it",
    "startup": "where time goes from start to the first stage",
}
"""What `decaf-gui bench` runs, in this order, each in the module of its name."""
PAPER_SIZE = "paper_size"


@dataclass(frozen=True, slots=True)
class Options:
    """How benchmarks run. `quick` shrinks everything: it shows that a benchmark works, its numbers mean little.

    `clip` is a video for `decode` and `worker`; `clips` says how many `prelabel` has, None: its own number.
    """

    device: str = "cpu"
    threads: int = 2
    quick: bool = False
    clip: Path | None = None
    clips: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """A promise: `value` should be at most (or at least) `limit`."""

    what: str
    value: float
    limit: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Whether the promise held in this run."""
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def __str__(self) -> str:
        word = "at most" if self.at_most else "at least"
        return f"{'met' if self.met else 'MISSED'}: {self.what} {self.value:.3g} ({word} {self.limit:g})"


@dataclass(frozen=True, slots=True)
class Result(Event):
    """What one benchmark measured: a table with units in its column names, promises, and what it ran with."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    targets: tuple[Target, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "settings": dict(self.settings),
            "rows": [dict(zip(self.columns, row, strict=True)) for row in self.rows],
            "targets": [
                {"what": t.what, "value": t.value, "limit": t.limit, "at_most": t.at_most, "met": t.met}
                for t in self.targets
            ],
        }


def check_names(names: Sequence[str]) -> list[str]:
    """The benchmarks to run: all when none is named. Raises BadInput with the known names."""
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise BadInput(f'There is no benchmark "{unknown[0]}": choose from {", ".join(BENCHMARKS)}.')
    return list(dict.fromkeys(names)) or list(BENCHMARKS)


def run(name: str, options: Options) -> Iterator[Event]:
    """Runs one benchmark: `Stage` events, last its `Result`."""
    events: Iterator[Event] = import_module(f"decaf_gui.bench.{name}").run(options)
    return events
