"""What is looked at: clip, frame, expression, object; what the canvas, the lists and the timeline show of it.

No widget is known here. Widgets ask for the scene, the lanes and the points when a signal says that they changed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject, Signal

from decaf_gui.app.desk import ClickWork, Desk, PreviewWork, ProposeWork, TrackWork
from decaf_gui.app.doubting import Doubts
from decaf_gui.app.lanes import Lane, attention_curve, candidate_lanes, object_lane, pending_lanes, spans
from decaf_gui.app.painting import Frame, Layer, Mode, Scene, Style, heat_at
from decaf_gui.app.palette import NEW, OBJECTS, Colour, object_colour
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.core.doubt import DoubtfulFrame, queue
from decaf_gui.core.entities import Grounding, Point
from decaf_gui.core.events import Event, FrameTracked, Prompted
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.doubtful import object_doubts
from decaf_gui.core.project.edits import Edit
from decaf_gui.core.project.planning import Span
from decaf_gui.core.project.receipts import Receipt
from decaf_gui.core.project.rows import (
    ClipRow,
    ExpressionRow,
    GroundingRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    Project,
    PromptRow,
    TrackletRow,
    unpack_maps,
)
from decaf_gui.pipeline.settings import Settings

Key = tuple[str, int]
"""("object" or "candidate", id)."""


class Look(QObject):
    """What is looked at on one desk.

    `clip_changed`, `expression_changed`, `frame_changed`, `shown_changed` (masks, attention, points), `lanes_changed`;
    `told` (text) for the status bar; `refused` (text) for the banner; `receipt_changed` when a correction has changed
    masks.
    """

    clip_changed = Signal()
    expression_changed = Signal()
    frame_changed = Signal(int)
    shown_changed = Signal()
    lanes_changed = Signal()
    receipt_changed = Signal()
    told = Signal(str)
    refused = Signal(str)

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.clip = 0
        self.expression = 0
        self.frame = 0
        self.picked: Key | None = None
        self.range: Span | None = None
        self.mode: Mode = "masks"
        self.opacity, self.attention_opacity = 0.45, 0.75
        self.colours: Sequence[Colour] = OBJECTS
        self.attention: str | None = None
        self.threshold: float | None = None
        self.settings: Settings | None = None
        """Of the method that proposals are made with; None: the engine's own."""
        self.hidden: set[Key] = set()
        self.opacities: dict[int, float] = {}
        """Of the fills of objects that differ from the others."""
        self.receipt: Receipt | None = None
        self.corrected: Edit | None = None
        """The edit that the receipt is of."""
        self._pending: dict[int, dict[int, dict[int, Rle]]] = {}
        """Masks that are not stored yet, by job, object and frame."""
        self._passed: set[tuple[int, int]] = set()
        """(object, frame) of doubtful frames that were looked at and gone on from."""
        self._doubts: tuple[Project | None, Doubts] = (None, {})
        self._awaiting = False
        """Whether nothing was worked on since a proposal was asked for."""
        self._preview: Rle | None = None
        self._maps: tuple[object, dict[str, NDArray[np.float32]]] = (None, {})
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
        self.clip, self.frame, self.range = clip, 0, None
        self.expression = next((row.id for row in self.project.where(ExpressionRow, clip=clip)), 0)
        self.picked, self._preview, self._doubts = None, None, (None, {})
        self._passed.clear()
        self._set_receipt(None, None)
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
            self.expression_changed.emit()

    def pick(self, key: Key | None) -> None:
        """Works on another object or candidate."""
        self.picked, self._preview, self._awaiting = key, None, False
        self._refresh()

    def pick_first(self, otherwise: Key | None = None) -> None:
        """Works on the best candidate that waits for a word, else on something, else on the first object."""
        lanes = self.lanes()
        waiting = [lane.key for lane in lanes if lane.kind == "candidate" and not lane.ghost]
        objects = [lane.key for lane in lanes if lane.kind == "object"]
        rest = objects if otherwise is None else [otherwise]
        self.pick(next(iter([*waiting, *rest]), None))

    def next_candidate(self, step: int = 1) -> None:
        """Goes through all candidates, ghosts as well."""
        keys = [lane.key for lane in self._candidates()]
        if not keys:
            self.refused.emit(self.tr("There are no candidates: ask for something first."))
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
            if key[0] != "pending" and layer.rle.dense()[int(y), int(x)]:
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

    def show_opacity(self, masks: float, attention: float) -> None:
        """How much masks and attention cover, from 0 to 1."""
        self.opacity, self.attention_opacity = masks, attention
        self.shown_changed.emit()

    def set_opacity(self, thing: int, opacity: float | None) -> None:
        """How much one object's fill covers: 0 leaves its contour; None: as much as the others."""
        if opacity is None:
            self.opacities.pop(thing, None)
        else:
            self.opacities[thing] = opacity
        self.shown_changed.emit()

    def next_prompt(self, step: int = 1) -> None:
        """Looks at the next (or previous) prompted frame of the object, or of any when none is worked on."""
        own = [row.frame for row in self._prompts() if self.object_id in (None, row.object)]
        ahead = sorted({frame for frame in own if (frame > self.frame if step > 0 else frame < self.frame)})
        if ahead:
            self.look_at(ahead[0] if step > 0 else ahead[-1])
        else:
            self.told.emit(self.tr("No further prompt in this direction."))

    # --- doubt -----------------------------------------------------------------------------------------------

    @property
    def doubts_known(self) -> bool:
        """Whether the doubt about the project as it is now is there."""
        return self._doubts[0] is self.project

    def take_doubts(self, project: Project, clip: int, doubts: Doubts) -> None:
        """The doubt about a state of the project, worked out elsewhere."""
        if project is self.project and clip == self.clip:
            self._doubts = (project, doubts)
            self.lanes_changed.emit()

    def doubts(self) -> Doubts:
        """The doubt about each object of the clip by frame; worked out here where it is not known yet."""
        if not self.doubts_known:
            things = [row.id for row in self.project.where(ObjectRow, clip=self.clip)]
            self._doubts = (self.project, {thing: object_doubts(self.project, thing) for thing in things})
        return self._doubts[1]

    def doubtful(self) -> list[DoubtfulFrame]:
        """The most doubtful frames of the clip's objects that nobody has reviewed, the most doubtful first."""
        found = self.doubts()
        seen = {thing: {row.frame for row in self._marks(thing) if row.reviewed} for thing in found}
        for thing, frame in self._passed:
            seen.setdefault(thing, set()).add(frame)
        return queue(found, seen)

    def next_doubtful(self) -> DoubtfulFrame | None:
        """Looks at the most doubtful frame; one that is gone on from does not come again until the clip is opened anew.

        That says nothing of the mask: only a person's own word marks a frame as reviewed.
        """
        if self.object_id is not None:
            self._passed.add((self.object_id, self.frame))
        waiting = self.doubtful()
        if not waiting:
            self.told.emit(self.tr("Nothing is doubtful any more."))
            return None
        entry = waiting[0]
        self.pick(("object", entry.object))
        self.look_at(entry.frame)
        left = self.tr("Frame {0}: {1} ({2} doubtful frames left).")
        self.told.emit(left.format(entry.frame, entry.doubt.reason, len(waiting)))
        return entry

    # --- what is shown ---------------------------------------------------------------------------------------

    def scene(self, frame: Frame) -> Scene:
        """The frame with everything that lies over it."""
        layers = [layer for key, layer in self._layers() if key not in self.hidden]
        if self._preview is not None:
            colour = NEW if self.object_id is None else self.colour(self.object_id)
            layers.append(Layer(self._preview, colour, "preview"))
        return Scene(frame, tuple(layers), self._heat(), self.mode, self.opacity, self.attention_opacity)

    def points(self) -> tuple[Point, ...]:
        """The points of the object on this frame, those of clicks that wait for their mask as well."""
        row = self._prompt_here()
        return () if row is None else row.points

    def lanes(self) -> list[Lane]:
        """Objects of the clip, then the candidates of the expression; with doubt as far as it is known."""
        known = self._doubts[1]
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
                colours=self.colours,
            )
            for row in self.project.where(ObjectRow, clip=self.clip)
        ]
        work = self.proposing()
        return objects + (self._candidates() if work is None else pending_lanes(work.found(), self.colours))

    def changed_spans(self) -> list[tuple[int, str, Span]]:
        """What the last correction changed: (object, its name, frames)."""
        frames: dict[int, set[int]] = {}
        for effect in self.receipt.effects if self.receipt is not None else ():
            frames.setdefault(effect.object, set()).add(effect.frame)
        there = {thing: self.project.find(ObjectRow, thing) for thing in frames}
        return [
            (thing, row.name, span) for thing, row in there.items() if row is not None for span in spans(frames[thing])
        ]

    def proposing(self) -> ProposeWork | None:
        """The proposal for the expression that is in work, once it has attention to show."""
        works = (work for work in self.desk.work.values() if isinstance(work, ProposeWork))
        return next((w for w in works if w.expression == self.expression and w.grounding is not None), None)

    def grounding(self) -> tuple[str, tuple[str, ...]]:
        """What the model answered for the expression: its category, and all answers; "" before it has."""
        found = self._grounding()
        return ("", ()) if found is None else (found.category, found.answers)

    def reasoning(self) -> tuple[tuple[str, ...], str]:
        """The attributes that the expression was asked with, and why the model named them."""
        found = self._grounding()
        return ((), "") if found is None else (found.attributes, found.reasons)

    def lowest_selected(self) -> float | None:
        """The lowest score that was selected, where that is no matter of a threshold; None where it is."""
        rows = list(self.project.where(TrackletRow, expression=self.expression))
        if not any(row.scoring == "pearson" for row in rows):
            return None
        return min((row.scores.total for row in rows if row.selected), default=0.0)

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
        found = self._grounding()
        return () if found is None else found.frames

    def colour(self, thing: int) -> Colour:
        """An object's colour on the screen."""
        return object_colour(thing, self.project.need(ObjectRow, thing).colour, self.colours)

    # --- helpers ---------------------------------------------------------------------------------------------

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
        return candidate_lanes(self.project, self.expression, self.threshold, self.colours)

    def _layers(self) -> list[tuple[Key, Layer]]:
        """Ghosts lie below candidates, those below objects, newer objects above older ones."""
        row, found = self.clip_row, list[tuple[Key, Layer]]()
        if row is None:
            return found
        work = self.proposing()
        found += self._candidate_layers() if work is None else self._coming_layers(work)
        for thing in self.project.where(ObjectRow, clip=self.clip):
            rle = self._mask_of(thing.id, row.size)
            if rle is not None:
                key: Key = ("object", thing.id)
                own = self.opacities.get(thing.id)
                found.append((key, Layer(rle, self.colour(thing.id), "accepted", key == self.picked, own)))
        return found

    def _candidate_layers(self) -> list[tuple[Key, Layer]]:
        found: list[tuple[Key, Layer]] = []
        for lane in reversed(self._candidates()):
            masks = edits.tracklet_masks(self.project, lane.id)
            if self.frame in masks and (not lane.ghost or lane.key == self.picked):
                style: Style = "ghost" if lane.ghost else "candidate"
                found.append((lane.key, Layer(masks.rle(self.frame), lane.colour, style, lane.key == self.picked)))
        return found

    def _coming_layers(self, work: ProposeWork) -> list[tuple[Key, Layer]]:
        """The candidates of a proposal in work."""
        return [
            (("pending", t.id), Layer(t.masks.rle(self.frame), self.colours[t.id % len(self.colours)], "candidate"))
            for t in work.found()
            if t.selected and self.frame in t.masks
        ]

    def _mask_of(self, thing: int, size: tuple[int, int]) -> Rle | None:
        """The mask of an object on this frame, one that is not stored yet before the one that is."""
        pending = self.pending(thing).get(self.frame)
        stored = self.project.find(MaskRow, thing, self.frame)
        return pending or (None if stored is None else Rle(size, stored.counts))

    def _grounding(self) -> Grounding | GroundingRow | None:
        """Of the proposal in work, else as it is stored."""
        work = self.proposing()
        return self.project.find(GroundingRow, self.expression) if work is None else work.grounding

    def _grounded(self) -> dict[str, NDArray[np.float32]]:
        """The maps by name."""
        found = self._grounding()
        if found is None:
            return {}
        if self._maps[0] is not found:
            maps = unpack_maps(found.maps) if isinstance(found, GroundingRow) else {"fused": found.maps, **found.parts}
            self._maps = (found, maps)
        return self._maps[1]

    def _heat(self) -> NDArray[np.float32] | None:
        """The chosen map at this frame (the nearest sampled one's), as a share of the map's maximum."""
        maps = self._grounded().get(self.attention or "")
        return None if maps is None else heat_at(maps, self.sampled(), self.frame)

    # --- news ------------------------------------------------------------------------------------------------

    def _set_receipt(self, receipt: Receipt | None, edit: Edit | None) -> None:
        self.receipt, self.corrected = receipt, edit
        self.receipt_changed.emit()

    def _on_changed(self, edit: Edit, receipt: Receipt) -> None:
        if receipt.effects or edit.frames:
            self._awaiting = False
            self._set_receipt(receipt, edit)
            self.told.emit(str(receipt))
        if self.project.find(ClipRow, self.clip) is None:
            self.clip = 0
            self.clip_changed.emit()
        if self.expression and self.project.find(ExpressionRow, self.expression) is None:
            self.expression = next((row.id for row in self.project.where(ExpressionRow, clip=self.clip)), 0)
        gone = self.object_id is not None and self.project.find(ObjectRow, self.object_id) is None
        gone |= self.candidate_id is not None and self.project.find(TrackletRow, self.candidate_id) is None
        if gone:
            self.picked = None
        if (GroundingRow, (self.expression,)) in edit.touched and (self.picked is None or self._awaiting):
            self._awaiting = False
            self.pick_first()  # a proposal has come: Enter accepts its best candidate
        self._refresh()

    def _on_event(self, job: int, event: Event) -> None:
        work = self.desk.work.get(job)
        if isinstance(event, FrameTracked) and isinstance(work, TrackWork):
            found = self._pending.setdefault(job, {})
            for thing, rle in event.masks.items():
                if work.plan.wants(thing, event.frame):
                    found.setdefault(thing, {})[event.frame] = rle
            self._came(event.frame)
        elif isinstance(work, ProposeWork) and work.expression == self.expression and work.grounding is not None:
            self._came(event.frame if isinstance(event, FrameTracked) else self.frame)
        elif isinstance(event, Prompted) and isinstance(work, PreviewWork):
            if (event.object_id, event.frame) == (self.object_id or 0, self.frame):
                self._preview = event.rle
                self.shown_changed.emit()
        elif isinstance(event, Finished | Cancelled | Failed):
            self._pending.pop(job, None)
            if isinstance(event, Failed):
                self.refused.emit(event.what)
            self._refresh()

    def _came(self, frame: int) -> None:
        """Something new is there on a frame."""
        self.lanes_changed.emit()
        if frame == self.frame:
            self.shown_changed.emit()

    def _refresh(self) -> None:
        self.lanes_changed.emit()
        self.shown_changed.emit()
