"""From a project to label sets: what a person accepted, or everything that waits for a word as well."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

from decaf_gui.core.clip import VIDEO_SUFFIXES, Clip
from decaf_gui.core.entities import Label
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.images import image_suffixes
from decaf_gui.core.masks import Masks
from decaf_gui.core.project.edits import tracklet_masks
from decaf_gui.core.project.rows import (
    AnswerRow,
    ClipRow,
    ExpressionRow,
    GroundingRow,
    LabelRow,
    ObjectRow,
    Project,
    ProvenanceRow,
    TrackletRow,
    VerdictRow,
)
from decaf_gui.formats.base import safe_name
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.registry import format_named

Which = Literal["accepted", "all"]


@dataclass(frozen=True)
class Export:
    """What is to be written of a project: `media` says where each clip's file lies, by the clip's id.

    `clips` are the ids of those that are wanted; None: all.
    """

    project: Project
    media: Mapping[int, Path]
    formats: tuple[str, ...]
    out: Path
    which: Which = "accepted"
    frames: bool = False
    overwrite: bool = False
    clips: tuple[int, ...] | None = None


def export(wanted: Export) -> Iterator[Event]:
    """Writes all clips in all formats: each writer's events.

    Raises BadInput before anything is written when media are gone or changed, or results are there already.
    """
    chosen = [format_named(name) for name in dict.fromkeys(wanted.formats)]
    rows = [row for row in wanted.project.where(ClipRow) if wanted.clips is None or row.id in wanted.clips]
    names = clip_names(wanted.project)
    if unwritable := [form.name for form in chosen if form.writer is None]:
        raise BadInput(f"{unwritable[0]} can only be read.")
    if not rows:
        raise BadInput("There is no clip in this project: nothing can be exported.")
    for row in rows:
        _check_media(row, wanted.media[row.id])
        with Clip.open(wanted.media[row.id], frames=row.work_frames) as clip:
            for form in chosen:
                form.check_output(clip, wanted.out, overwrite=wanted.overwrite, name=names[row.id])
    for row in rows:
        with Clip.open(wanted.media[row.id], frames=row.work_frames) as clip:
            labels = label_set_of_project(wanted.project, row, clip, wanted.which)
            labels = replace(labels, name=names[row.id])
            for form in chosen:
                assert form.writer is not None
                yield from form.writer(labels, clip, wanted.out, overwrite=wanted.overwrite, frames=wanted.frames)


def replaced(wanted: Export) -> list[Path]:
    """What an export would replace."""
    names = clip_names(wanted.project)
    rows = [row for row in wanted.project.where(ClipRow) if wanted.clips is None or row.id in wanted.clips]
    found = (format_named(name).existing(wanted.out, names[row.id]) for name in wanted.formats for row in rows)
    return list(dict.fromkeys(path for paths in found for path in paths))


def clip_names(project: Project) -> dict[int, str]:
    """What the clips are called in datasets, by id: as their files, numbered where two would have the same folder."""
    names: dict[int, str] = {}
    taken: set[str] = set()
    for row in project.where(ClipRow):
        path = Path(row.path)
        is_file = path.suffix.lower().lstrip(".") in VIDEO_SUFFIXES or path.suffix.lower() in image_suffixes()
        base = path.stem if is_file else path.name
        tried = (base if n == 1 else f"{base}_{n}" for n in count(1))
        names[row.id] = next(name for name in tried if safe_name(name).casefold() not in taken)
        taken.add(safe_name(names[row.id]).casefold())
    return names


def _check_media(row: ClipRow, media: Path) -> None:
    state = media_state(row, media)
    if state != "there":
        raise BadInput(f"The clip {row.path} is {state}: put it back to {media}, or relink it.")


def media_state(row: ClipRow, media: Path) -> str:
    """Whether a clip's media are there and the same: "there", "missing", "changed" or "unreadable"."""
    if not media.exists():
        return "missing"
    try:
        with Clip.open(media) as clip:
            same = (len(clip), clip.size, clip.fingerprint.sha256) == (row.frames, row.size, row.sha256)
    except BadInput:
        return "unreadable"
    return "there" if same else "changed"


def incomplete(project: Project, clips: Iterable[int]) -> list[str]:
    """What stands in the way of labels: objects that are not known on all frames to be worked on, a sentence each."""
    told = []
    for clip in clips:
        frames = set(project.need(ClipRow, clip).work_frames)
        for thing in project.where(ObjectRow, clip=clip):
            missing = len(frames - set(project.masks(thing.id).frames))
            if missing:
                told.append(
                    f"{thing.name} is not known on {missing} of {len(frames)} frames: track it, or mark it absent."
                )
    return told


def label_set_of_project(project: Project, row: ClipRow, clip: Clip, which: Which = "accepted") -> LabelSet:
    """The objects of one clip. `which` "all" adds candidates that the scores selected and nobody has judged.

    `clip` is opened on the frames to be worked on (`row.work_frames`): theirs are the masks, numbered as in it.
    """
    asked = {expression.id: place for place, expression in enumerate(project.where(ExpressionRow, clip=row.id))}
    labels = project.labels()
    objects = list(_objects(project, row, asked))
    if which == "all":
        for tracklet in _waiting(project, asked):
            category = _category(project, tracklet)
            labels = labels.add(category)
            label = labels.find(category)
            assert label is not None
            number = max((thing.id for thing in objects), default=0) + 1
            masks = _worked_on(tracklet_masks(project, tracklet.id), row)
            objects.append(LabelledObject(number, label, masks, (asked[tracklet.expression],)))
    texts = [project.need(ExpressionRow, expression).text for expression in asked]
    notice = " ".join(notices(project))
    return LabelSet.of_clip(clip, objects, labels, texts, {"masks": _sources(project)}, notice)


def notices(project: Project) -> list[str]:
    """What must be said of the masks of a project, each sentence once."""
    return list(dict.fromkeys(str(source["notice"]) for source in _sources(project) if source.get("notice")))


def _objects(project: Project, clip: ClipRow, asked: dict[int, int]) -> Iterator[LabelledObject]:
    for thing in project.where(ObjectRow, clip=clip.id):
        label = project.need(LabelRow, thing.label)
        answers = tuple(asked[row.expression] for row in project.where(AnswerRow, object=thing.id))
        masks = _worked_on(project.masks(thing.id), clip)
        yield LabelledObject(thing.id, Label(label.id, label.name), masks, answers)


def _worked_on(masks: Masks, clip: ClipRow) -> Masks:
    """The masks on the frames to be worked on, numbered from 0."""
    known = {place: masks.rle(frame) for place, frame in enumerate(clip.work_frames) if frame in masks}
    return Masks(masks.size, known)


def _waiting(project: Project, asked: dict[int, int]) -> Iterator[TrackletRow]:
    """Selected candidates without a verdict."""
    for tracklet in project.where(TrackletRow, selected=True):
        if tracklet.expression in asked and project.find(VerdictRow, tracklet.id) is None:
            yield tracklet


def _category(project: Project, tracklet: TrackletRow) -> str:
    grounding = project.find(GroundingRow, tracklet.expression)
    return grounding.category if grounding is not None else project.need(ExpressionRow, tracklet.expression).text


def _sources(project: Project) -> list[dict[str, object]]:
    """Where masks come from, and what is known of it. Raises BadInput for details that are no JSON object."""
    sources: list[dict[str, object]] = []
    for row in project.where(ProvenanceRow):
        try:
            sources.append({"origin": row.origin, **json.loads(row.details)})
        except (ValueError, TypeError):
            raise BadInput(f"Provenance {row.id} of this project cannot be read.") from None
    return sources
