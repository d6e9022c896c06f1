"""ReVOS (VISA; formats spec, section 7): referring and reasoning expressions on videos of several datasets.

JPEGImages/<source>/.../<video>/<frame>.jpg   mask_dict.json   mask_dict_foreground.json
meta_expressions_valid_.json   meta_expressions_train_.json
predictions: <video, with its slashes>/<expression>/<frame>.png, 0/1, which makes accuracy and robustness mean
something also in the official script (with 0/255 they do not)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
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
    read_json,
    videos_of,
)

KINDS = ("referring", "reasoning", "negative")
"""By type_id. Negative expressions describe what is not there; no mean counts them."""
FOREGROUND = "mask_dict_foreground.json"


def read(root: Path, split: str) -> Iterator[Video | Problem]:
    """The split's videos; see SplitReader. Without the foreground file J and F are scored alone."""
    path = root / f"meta_expressions_{split}_.json"
    videos = videos_of(path)
    tracks = read_tracks(root / "mask_dict.json")
    gathered = Gathered(path)
    around: Mapping[str, Any] = {}
    try:
        around = read_json(root / FOREGROUND, "all objects' masks by video")
    except BadInput as error:
        yield Problem("", "", f"No accuracy and robustness (A, R): {error}")
    yield from gathered.build(videos.items(), partial(_video, root, tracks, around, gathered))
    yield from gathered.problems


def _video(root: Path, tracks: Tracks, around: Mapping[str, Any], gathered: Gathered, name: str, entry: Any) -> Video:
    where = f"{gathered.where}, video {name}"
    inside(name, where)
    listed = frames_of(entry, where)
    order = in_time(listed)
    frames, foreground = reordered(listed, order), ()
    if around:
        masks = part(part(around, name, dict, root / FOREGROUND), "masks_rle", list, f"{root / FOREGROUND}, {name}")
        if len(masks) != len(listed):
            raise BadInput(f"{root / FOREGROUND}: {name} has {len(masks)} masks, the video {len(listed)} frames.")
        foreground = reordered(masks, order)

    def ask(id: str, given: Any) -> Ask:
        here = f"{where}, expression {id}"
        kind = _kind(given, here)
        told = kind != "negative" or (isinstance(given, Mapping) and "anno_id" in given)
        found = tuple(tracks_of(given, tracks, listed, root / "mask_dict.json", here)) if told else ()
        folder = f"{name}/{plain(id, here)}"
        truth = RleTruth(f"{root / 'mask_dict.json'}, {folder}", tuple(reordered(t, order) for t in found), foreground)
        return Ask(name, id, part(given, "exp", str, here), folder, frames, truth, kind)

    asks = gathered.build(part(entry, "expressions", dict, where).items(), ask, name)
    files = tuple(root / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    return Video(name, frames, files, tuple(asks))


def _kind(entry: Any, where: str) -> str:
    number = part(entry, "type_id", int, where)
    if not 0 <= number < len(KINDS):
        raise BadInput(f'{where}: "type_id" must be 0 (referring), 1 (reasoning) or 2 (negative), not {number}.')
    return KINDS[number]


DATASET = RvosDataset(
    name="revos",
    title="ReVOS",
    splits=("valid", "train"),
    protocols=("revos", "expressions"),
    read=read,
    layout="meta_expressions_<split>_.json, mask_dict.json, mask_dict_foreground.json, JPEGImages/<video>/<frame>.jpg",
    ink=1,
)
