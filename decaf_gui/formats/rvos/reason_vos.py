"""ReasonVOS (VideoLISA; formats spec, section 8): reasoning expressions, a test set only.

    JPEGImages/<video>/<frame>.jpg   Annotations/<source>_<video>_<object>/<frame>.png   meta_expressions.json
    predictions: <source>_<video>_<object>/<expression>/<frame>.png

Scored are the frames that the true masks' folder holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.core.images import natural_key
from decaf_gui.formats.rvos.base import (
    Ask,
    Gathered,
    MaskTruth,
    Problem,
    RvosDataset,
    Video,
    frames_of,
    in_time,
    inside,
    part,
    plain,
    videos_of,
)


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
        return Ask(name, id, part(given, "exp_text", str, here), folder, scored, MaskTruth(files), kind)

    listed_asks = part(entry, "expressions", list, where)
    asks = gathered.build(((_id(given, i), given) for i, given in enumerate(listed_asks)), ask, name)
    files = tuple(root / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    return Video(name, frames, files, tuple(asks))


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


DATASET = RvosDataset(
    name="reason-vos",
    title="ReasonVOS",
    splits=("test",),
    protocols=("reason-vos", "expressions"),
    read=read,
    layout="meta_expressions.json, Annotations/<source>_<video>_<object>/<frame>.png, JPEGImages/<video>/<frame>.jpg",
)
