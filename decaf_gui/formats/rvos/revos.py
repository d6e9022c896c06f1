"""ReVOS (VISA; formats spec, section 7): referring and reasoning expressions on videos of several datasets.

JPEGImages/<source>/.../<video>/<frame>.jpg   mask_dict.json   mask_dict_foreground.json
meta_expressions_valid_.json   meta_expressions_train_.json
predictions: <video, with its slashes>/<expression>/<frame>.png, 0/1, which makes accuracy and robustness mean
something also in the official script (with 0/255 they do not): the format `predictions-01`

Written as the train split, every expression as a referring one (negative where no object answers). Overlaps are kept.
A clip's name is one folder's; slashes in a video's name, as the original has them, are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.masks import Rle
from decaf_gui.formats.base import Draft, Ending, Format, write_clip
from decaf_gui.formats.frames import kept_names, renamed_words, save_jpeg
from decaf_gui.formats.jsons import has_key, merge, part, read_json
from decaf_gui.formats.labelset import LabelSet, seen
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

KINDS = ("referring", "reasoning", "negative")
"""By type_id. Negative expressions describe what is not there; no mean counts them."""
META, MASKS, FOREGROUND = "meta_expressions_train_.json", "mask_dict.json", "mask_dict_foreground.json"


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
        text, named = part(given, "exp", str, here), tuple(str(each) for each in given["anno_id"]) if told else ()
        return Ask(name, id, text, folder, frames, truth, kind, objects=named)

    asks = tuple(gathered.build(part(entry, "expressions", dict, where).items(), ask, name))
    files = tuple(root / "JPEGImages" / name / f"{frame}.jpg" for frame in frames)
    objects = objects_of(asks, entry, tracks, order, str(root / "mask_dict.json"))
    return Video(name, frames, files, asks, objects, table_in(entry))


def _kind(entry: Any, where: str) -> str:
    number = part(entry, "type_id", int, where)
    if not 0 <= number < len(KINDS):
        raise BadInput(f'{where}: "type_id" must be 0 (referring), 1 (reasoning) or 2 (negative), not {number}.')
    return KINDS[number]


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/revos`; see Writer. Every object must be known on every frame."""
    stems = kept_names(labelset.names)
    around: list[tuple[dict[str, Any], float]] = []
    former: list[Annotations] = []

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"JPEGImages/{draft.name}/{stems[frame]}.jpg"))
        covered = seen(labelset.objects, frame, labelset.size)
        around.append((Rle.encode(covered).to_coco(), float(covered.mean())))

    def end(draft: Draft) -> Ending:
        made = Annotations(draft, labelset, MASKS, META)
        former.append(made)
        masks = made.enter()
        height, width = labelset.size
        entry = {"height": height, "width": width, "frames": list(stems), "expressions": _kinds(made.expressions())}
        shares = {"masks_rle": [rle for rle, _ in around], "foreground_ratio": [share for _, share in around]}
        entered = {draft.name: shares}
        foreground = merge(draft, FOREGROUND, "all objects' masks by video", lambda data: data.update(entered))
        told = silent_words(labelset, "their masks are written, but only the foreground has them.")
        expressions = enter_video(draft, META, entry | made.table(), numbered=True)
        return [*told, *renamed_words(labelset.names, stems)], [masks, foreground, expressions]

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end, lambda: former[0].forget())


def _kinds(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Referring expressions, negative where nothing answers."""
    number = {True: KINDS.index("referring"), False: KINDS.index("negative")}
    return {id_: entry | {"type_id": number[bool(entry["anno_id"])]} for id_, entry in asked.items()}


def read_labels(folder: Path, name: str = "") -> LabelSet:
    """The labels of one video; see Reader. Annotations that no expression names are not found."""
    video, split, told = find_video(DATASET, _files(folder), folder, name)
    return labels_of_objects(video, [folder / f"meta_expressions_{split}_.json", folder / MASKS], told)


def clips(folder: Path) -> Sequence[str]:
    """The videos of both splits."""
    return clips_of(_files(folder))


def looks(folder: Path) -> bool:
    """Expressions with an underscore too many, and masks."""
    return any(path.is_file() for path in _files(folder).values())


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its entries in the JSON files."""
    return (f"JPEGImages/{name}",)


def _files(folder: Path) -> dict[str, Path]:
    return {split: folder / f"meta_expressions_{split}_.json" for split in DATASET.splits}


def _shared(home: Path, name: str) -> list[str]:
    return [META] if has_key(home / META, "videos", name) else []


DATASET = RvosDataset(
    name="revos",
    title="ReVOS",
    splits=("valid", "train"),
    protocols=("revos", "expressions"),
    read=read,
    layout="meta_expressions_<split>_.json, mask_dict.json, mask_dict_foreground.json, JPEGImages/<video>/<frame>.jpg",
    ink=1,
)
FORMAT = Format(
    "revos",
    "ReVOS, expressions and RLE masks",
    parts,
    write,
    read_labels,
    keeps="overlaps, any number of objects, expressions with all their objects; labels, source names beside its keys",
    loses="whether an expression wants reasoning, scores, prompts and review marks; its readers see no labels",
    layout=f"{META}, {MASKS}, {FOREGROUND}, JPEGImages/<clip>/<frame>.jpg",
    clips=clips,
    looks=looks,
    shared=_shared,
)
