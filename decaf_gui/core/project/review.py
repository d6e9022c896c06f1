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


@dataclass(frozen=True, slots=True)
class Ended:
    """What an edit did to tracking in work: jobs that it ended, and (job, object) of objects that left one."""

    jobs: frozenset[int] = frozenset()
    left: frozenset[tuple[int, int]] = frozenset()


@dataclass(eq=False)
class TrackingJob:
    """Tracking in work: what has streamed in, what of it is not in the journal yet, and what it began with."""

    id: int
    objects: set[int]
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

    def do(self, edit: Edit) -> Ended:
        """Stores an edit (or the undoing of one), and says what it did to tracking in work.

        Jobs end whose cause it takes back; objects leave that are there no more, and jobs that lose their last one end.
        What they had found is forgotten.
        """
        self.store.do(edit)
        self._touch(edit)
        undone = {job.id for job in self._jobs.values() if job.cause is not None and edit == job.cause.undone}
        left = {
            (job.id, thing)
            for job in self._jobs.values()
            for thing in job.objects
            if job.id not in undone and self.project.find(ObjectRow, thing) is None
        }
        for job_id, thing in left:
            self._release(self._jobs[job_id], thing)
            self.store.drop_pending(job_id, [thing])
        empty = {job.id for job in self._jobs.values() if not job.objects}
        for job_id in undone | empty:
            self.drop(job_id)
        return Ended(frozenset(undone | empty), frozenset(pair for pair in left if pair[0] not in empty))

    def leave(self, job_id: int, thing: int, *, keep: bool = True) -> Edit | None:
        """An object leaves a job, which goes on; what was found of it becomes an edit, stored already, or is forgotten.

        The edit is None when there is nothing to keep. A job ends with its last object.
        """
        job = self._jobs.get(job_id)
        if job is None or thing not in job.objects:
            return None
        found = {thing: job.found.get(thing, {})} if keep else {}
        self._release(job, thing)
        edit = self._edit(found, job.details, self._newer(job))
        if edit is None:
            self.store.drop_pending(job_id, [thing])
        else:
            self.store.do(edit, finishes=job_id, of=[thing])
            self._touch(edit)
        if not job.objects:
            self.drop(job_id)
        return edit

    @staticmethod
    def _release(job: TrackingJob, thing: int) -> None:
        job.objects.discard(thing)
        job.found.pop(thing, None)
        job.unsaved.pop(thing, None)

    def _newer(self, job: TrackingJob) -> Callable[[int, int], bool]:
        """Whether an edit touched an object's frame since the job began."""
        return lambda thing, frame: self._touched[thing, frame] > job.began

    def _touch(self, edit: Edit) -> None:
        self._steps += 1
        for owner, frames in edit.frames.items():
            for frame in frames:
                self._touched[owner, frame] = self._steps

    # --- tracking ------------------------------------------------------------------------------------------

    def begin(self, objects: Iterable[int], details: str, cause: Edit | None = None) -> int:
        """A tracking job over objects of the project: its number. `cause` is the edit that started it, if one did."""
        things = set(objects)
        for thing in things:
            self.project.need(ObjectRow, thing)
        self._last_job += 1
        job = TrackingJob(self._last_job, things, details, self._steps, cause, saved_at=self._clock())
        self._jobs[job.id] = job
        return job.id

    def describe(self, job_id: int, details: str) -> None:
        """Where the masks of a job come from, known once its models are there."""
        if job_id in self._jobs:
            self._jobs[job_id].details = details

    def stream(self, job_id: int, masks: Mapping[int, tuple[int, NewMask]]) -> None:
        """Masks that tracking just found: (frame, mask) by object.

        A job that has ended takes no more, silently; nor does one take masks of objects that are not in it.
        """
        job = self._jobs.get(job_id)
        if job is None:
            return
        for thing, (frame, mask) in masks.items():
            if thing not in job.objects:
                continue
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

        Frames of which a person has spoken, and frames that an edit touched since the job began, stay as they are.
        """
        job = self._jobs.pop(job_id, None)
        if job is None:
            return None
        edit = self._edit(job.found, job.details, self._newer(job))
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
            spoken = self.project.spoken(thing)
            free = {f: mask for f, mask in masks.items() if f not in spoken and not passed_over(thing, f)}
            if free:
                kept[thing] = free
        if not kept:
            return None
        try:
            return replace_tracked(self.project, kept, details)
        except BadInput:  # every mask is there already, as it is
            return None
