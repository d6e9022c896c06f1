"""What MeViS and ReVOS share: expressions that name annotations, whose masks are run lengths in one JSON file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.formats.rvos.base import part, read_json, shown

Tracks = Mapping[str, Any]
"""Annotation id -> one run-length mask or null for every listed frame."""


def read_tracks(path: Path) -> Tracks:
    """mask_dict.json. Raises BadInput when it cannot be read."""
    return read_json(path, "masks by annotation id, one per frame or null")


def tracks_of(entry: Any, tracks: Tracks, frames: Sequence[str], path: Path, where: object) -> Iterator[list[Any]]:
    """The masks of an expression's annotations, one list per annotation.

    Raises BadInput for an id that `path` does not have, or a list that does not fit the video's frames.
    """
    for anno_id in part(entry, "anno_id", list, where):
        track = tracks.get(str(anno_id))
        if not isinstance(track, list):
            raise BadInput(f"{where}: annotation {shown(anno_id)} is not in {path}.")
        if len(track) != len(frames):
            raise BadInput(f"{path}: annotation {anno_id} has {len(track)} masks, the video {len(frames)} frames.")
        yield track


def reordered(values: Sequence[Any], order: Sequence[int]) -> tuple[Any, ...]:
    """The values at the positions `order`."""
    return tuple(values[i] for i in order)
