"""What is looked at and worked on: clip, frame, expression, object; what the widgets show, and what their keys do.

No widget is known here. Widgets ask for the scene, the lanes and the points when a signal says that they changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from decaf_gui.app.desk import ClickWork, Desk, PreviewWork, ProposeWork, TrackWork
from decaf_gui.app.lanes import Lane, attention_curve, candidate_lanes, object_lane
from decaf_gui.app.painting import Frame, Layer, Mode, Scene, Style
from decaf_gui.app.palette import object_colour
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.core.doubt import Doubt, DoubtfulFrame, queue
from decaf_gui.core.entities import Box, Point
from decaf_gui.core.errors import DecafError
from decaf_gui.core.events import Event, FrameTracked, Prompted
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.doubtful import object_doubts
from decaf_gui.core.project.edits import Edit, NewMask
from decaf_gui.core.project.planning import Direction, Span
from decaf_gui.core.project.receipts import Receipt
from decaf_gui.core.project.rows import (
    ClipRow,
    ExpressionRow,
    GroundingRow,
    LabelRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    Project,
    PromptRow,
    VerdictRow,
    unpack_maps,
)

Key = tuple[str, int]
"""("object" or "candidate", id)."""


class View(QObject):
    """The state of a window over one desk.

    `frame_changed`, `shown_changed` (masks, attention, points), `lanes_changed`, `clip_changed`; `told` (text) for the
    status bar, such as a receipt; `refused` (text) for the banner; `overlaps` (candidate, object, IoU) when a candidate
    that is to be accepted may be an object that is there: a person is to be asked.
    """

    clip_changed = Signal()
    frame_changed = Signal(int)
    shown_changed = Signal()
    lanes_changed = Signal()
    told = Signal(str)
    refused = Signal(str)
    overlaps = Signal(int, int, float)

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.clip = 0
        self.expression = 0
        self.frame = 0
        self.picked: Key | None = None
        self.range: Span | None = None
        self.mode: Mode = "masks"
        self.opacity = 0.45
        self.attention: str | None = None
        self.threshold: float | None = None
        self.hidden: set[Key] = set()
        self.receipt: Receipt | None = None
        self._pending: dict[int, dict[int, dict[int, Rle]]] = {}
        """Masks that are not stored yet, by job, object and frame."""
        self._passed: set[tuple[int, int]] = set()
        """(object, frame) of doubtful frames that were looked at and gone on from."""
        self._doubts: tuple[Project | None, dict[int, dict[int, Doubt]]] = (None, {})
        self._preview: Rle | None = None
        self._maps: tuple[int, dict[str, NDArray[np.float32]]] = (0, {})
        desk.changed.connect(self._on_changed)
        desk.happened.connect(self._on_event)
        desk.refused.connect(self.refused)

    @property
    def project(self) -> Project:
        """As it is stored now."""
        return self.desk.project

    @property
    def clip_row(self) -> ClipRow | None:
        """The clip that is looked at."""
        return self.project.find(ClipRow, self.clip)

    @property
    def object_id(self) -> int | None:
        """The object that is worked on."""
        return self.picked[1] if self.picked is not None and self.picked[0] == "object" else None

    @property
    def candidate_id(self) -> int | None:
        """The candidate that is judged."""
        return self.picked[1] if self.picked is not None and self.picked[0] == "candidate" else None

    # --- where one looks -------------------------------------------------------------------------------------

    def open_clip(self, clip: int) -> None:
        """Looks at another clip, at its first frame and its first expression."""
        self.project.need(ClipRow, clip)
        self.clip, self.frame, self.range, self.receipt = clip, 0, None, None
        self.expression = next((row.id for row in self.project.where(ExpressionRow, clip=clip)), 0)
        self.picked, self._preview, self._doubts = None, None, (None, {})
        self._passed.clear()
        self.clip_changed.emit()
        self.pick_first()

    def look_at(self, frame: int) -> None:
        """Looks at a frame, clipped to the clip."""
        row = self.clip_row
        if row is None:
            return
        frame = min(max(0, frame), row.frames - 1)
        if frame != self.frame:
            self.frame, self._preview = frame, None
            self.frame_changed.emit(frame)
            self.shown_changed.emit()

    def ask(self, expression: int) -> None:
        """Looks at what was found for another expression of the clip."""
        self.project.need(ExpressionRow, expression)
        if expression != self.expression:
            self.expression, self.threshold = expression, None
            self.pick_first()

    def pick(self, key: Key | None) -> None:
        """Works on another object or candidate."""
        self.picked, self._preview = key, None
        self._refresh()

    def pick_first(self) -> None:
        """Works on the best candidate that waits for a word, else on the first object."""
        lanes = self.lanes()
        waiting = [lane.key for lane in lanes if lane.kind == "candidate" and not lane.ghost]
        objects = [lane.key for lane in lanes if lane.kind == "object"]
        self.pick(next(iter([*waiting, *objects]), None))

    def next_candidate(self, step: int = 1) -> None:
        """Goes through all candidates, ghosts as well; looks at the frame where its point lies."""
        keys = [lane.key for lane in self._candidates()]
        if not keys:
            self.refused.emit("There are no candidates: ask for something first.")
            return
        place = keys.index(self.picked) + step if self.picked in keys else (0 if step > 0 else -1)
        self.pick(keys[place % len(keys)])

    def next_object(self) -> None:
        """Goes through the objects."""
        ids = [row.id for row in self.project.where(ObjectRow, clip=self.clip)]
        if ids:
            place = ids.index(self.object_id) + 1 if self.object_id in ids else 0
            self.pick(("object", ids[place % len(ids)]))

    def pick_at(self, x: float, y: float) -> None:
        """Works on what lies under a point of the frame, the uppermost first."""
        for key, layer in reversed(self._layers()):
            if layer.rle.dense()[int(y), int(x)]:
                self.pick(key)
                return

    def set_threshold(self, threshold: float | None) -> None:
        """Candidates under it are ghosts; no model runs."""
        self.threshold = threshold
        self._refresh()

    def set_hidden(self, key: Key, hidden: bool) -> None:
        """Shows or hides an object or candidate on the canvas."""
        (self.hidden.add if hidden else self.hidden.discard)(key)
        self.shown_changed.emit()

    def show_attention(self, name: str | None) -> None:
        """The attention map of a name (`attention_names`) over the frame, or none."""
        self.attention = name
        self.shown_changed.emit()

    def show_mode(self, mode: Mode) -> None:
        """How masks are shown."""
        self.mode = mode
        self.shown_changed.emit()

    def next_prompt(self, step: int = 1) -> None:
        """Looks at the next (or previous) prompted frame of the object, or of any when none is worked on."""
        own = [row.frame for row in self._prompts() if self.object_id in (None, row.object)]
        ahead = sorted({frame for frame in own if (frame > self.frame if step > 0 else frame < self.frame)})
        if ahead:
            self.look_at(ahead[0] if step > 0 else ahead[-1])
        else:
            self.told.emit("No further prompt in this direction.")

    def doubtful(self) -> list[DoubtfulFrame]:
        """The most doubtful frames of the clip's objects that nobody has reviewed, the most doubtful first."""
        found = self.doubts()
        seen = {thing: {row.frame for row in self._marks(thing) if row.reviewed} for thing in found}
        for thing, frame in self._passed:
            seen.setdefault(thing, set()).add(frame)
        return queue(found, seen)

    def doubts(self) -> dict[int, dict[int, Doubt]]:
        """The doubt about each object of the clip by frame; worked out once for each state of the project."""
        if self._doubts[0] is not self.project:
            things = [row.id for row in self.project.where(ObjectRow, clip=self.clip)]
            self._doubts = (self.project, {thing: object_doubts(self.project, thing) for thing in things})
        return self._doubts[1]

    def next_doubtful(self) -> DoubtfulFrame | None:
        """Looks at the most doubtful frame; one that is gone on from does not come again until the clip is opened anew.

        That says nothing of the mask: only a person's own word marks a frame as reviewed.
        """
        if self.object_id is not None:
            self._passed.add((self.object_id, self.frame))
        waiting = self.doubtful()
        if not waiting:
            self.told.emit("Nothing is doubtful any more.")
            return None
        entry = waiting[0]
        self.pick(("object", entry.object))
        self.look_at(entry.frame)
        self.told.emit(f"Frame {entry.frame}: {entry.doubt.reason} ({len(waiting)} doubtful frames left).")
        return entry

    # --- what is shown ---------------------------------------------------------------------------------------

    def scene(self, frame: Frame) -> Scene:
        """The frame with everything that lies over it."""
        layers = [layer for key, layer in self._layers() if key not in self.hidden]
        if self._preview is not None and self.object_id is not None:
            layers.append(Layer(self._preview, self._colour(self.object_id), "preview"))
        return Scene(frame, tuple(layers), self._heat(), self.mode, self.opacity)

    def points(self) -> tuple[Point, ...]:
        """The points of the object on this frame, those of clicks that wait for their mask as well."""
        row = self._prompt_here()
        return () if row is None else row.points

    def lanes(self, *, doubtful: bool = False) -> list[Lane]:
        """Objects of the clip, then the candidates of the expression; with doubt where it is known, or `doubtful`."""
        known = self.doubts() if doubtful or self._doubts[0] is self.project else {}
        changed: dict[int, set[int]] = {}
        for effect in self.receipt.effects if self.receipt is not None else ():
            changed.setdefault(effect.object, set()).add(effect.frame)
        objects = [
            object_lane(
                self.project,
                row.id,
                pending=self.pending(row.id),
                changed=changed.get(row.id, ()),
                doubts=known.get(row.id),
            )
            for row in self.project.where(ObjectRow, clip=self.clip)
        ]
        return objects + self._candidates()

    def attention_names(self) -> list[str]:
        """The maps that were kept of the expression: "fused" and its parts."""
        return list(self._grounded())

    def attended(self) -> dict[int, float]:
        """How strongly each sampled frame is attended to, from 0 to 1."""
        maps = self._grounded().get("fused")
        return {} if maps is None else dict(zip(self.sampled(), attention_curve(maps), strict=True))

    def pending(self, thing: int) -> dict[int, Rle]:
        """The masks of an object that tracking has brought and that are not stored yet, by frame."""
        jobs = [found for job, found in self._pending.items() if thing in self.desk.tracked(job)]
        return {frame: rle for found in jobs for frame, rle in found.get(thing, {}).items()}

    def sampled(self) -> tuple[int, ...]:
        """The frames that the model was shown."""
        row = self.project.find(GroundingRow, self.expression)
        return () if row is None else row.frames

    # --- what is done ----------------------------------------------------------------------------------------

    def do(self, make: Callable[[Project], Edit]) -> bool:
        """Makes and stores an edit; what cannot be is told in the banner. Whether it was done."""
        return self._tried(lambda: self.desk.do(make(self.project)))

    def propose(self, text: str) -> None:
        """Asks for an expression; it is the one that is looked at from now on."""

        def asked() -> None:
            job = self.desk.propose(self.clip, text)
            work = self.desk.work[job]
            assert isinstance(work, ProposeWork)
            self.ask(work.expression)

        self._tried(asked)

    def accept(self) -> None:
        """Takes the candidate; when it lies where an object lies already, `overlaps` asks what it is."""
        candidate = self.candidate_id
        if candidate is None:
            self.refused.emit("Choose a candidate first: Up and Down go through them.")
            return
        likely = edits.likely_objects(self.project, candidate)
        if likely:
            self.overlaps.emit(candidate, *likely[0])
        else:
            self.accept_as(candidate, None)

    def accept_as(self, candidate: int, object_id: int | None) -> None:
        """Takes a candidate as a new object, or as one that is there; the next one that waits is judged then."""
        if self._tried(lambda: self.desk.accept(candidate, object_id)):
            self.pick_first()

    def set_no_target(self) -> None:
        """A person's word that nothing answers to the expression, or that this was wrong."""
        row = self.project.find(ExpressionRow, self.expression)
        if row is None:
            self.refused.emit("Ask for something first.")
        else:
            self.do(lambda project: edits.set_no_target(project, row.id, not row.no_target))

    def reject(self) -> None:
        """Refuses the candidate, or the one that the object was."""
        candidate = self.candidate_id
        if candidate is None and self.object_id is not None:
            verdict = next(self.project.where(VerdictRow, object=self.object_id, state="accepted"), None)
            candidate = None if verdict is None else verdict.tracklet
        if candidate is None:
            self.refused.emit("Choose a candidate first: Up and Down go through them.")
        elif self.do(lambda project: edits.reject(project, candidate)):
            self.pick_first()

    def click(self, x: float, y: float, positive: bool) -> None:
        """One more point on this frame; without an object, a positive one begins a new object."""
        thing = self.object_id
        if thing is None and positive:
            thing = self.new_object()
        if thing is None:
            self.refused.emit("Choose an object first, or click on a new one with the left button.")
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
            self.refused.emit("Choose an object first: there is nothing to erase.")
            return
        row = self.project.find(MaskRow, thing, self.frame)
        before = np.zeros(stroke.shape, bool) if row is None else Rle(stroke.shape, row.counts).dense()
        mask = {self.frame: NewMask(Rle.encode(before & ~stroke if erases else before | stroke))}
        self.do(lambda project: edits.replace_masks(project, thing, mask, "drawn", "{}"))

    def preview(self, x: float, y: float, positive: bool) -> None:
        """Shows the mask that a click would give."""
        if self.object_id is not None:
            thing, points = self.object_id, [*self.points(), (x, y, positive)]
            self._tried(lambda: self.desk.preview(thing, self.frame, points))

    def end_preview(self) -> None:
        """Shows it no more."""
        for job, work in self.desk.work.items():
            if isinstance(work, PreviewWork):
                self.desk.cancel(job)
        if self._preview is not None:
            self._preview = None
            self.shown_changed.emit()

    def track(self, direction: Direction = "both") -> None:
        """Tracks the object from this frame."""
        thing = self.object_id
        if thing is None:
            self.refused.emit("Choose an object to be tracked first.")
        else:
            self._tried(lambda: self.desk.track({thing: self.frame}, direction))

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
        thing = self.object_id
        if thing is not None:
            self.do(lambda project: edits.mark_absent(project, thing, self._chosen()))

    def delete(self) -> None:
        """The object's masks in the range (or on this frame) go."""
        thing = self.object_id
        if thing is not None:
            self.do(lambda project: edits.delete_masks(project, thing, self._chosen()))

    def copy_to_next(self) -> None:
        """Copies the mask of this frame to the next one, which is looked at then."""
        thing, frame = self.object_id, self.frame
        if thing is not None and self.do(lambda project: edits.copy_mask(project, thing, frame, frame + 1)):
            self.look_at(frame + 1)

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

    def _prompt(self, thing: int, points: Iterable[Point]) -> None:
        row = self._prompt_here()
        box = None if row is None else row.box
        if self._tried(lambda: self.desk.click(thing, self.frame, list(points), box)):
            self.shown_changed.emit()

    def _mark(self, name: str, make: Callable[..., Edit]) -> None:
        thing, frames = self.object_id, self._chosen()
        if thing is None:
            self.refused.emit("Choose an object first.")
            return
        there = {row.frame for row in self._marks(thing) if getattr(row, name)}
        self.do(lambda project: make(project, thing, frames, not set(frames) <= there))

    def _chosen(self) -> list[int]:
        return [self.frame] if self.range is None else list(self.range)

    def _marks(self, thing: int) -> list[MarkRow]:
        return list(self.project.where(MarkRow, object=thing))

    def _prompts(self) -> list[PromptRow]:
        things = {row.id for row in self.project.where(ObjectRow, clip=self.clip)}
        return [row for row in self.project.rows(PromptRow).values() if row.object in things]

    def _prompt_here(self) -> PromptRow | None:
        """The prompt of the object on this frame: as it was asked for last, whether its mask has come or not."""
        if self.object_id is None:
            return None
        key = (self.object_id, self.frame)
        waiting = [work.row for work in self.desk.work.values() if isinstance(work, ClickWork) and work.row.key == key]
        return waiting[-1] if waiting else self.project.find(PromptRow, *key)

    def _candidates(self) -> list[Lane]:
        if self.project.find(ExpressionRow, self.expression) is None:
            return []
        return candidate_lanes(self.project, self.expression, self.threshold)

    def _layers(self) -> list[tuple[Key, Layer]]:
        """Ghosts lie below candidates, those below objects, newer objects above older ones."""
        row, found = self.clip_row, list[tuple[Key, Layer]]()
        if row is None:
            return found
        for lane in reversed(self._candidates()):
            masks = edits.tracklet_masks(self.project, lane.id)
            if self.frame in masks and (not lane.ghost or lane.key == self.picked):
                style: Style = "ghost" if lane.ghost else "candidate"
                found.append((lane.key, Layer(masks.rle(self.frame), lane.colour, style, lane.key == self.picked)))
        for thing in self.project.where(ObjectRow, clip=self.clip):
            rle = self._mask_of(thing.id, row.size)
            if rle is not None:
                key: Key = ("object", thing.id)
                found.append((key, Layer(rle, self._colour(thing.id), "accepted", key == self.picked)))
        return found

    def _mask_of(self, thing: int, size: tuple[int, int]) -> Rle | None:
        """The mask of an object on this frame, one that is not stored yet before the one that is."""
        pending = self.pending(thing).get(self.frame)
        stored = self.project.find(MaskRow, thing, self.frame)
        return pending or (None if stored is None else Rle(size, stored.counts))

    def _colour(self, thing: int) -> tuple[int, int, int]:
        return object_colour(thing, self.project.need(ObjectRow, thing).colour)

    def _grounded(self) -> dict[str, NDArray[np.float32]]:
        row = self.project.find(GroundingRow, self.expression)
        if row is None:
            return {}
        if self._maps[0] != hash(row.maps):
            self._maps = (hash(row.maps), unpack_maps(row.maps))
        return self._maps[1]

    def _heat(self) -> NDArray[np.float32] | None:
        """The chosen map at this frame (the nearest sampled one's), as a share of the map's maximum."""
        maps, sampled = self._grounded().get(self.attention or ""), self.sampled()
        if maps is None or not sampled:
            return None
        nearest = int(np.argmin([abs(frame - self.frame) for frame in sampled]))
        place = nearest * len(maps) // len(sampled)
        most = float(maps.max())
        return np.asarray(maps[place] / most if most > 0 else maps[place], np.float32)

    # --- news ------------------------------------------------------------------------------------------------

    def _on_changed(self, edit: Edit, receipt: Receipt) -> None:
        if receipt.effects or edit.frames:
            self.receipt = receipt
            self.told.emit(str(receipt))
        if self.project.find(ClipRow, self.clip) is None:
            self.clip = 0
            self.clip_changed.emit()
        if self.object_id is not None and self.project.find(ObjectRow, self.object_id) is None:
            self.picked = None
        self._refresh()

    def _on_event(self, job: int, event: Event) -> None:
        work = self.desk.work.get(job)
        if isinstance(event, FrameTracked) and isinstance(work, TrackWork):
            found = self._pending.setdefault(job, {})
            for thing, rle in event.masks.items():
                if work.plan.wants(thing, event.frame):
                    found.setdefault(thing, {})[event.frame] = rle
            self.lanes_changed.emit()
            if event.frame == self.frame:
                self.shown_changed.emit()
        elif isinstance(event, Prompted) and isinstance(work, PreviewWork):
            if (event.object_id, event.frame) == (self.object_id, self.frame):
                self._preview = event.rle
                self.shown_changed.emit()
        elif isinstance(event, Finished | Cancelled | Failed):
            self._pending.pop(job, None)
            if isinstance(event, Failed):
                self.refused.emit(event.what)
            self._refresh()

    def _refresh(self) -> None:
        self.lanes_changed.emit()
        self.shown_changed.emit()
