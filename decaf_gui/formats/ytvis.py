"""YTVIS (YouTube-VIS): one annotation per track in one JSON file (formats spec, section 10).

    train/instances.json    train/JPEGImages/<clip>/<frame>.jpg

The lists of an annotation have one entry per frame, null where the object is absent. `ytvis` writes run lengths as
numbers, as the official files have them and every reader takes them; `ytvis-compressed` as COCO's text, a third as
long. Overlaps are kept. The table lies in the video's entry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Label
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.formats.base import DAMAGE, Draft, Ending, Format, choose, write_clip
from decaf_gui.formats.frames import kept_names, renamed_words, save_jpeg
from decaf_gui.formats.jsons import Stamp, merge, part, read_json, section, stamp
from decaf_gui.formats.labelset import LabelledObject, LabelSet, Source
from decaf_gui.formats.maps import filled, nothing_words
from decaf_gui.formats.runs import plain_runs, segmentation
from decaf_gui.formats.tables import KEY, Found, label_set, table_in, table_of

FILE = "train/instances.json"
EXPECTED = "videos, annotations and categories"
Runs = Callable[[Rle], dict[str, Any]]


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/ytvis`, runs as numbers; see Writer. Every object must be known on every frame."""
    yield from _write(FORMAT, plain_runs, labelset, clip, folder, overwrite, frames)


def write_compressed(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/ytvis-compressed`, runs as COCO's text; see Writer."""
    yield from _write(COMPRESSED, Rle.to_coco, labelset, clip, folder, overwrite, frames)


def _write(
    form: Format, runs: Runs, labelset: LabelSet, clip: Clip, folder: Path, overwrite: bool, frames: bool
) -> Iterator[Event]:
    stems = kept_names(labelset.names)

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"train/JPEGImages/{draft.name}/{stems[frame]}.jpg"))

    def end(draft: Draft) -> Ending:
        where = draft.home / FILE

        def change(data: dict[str, Any]) -> None:
            data.setdefault("info", {"description": "Masks made with DecAF GUI"})
            data.setdefault("licenses", [])
            categories = _categories(section(data, "categories", list, where), labelset)
            video = _enter_video(section(data, "videos", list, where), data, draft.name, labelset, stems)
            annotations = section(data, "annotations", list, where)
            first = max((int(entry["id"]) for entry in annotations), default=0) + 1
            seen = [obj for obj in _ordered(labelset) if any(not obj.masks.absent(f) for f in obj.masks)]
            for number, obj in enumerate(seen, start=first):
                ids = {"id": number, "video_id": video, "category_id": categories[obj.label.name], "iscrowd": 0}
                annotations.append(ids | _track(obj, labelset, runs))

        warnings = [*nothing_words(labelset), *renamed_words(labelset.names, stems)]
        return warnings, [merge(draft, FILE, EXPECTED, change)]

    yield from write_clip(form, labelset, clip, folder, overwrite, each, end)


def _ordered(labelset: LabelSet) -> list[LabelledObject]:
    return sorted(labelset.objects, key=lambda obj: labelset.numbers[obj.id])


def _categories(there: list[Any], labelset: LabelSet) -> dict[str, int]:
    """Category ids by name; a label whose id another class has gets a new one."""
    ids = {str(entry["name"]): int(entry["id"]) for entry in there}
    for label in labelset.labels.entries:
        if label.name not in ids:
            taken = set(ids.values())
            ids[label.name] = label.id if label.id not in taken else max(taken) + 1
            there.append({"id": ids[label.name], "name": label.name, "supercategory": ""})
    return ids


def _enter_video(videos: list[Any], data: dict[str, Any], name: str, labelset: LabelSet, stems: Sequence[str]) -> int:
    """Enters a video in place of the one of the same name, whose annotations go: its id."""
    old = next((entry for entry in videos if name_of(entry) == name), None)
    number = int(old["id"]) if old is not None else max((int(entry["id"]) for entry in videos), default=0) + 1
    if old is not None:
        videos.remove(old)
        data["annotations"] = [entry for entry in data.get("annotations", []) if entry.get("video_id") != number]
    height, width = labelset.size
    sides = {"id": number, "width": width, "height": height, "length": labelset.frame_count}
    files = {"file_names": [f"{name}/{stem}.jpg" for stem in stems]}
    videos.append(sides | files | {KEY: table_of(labelset, labelset.numbers)})
    return number


def _track(obj: LabelledObject, labelset: LabelSet, runs: Runs) -> dict[str, Any]:
    """The lists of a track: null where it is absent."""
    height, width = labelset.size
    rles = [obj.masks.rle(frame) for frame in range(labelset.frame_count)]
    boxes = [rle.box for rle in rles]
    return {
        "track_id": labelset.numbers[obj.id],
        "height": height,
        "width": width,
        "length": len(rles),
        "segmentations": [runs(rle) if box else None for rle, box in zip(rles, boxes, strict=True)],
        "bboxes": [[float(side) for side in box] if box else None for box in boxes],
        "areas": [rle.area if box else None for rle, box in zip(rles, boxes, strict=True)],
    }


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one video of a file, or of a folder with instances.json below; see Reader."""
    path = _file(folder)
    data = read_json(path, EXPECTED)
    videos = {name_of(entry): entry for entry in part(data, "videos", list, path)}
    chosen = choose(name, list(videos), path)
    video, names = videos[chosen], {e["id"]: str(e["name"]) for e in part(data, "categories", list, path)}
    size = part(video, "height", int, path), part(video, "width", int, path)
    stems = tuple(PurePosixPath(file).stem for file in part(video, "file_names", list, path))
    masks: dict[int, Masks] = {}
    classes: dict[int, str] = {}
    for entry in (e for e in part(data, "annotations", list, path) if e["video_id"] == video["id"]):
        number = int(entry.get("track_id", len(masks) + 1))
        masks[number] = _masks(entry, size, len(stems), path)
        classes[number] = names[entry["category_id"]]
    labels = tuple(Label(part(e, "id", int, path), str(e["name"])) for e in data["categories"])
    source = Source((path,), _media(path, video))
    return label_set(Found(chosen, size, stems, masks, classes, labels, source=source), table_in(video))


def _masks(entry: Mapping[str, Any], size: tuple[int, int], frames: int, path: Path) -> Masks:
    where = f"{path}, annotation {entry.get('id')}"
    listed = part(entry, "segmentations", list, where)
    if len(listed) != frames:
        raise BadInput(f"{where}: there are {len(listed)} masks, the video has {frames} frames.")
    return filled({f: segmentation(one, size, where) for f, one in enumerate(listed) if one is not None}, size, frames)


def name_of(video: Mapping[str, Any]) -> str:
    """A video's name: the folder of its first frame."""
    return PurePosixPath(video["file_names"][0]).parent.name


def clips(folder: Path) -> Sequence[str]:
    """The videos of a file, or of the one below a folder."""
    return [name_of(entry) for entry in part(read_json(_file(folder), EXPECTED), "videos", list, folder)]


def looks(folder: Path) -> bool:
    """A file of videos and annotations, or a folder with instances.json."""
    if folder.is_dir():
        return any(folder.joinpath(place).is_file() for place in PLACES)
    try:
        return folder.suffix == ".json" and {"videos", "annotations"} <= read_json(folder, EXPECTED).keys()
    except BadInput:
        return False


PLACES = ("instances.json", *(f"{split}/instances.json" for split in ("train", "valid", "test")))


def _file(folder: Path) -> Path:
    if folder.is_file():
        return folder
    found = next((folder / place for place in PLACES if (folder / place).is_file()), None)
    if found is None:
        raise BadInput(
            f"There is no YTVIS data in {folder}: train/instances.json is missing. Give the JSON file itself."
        )
    return found


def _media(path: Path, video: Mapping[str, Any]) -> Path | None:
    place = path.parent / "JPEGImages" / name_of(video)
    return place if place.is_dir() else None


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its entry in instances.json."""
    return (f"train/JPEGImages/{name}",)


def _shared(home: Path, name: str) -> list[str]:
    path = home / FILE
    return [FILE] if path.is_file() and name in _names(path, stamp(path)) else []


@lru_cache(maxsize=16)
def _names(path: Path, _: Stamp) -> frozenset[str]:
    try:
        return frozenset(clips(path))
    except (BadInput, *DAMAGE):
        return frozenset()


KEEPS = "overlaps, any number of objects, tracks, category ids, the frames' own names; expressions beside its own keys"
LOSES = "scores, prompts and review marks; tools that know plain YTVIS alone do not see expressions"
LAYOUT = "train/instances.json, train/JPEGImages/<clip>/<frame>.jpg"
FORMAT = Format(
    "ytvis",
    "YouTube-VIS, runs as numbers",
    parts,
    write,
    read,
    keeps=KEEPS,
    loses=LOSES,
    layout=LAYOUT,
    clips=clips,
    looks=looks,
    shared=_shared,
)
COMPRESSED = Format(
    "ytvis-compressed",
    "YouTube-VIS, compressed runs",
    parts,
    write_compressed,
    read,
    keeps=KEEPS,
    loses=LOSES,
    layout=LAYOUT,
    clips=clips,
    shared=_shared,
)
