"""The work on a project: edits as they are made, and tracking that streams in beside them.

Tracking writes late: masks that stream in are pending, kept in the journal at most a second apart, and become one edit
at the end or at cancel. Frames that an edit touched meanwhile are left as the edit made them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from decaf_gui.core.errors import BadInput
from decaf_gui.core.project.edits import Edit, NewMask, replace_tracked
from decaf_gui.core.project.rows import ObjectRow, Project
from decaf_gui.core.project.store import Pending, Store

JOURNAL_SECONDS = 1.0
Found = dict[int, dict[int, NewMask]]
"""Masks by object and frame."""


@dataclass(eq=False)
class TrackingJob:
    """Tracking in work: what has streamed in, what of it is not in the journal yet, and what it began with."""

    id: int
    objects: frozenset[int]
    details: str
    began: int
    cause: Edit | None = None
    found: Found = field(default_factory=dict)
    unsaved: Found = field(default_factory=dict)
    saved_at: float = 0.0


class Review:
    """One project being worked on. Only the thread that owns the store may use it."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self.store, self._clock = store, clock
        self._jobs: dict[int, TrackingJob] = {}
        self._touched: Counter[tuple[int, int]] = Counter()
        self._steps = 0
        self._last_job = store.new_job() - 1

    @property
    def project(self) -> Project:
        """As it is now."""
        return self.store.project

    @property
    def jobs(self) -> Mapping[int, TrackingJob]:
        """Tracking in work, by job."""
        return dict(self._jobs)

    def do(self, edit: Edit) -> frozenset[int]:
        """Stores an edit (or the undoing of one): the tracking jobs that it ends, which are dropped here.

        Those are the jobs whose cause it takes back, and those that lose an object.
        """
        self.store.do(edit)
        self._touch(edit)
        ended = [job for job in self._jobs.values() if self._ends(edit, job)]
        for job in ended:
            self.drop(job.id)
        return frozenset(job.id for job in ended)

    def _touch(self, edit: Edit) -> None:
        self._steps += 1
        for owner, frames in edit.frames.items():
            for frame in frames:
                self._touched[owner, frame] = self._steps

    def _ends(self, edit: Edit, job: TrackingJob) -> bool:
        undone = job.cause is not None and edit == job.cause.undone
        return undone or any(self.project.find(ObjectRow, thing) is None for thing in job.objects)

    # --- tracking ------------------------------------------------------------------------------------------

    def begin(self, objects: Iterable[int], details: str, cause: Edit | None = None) -> int:
        """A tracking job over objects of the project: its number. `cause` is the edit that started it, if one did."""
        things = frozenset(objects)
        for thing in things:
            self.project.need(ObjectRow, thing)
        self._last_job += 1
        job = TrackingJob(self._last_job, things, details, self._steps, cause, saved_at=self._clock())
        self._jobs[job.id] = job
        return job.id

    def stream(self, job_id: int, masks: Mapping[int, tuple[int, NewMask]]) -> None:
        """Masks that tracking just found: (frame, mask) by object. A job that has ended takes no more, silently."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        for thing, (frame, mask) in masks.items():
            job.found.setdefault(thing, {})[frame] = mask
            job.unsaved.setdefault(thing, {})[frame] = mask
        if self._clock() - job.saved_at >= JOURNAL_SECONDS:
            self._save(job)

    def _save(self, job: TrackingJob) -> None:
        if job.unsaved:
            self.store.note_pending(job.id, job.details, job.unsaved)
        job.unsaved, job.saved_at = {}, self._clock()

    def finish(self, job_id: int) -> Edit | None:
        """Ends a job, done or cancelled: its masks become one edit, stored already; None when nothing is left of it.

        Locked frames, and frames that an edit touched since the job began, stay as they are.
        """
        job = self._jobs.pop(job_id, None)
        if job is None:
            return None
        edit = self._edit(job.found, job.details, lambda thing, frame: self._touched[thing, frame] > job.began)
        if edit is None:
            self.store.drop_pending(job_id)
            return None
        self.store.do(edit, finishes=job_id)
        self._touch(edit)
        return edit

    def drop(self, job_id: int) -> None:
        """Ends a job and forgets what it found."""
        if self._jobs.pop(job_id, None) is not None:
            self.store.drop_pending(job_id)

    def recover(self, pending: Pending) -> Edit | None:
        """What a killed program's tracking left, as one edit that can be undone, stored already."""
        edit = self._edit(pending.masks, pending.details, lambda _thing, _frame: False)
        if edit is None:
            self.store.drop_pending(pending.job)
            return None
        self.store.do(edit, finishes=pending.job)
        self._touch(edit)
        return edit

    def _edit(
        self, found: Mapping[int, Mapping[int, NewMask]], details: str, passed_over: Callable[[int, int], bool]
    ) -> Edit | None:
        kept: Found = {}
        for thing, masks in found.items():
            shut = self.project.locked(thing)
            free = {f: mask for f, mask in masks.items() if f not in shut and not passed_over(thing, f)}
            if free:
                kept[thing] = free
        if not kept:
            return None
        try:
            return replace_tracked(self.project, kept, details)
        except BadInput:  # every mask is there already, as it is
            return None
