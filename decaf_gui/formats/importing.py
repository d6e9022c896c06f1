"""From a dataset to a project: masks that others have made become objects that can be corrected."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from itertools import pairwise
from pathlib import Path

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.project import edits
from decaf_gui.core.project.edits import Edit, NewObject
from decaf_gui.core.project.rows import ClipRow, Project
from decaf_gui.formats.base import DAMAGE, Format, choose
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.registry import format_named, guessed
from decaf_gui.formats.tables import UNKNOWN

LISTED = 20
"""Files that the provenance names one by one."""


@dataclass(frozen=True)
class Import:
    """What is to be read: `format` "" is guessed; `name` "" is the clip that is called `like`, or the only one."""

    source: Path
    format: str = ""
    name: str = ""
    like: str = ""


@dataclass(frozen=True)
class LabelsRead(Event):
    """The last event of reading: the labels, and where they come from, as the project keeps it.

    `names` are those of the frames of the clip that they are for, where somebody has looked at it.
    """

    format: str
    labels: LabelSet
    details: str
    names: tuple[str, ...] = ()


def reading(wanted: Import) -> Iterator[Event]:
    """Reads labels: a `Stage`, then `LabelsRead`.

    Raises BadInput when the format or the clip cannot be told, naming those that it may be, and as readers do.
    """
    form = format_named(wanted.format) if wanted.format else guessed(wanted.source)
    yield Stage("reading labels", 0, 0, form.name)
    labels = form.read(wanted.source, chosen_name(form, wanted))
    yield LabelsRead(form.name, labels, details_of(form, labels))


def chosen_name(form: Format, wanted: Import) -> str:
    """The clip of the dataset that is meant. Raises BadInput when it is not there, or several may be."""
    names = clips_of(form, wanted.source)
    if not names:
        return wanted.name  # the reader says what is missing
    return choose(wanted.name or (wanted.like if wanted.like in names else ""), names, wanted.source)


def clips_of(form: Format, source: Path) -> Sequence[str]:
    """The clips of a dataset; none when it is not of this format."""
    try:
        return list(form.clips(source))
    except (BadInput, OSError, *DAMAGE):
        return []


def details_of(form: Format, labels: LabelSet) -> str:
    """Provenance of imported masks: format, clip, files with their hashes, this program's version; as JSON."""
    files = list(labels.source.files)
    listed = [{"name": file.name, "sha256": _hash([file])} for file in files] if len(files) <= LISTED else []
    told = {
        "program": f"decaf-gui {metadata.version('decaf-gui')}",
        "format": form.name,
        "clip": labels.name,
        "files": listed or {"first": files[0].name, "count": len(files)},
        "sha256": _hash(files),
        "made_with": dict(labels.provenance),
        **({"notice": labels.notice} if labels.notice else {}),
    }
    return json.dumps(told, sort_keys=True, default=str)


def _hash(files: Sequence[Path]) -> str:
    """Over names and contents."""
    digest = sha256()
    for file in files:
        digest.update(file.name.encode(errors="surrogateescape") + b"\0")
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def import_edit(project: Project, clip: int, read: LabelsRead, names: Sequence[str]) -> Edit:
    """The edit that adds labels to a clip, whose frames are called `names`. Raises BadInput when they do not fit."""
    labels, row = read.labels, project.need(ClipRow, clip)
    frames = placed(labels, row, names)
    objects = []
    for obj in labels.objects:
        masks = {frames[frame]: obj.masks.rle(frame) for frame in obj.masks}
        answers = tuple(labels.expressions[i] for i in obj.expressions if labels.expressions[i].strip())
        objects.append(NewObject(_class(obj.label.name), masks, answers))
    texts = [text for text in labels.expressions if text.strip()]
    kept = Labels(tuple(Label(label.id, _class(label.name)) for label in labels.labels.entries))
    return edits.import_objects(project, clip, objects, kept, texts, read.details)


def placed(labels: LabelSet, row: ClipRow, names: Sequence[str]) -> Sequence[int]:
    """The clip's frame of every frame of the labels: all of them in order, or those that are called the same.

    Raises BadInput when they are of another size, or cannot be found.
    """
    if labels.size != row.size:
        raise BadInput(
            f"The labels are for frames of {labels.size[1]}x{labels.size[0]}, {row.path} is {row.width}x{row.height}."
        )
    if labels.frame_count == row.frames:
        return range(row.frames)
    places = {Path(name).stem: place for place, name in enumerate(names)}
    stems = [Path(name).stem for name in labels.names]
    if len(set(stems)) < len(stems) or not places.keys() >= set(stems):
        raise BadInput(
            f"The labels are for {labels.frame_count} frames ({stems[0]} to {stems[-1]}), {row.path} has {row.frames}, "
            "and they are not called alike: give the frames that the labels were made on."
        )
    return [places[stem] for stem in stems]


def work_range(labels: LabelSet, row: ClipRow, names: Sequence[str]) -> range | None:
    """The frames that the labels are for, where they are some of the clip's with the same step between all."""
    frames = list(placed(labels, row, names))
    steps = {later - earlier for earlier, later in pairwise(frames)}
    regular = len(steps) <= 1 and min(steps, default=1) > 0
    if not frames or len(frames) == row.frames or not regular:
        return None
    return range(frames[0], frames[-1] + 1, steps.pop() if steps else 1)


def _class(name: str) -> str:
    return name if name.strip() else UNKNOWN


def open_clip(labels: LabelSet, given: Path | None) -> Clip:
    """The frames that the labels are for: those that are given, or the dataset's own. Raises BadInput without any."""
    path = given or labels.source.media
    if path is None:
        raise BadInput(f"There are no frames beside the labels of {labels.name}: say where they are with --clip.")
    return Clip.open(path)
