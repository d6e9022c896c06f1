"""YouTube-VOS: indexed PNG masks under the frames' own names, and a table of objects (formats spec, section 4).

    train/JPEGImages/<clip>/<frame>.jpg    train/Annotations/<clip>/<frame>.png    train/meta.json
    {"videos": {<clip>: {"objects": {"1": {"category": "penguin", "frames": ["00000", "00005", ...]}}}}}

`frames` runs from an object's first appearance to the end, hidden frames included. Frames keep their source names.
Of valid and test only the first masks of objects are public: there an object is known where it is seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.masks import Masks
from decaf_gui.formats.base import Draft, Ending, Format, choose, write_clip
from decaf_gui.formats.frames import kept_names, renamed_words, save_jpeg
from decaf_gui.formats.jsons import has_key, merge, read_json, section
from decaf_gui.formats.labelset import LabelSet, Source
from decaf_gui.formats.maps import OVERLAPS, Maps, png_files, read_maps
from decaf_gui.formats.tables import KEY, Found, label_set, table_in, table_of

SPLITS = ("train", "valid", "test")
META = "train/meta.json"
EXPECTED = 'objects by video, {"videos": {...}}'


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/youtube-vos`; see Writer. At most 254 objects, each known on every frame."""
    maps, stems = Maps.of(labelset, "YouTube-VOS"), kept_names(labelset.names)

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"train/JPEGImages/{draft.name}/{stems[frame]}.jpg"))
        maps.save(frame, draft.path(f"train/Annotations/{draft.name}/{stems[frame]}.png"))

    def end(draft: Draft) -> Ending:
        entry = objects_entry(labelset, stems) | {KEY: table_of(labelset, maps.numbers)}
        return [*maps.warnings(), *renamed_words(labelset.names, stems)], [add_video(draft, META, entry)]

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end)


def objects_entry(labelset: LabelSet, stems: Sequence[str]) -> dict[str, Any]:
    """A video of meta.json: {"objects": {number: {"category", "frames"}}}, frames from the first appearance on."""
    objects = {}
    for obj in sorted(labelset.objects, key=lambda obj: labelset.numbers[obj.id]):
        first = next((frame for frame in obj.masks if not obj.masks.absent(frame)), len(stems))
        objects[str(labelset.numbers[obj.id])] = {"category": obj.label.name, "frames": list(stems[first:])}
    return {"objects": objects}


def add_video(draft: Draft, name: str, entry: Mapping[str, Any]) -> str:
    """Enters the draft's clip into a file of videos, beside those that it holds."""

    def change(data: dict[str, Any]) -> None:
        section(data, "videos", dict, draft.home / name)[draft.name] = dict(entry)

    return merge(draft, name, EXPECTED, change)


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one video of a split, or of the root of all splits; see Reader."""
    home, video = _video(folder, name)
    files = png_files(home / "Annotations" / video)
    size, masks, warnings = read_maps(files)
    meta = home / "meta.json"
    entry = read_json(meta, EXPECTED).get("videos", {}).get(video, {}) if meta.exists() else {}
    if home.name in SPLITS[1:]:
        masks = {number: _where_seen(track) for number, track in masks.items()}
    stems = tuple(file.stem for file in files)
    source = Source((*files, *([meta] if meta.exists() else [])), media_of(home, video), warnings)
    return label_set(Found(video, size, stems, masks, classes_of(entry), source=source), table_in(entry))


def classes_of(entry: Mapping[str, Any]) -> dict[int, str]:
    """Number -> category, of a video of meta.json."""
    return {int(number): str(told["category"]) for number, told in entry.get("objects", {}).items()}


def media_of(home: Path, video: str) -> Path | None:
    """A video's frames: all of them where they are there."""
    places = (home.with_name(f"{home.name}_all_frames"), home)
    return next((p / "JPEGImages" / video for p in places if (p / "JPEGImages" / video).is_dir()), None)


def clips(folder: Path) -> Sequence[str]:
    """The videos of all splits that have masks."""
    return [video for home in _homes(folder) for video in _videos(home)]


def looks(folder: Path) -> bool:
    """Splits with masks and a table of objects, and no expressions."""
    return any((home / "meta.json").is_file() and _videos(home) for home in _homes(folder)) and not (
        (folder / "meta_expressions").is_dir() or (folder.parent / "meta_expressions").is_dir()
    )


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its entry in meta.json."""
    return f"train/JPEGImages/{name}", f"train/Annotations/{name}"


def _shared(home: Path, name: str) -> list[str]:
    return [META] if has_key(home / META, "videos", name) else []


def _homes(folder: Path) -> list[Path]:
    return [home for home in (folder, *(folder / split for split in SPLITS)) if (home / "Annotations").is_dir()]


def _videos(home: Path) -> list[str]:
    return sorted(entry.name for entry in (home / "Annotations").iterdir() if entry.is_dir())


def _video(folder: Path, name: str) -> tuple[Path, str]:
    """The split's folder and the name of a video. Raises BadInput when there is none, or several to choose from."""
    found = clips(folder)
    if not found:
        raise BadInput(
            f"There is no YouTube-VOS data in {folder}: train/Annotations with a folder per clip is missing."
        )
    chosen = choose(name, found, folder)
    return next(home for home in _homes(folder) if chosen in _videos(home)), chosen


def _where_seen(masks: Masks) -> Masks:
    return masks.restrict(frame for frame in masks if not masks.absent(frame))


FORMAT = Format(
    "youtube-vos",
    "YouTube-VOS, indexed PNG",
    parts,
    write,
    read,
    keeps="masks as object numbers, categories, the frames' own names; expressions in a key beside its own",
    loses=f"{OVERLAPS}, scores, prompts and review marks",
    layout="train/Annotations/<clip>/<frame>.png, train/JPEGImages/<clip>/<frame>.jpg, train/meta.json",
    clips=clips,
    looks=looks,
    shared=_shared,
)
