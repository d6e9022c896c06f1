"""What Ref-YouTube-VOS and Ref-DAVIS17 share: one object per expression, true masks in indexed PNG files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.formats.rvos.base import (
    Ask,
    Gathered,
    LabelTruth,
    Problem,
    Video,
    frames_of,
    in_time,
    inside,
    part,
    plain,
    shown,
)

Turn = Callable[[str], str]
"""An expression's id -> the label map (annotator) that its object belongs to."""


def read_labelled(
    videos: Mapping[str, Any], path: Path, home: Path, *, public: bool = True, turn: Turn = lambda _: ""
) -> Iterator[Video | Problem]:
    """The videos of an expressions file `path`; `home` holds JPEGImages and, where `public`, Annotations."""
    gathered = Gathered(path)
    yield from gathered.build(videos.items(), partial(_video, home, public, turn, gathered))
    yield from gathered.problems


def _video(home: Path, public: bool, turn: Turn, gathered: Gathered, name: str, entry: Any) -> Video:
    where = f"{gathered.where}, video {name}"
    inside(name, where)
    listed = frames_of(entry, where)
    frames = tuple(listed[i] for i in in_time(listed))
    masks = tuple(home / "Annotations" / name / f"{frame}.png" for frame in frames)

    def ask(id: str, given: Any) -> Ask:
        here = f"{where}, expression {id}"
        label = object_number(given, here) if public else 0
        truth = LabelTruth(masks, label) if public else None
        folder = f"{name}/{plain(id, here)}"
        return Ask(name, id, part(given, "exp", str, here), folder, frames, truth, "", turn(id), label)

    asks = gathered.build(part(entry, "expressions", dict, where).items(), ask, name)
    files = tuple(home / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    return Video(name, frames, files, tuple(asks))


def object_number(entry: Any, where: str) -> int:
    """obj_id, a text or a number from 1 to 254. Raises BadInput."""
    given = entry.get("obj_id") if isinstance(entry, Mapping) else None
    if not str(given).isdecimal() or not 1 <= int(str(given)) <= 254:
        raise BadInput(f'{where}: "obj_id" must be an object\'s number, 1 to 254, not {shown(given)}.')
    return int(str(given))
