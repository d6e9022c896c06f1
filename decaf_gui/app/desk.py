"""The desk: where a project, the worker and the history of edits meet. The window shows what it says.

Only the thread that made it may use it. Edits are stored at once; what the worker streams is pending until its job
ends. Ctrl+Z takes back the last edit, or withdraws a click whose mask has not come yet; neither runs a model.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from decaf_gui.app.comparison import Run
from decaf_gui.app.requests import (
    ClickRequest,
    ExportRequest,
    ImportRequest,
    LookRequest,
    MadeWith,
    Packed,
    PreviewRequest,
    ProposeRequest,
    TrackRequest,
)
from decaf_gui.app.tools import EngineChoice, OnDevice
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.app.worker import PATIENCE, Worker
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Box, Expression, Grounding, Point, Prompt, Tracklet
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import AttentionReady, Event, FrameTracked, Prompted, Proposed, TrackletsReady
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.edits import Edit, NewMask
from decaf_gui.core.project.keeping import add_clip_edit, known_clip
from decaf_gui.core.project.planning import Direction, Plan, Span, as_prompt, plan_tracking
from decaf_gui.core.project.receipts import receipt
from decaf_gui.core.project.review import Ended, Review
from decaf_gui.core.project.rows import ClipRow, ExpressionRow, ObjectRow, Project, PromptRow, TrackletRow
from decaf_gui.core.project.store import Pending, Store
from decaf_gui.formats.importing import Import, LabelsRead, import_edit
from decaf_gui.formats.projects import Export, Which
from decaf_gui.pipeline.settings import Settings

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Work:
    """A job that the desk waits for. `title` says what it does, for people; `again` asks for the same once more."""

    title: str
    details: str = "{}"
    again: Callable[[], object] | None = None


@dataclass(eq=False)
class ClickWork(Work):
    """A prompt whose mask has not come yet, and whether its object is to be tracked from there."""

    row: PromptRow = field(default_factory=lambda: PromptRow(0, 0))
    follow: bool = True


@dataclass(eq=False)
class ExportWork(Work):
    """Labels that are being written."""


@dataclass(eq=False)
class ImportWork(Work):
    """Labels that are being read for a clip; `taken` once they are objects of the project."""

    clip: int = 0
    taken: bool = False


@dataclass(eq=False)
class PreviewWork(Work):
    """A mask that is only looked at."""


@dataclass(eq=False)
class ProposeWork(Work):
    """A proposal in work: what of it has come."""

    expression: int = 0
    grounding: Grounding | None = None
    tracklets: tuple[Tracklet, ...] = ()
    masks: dict[int, dict[int, Rle]] = field(default_factory=dict)
    packed: Mapping[int, bytes] = field(default_factory=dict)

    def found(self) -> tuple[Tracklet, ...]:
        """The tracklets with all masks that have come."""
        return tuple(replace(t, masks=t.masks.replace(self._new(t))) for t in self.tracklets)

    def _new(self, tracklet: Tracklet) -> dict[int, Rle]:
        """Masks that tracking brought; on its own frame a tracklet keeps the one that it was prompted with."""
        found = self.masks.get(tracklet.id, {})
        return {frame: rle for frame, rle in found.items() if frame != tracklet.frame}


@dataclass(eq=False)
class CompareWork(Work):
    """A proposal that is only looked at: nothing of it is stored unless it is taken."""


@dataclass(eq=False)
class TrackWork(Work):
    """Tracking in work: the review's job, what was planned, the click that began it, and the frames that have come."""

    plan: Plan = field(default_factory=lambda: Plan({}, {}, (), {}))
    review_job: int = 0
    cause: PromptRow | None = None
    done: int = 0


class Command(QUndoCommand):
    """An edit's place in the history. The desk stores edits itself, before it moves through the history."""

    def __init__(self, edit: Edit) -> None:
        super().__init__(edit.text)
        self.edit = edit


class Desk(QObject):
    """One open project being worked on with one worker.

    `changed` (edit, receipt): the project is another one. `happened` (job, event): news of work, masks that are not
    stored yet among them. `refused` (text): what could not be done, and what to do instead.
    """

    changed = Signal(object, object)
    happened = Signal(int, object)
    refused = Signal(str)

    def __init__(
        self, store: Store, worker: Worker, parent: QObject | None = None, *, shares_worker: bool = False
    ) -> None:
        """`shares_worker`: the worker, with the models that it has loaded, outlives this desk."""
        super().__init__(parent)
        self._store, self._worker, self._shares_worker = store, worker, shares_worker
        self._review = Review(store)
        self._work: dict[int, Work] = {}
        self.history = QUndoStack(self)
        worker.happened.connect(self._on_event)

    # --- what there is ---------------------------------------------------------------------------------------

    @property
    def project(self) -> Project:
        """As it is stored now."""
        return self._store.project

    @property
    def store(self) -> Store:
        """The project's file."""
        return self._store

    @property
    def work(self) -> Mapping[int, Work]:
        """Jobs in work, by number."""
        return dict(self._work)

    def tracked(self, job: int) -> frozenset[int]:
        """The objects that a job tracks now; those that have left it are not among them."""
        work = self._work.get(job)
        running = self._review.jobs.get(work.review_job) if isinstance(work, TrackWork) else None
        return frozenset() if running is None else frozenset(running.objects)

    def clip_path(self, clip: int) -> Path:
        """Where a clip's media lie. Raises BadInput when they are not there."""
        path = self._store.media(self.project.need(ClipRow, clip))
        if not path.exists():
            raise BadInput(f"{path} is not there: say where the clip lies now.")
        return path

    # --- edits -----------------------------------------------------------------------------------------------

    def do(self, edit: Edit) -> None:
        """Stores an edit and puts it into the history. Raises BadInput when it does not fit."""
        self._apply(edit)
        self._remember(edit)

    def add_clip(self, clip: Clip) -> int:
        """Adds a clip to the project, unless it is there: its id. Raises BadInput when other media took its place."""
        known = known_clip(self._store, clip)
        if known is None:
            self.do(add_clip_edit(self._store, clip))
            known = max(row.id for row in self.project.rows(ClipRow).values())
        return known

    def relink(self, clip: int, path: Path) -> None:
        """Says where a clip lies now. Raises BadInput when its frames differ in number or size."""
        with Clip.open(path) as found:
            self.do(edits.relink_clip(self.project, clip, self._store.relative(path), found.fingerprint, found.size))

    def use(self, choice: EngineChoice) -> None:
        """Other models, another device or other settings, from the next job on."""
        self._worker.use(choice)

    def undo(self) -> None:
        """Withdraws the latest click that is waiting for its mask, else takes back the last edit."""
        waiting = [job for job, work in self._work.items() if isinstance(work, ClickWork)]
        if waiting:
            self._withdraw(max(waiting))
        elif self.history.canUndo():
            self._move(self._edit_at(self.history.index() - 1).undone, self.history.undo)

    def redo(self) -> None:
        """Does again what was undone last."""
        if self.history.canRedo():
            self._move(self._edit_at(self.history.index()), self.history.redo)

    def _edit_at(self, place: int) -> Edit:
        command = self.history.command(place)
        assert isinstance(command, Command)
        return command.edit

    def _move(self, edit: Edit, move: Callable[[], None]) -> None:
        try:
            self._apply(edit)
        except DecafError as error:
            self.refused.emit(str(error))
        else:
            move()

    def _apply(self, edit: Edit) -> None:
        """Stores an edit; work that it makes pointless ends."""
        ended = self._review.do(edit)
        for job, work in list(self._work.items()):
            if self._pointless(work, ended):
                self._withdraw(job)
            elif isinstance(work, TrackWork):
                for _, thing in (pair for pair in ended.left if pair[0] == work.review_job):
                    self._worker.leave(job, thing)
        self._tell(edit)

    def _pointless(self, work: Work, ended: Ended) -> bool:
        """Whether what work is for is no more."""
        if isinstance(work, TrackWork):
            return work.review_job in ended.jobs
        if isinstance(work, ClickWork):
            return self.project.find(ObjectRow, work.row.object) is None
        if isinstance(work, ImportWork):
            return self.project.find(ClipRow, work.clip) is None
        return isinstance(work, ProposeWork) and self.project.find(ExpressionRow, work.expression) is None

    def _remember(self, edit: Edit) -> None:
        self.history.push(Command(edit))

    def _tell(self, edit: Edit) -> None:
        self.changed.emit(edit, receipt(self.project, edit))

    def _withdraw(self, job: int) -> None:
        """Ends a job; nothing of what it still says is heard, but that it has ended."""
        del self._work[job]
        self._worker.cancel(job)

    # --- work ------------------------------------------------------------------------------------------------

    def propose(
        self,
        clip: int,
        text: str,
        settings: Settings | None = None,
        attributes: tuple[str, ...] | None = None,
    ) -> int:
        """Begins a proposal for an expression, added to the clip when it is new: the job.

        `attributes` of the object are a person's; None leaves it to the settings whether the model is asked for some.
        """
        path = self.clip_path(clip)
        wanted = Expression(text, attributes)
        known = self._asked(clip, wanted.text)
        job = self._worker.submit(ProposeRequest(path, wanted, settings))
        again = partial(self.propose, clip, wanted.text, settings, wanted.attributes)
        title = self.tr('Looking for "{0}"').format(wanted.text)
        self._work[job] = ProposeWork(title, again=again, expression=known)
        return job

    def _asked(self, clip: int, text: str) -> int:
        """The id of an expression, added to the clip when it is new."""
        known = next((row.id for row in self.project.where(ExpressionRow, clip=clip, text=text)), None)
        if known is None:
            self.do(edits.add_expression(self.project, clip, text))
            known = max(row.id for row in self.project.where(ExpressionRow, clip=clip))
        return known

    def compare(self, clip: int, title: str, expression: Expression, settings: Settings) -> int:
        """Begins a proposal that is only looked at: its events come in `happened`, nothing is stored. The job."""
        job = self._worker.submit(ProposeRequest(self.clip_path(clip), expression, settings))
        self._work[job] = CompareWork(title)
        return job

    def take(self, clip: int, text: str, run: Run) -> int:
        """Keeps what a method found as the proposal for an expression, added when it is new: the expression's id."""
        known = self._asked(clip, Expression(text).text)
        found = (run.grounding, run.tracklets, run.details, run.packed)
        self.do(edits.add_proposal(self.project, known, *found))
        return known

    def click(
        self, object_id: int, frame: int, points: Sequence[Point], box: Box | None = None, *, follow: bool = True
    ) -> int:
        """All points (and the box) of an object on a frame, as they are now: the job that brings the mask.

        When the mask comes, it is stored, and the object is tracked from there (unless told not to `follow`). Raises
        BadInput for a locked frame or an unknown object.
        """
        request, row = self._clicked(ClickRequest, object_id, frame, points, box)
        job = self._worker.submit(request)
        again = partial(self.click, object_id, frame, points, box, follow=follow)
        self._work[job] = ClickWork(self.tr("Prompt on frame {0}").format(frame), again=again, row=row, follow=follow)
        return job

    def preview(self, object_id: int, frame: int, points: Sequence[Point], box: Box | None = None) -> int:
        """The mask that a click would give: comes as `Prompted` in `happened`, nothing is stored."""
        request, _ = self._clicked(PreviewRequest, object_id, frame, points, box)
        job = self._worker.submit(request)
        self._work[job] = PreviewWork(self.tr("Preview"))
        return job

    def preview_new(self, clip: int, frame: int, points: Sequence[Point]) -> int:
        """The mask that a first click would give: `Prompted` says it of object 0, which there is not."""
        job = self._worker.submit(PreviewRequest(self.clip_path(clip), 0, Prompt(frame, tuple(points))))
        self._work[job] = PreviewWork(self.tr("Preview"))
        return job

    def look(self, clip: int, frame: int) -> None:
        """Makes the first click on a frame quick, when there is nothing else to do."""
        self._worker.submit(LookRequest(self.clip_path(clip), frame))

    def track(self, starts: Mapping[int, int], direction: Direction = "both", within: Span | None = None) -> int:
        """Tracks objects, each from its frame in `starts`: the job. Raises BadInput as `plan_tracking` does."""
        return self._follow(starts, direction, within=within)

    def accept(self, tracklet: int, object_id: int | None = None) -> None:
        """Takes a candidate; a new object is tracked over the frames on which the candidate is not known."""
        edit = edits.accept(self.project, tracklet, object_id)
        self.do(edit)
        row = self.project.need(TrackletRow, tracklet)
        clip = self.project.need(ClipRow, self.project.need(ExpressionRow, row.expression).clip)
        known = edits.tracklet_masks(self.project, tracklet)
        if object_id is None and any(frame not in known for frame in clip.work_frames):
            new = max(change.key[0] for change in edit.changes if change.kind is ObjectRow)
            try:
                self._follow({int(new): row.frame}, "both", edit)
            except BadInput as error:  # its clip is missing, say: it is accepted all the same
                self.refused.emit(str(error))

    def export(
        self,
        formats: Sequence[str],
        out: Path,
        which: Which = "accepted",
        *,
        frames: bool = False,
        overwrite: bool = False,
        clips: tuple[int, ...] | None = None,
    ) -> int:
        """Writes the labels of clips (None: all) as they are now: the job. It says `Written` for each result."""
        media = {row.id: self._store.media(row) for row in self.project.where(ClipRow)}
        wanted = Export(self.project, media, tuple(formats), out, which, frames, overwrite, clips)
        job = self._worker.submit(ExportRequest(wanted))
        again = partial(self.export, formats, out, which, frames=frames, overwrite=overwrite, clips=clips)
        self._work[job] = ExportWork(self.tr("Exporting to {0}").format(out.name), again=again)
        return job

    def import_labels(self, clip: int, wanted: Import) -> int:
        """Reads labels of a dataset and adds them to a clip as one edit: the job."""
        job = self._worker.submit(ImportRequest(self.clip_path(clip), wanted))
        again = partial(self.import_labels, clip, wanted)
        self._work[job] = ImportWork(self.tr("Importing from {0}").format(wanted.source.name), again=again, clip=clip)
        return job

    def cancel(self, job: int) -> None:
        """Breaks a job off; what it has brought stays."""
        if isinstance(self._work.get(job), ClickWork | PreviewWork):
            self._withdraw(job)
        else:
            self._worker.cancel(job)

    def pending(self) -> list[Pending]:
        """What tracking had found when the program was killed."""
        running = set(self._review.jobs)
        return [] if self._store.read_only else [p for p in self._store.pending() if p.job not in running]

    def recover(self, pending: Pending) -> None:
        """Keeps it, as an edit that can be undone."""
        edit = self._review.recover(pending)
        if edit is not None:
            self._remember(edit)
            self._tell(edit)

    def discard(self, pending: Pending) -> None:
        """Forgets it."""
        self._store.drop_pending(pending.job)

    def close(self, seconds: float = PATIENCE) -> bool:
        """Breaks all work off, keeps what it has brought, and closes the file; False when a step hangs."""
        ended = self._leave_worker() if self._shares_worker else self._worker.stop(seconds)
        QCoreApplication.sendPostedEvents(self._worker)  # what the worker said last
        for job in list(self._work):
            self._end(job)
        self.history.clear()  # now: left to the collector of cycles, Qt and Python would both delete the commands
        self._store.close()
        return ended

    def _leave_worker(self) -> bool:
        """Breaks off what the worker does for this desk, which hears what has come, and nothing after that."""
        for job in self._work:
            self._worker.cancel(job)
        QCoreApplication.sendPostedEvents(self._worker)
        self._worker.happened.disconnect(self._on_event)
        return True

    def _clicked(
        self, kind: type[ClickRequest], object_id: int, frame: int, points: Sequence[Point], box: Box | None
    ) -> tuple[ClickRequest, PromptRow]:
        project = self.project
        clip = project.clip_of(object_id)
        row = edits.prompt_row(project, object_id, frame, points, box)
        if row != project.find(PromptRow, object_id, frame):
            edits.set_prompt(project, object_id, frame, points, box)  # raises where that is not allowed
        return kind(self.clip_path(clip.id), object_id, as_prompt(row, clip.size)), row

    def _follow(
        self,
        starts: Mapping[int, int],
        direction: Direction,
        cause: Edit | None = None,
        click: PromptRow | None = None,
        within: Span | None = None,
    ) -> int:
        project = self.project
        plan = plan_tracking(project, starts, direction, within)
        path = self.clip_path(project.clip_of(next(iter(starts))).id)
        for thing in starts:
            self._leave(thing, click)
        names = ", ".join(project.need(ObjectRow, thing).name for thing in starts)
        job = self._worker.submit(TrackRequest(path, plan.prompts, plan.sweeps))
        review_job = self._review.begin(starts, "{}", cause)
        again = partial(self.track, dict(starts), direction, within)
        title = self.tr("Tracking {0}").format(names)
        work = TrackWork(title, again=again, plan=plan, review_job=review_job, cause=click)
        self._work[job] = work
        return job

    def _leave(self, thing: int, click: PromptRow | None) -> None:
        """An object leaves the tracking that it is in.

        What that had found is kept, unless it came from another click on the same frame: nobody asked for both.
        """
        for job, work in list(self._work.items()):
            if not isinstance(work, TrackWork) or thing not in self._review.jobs[work.review_job].objects:
                continue
            same = click is not None and work.cause is not None and work.cause.key == click.key
            edit = self._review.leave(work.review_job, thing, keep=not same)
            if edit is not None:
                self._remember(edit)
                self._tell(edit)
            if work.review_job in self._review.jobs:
                self._worker.leave(job, thing)
            else:
                self._withdraw(job)

    # --- news of the worker ----------------------------------------------------------------------------------

    def _on_event(self, job: int, event: Event) -> None:
        work = self._work.get(job)
        if work is None:
            if isinstance(event, Finished | Cancelled | Failed | OnDevice):
                self.happened.emit(job, event)
            return
        try:
            self._take(job, work, event)
        except DecafError as error:
            self.refused.emit(str(error))
        self.happened.emit(job, event)

    def _take(self, job: int, work: Work, event: Event) -> None:
        if isinstance(event, MadeWith):
            self._made_with(work, event.details)
        elif isinstance(event, Finished | Cancelled | Failed):
            self._end(job)
        elif isinstance(work, ClickWork) and isinstance(event, Prompted):
            self._clicked_mask(job, work, event)
        elif isinstance(work, TrackWork) and isinstance(event, FrameTracked):
            self._stream(work, event)
        elif isinstance(work, ProposeWork):
            self._see(job, work, event)
        elif isinstance(work, ImportWork) and isinstance(event, LabelsRead):
            self.do(import_edit(self.project, work.clip, event, event.names))
            work.taken = True

    def _made_with(self, work: Work, details: str) -> None:
        work.details = details
        if isinstance(work, TrackWork):
            self._review.describe(work.review_job, details)

    def _clicked_mask(self, job: int, click: ClickWork, event: Prompted) -> None:
        del self._work[job]
        row = click.row
        mask = {row.frame: NewMask(event.rle, event.iou, event.present)}
        details = json.dumps(json.loads(click.details) | {"clicks": len(row.points)}, sort_keys=True)
        self._leave(row.object, row)
        edit = edits.replace_masks(self.project, row.object, mask, "corrected", details, row)
        self.do(edit)
        if click.follow:
            self._follow({row.object: row.frame}, "both", edit, row)

    def _stream(self, work: TrackWork, event: FrameTracked) -> None:
        work.done += 1
        masks = {
            thing: (event.frame, NewMask(rle, event.ious.get(thing), event.present.get(thing)))
            for thing, rle in event.masks.items()
            if work.plan.wants(thing, event.frame)
        }
        self._review.stream(work.review_job, masks)

    def _see(self, job: int, work: ProposeWork, event: Event) -> None:
        if isinstance(event, AttentionReady):
            work.grounding = event.grounding
        elif isinstance(event, TrackletsReady):
            work.tracklets = event.tracklets
        elif isinstance(event, FrameTracked):
            for tracklet, rle in event.masks.items():
                work.masks.setdefault(tracklet, {})[event.frame] = rle
        elif isinstance(event, Packed):
            work.packed = event.masks
        elif isinstance(event, Proposed):
            del self._work[job]
            details = json.dumps(event.proposal.details, sort_keys=True, default=str)
            proposal = event.proposal
            found = (proposal.grounding, proposal.tracklets, details, work.packed)
            self.do(edits.add_proposal(self.project, work.expression, *found))

    def _end(self, job: int) -> None:
        """A job has ended, whole or not: what it has brought becomes an edit."""
        work = self._work.pop(job, None)
        if isinstance(work, TrackWork):
            edit = self._review.finish(work.review_job)
            if edit is not None:
                self._remember(edit)
                self._tell(edit)
        elif isinstance(work, ProposeWork) and work.grounding is not None:
            details = json.dumps({"complete": False})
            self.do(edits.add_proposal(self.project, work.expression, work.grounding, work.found(), details))
