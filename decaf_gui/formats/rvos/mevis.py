"""MeViS v1 (formats spec, section 6): expressions about motion, each for any number of objects.

{valid_u,train,valid}/JPEGImages/<video>/<frame>.jpg   meta_expressions.json   mask_dict.json (not in valid)
predictions: <video>/<expression>/<frame>.png, zipped without a folder around them

Written into train/, frames from 00000 (the official script asks for that name). Overlaps are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event
from decaf_gui.formats.base import Draft, Ending, Format, write_clip
from decaf_gui.formats.frames import numbered, save_jpeg
from decaf_gui.formats.jsons import has_key, part
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.rvos.annotated import Annotations, Tracks, objects_of, read_tracks, reordered, tracks_of
from decaf_gui.formats.rvos.base import (
    Ask,
    Gathered,
    Problem,
    RleTruth,
    RvosDataset,
    Video,
    frames_of,
    in_time,
    inside,
    plain,
    videos_of,
)
from decaf_gui.formats.rvos.labels import clips_of, find_video, labels_of_objects
from decaf_gui.formats.rvos.writing import enter_video, silent_words
from decaf_gui.formats.tables import table_in

HIDDEN = frozenset({"valid"})
META, MASKS = "train/meta_expressions.json", "train/mask_dict.json"


def read(root: Path, split: str) -> Iterator[Video | Problem]:
    """The split's videos; see SplitReader."""
    home = root / split
    path = home / "meta_expressions.json"
    videos = videos_of(path)
    masks = home / "mask_dict.json"
    tracks = None if split in HIDDEN else read_tracks(masks)
    gathered = Gathered(path)
    yield from gathered.build(videos.items(), partial(_video, home, tracks, gathered))
    yield from gathered.problems


def _video(home: Path, tracks: Tracks | None, gathered: Gathered, name: str, entry: Any) -> Video:
    where = f"{gathered.where}, video {name}"
    inside(name, where)
    listed = frames_of(entry, where)
    order = in_time(listed)
    frames = reordered(listed, order)

    def ask(id: str, given: Any) -> Ask:
        here = f"{where}, expression {id}"
        folder = f"{name}/{plain(id, here)}"
        truth, named = None, tuple[str, ...]()
        if tracks is not None:
            found = tracks_of(given, tracks, listed, home / "mask_dict.json", here)
            truth = RleTruth(f"{home / 'mask_dict.json'}, {folder}", tuple(reordered(t, order) for t in found))
            named = tuple(str(each) for each in given["anno_id"])
        return Ask(name, id, part(given, "exp", str, here), folder, frames, truth, objects=named)

    asks = tuple(gathered.build(part(entry, "expressions", dict, where).items(), ask, name))
    files = tuple(home / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    objects = None if tracks is None else objects_of(asks, entry, tracks, order, str(home / "mask_dict.json"))
    return Video(name, frames, files, asks, objects, table_in(entry))


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/mevis`; see Writer. Every object must be known on every frame."""
    former: list[Annotations] = []

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"train/JPEGImages/{draft.name}/{frame:05d}.jpg"))

    def end(draft: Draft) -> Ending:
        made = Annotations(draft, labelset, MASKS, META)
        former.append(made)
        masks = made.enter()
        stems = numbered(labelset.frame_count)
        entry = {"frames": list(stems), "expressions": made.expressions()} | made.table()
        told = silent_words(labelset, "their masks are written, but no reader of MeViS looks at them.")
        return told, [masks, enter_video(draft, META, entry, numbered=True)]

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end, lambda: former[0].forget())


def read_labels(folder: Path, name: str = "") -> LabelSet:
    """The labels of one video; see Reader. Annotations that no expression names are not found."""
    video, split, told = find_video(DATASET, _files(folder), folder, name)
    home = folder / split
    return labels_of_objects(video, [home / "meta_expressions.json", home / "mask_dict.json"], told)


def clips(folder: Path) -> Sequence[str]:
    """The videos of the splits whose masks are there."""
    return clips_of(_files(folder))


def looks(folder: Path) -> bool:
    """Splits with expressions and masks."""
    return any(path.is_file() for path in _files(folder).values())


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its entries in the JSON files."""
    return (f"train/JPEGImages/{name}",)


def _files(folder: Path) -> dict[str, Path]:
    """The expressions of the splits that have masks."""
    homes = ((split, folder / split) for split in DATASET.splits if split not in HIDDEN)
    return {split: home / "meta_expressions.json" for split, home in homes if (home / "mask_dict.json").is_file()}


def _shared(home: Path, name: str) -> list[str]:
    return [META] if has_key(home / META, "videos", name) else []


DATASET = RvosDataset(
    name="mevis",
    title="MeViS",
    splits=("valid_u", "train", "valid"),
    protocols=("rvos", "expressions"),
    read=read,
    layout="<split>/meta_expressions.json, <split>/mask_dict.json, <split>/JPEGImages/<video>/<frame>.jpg",
    hidden=HIDDEN,
)
FORMAT = Format(
    "mevis",
    "MeViS, expressions and RLE masks",
    parts,
    write,
    read_labels,
    keeps="overlaps, any number of objects, expressions with all their objects; labels, source names beside its keys",
    loses="scores, prompts and review marks; its readers see no labels, and no objects without an expression",
    layout="train/meta_expressions.json, train/mask_dict.json, train/JPEGImages/<clip>/00000.jpg",
    clips=clips,
    looks=looks,
    shared=_shared,
)
