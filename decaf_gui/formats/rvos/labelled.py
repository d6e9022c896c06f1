"""What Ref-YouTube-VOS and Ref-DAVIS17 share: one object per expression, true masks in indexed PNG files.

Written into the train split: train/Annotations, train/JPEGImages and train/meta.json as YouTube-VOS has them, and
meta_expressions/train/meta_expressions.json, whose entries hold this program's table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.formats.base import Draft, Ending, Format, write_clip
from decaf_gui.formats.frames import save_jpeg
from decaf_gui.formats.jsons import has_key, part, read_json, shown
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.maps import Maps
from decaf_gui.formats.rvos.base import (
    Ask,
    Gathered,
    LabelTruth,
    Problem,
    RvosDataset,
    Video,
    frames_of,
    in_time,
    inside,
    plain,
    videos_of,
)
from decaf_gui.formats.rvos.labels import clips_of, find_video, labels_of_maps
from decaf_gui.formats.rvos.writing import enter_video, silent_words, unanswered_words
from decaf_gui.formats.tables import KEY, table_in, table_of
from decaf_gui.formats.youtube_vos import META, add_video, classes_of, objects_entry

EXPRESSIONS = "meta_expressions/train/meta_expressions.json"
Pairs = Sequence[tuple[str, LabelledObject]]
"""Expressions in the order of their ids, each with its object."""
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
        return Ask(name, id, part(given, "exp", str, here), folder, frames, truth, "", turn(id), label, (str(label),))

    asks = gathered.build(part(entry, "expressions", dict, where).items(), ask, name)
    files = tuple(home / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    return Video(name, frames, files, tuple(asks), None, table_in(entry))


def object_number(entry: Any, where: str) -> int:
    """obj_id, a text or a number from 1 to 254. Raises BadInput."""
    given = entry.get("obj_id") if isinstance(entry, Mapping) else None
    if not str(given).isdecimal() or not 1 <= int(str(given)) <= 254:
        raise BadInput(f'{where}: "obj_id" must be an object\'s number, 1 to 254, not {shown(given)}.')
    return int(str(given))


def write_labelled(
    form: Format,
    labelset: LabelSet,
    clip: Clip,
    folder: Path,
    stems: Sequence[str],
    pairs: Pairs,
    overwrite: bool,
    frames: bool,
) -> Iterator[Event]:
    """A writer's work for both; frames are called by their `stems`. At most 254 objects."""
    maps = Maps.of(labelset, form.title)
    numbers = maps.numbers

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"train/JPEGImages/{draft.name}/{stems[frame]}.jpg"))
        maps.save(frame, draft.path(f"train/Annotations/{draft.name}/{stems[frame]}.png"))

    def end(draft: Draft) -> Ending:
        asked = {str(i): {"exp": text, "obj_id": str(numbers[obj.id])} for i, (text, obj) in enumerate(pairs)}
        entry = {"expressions": asked, "frames": list(stems), KEY: table_of(labelset, numbers) | {"format": form.name}}
        told = [*maps.warnings(), *unanswered_words(labelset)]
        told += silent_words(labelset, "their masks are written, but nothing is asked of them.")
        meta = add_video(draft, META, objects_entry(labelset, stems))
        return told, [meta, enter_video(draft, EXPRESSIONS, entry)]

    yield from write_clip(form, labelset, clip, folder, overwrite, each, end)


def read_labels_of(dataset: RvosDataset, folder: Path, name: str) -> LabelSet:
    """A reader's work for both; see Reader."""
    files = expression_files(dataset, folder)
    video, split, told = find_video(dataset, files, folder, name)
    home = folder / split
    meta = home / "meta.json"
    entry = read_json(meta, "objects by video").get("videos", {}).get(video.name, {}) if meta.is_file() else {}
    maps = [home / "Annotations" / video.name / f"{frame}.png" for frame in video.frames]
    return labels_of_maps(video, maps, [files[split], *([meta] if meta.is_file() else [])], classes_of(entry), told)


def expression_files(dataset: RvosDataset, folder: Path) -> dict[str, Path]:
    """The expressions of the splits that have masks."""
    splits = [split for split in dataset.splits if (folder / split / "Annotations").is_dir()]
    return {s: folder / "meta_expressions" / s / "meta_expressions.json" for s in splits if s not in dataset.hidden}


def clips(dataset: RvosDataset, folder: Path) -> Sequence[str]:
    """The videos of the splits whose masks are there."""
    return clips_of(expression_files(dataset, folder))


def looks(dataset: RvosDataset, folder: Path) -> bool:
    """Splits with expressions and label maps, unless this program wrote them as another dataset of this kind."""
    there = [path for path in expression_files(dataset, folder).values() if path.is_file()]
    told = {table_in(entry).get("format") for path in there for entry in videos_of(path).values()}
    return bool(there) and told <= {None, dataset.name}


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its entries in the JSON files."""
    return f"train/JPEGImages/{name}", f"train/Annotations/{name}"


def shared(home: Path, name: str) -> list[str]:
    """The files that have an entry of a clip."""
    return [file for file in (META, EXPRESSIONS) if has_key(home / file, "videos", name)]
