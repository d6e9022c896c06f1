"""What one worker does with one clip: all its expressions into one project, which appears only when it is whole."""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from decaf_gui.batch.reports import Failed, Labelled, Progressed, Report, Started
from decaf_gui.batch.worklist import ClipWork, Result, Wanted, project_path
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event, Proposed, Stage
from decaf_gui.core.memory import peak_bytes
from decaf_gui.core.project.doubtful import candidate_doubts
from decaf_gui.core.project.keeping import keep_clip, keep_proposal, known_clip
from decaf_gui.core.project.locking import Lock
from decaf_gui.core.project.rows import ClipRow, ExpressionRow, GroundingRow, Project, TrackletRow
from decaf_gui.core.project.store import Store
from decaf_gui.pipeline.settings import Settings

if TYPE_CHECKING:
    from decaf_gui.pipeline.engine import Engine

log = logging.getLogger(__name__)
EVERY = 0.25
"""Seconds between two reports of progress."""
FILES = ("", "-wal", "-shm", "-journal")
"""What a project that was broken off consists of."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How every clip is labelled; picklable.

    `out` is the folder of the work list, `formats` the exports that the coordinator writes, with the clips' `frames` if
    so. `device` is one, "auto", or several with commas, which workers take in turn. `threads` are torch's in each
    worker, 0: cores / workers. A clip is tried `attempts` times. `accept_damage`: use what can be read of a video that
    ends too early.
    """

    out: Path
    formats: tuple[str, ...] = ()
    mllm: str = "demo"
    sam: str = "demo"
    device: str = "auto"
    dtype: str = "auto"
    settings: Settings = field(default_factory=Settings)
    threads: int = 0
    attempts: int = 3
    accept_damage: bool = False
    frames: bool = False

    @property
    def devices(self) -> tuple[str, ...]:
        """The devices that workers take in turn."""
        return tuple(name.strip() for name in self.device.split(",") if name.strip())


@dataclass(frozen=True, slots=True)
class ClipLabelled(Event):
    """The last event of a clip: its project is in its place."""

    results: tuple[Result, ...]
    warnings: tuple[str, ...] = ()


def new_engine(plan: Plan, device: str = "") -> Engine:
    """The engine of a worker, on `device` (else the plan's first); its models load when first needed."""
    from decaf_gui.pipeline.engine import Engine

    return Engine(plan.mllm, plan.sam, device or plan.devices[0], settings=plan.settings, dtype=plan.dtype)


def label_clip(engine: Engine, work: ClipWork, plan: Plan) -> Iterator[Event | ClipLabelled]:
    """Proposes all expressions of a clip and keeps them in its project; the last event is `ClipLabelled`.

    What an earlier attempt has kept is not done again. A project that is there already (its clip got new expressions)
    is added to; a new one is made aside and gets its name when it is whole. Raises BadInput for a clip that cannot be
    read, or a project that somebody else is working on.
    """
    with Clip.open(work.media) as clip:
        if clip.damage and not plan.accept_damage:
            raise BadInput(f"{clip.damage} Mend the file, or go on with these frames: --accept-damage.")
        with _opened(project_path(plan.out, work.clip), clip) as store:
            row = keep_clip(store, clip)
            taken: dict[str, float] = {}
            for wanted in work.wanted:
                begun = time.monotonic()
                if not _is_kept(store.project, row, wanted.expression):
                    yield from _proposed(engine, clip, wanted, store)
                taken[wanted.expression] = time.monotonic() - begun
            results = tuple(result_of(store.project, row, work.clip, w, taken[w.expression]) for w in work.wanted)
    yield ClipLabelled(results, (clip.damage,) if clip.damage else ())


def _proposed(engine: Engine, clip: Clip, wanted: Wanted, store: Store) -> Iterator[Event]:
    """An expression's events, its proposal kept; a label is the category of all its candidates."""
    for event in engine.propose(clip, wanted.expression):
        if isinstance(event, Proposed):
            found = event.proposal
            if wanted.label:
                found = replace(found, grounding=replace(found.grounding, category=wanted.label))
            keep_proposal(store, clip, found)
            for tracklet in found.tracklets:  # the next expression begins without them
                engine.forget(clip, tracklet.id)
        yield event


@contextmanager
def _opened(path: Path, clip: Clip) -> Iterator[Store]:
    """The project, or one in the making that gets its name when all went well."""
    making = path.with_name(f".{path.stem}.making{path.suffix}")
    place = path if path.exists() else making
    Lock.drop(making)  # the list gives a clip to one worker at a time: another node's lock is a dead worker's
    if place == making and making.exists() and not _can_go_on(making, clip):
        for ending in FILES:
            making.with_name(making.name + ending).unlink(missing_ok=True)
    with Store.open(place) if place.exists() else Store.create(place) as store:
        if store.read_only:
            raise (DecafError if place == making else BadInput)(f"{place} cannot be written. {store.note}")
        yield store
    if place == making:
        making.replace(path)


def _can_go_on(making: Path, clip: Clip) -> bool:
    """Whether what an earlier attempt left is whole, and of this clip."""
    try:
        with Store.open(making) as store:
            return store.read_only or not store.project.rows(ClipRow) or known_clip(store, clip) is not None
    except BadInput:
        return False


def _is_kept(project: Project, clip: int, text: str) -> bool:
    asked = project.where(ExpressionRow, clip=clip, text=text)
    return any(project.find(GroundingRow, row.id) is not None for row in asked)


def result_of(project: Project, clip: int, name: str, wanted: Wanted, seconds: float) -> Result:
    """What a project holds of an expression of its clip `clip`, which the list calls `name`."""
    (expression,) = (row.id for row in project.where(ExpressionRow, clip=clip, text=wanted.expression))
    found = list(project.where(TrackletRow, expression=expression))
    selected = [row for row in found if row.selected]
    score = max((row.scores.total for row in selected), default=None)
    doubt = max((_doubt(project, row) for row in selected), default=None)
    return Result(name, wanted.expression, wanted.label, len(found), len(selected), score, doubt, seconds)


def _doubt(project: Project, tracklet: TrackletRow) -> float:
    """The highest doubt about a candidate's masks."""
    return max((doubt.total for doubt in candidate_doubts(project, tracklet.id).values()), default=0.0)


# --- as runners pass it on -------------------------------------------------------------------------------------


def reports_of(engine: Engine, work: ClipWork, plan: Plan, worker: str) -> Iterator[Report]:
    """`label_clip` as a runner passes it on: Started, Progressed..., last Labelled or Failed; it raises nothing."""
    begun = time.monotonic()
    yield Started(work.clip, worker)
    try:
        last = yield from _progress(label_clip(engine, work, plan), work.clip, worker)
    except Exception as error:  # whatever it is, the other clips are not to suffer
        yield failure_of(error, work.clip, worker)
    else:
        yield Labelled(work.clip, worker, last.results, last.warnings, time.monotonic() - begun, peak_bytes())
    finally:
        engine.free()
        gc.collect()  # PyAV's side data and their frame hold each other, and the collector rarely comes by itself


def _progress(events: Iterator[Event], clip: str, worker: str) -> Generator[Report, None, ClipLabelled]:
    """Stages as reports, a few per second; the last event as the return value."""
    said, stage = 0.0, ""
    last: Event = Event()
    for last in events:
        now = time.monotonic()
        if isinstance(last, Stage) and (last.name != stage or now - said >= EVERY):
            said, stage = now, last.name
            yield Progressed(clip, worker, last.name, last.done, last.total)
    assert isinstance(last, ClipLabelled)
    return last


def failure_of(error: Exception, clip: str, worker: str) -> Failed:
    """What kept a clip from being labelled; another attempt is worth it when memory or disk ran out."""
    log.warning("%s: %s", clip, error, exc_info=not isinstance(error, BadInput))
    told = str(error) if isinstance(error, DecafError) else f"{type(error).__name__}: {error}"
    return Failed(clip, worker, " ".join(told.split()), is_worth_another(error))


def is_worth_another(error: Exception) -> bool:
    """Whether the same may succeed next time: memory or disk ran out. Bad input stays bad."""
    from decaf_gui.pipeline.engine import is_out_of_memory

    if isinstance(error, BadInput):
        return False
    return isinstance(error, DecafError | OSError) or is_out_of_memory(error)
