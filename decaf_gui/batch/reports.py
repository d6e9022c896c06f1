"""What runners tell the coordinator: small frozen data, picklable."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from decaf_gui.batch.worklist import ClipWork, Result
from decaf_gui.core.events import Event

if TYPE_CHECKING:
    from decaf_gui.batch.labelling import Plan


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A worker begins with a clip; `worker` is a short name such as "1" or "gpu 0"."""

    clip: str
    worker: str


@dataclass(frozen=True, slots=True)
class Progressed(Event):
    """How far a stage of a clip is: `done` of `total` steps (total 0: unknown). A few per second at most."""

    clip: str
    worker: str
    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Labelled(Event):
    """A clip's project is whole: one result per expression of its work. `memory` is the worker's peak RSS in bytes."""

    clip: str
    worker: str
    results: tuple[Result, ...]
    warnings: tuple[str, ...]
    seconds: float
    memory: int


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A clip came to nothing. `again`: worth another attempt (its worker died, memory or disk ran out)."""

    clip: str
    worker: str
    reason: str
    again: bool


Report = Started | Progressed | Labelled | Failed
Runner = Callable[[Iterator[ClipWork], "Plan", int], Generator[Report, None, None]]
"""Labels the works as planned, on this many workers (0: one per device).

It takes works lazily (never more than about workers + 1 ahead), survives the death of a worker (its clip is reported
as `Failed` with `again`, the worker replaced), and when it is closed it stops all workers and leaves no process behind.
"""
