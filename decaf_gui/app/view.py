"""What can be done to what is looked at: ask, judge, click, draw, track, mark; the deeds behind the keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal

from decaf_gui.app.comparison import Run
from decaf_gui.app.desk import PreviewWork, ProposeWork
from decaf_gui.app.look import Look
from decaf_gui.core.entities import Box, Point
from decaf_gui.core.errors import DecafError
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.edits import Edit, NewMask
from decaf_gui.core.project.planning import Direction, Span
from decaf_gui.core.project.receipts import Receipt
from decaf_gui.core.project.rows import (
    ClipRow,
    ExpressionRow,
    GroundingRow,
    LabelRow,
    MaskRow,
    ObjectRow,
    Project,
    VerdictRow,
)


class View(Look):
    """What is looked at, and what can be done to it.

    `overlaps` (candidate, object, IoU) when a candidate that is to be accepted may be an object that is there: a person
    is to be asked.
    """

    overlaps = Signal(int, int, float)

    # --- what is done ----------------------------------------------------------------------------------------

    def do(self, make: Callable[[Project], Edit]) -> bool:
        """Makes and stores an edit; what cannot be is told in the banner. Whether it was done."""
        return self._tried(lambda: self.desk.do(make(self.project)))

    def propose(self, text: str, attributes: tuple[str, ...] | None = None) -> None:
        """Asks for an expression, with a person's attributes where they are given; it is looked at from now on."""

        def asked() -> None:
            job = self.desk.propose(self.clip, text, self.settings, attributes)
            work = self.desk.work[job]
            assert isinstance(work, ProposeWork)
            self.ask(work.expression)
            self._awaiting = True

        self._tried(asked)

    def take(self, text: str, run: Run) -> None:
        """Keeps one of two methods' proposals; its expression is looked at from now on."""

        def taken() -> None:
            self._awaiting = True
            self.ask(self.desk.take(self.clip, text, run))

        self._tried(taken)

    def accept(self) -> None:
        """Takes the candidate; when it lies where an object lies already, `overlaps` asks what it is."""
        candidate = self.candidate_id
        if candidate is None:
            self.refused.emit(self.tr("Choose a candidate first: Up and Down go through them."))
            return
        likely = edits.likely_objects(self.project, candidate)
        if likely:
            self.overlaps.emit(candidate, *likely[0])
        else:
            self.accept_as(candidate, None)

    def accept_as(self, candidate: int, object_id: int | None) -> None:
        """Takes a candidate as a new object, or as one that is there; then the next one that waits is judged."""
        if self._tried(lambda: self.desk.accept(candidate, object_id)):
            thing = self.project.need(VerdictRow, candidate).object
            self.pick_first(None if thing is None else ("object", thing))

    def set_no_target(self) -> None:
        """A person's word that nothing answers to the expression, or that this was wrong."""
        row = self.project.find(ExpressionRow, self.expression)
        if row is None:
            self.refused.emit(self.tr("Ask for something first."))
        else:
            self.do(lambda project: edits.set_no_target(project, row.id, not row.no_target))

    def reject(self, candidate: int | None = None) -> None:
        """Refuses a candidate: the one that is judged, or the one that the object was."""
        candidate = candidate or self.candidate_id
        if candidate is None and self.object_id is not None:
            verdict = next(self.project.where(VerdictRow, object=self.object_id, state="accepted"), None)
            candidate = None if verdict is None else verdict.tracklet
        if candidate is None:
            self.refused.emit(self.tr("Choose a candidate first: Up and Down go through them."))
        elif self.do(lambda project: edits.reject(project, candidate)):
            self.pick_first()

    def click(self, x: float, y: float, positive: bool) -> None:
        """One more point on this frame; without an object, a positive one begins a new object."""
        thing = self.object_id
        if thing is None and positive:
            thing = self.new_object()
        if thing is None:
            self.refused.emit(self.tr("Choose an object first, or click on a new one with the left button."))
            return
        self._prompt(thing, [*self.points(), (x, y, positive)])

    def new_object(self) -> int | None:
        """An object without masks, of the expression's class, that answers to the expression; it is worked on then."""
        grounding = self.project.find(GroundingRow, self.expression)
        asked = self.project.find(ExpressionRow, self.expression)
        labels = [row.name for row in self.project.rows(LabelRow).values()]
        label = grounding.category if grounding is not None and grounding.category else next(iter(labels), "object")
        if not self.do(lambda p: edits.add_object(p, self.clip, label, None if asked is None else asked.id)):
            return None
        new = max(row.id for row in self.project.rows(ObjectRow).values())
        self.pick(("object", new))
        return new

    def move_point(self, index: int, x: float, y: float) -> None:
        """A point of this frame lies elsewhere."""
        points = list(self.points())
        if self.object_id is not None and index < len(points):
            points[index] = (x, y, points[index][2])
            self._prompt(self.object_id, points)

    def remove_point(self, index: int) -> None:
        """A point of this frame goes; with the last one, the prompt."""
        thing, points = self.object_id, list(self.points())
        if thing is None or index >= len(points):
            return
        del points[index]
        row = self._prompt_here()
        if points or (row is not None and row.box is not None):
            self._prompt(thing, points)
        else:
            self.do(lambda project: edits.remove_prompt(project, thing, self.frame))

    def draw_box(self, box: Box) -> None:
        """A box says what the object is on this frame; without an object, it begins one."""
        thing = self.object_id if self.object_id is not None else self.new_object()
        if thing is not None:
            self._tried(lambda: self.desk.click(thing, self.frame, (), box))

    def draw(self, stroke: NDArray[np.bool_], erases: bool) -> None:
        """A stroke of the brush or the eraser changes the object's mask on this frame."""
        thing = self.object_id if self.object_id is not None or erases else self.new_object()
        if thing is None:
            self.refused.emit(self.tr("Choose an object first: there is nothing to erase."))
            return
        row = self.project.find(MaskRow, thing, self.frame)
        before = np.zeros(stroke.shape, bool) if row is None else Rle(stroke.shape, row.counts).dense()
        mask = {self.frame: NewMask(Rle.encode(before & ~stroke if erases else before | stroke))}
        self.do(lambda project: edits.replace_masks(project, thing, mask, "drawn", "{}"))

    def preview(self, x: float, y: float, positive: bool) -> None:
        """Shows the mask that a click would give, of a new object where none is worked on."""
        thing, points = self.object_id, [*self.points(), (x, y, positive)]
        if thing is not None:
            self._tried(lambda: self.desk.preview(thing, self.frame, points))
        elif positive and self.clip_row is not None:
            self._tried(lambda: self.desk.preview_new(self.clip, self.frame, points))

    def end_preview(self) -> None:
        """Shows it no more."""
        for job, work in self.desk.work.items():
            if isinstance(work, PreviewWork):
                self.desk.cancel(job)
        if self._preview is not None:
            self._preview = None
            self.shown_changed.emit()

    def track(self, direction: Direction = "both") -> None:
        """Tracks the object from this frame, no further than the range where one is chosen."""
        thing = self.object_id
        if thing is None:
            self.refused.emit(self.tr("Choose an object to be tracked first."))
        else:
            within = self.range
            start = self.frame if within is None else min(max(self.frame, within.first), within.last)
            self._tried(lambda: self.desk.track({thing: start}, direction, within))

    def stop(self) -> None:
        """Breaks off what is being worked on; what has come stays."""
        for job in self.desk.work:
            self.desk.cancel(job)

    def lock(self) -> None:
        """Locks the range (or this frame) of the object; unlocks it where all of it is locked."""
        self._mark("locked", edits.set_locked)

    def review(self) -> None:
        """Marks the range (or this frame) of the object as reviewed, or takes that back."""
        self._mark("reviewed", edits.set_reviewed)

    def mark_absent(self) -> None:
        """A person's word: the object is not to be seen in the range, or on this frame."""
        self._with_object(lambda project, thing: edits.mark_absent(project, thing, self._chosen()))

    def delete(self) -> None:
        """The object's masks in the range (or on this frame) go."""
        self._with_object(lambda project, thing: edits.delete_masks(project, thing, self._chosen()))

    def copy_to_next(self) -> None:
        """Copies the mask of this frame to the next one, which is looked at then."""
        frame = self.frame
        if self._with_object(lambda project, thing: edits.copy_mask(project, thing, frame, frame + 1)):
            self.look_at(frame + 1)

    def lock_all(self, thing: int, locked: bool) -> None:
        """Locks all frames of an object that have a mask, or unlocks all."""
        frames = self.project.masks(thing).frames if locked else self.project.locked(thing)
        self.do(lambda project: edits.set_locked(project, thing, frames, locked))

    def revert(self, thing: int, span: Span) -> None:
        """Takes back what the last correction did to an object on some frames; the receipt tells the rest."""
        edit, receipt = self.corrected, self.receipt
        if edit is None or receipt is None:
            return
        if self.do(lambda project: edits.revert_frames(project, edit, thing, span)):
            left = tuple(e for e in receipt.effects if e.object != thing or e.frame not in span)
            self._set_receipt(Receipt(left) if left else None, edit if left else None)
            self._refresh()

    # --- objects, expressions and clips -------------------------------------------------------------------------

    def rename(self, thing: int, name: str) -> None:
        """Another name for an object."""
        self.do(lambda project: edits.rename(project, thing, name))

    def relabel(self, thing: int, label: str) -> None:
        """Another class for an object."""
        self.do(lambda project: edits.relabel(project, thing, label))

    def recolour(self, thing: int, colour: str) -> None:
        """Another colour, "#rrggbb", or "" for the one that it had."""
        self.do(lambda project: edits.recolour(project, thing, colour))

    def set_answer(self, thing: int, expression: int, answers: bool) -> None:
        """Whether an object answers to an expression."""
        self.do(lambda project: edits.set_answer(project, thing, expression, answers))

    def merge(self, keep: int, other: int) -> None:
        """Two objects are one."""
        self.do(lambda project: edits.merge(project, keep, other))

    def split(self, thing: int) -> None:
        """From this frame on it is another object, which is worked on then."""
        if self.do(lambda project: edits.split(project, thing, self.frame)):
            self.pick(("object", max(row.id for row in self.project.rows(ObjectRow).values())))

    def swap(self, one: int, other: int) -> None:
        """From this frame on the two objects were taken for each other."""
        self.do(lambda project: edits.swap(project, one, other, self.frame))

    def remove_object(self, thing: int) -> None:
        """An object with all its masks goes."""
        if self.do(lambda project: edits.remove_object(project, thing)):
            self.pick_first()

    def reopen(self, candidate: int) -> None:
        """Takes a verdict back."""
        self.do(lambda project: edits.reopen(project, candidate))

    def remove_expression(self, expression: int) -> None:
        """An expression with its candidates goes; accepted objects stay."""
        self.do(lambda project: edits.remove_expression(project, expression))

    def remove_clip(self, clip: int) -> None:
        """A clip with everything that was made on it goes; its file stays."""
        if self.do(lambda project: edits.remove_clip(project, clip)):
            left = next(iter(self.project.where(ClipRow)), None)
            if left is not None and self.clip == 0:
                self.open_clip(left.id)

    def relink(self, clip: int, path: Path) -> None:
        """The clip lies elsewhere now."""
        if self._tried(lambda: self.desk.relink(clip, path)):
            self.open_clip(clip)

    def set_work_range(self, clip: int, first: int, last: int, step: int = 1) -> None:
        """The frames that are to be worked on and exported."""
        self.do(lambda project: edits.set_work_range(project, clip, first, last, step))

    # --- back and forth -----------------------------------------------------------------------------------------

    def undo(self) -> None:
        """Takes the last edit back, or withdraws a click that waits for its mask."""
        self.desk.undo()
        self._refresh()

    def redo(self) -> None:
        """Does again what was undone."""
        self.desk.redo()

    # --- helpers ---------------------------------------------------------------------------------------------

    def _tried(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except DecafError as error:
            self.refused.emit(str(error))
            return False
        return True

    def _with_object(self, make: Callable[[Project, int], Edit]) -> bool:
        """An edit of the object that is worked on; whether it was done."""
        thing = self.object_id
        if thing is None:
            self.refused.emit(self.tr("Choose an object first."))
            return False
        return self.do(lambda project: make(project, thing))

    def _prompt(self, thing: int, points: Iterable[Point]) -> None:
        row = self._prompt_here()
        box = None if row is None else row.box
        if self._tried(lambda: self.desk.click(thing, self.frame, list(points), box)):
            self.shown_changed.emit()

    def _mark(self, name: str, make: Callable[..., Edit]) -> None:
        thing, frames = self.object_id, self._chosen()
        if thing is None:
            self.refused.emit(self.tr("Choose an object first."))
            return
        there = {row.frame for row in self._marks(thing) if getattr(row, name)}
        self.do(lambda project: make(project, thing, frames, not set(frames) <= there))

    def _chosen(self) -> list[int]:
        return [self.frame] if self.range is None else list(self.range)
