"""MeViS v1 (formats spec, section 6): expressions about motion, each for any number of objects.

{valid_u,train,valid}/JPEGImages/<video>/<frame>.jpg   meta_expressions.json   mask_dict.json (not in valid)
predictions: <video>/<expression>/<frame>.png, zipped without a folder around them
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.formats.rvos.annotated import Tracks, read_tracks, reordered, tracks_of
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
    part,
    plain,
    videos_of,
)

HIDDEN = frozenset({"valid"})


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
        truth = None
        if tracks is not None:
            found = tracks_of(given, tracks, listed, home / "mask_dict.json", here)
            truth = RleTruth(f"{home / 'mask_dict.json'}, {folder}", tuple(reordered(t, order) for t in found))
        return Ask(name, id, part(given, "exp", str, here), folder, frames, truth)

    asks = gathered.build(part(entry, "expressions", dict, where).items(), ask, name)
    files = tuple(home / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    return Video(name, frames, files, tuple(asks))


DATASET = RvosDataset(
    name="mevis",
    title="MeViS",
    splits=("valid_u", "train", "valid"),
    protocols=("rvos", "expressions"),
    read=read,
    layout="<split>/meta_expressions.json, <split>/mask_dict.json, <split>/JPEGImages/<video>/<frame>.jpg",
    hidden=HIDDEN,
)
