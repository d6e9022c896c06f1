"""The lines of the list of objects and candidates, and the pictures that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtGui import QImage

from decaf_gui.app.candidates import PICTURE, Entry
from decaf_gui.app.lanes import Lane
from decaf_gui.app.look import Key
from decaf_gui.app.thumbnails import Thumbnails, Wanted
from decaf_gui.app.translation import tr
from decaf_gui.app.view import View
from decaf_gui.core.masks import Masks
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import LabelRow, ObjectRow, TrackletRow, VerdictRow

SHARP = 2
"""Pictures are made twice as large as they are shown: screens of high density show them sharp."""
FRAME = (96, 54)
CLIP = (64, 36)


class Pictures:
    """Thumbnails by what they show; while a new one is made, the one before it is shown."""

    def __init__(self, thumbnails: Thumbnails) -> None:
        self._thumbnails = thumbnails
        self._last: dict[tuple[Path, Key], QImage] = {}

    def of_clip(self, media: Path) -> QImage | None:
        """A clip's first frame."""
        return self._thumbnails.get(Wanted(media, 0, (SHARP * CLIP[0], SHARP * CLIP[1])))

    def of_frame(self, media: Path, frame: int) -> QImage | None:
        """A frame on the timeline."""
        return self._thumbnails.get(Wanted(media, frame, FRAME))

    def of_masks(self, media: Path, key: Key, masks: Masks, frame: int) -> QImage | None:
        """An object on a frame, with what lies around it."""
        if frame not in masks or masks.absent(frame):
            frame = next((f for f in masks if not masks.absent(f)), -1)
        if frame < 0 or not media.exists():
            return None
        wanted = Wanted(media, frame, (SHARP * PICTURE.width(), SHARP * PICTURE.height()), masks.rle(frame))
        found = self._thumbnails.get(wanted)
        if found is not None:
            self._last[media, key] = found
        return found or self._last.get((media, key))


def entries(view: View, lanes: Sequence[Lane], pictures: Pictures) -> list[Entry]:
    """A line for each lane."""
    row = view.clip_row
    if row is None:
        return []
    media = view.desk.store.media(row)
    makers = {"object": _object_entry, "candidate": _candidate_entry, "pending": _pending_entry}
    return [makers[lane.kind](view, lane, media, pictures) for lane in lanes]


def _object_entry(view: View, lane: Lane, media: Path, pictures: Pictures) -> Entry:
    project = view.project
    row, masks, locked = project.need(ObjectRow, lane.id), project.masks(lane.id), project.locked(lane.id)
    label = project.need(LabelRow, row.label).name
    verdict = next(project.where(VerdictRow, object=lane.id, state="accepted"), None)
    frame = min(lane.prompts, default=-1)
    if verdict is not None:
        frame = project.need(TrackletRow, verdict.tracklet).frame
    known = tr("{0} of {1} frames").format(len(masks), project.clip_of(lane.id).frames)
    coming = tr("tracking") if view.pending(lane.id) else ""
    return Entry(
        "object",
        lane.id,
        lane.name,
        lane.colour,
        " · ".join(filter(None, [label, known, coming])),
        visible=lane.key not in view.hidden,
        locked=bool(locked) and locked >= set(masks.frames),
        picture=pictures.of_masks(media, lane.key, masks, frame),
    )


def _candidate_entry(view: View, lane: Lane, media: Path, pictures: Pictures) -> Entry:
    row = view.project.need(TrackletRow, lane.id)
    verdict = view.project.find(VerdictRow, lane.id)
    state = tr("ghost") if lane.ghost else tr("to judge")
    if row.suppressed:
        state = tr("suppressed")
    if verdict is not None and verdict.state == "rejected":
        state = tr("rejected")
    return Entry(
        "candidate",
        lane.id,
        tr("candidate {0}").format(lane.id),
        lane.colour,
        state,
        tuple(row.scores.parts.items()),
        row.scores.total if row.scores.scored else None,
        lane.ghost,
        lane.key not in view.hidden,
        picture=pictures.of_masks(media, lane.key, edits.tracklet_masks(view.project, lane.id), row.frame),
    )


def _pending_entry(view: View, lane: Lane, media: Path, pictures: Pictures) -> Entry:
    """A candidate of the proposal in work: it can be judged when all of them are compared."""
    work = view.proposing()
    found = next((t for t in work.tracklets if t.id == lane.id), None) if work is not None else None
    if found is None:
        return Entry("pending", lane.id, lane.name, lane.colour, tr("tracking"), ghost=lane.ghost)
    parts = tuple(found.scores.parts.items())
    picture = pictures.of_masks(media, lane.key, found.masks, found.frame)
    return Entry(
        "pending",
        lane.id,
        tr("candidate"),
        lane.colour,
        tr("tracking"),
        parts,
        found.scores.total if found.scores.scored else None,
        lane.ghost,
        picture=picture,
    )
