"""What MeViS and ReVOS share: expressions that name annotations, whose masks are run lengths in one JSON file.

An annotation is one object's masks on all frames of its video; ids are given once in a dataset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.formats.base import Draft
from decaf_gui.formats.jsons import dumps, merge, part, read_json, shown
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.rvos.base import Ask, RleTruth, Truth
from decaf_gui.formats.rvos.labels import called
from decaf_gui.formats.tables import KEY, table_in, table_of

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


def objects_of(asks: Sequence[Ask], entry: Any, tracks: Tracks, order: Sequence[int], where: str) -> dict[str, Truth]:
    """The masks of every annotation that an expression of a video, or this program's table, names and that is there."""
    named = [*(name for ask in asks for name in ask.objects), *called(table_in(entry))]
    found: dict[str, Truth] = {}
    for name in dict.fromkeys(named):
        track = tracks.get(name)
        if isinstance(track, list) and len(track) == len(order):
            found[name] = RleTruth(f"{where}, annotation {name}", (reordered(track, order),))
    return found


class Annotations:
    """Enters the masks of a clip into a dataset's mask_dict.json: one annotation per object, under new ids.

    Annotations of the clip's former entry stay until the new one is in place (`forget` takes them away then): a crash
    between the two files leaves an entry whose masks are there.
    """

    def __init__(self, draft: Draft, labelset: LabelSet, masks: str, expressions: str) -> None:
        self._draft, self._labelset, self._file = draft, labelset, masks
        self._old = _names_of(draft.home / expressions, draft.name)
        self.ids: dict[int, int] = {}
        """Object id -> annotation id."""

    def enter(self) -> str:
        """The file made anew in the draft: its name, for `Draft.finish`."""
        return merge(self._draft, self._file, "masks by annotation id", self._add)

    def _add(self, data: dict[str, Any]) -> None:
        first = max((int(key) for key in data if key.isdecimal()), default=-1) + 1
        ordered = sorted(self._labelset.objects, key=lambda obj: self._labelset.numbers[obj.id])
        for number, obj in enumerate(ordered, start=first):
            self.ids[obj.id] = number
            rles = (obj.masks.rle(frame) for frame in range(self._labelset.frame_count))
            data[str(number)] = [rle.to_coco() if rle.area else None for rle in rles]

    def expressions(self) -> dict[str, Any]:
        """{id: {"exp", "obj_id", "anno_id"}}: objects from 0 in their order, annotations beside them."""
        given, numbers = self._labelset, self._labelset.numbers
        found = {}
        for i, text in enumerate(given.expressions):
            answers = sorted(given.answers(i), key=lambda obj: numbers[obj.id])
            ids = {"obj_id": [numbers[obj.id] - 1 for obj in answers], "anno_id": [self.ids[obj.id] for obj in answers]}
            found[str(i)] = {"exp": text, **ids}
        return found

    def table(self) -> dict[str, Any]:
        """The table of the entry, with what the objects are called in the dataset."""
        numbers = self._labelset.numbers
        called = {numbers[thing]: str(number) for thing, number in self.ids.items()}
        table = table_of(self._labelset, numbers)
        table["objects"] = [entry | {"called": called[entry["number"]]} for entry in table["objects"]]
        return {KEY: table}

    def forget(self) -> None:
        """Takes the masks of the clip's former entry away, now that nothing names them."""
        path = self._draft.home / self._file
        if not self._old:
            return
        data = {name: track for name, track in read_json(path, "masks").items() if name not in self._old}
        beside = path.with_suffix(".new")
        with suppress(OSError):  # no harm: nothing names them
            beside.write_text(dumps(data) + "\n", "utf-8")
            beside.replace(path)
        beside.unlink(missing_ok=True)


def _names_of(path: Path, video: str) -> frozenset[str]:
    """The annotations that only a video's entry names."""
    if not path.is_file():
        return frozenset()
    videos = part(read_json(path, "expressions by video"), "videos", dict, path)
    named = {name: _named(entry) for name, entry in videos.items()}
    others = {each for name, names in named.items() if name != video for each in names}
    return frozenset(named.get(video, set()) - others)


def _named(entry: Any) -> set[str]:
    asks = entry.get("expressions", {}).values()
    return {str(name) for ask in asks for name in ask.get("anno_id", ())} | set(called(table_in(entry)))
