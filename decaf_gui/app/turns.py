"""Whose turn it is: jobs by priority, one step of one generator at a time. Knows no Qt and no threads."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass

from decaf_gui.app.requests import Request, TrackRequest, TrackRun
from decaf_gui.app.tools import Tools
from decaf_gui.core.errors import BadInput, DecafError, OutOfMemory
from decaf_gui.core.events import Event

log = logging.getLogger(__name__)
DEFECT = "This is a defect of the program: please report it with the diagnostics."


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A job has its first turn."""


@dataclass(frozen=True, slots=True)
class Finished(Event):
    """A job is done: its last event."""


@dataclass(frozen=True, slots=True)
class Cancelled(Event):
    """A job was broken off: its last event. What came before it is valid."""


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A job broke: its last event. `what` says what went wrong and what to do, `detail` is for a report.

    `retry` tells whether the same request may go well another time.
    """

    what: str
    detail: str
    retry: bool


Told = tuple[int, Event]
"""What happened, by job."""


@dataclass(eq=False)
class Job:
    """A request and, once it has had its first turn, its events."""

    id: int
    request: Request
    events: Iterator[Event] | None = None

    @property
    def rank(self) -> tuple[int, int]:
        """Lower ranks come first."""
        return int(self.request.priority), self.id


class Turns:
    """The jobs of one thread. Every method returns what is to be told of it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._jobs: dict[int, Job] = {}

    @property
    def busy(self) -> bool:
        """Whether anything is to be done."""
        return bool(self._jobs)

    def submit(self, job_id: int, request: Request) -> list[Told]:
        """One more job. Waiting jobs that it makes pointless are cancelled."""
        kind = type(request)
        waiting = [job.id for job in self._jobs.values() if job.events is None and type(job.request) is kind]
        told = [event for job in waiting for event in self.cancel(job)] if request.coalesces else []
        self._jobs[job_id] = Job(job_id, request)
        return told

    def cancel(self, job_id: int) -> list[Told]:
        """Breaks a job off; one that has ended already stays as it is."""
        job = self._jobs.pop(job_id, None)
        if job is None:
            return []
        try:
            close = getattr(job.events, "close", None)
            if close is not None:
                close()
        except Exception as error:
            return [(job_id, _failed(error))]
        return [(job_id, Cancelled())]

    def leave(self, job_id: int, object_id: int) -> None:
        """Takes an object out of a tracking job, which goes on with the others."""
        job = self._jobs.get(job_id)
        if job is not None and isinstance(job.request, TrackRequest):
            job.request = job.request.without(object_id)
            if isinstance(job.events, TrackRun):
                job.events.leave(object_id)

    def step(self) -> list[Told]:
        """One step of the job whose turn it is."""
        if not self._jobs:
            return []
        job = min(self._jobs.values(), key=lambda job: job.rank)
        told: list[Told] = []
        try:
            if job.events is None:
                told.append((job.id, Started()))
                job.events = job.request.run(self._tools)
            told.append((job.id, next(job.events)))
        except StopIteration:
            told.append((job.id, Finished()))
            del self._jobs[job.id]
        except Exception as error:
            told.append((job.id, _failed(error)))
            del self._jobs[job.id]
        return told

    def close(self) -> list[Told]:
        """Breaks everything off and lets go of models and clips."""
        told = [event for job_id in list(self._jobs) for event in self.cancel(job_id)]
        self._tools.close()
        return told


def _failed(error: Exception) -> Failed:
    detail = "".join(traceback.format_exception(error))
    log.error("a job failed: %s", error, exc_info=error)
    if isinstance(error, DecafError):
        return Failed(str(error), detail, not isinstance(error, (BadInput, OutOfMemory)))
    return Failed(f"{type(error).__name__}: {error}. {DEFECT}", detail, True)
