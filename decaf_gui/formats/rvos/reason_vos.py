"""ReasonVOS (VideoLISA; formats spec, section 8): reasoning expressions, a test set only.

    JPEGImages/<video>/<frame>.jpg   Annotations/<source>_<video>_<object>/<frame>.png   meta_expressions.json
    predictions: <source>_<video>_<object>/<expression>/<frame>.png

Scored are the frames that the true masks' folder holds. Written with the source "own", as whole sentences; overlaps are
kept. An expression has one object: for several it is written once for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.images import natural_key
from decaf_gui.formats.base import Draft, Ending, Format, write_clip
from decaf_gui.formats.frames import kept_names, renamed_words, save_jpeg
from decaf_gui.formats.jsons import has_key, part
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.pngs import save_mask
from decaf_gui.formats.rvos.base import (
    Ask,
    Gathered,
    MaskTruth,
    Problem,
    RvosDataset,
    Truth,
    Video,
    frames_of,
    in_time,
    inside,
    plain,
    videos_of,
)
from decaf_gui.formats.rvos.labels import called, clips_of, find_video, labels_of_objects
from decaf_gui.formats.rvos.writing import enter_video, silent_words, single, unanswered_words
from decaf_gui.formats.tables import KEY, table_in, table_of

META = "meta_expressions.json"
OWN = "own"
"""The source of videos that this program writes."""


def read(root: Path, split: str) -> Iterator[Video | Problem]:
    """All videos; see SplitReader."""
    path = root / "meta_expressions.json"
    gathered = Gathered(path)
    yield from gathered.build(videos_of(path).items(), partial(_video, root, gathered))
    yield from gathered.problems


def _video(root: Path, gathered: Gathered, name: str, entry: Any) -> Video:
    where = f"{gathered.where}, video {name}"
    inside(name, where)
    listed = frames_of(entry, where)
    frames = tuple(listed[i] for i in in_time(listed))
    source = plain(part(entry, "source", str, where), where)

    def ask(id: str, given: Any) -> Ask:
        here = f"{where}, expression {id}"
        object_folder = inside(f"{source}_{name}_{part(given, 'obj_id', int, here)}", here)
        files = _true_masks(root / "Annotations" / object_folder, here)
        scored = tuple(file.stem for file in files)
        kind = "sentence" if given.get("is_sent") else "phrase"
        folder = f"{object_folder}/{part(given, 'exp_id', int, here)}"
        text, named = part(given, "exp_text", str, here), (str(given["obj_id"]),)
        return Ask(name, id, text, folder, scored, MaskTruth(files), kind, objects=named)

    listed_asks = part(entry, "expressions", list, where)
    asks = tuple(gathered.build(((_id(given, i), given) for i, given in enumerate(listed_asks)), ask, name))
    files = tuple(root / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    objects = _objects(root / "Annotations", f"{source}_{name}", asks, table_in(entry))
    return Video(name, frames, files, asks, objects, table_in(entry))


def _objects(home: Path, prefix: str, asks: Sequence[Ask], table: Mapping[str, Any]) -> dict[str, Truth]:
    """The masks of every object that an expression, or this program's table, names and that is there."""
    found: dict[str, Truth] = {ask.objects[0]: ask.truth for ask in asks if ask.truth is not None}
    for name in called(table):
        with suppress(BadInput):
            found.setdefault(name, MaskTruth(_true_masks(home / plain(f"{prefix}_{name}", home), prefix)))
    return found


def _id(entry: Any, place: int) -> str:
    """Expression ids may repeat inside of a video, for other objects: both together tell them apart."""
    if isinstance(entry, dict) and {"exp_id", "obj_id"} <= entry.keys():
        return f"{entry['obj_id']}/{entry['exp_id']}"
    return f"number {place}"


def _true_masks(folder: Path, where: str) -> tuple[Path, ...]:
    files = sorted(folder.glob("*.png"), key=lambda file: natural_key(file.name))
    if not files:
        raise BadInput(f"{where}: there are no PNG masks in {folder}.")
    return tuple(files)


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/reason-vos`; see Writer. Every object must be known on every frame."""
    stems, numbers = kept_names(labelset.names), labelset.numbers

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"JPEGImages/{draft.name}/{stems[frame]}.jpg"))
        for obj in labelset.objects:
            path = draft.path(f"{_folder(draft.name, numbers[obj.id])}/{stems[frame]}.png")
            save_mask(obj.masks[frame], path)

    def end(draft: Draft) -> Ending:
        table = table_of(labelset, numbers)
        table["objects"] = [entry | {"called": str(entry["number"])} for entry in table["objects"]]
        asked = [
            {"exp_id": i, "obj_id": numbers[obj.id], "exp_text": text, "is_sent": True}
            for i, (text, obj) in enumerate(single(labelset))
        ]
        entry = {"source": OWN, "frames": list(stems), "expressions": asked, KEY: table}
        told = silent_words(labelset, "their masks are written, but no reader of ReasonVOS looks at them.")
        told += [*unanswered_words(labelset), *renamed_words(labelset.names, stems)]
        made = [_folder(draft.name, number) for number in numbers.values()]
        return told, [*made, enter_video(draft, META, entry)]

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end)


def _folder(name: str, number: int) -> str:
    return f"Annotations/{OWN}_{name}_{number}"


def _owned(home: Path, name: str) -> list[str]:
    """The folders of a clip's objects."""
    fits = re.compile(rf"{OWN}_{re.escape(name)}_[0-9]+")
    found = sorted(home.glob("Annotations/*"))
    return [f"Annotations/{place.name}" for place in found if fits.fullmatch(place.name)]


def read_labels(folder: Path, name: str = "") -> LabelSet:
    """The labels of one video; see Reader. Objects that no expression names are not found."""
    video, _, told = find_video(DATASET, _files(folder), folder, name)
    masks = [file for truth in (video.objects or {}).values() if isinstance(truth, MaskTruth) for file in truth.files]
    return labels_of_objects(video, [folder / META, *masks], told)


def clips(folder: Path) -> Sequence[str]:
    """The videos."""
    return clips_of(_files(folder))


def looks(folder: Path) -> bool:
    """Expressions, and a folder of masks for every object."""
    return (folder / META).is_file() and (folder / "Annotations").is_dir()


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside the masks of its objects and its entry in meta_expressions.json."""
    return (f"JPEGImages/{name}",)


def _files(folder: Path) -> dict[str, Path]:
    return {"test": folder / META}


def _shared(home: Path, name: str) -> list[str]:
    return [META] if has_key(home / META, "videos", name) else []


DATASET = RvosDataset(
    name="reason-vos",
    title="ReasonVOS",
    splits=("test",),
    protocols=("reason-vos", "expressions"),
    read=read,
    layout="meta_expressions.json, Annotations/<source>_<video>_<object>/<frame>.png, JPEGImages/<video>/<frame>.jpg",
)
FORMAT = Format(
    "reason-vos",
    "ReasonVOS, expressions and a PNG per object",
    parts,
    write,
    read_labels,
    keeps="overlaps, any number of objects, expressions; labels, source names beside its keys",
    loses="scores, prompts and review marks; its readers see no labels, and one object per expression",
    layout=f"{META}, Annotations/{OWN}_<clip>_<object>/<frame>.png (0/255), JPEGImages/<clip>/<frame>.jpg",
    clips=clips,
    looks=looks,
    shared=_shared,
    owned=_owned,
)
