"""What `decaf-gui project`, `export`, `import` and `formats` do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from decaf_gui.console import Reporter
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import (
    ClipRow,
    ExpressionRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    Project,
    TrackletRow,
    VerdictRow,
)
from decaf_gui.core.project.store import Store


def show_project(path: Path, *, as_json: bool) -> None:
    """Clips, expressions and objects of a project, and how far the review is."""
    reporter = Reporter(as_json=as_json)
    with Store.open(path, read_only=True) as store:
        project = store.project
        clips = [
            (row.id, row.path, row.frames, _work(row), f"{row.width}x{row.height}", _state(store, row))
            for row in project.where(ClipRow)
        ]
        columns = ["id", "clip", "frames", "worked on", "size", "media"]
        reporter.table(f"{path.name}, {store.bytes / 1e6:.2f} MB", columns, clips)
        asked = [
            (row.id, row.clip, row.text, *_verdicts(project, row.id), "yes" if row.no_target else "")
            for row in project.where(ExpressionRow)
        ]
        columns = ["id", "clip", "expression", "candidates", "accepted", "rejected", "no target"]
        reporter.table("Expressions", columns, asked)
        reporter.table("Objects", ["id", "clip", "object", "masks", "reviewed", "locked"], _objects(project))
        for pending in store.pending():
            frames = sum(len(masks) for masks in pending.masks.values())
            reporter.say(f"Tracking was broken off: {frames} masks wait to be taken over.")


def check_project(path: Path, *, as_json: bool) -> None:
    """Whether a project is whole and its media are where they should be. Raises DecafError when not."""
    reporter = Reporter(as_json=as_json)
    with Store.open(path, read_only=True) as store:
        states = {row.path: _state(store, row) for row in store.project.where(ClipRow)}
        masks = len(store.project.rows(MaskRow))
    wrong = {clip: state for clip, state in states.items() if state != "there"}
    for clip, state in wrong.items():
        reporter.say(f"{clip}: {state}")
    reporter.result(masks=masks, media=states)
    if wrong:
        raise DecafError(
            f"{len(wrong)} of {len(states)} clips are not as they were: put them back, or `decaf-gui project relink`."
        )
    reporter.say(f"{path} is whole: {len(states)} clips, {masks} masks.")


def compact_project(path: Path, *, as_json: bool) -> None:
    """Gives unused room in the file back."""
    reporter = Reporter(as_json=as_json)
    with Store.open(path) as store:
        before, after = store.compact()
    reporter.say(f"{path}: {before / 1e6:.2f} MB before, {after / 1e6:.2f} MB now")
    reporter.result(before=before, after=after)


def export_project(
    path: Path, formats: Sequence[str], out: Path, which: str, *, frames: bool, overwrite: bool, as_json: bool
) -> None:
    """Writes the labels of all clips of a project; with their frames, if asked for."""
    from decaf_gui.formats.base import Written, few
    from decaf_gui.formats.projects import Export, export, notices, replaced

    if which not in ("accepted", "all"):
        raise BadInput(f'--objects is accepted or all, not "{which}".')
    reporter = Reporter(as_json=as_json)
    written: list[str] = []
    with Store.open(path, read_only=True) as store:
        media = {row.id: store.media(row) for row in store.project.where(ClipRow)}
        objects: Literal["accepted", "all"] = "all" if which == "all" else "accepted"
        wanted = Export(store.project, media, tuple(formats), out, objects, frames, overwrite)
        if overwrite and (there := replaced(wanted)):
            reporter.say(f"Replaced: {few([str(place) for place in there])}")
        for event in reporter.watch(export(wanted)):
            if isinstance(event, Written):
                written.append(str(event.path))
                for warning in event.warnings:
                    reporter.say(f"{event.format}: {warning}")
        for notice in notices(store.project):
            reporter.say(f"Note: {notice}")
    for home in dict.fromkeys(written):
        reporter.say(f"wrote {home}")
    reporter.result(written=list(dict.fromkeys(written)))


@dataclass(frozen=True, slots=True)
class ImportRun:
    """One call of `decaf-gui import`: `clip` is where the frames are, else they are the dataset's own."""

    source: Path
    project: Path
    format: str = ""
    clip: Path | None = None
    name: str = ""


def import_labels(run: ImportRun, *, as_json: bool) -> None:
    """Reads labels into a project, made when it is new. All is read and checked before anything is written."""
    from decaf_gui.core.project.keeping import keep_clip, known_clip
    from decaf_gui.formats.importing import Import, LabelsRead, import_edit, open_clip, reading, work_range

    reporter = Reporter(as_json=as_json)
    like = "" if run.clip is None else run.clip.absolute().name if run.clip.is_dir() else run.clip.stem
    *_, read = reporter.watch(reading(Import(run.source, run.format, run.name, like)))
    assert isinstance(read, LabelsRead)
    with open_clip(read.labels, run.clip) as clip:
        alone = edits.add_clip(Project(), clip.name, clip.fingerprint, clip.size, clip.fps).apply(Project())
        import_edit(alone, 1, read, clip.names)  # raises before anything is made
        with Store.open(run.project) if run.project.exists() else Store.create(run.project) as store:
            if store.read_only:
                raise BadInput(f"{run.project} cannot be written. {store.note}")
            is_new = known_clip(store, clip) is None
            number = keep_clip(store, clip)
            store.do(import_edit(store.project, number, read, clip.names))
            frames = work_range(read.labels, store.project.need(ClipRow, number), clip.names)
            if is_new and frames is not None:
                store.do(edits.set_work_range(store.project, number, frames[0], frames[-1], frames.step))
    for warning in read.labels.source.warnings:
        reporter.say(f"{read.format}: {warning}")
    counted = f"{len(read.labels.objects)} objects on {read.labels.frame_count} frames"
    reporter.say(f"{counted} of {clip.name} are in {run.project} now ({read.format}).")
    reporter.result(
        project=str(run.project),
        clip=number,
        format=read.format,
        name=read.labels.name,
        objects=len(read.labels.objects),
        warnings=list(read.labels.source.warnings),
    )


def list_formats(*, markdown: bool, as_json: bool) -> None:
    """The table of formats; as Markdown with their files, as docs/formats.md has it."""
    from decaf_gui.formats.pages import formats_markdown, rows

    if markdown:
        sys.stdout.write(formats_markdown())
        return
    Reporter(as_json=as_json).table("", ["name", "format", "read", "written", "keeps", "loses"], rows())


def relink_project(path: Path, clip: int, media: Path, *, as_json: bool) -> None:
    """Says where a clip lies now. Raises BadInput when it has another size or length: masks would not fit."""
    reporter = Reporter(as_json=as_json)
    with Store.open(path) as store, Clip.open(media) as opened:
        store.do(edits.relink_clip(store.project, clip, store.relative(media), opened.fingerprint, opened.size))
        row = store.project.need(ClipRow, clip)
    reporter.say(f"Clip {clip} of {path} is {row.path} now.")
    reporter.result(clip=clip, path=row.path)


def _work(row: ClipRow) -> str:
    """The frames to be worked on, for people."""
    if (row.first, row.last, row.step) == (0, row.frames - 1, 1):
        return "all"
    return f"{row.first} to {row.last}" + (f" by {row.step}" if row.step > 1 else "")


def _state(store: Store, row: ClipRow) -> str:
    from decaf_gui.formats.projects import media_state

    return media_state(row, store.media(row))


def _verdicts(project: Project, expression: int) -> tuple[int, int, int]:
    """Candidates of an expression, and how many of them were accepted and rejected."""
    candidates = list(project.where(TrackletRow, expression=expression))
    said = [verdict.state for t in candidates if (verdict := project.find(VerdictRow, t.id)) is not None]
    return len(candidates), said.count("accepted"), said.count("rejected")


def _objects(project: Project) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for thing in project.where(ObjectRow):
        marks = list(project.where(MarkRow, object=thing.id))
        masks = sum(1 for owner, _ in project.rows(MaskRow) if owner == thing.id)
        seen, shut = (sum(getattr(mark, name) for mark in marks) for name in ("reviewed", "locked"))
        rows.append((thing.id, thing.clip, thing.name, masks, seen, shut))
    return rows
