"""Plain masks: a folder per object, a white-on-black PNG per frame.

    <clip>/<object>/<frame>.png (0/255)    <clip>/objects.json

Objects are numbered from 001. Also read: a folder per object with any name, which becomes its label; and PNG files
directly in the clip's folder, as label maps (or as one object, where they are black and white).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.images import natural_key
from decaf_gui.core.masks import Masks
from decaf_gui.formats.base import Draft, Ending, Format, choose, write_clip
from decaf_gui.formats.frames import kept_names, renamed_words
from decaf_gui.formats.jsons import dumps, read_json
from decaf_gui.formats.labelset import LabelSet, Source
from decaf_gui.formats.maps import VOID, nothing_words, png_files, read_maps, read_single, values_in
from decaf_gui.formats.pngs import image_size, save_mask
from decaf_gui.formats.tables import Found, label_set, table_of

TABLE = "objects.json"


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/png`; see Writer. Every object must be known on every frame; frames are not written."""
    stems, numbers = kept_names(labelset.names), labelset.numbers

    def each(draft: Draft, frame: int) -> None:
        for obj in labelset.objects:
            save_mask(obj.masks[frame], draft.path(f"{draft.name}/{numbers[obj.id]:03d}/{stems[frame]}.png"))

    def end(draft: Draft) -> Ending:
        table = table_of(labelset, numbers) | {"frames": list(stems)}
        draft.path(f"{draft.name}/{TABLE}").write_text(dumps(table, indent=2) + "\n", "utf-8")
        return [*nothing_words(labelset), *renamed_words(labelset.names, stems)], []

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end)


def read(folder: Path, name: str = "") -> LabelSet:
    """The masks of one clip: of a folder of clips, or of a clip's own folder; see Reader."""
    home = _home(folder, name)
    table = read_json(home / TABLE, "the table of objects") if (home / TABLE).is_file() else {}
    folders = _objects(home)
    if not folders and not table:
        return _maps(home)
    stems = tuple(str(stem) for stem in table.get("frames", ())) or _stems(folders)
    files = [png for place in folders for png in png_files(place)]
    size = image_size(files[0]) if files else _size(table["size"])
    numbers = _numbers(folders)
    masks = {number: _masks(place, stems, size) for number, place in zip(numbers, folders, strict=True)}
    named = {number: place.name for number, place in zip(numbers, folders, strict=True) if not place.name.isdecimal()}
    files += [home / TABLE] if table else []
    return label_set(Found(home.name, size, stems, masks, {} if table else named, source=Source(tuple(files))), table)


def _maps(home: Path) -> LabelSet:
    """PNG files directly in the clip's folder."""
    files = png_files(home)
    stems, source = tuple(file.stem for file in files), Source(files)
    if values_in(files) <= {VOID}:
        size = image_size(files[0])
        return label_set(Found(home.name, size, stems, {1: read_single(files, size)}, source=source), {})
    size, masks, warnings = read_maps(files)
    return label_set(Found(home.name, size, stems, masks, source=Source(files, None, warnings)), {})


def _size(told: Sequence[int]) -> tuple[int, int]:
    height, width = told
    return int(height), int(width)


def _stems(folders: Sequence[Path]) -> tuple[str, ...]:
    """All frames that any object has."""
    stems = {file.stem for place in folders for file in png_files(place)}
    return tuple(sorted(stems, key=natural_key))


def _numbers(folders: Sequence[Path]) -> list[int]:
    """The objects' numbers: those that their folders are called, where all are called by different ones."""
    told = [int(place.name) for place in folders if place.name.isdecimal()]
    return told if len(set(told)) == len(folders) else list(range(1, len(folders) + 1))


def _masks(place: Path, stems: Sequence[str], size: tuple[int, int]) -> Masks:
    """An object's masks on the frames that have a file."""
    files = png_files(place)
    found = read_single(files, size)
    frames = {stem: frame for frame, stem in enumerate(stems)}
    strange = next((file for file in files if file.stem not in frames), None)
    if strange is not None:
        raise BadInput(f"{strange} is a mask of a frame that {TABLE} does not list.")
    return Masks(size, {frames[file.stem]: found.rle(index) for index, file in enumerate(files)})


def _objects(home: Path) -> list[Path]:
    """The folders of objects, in order."""
    places = [place for place in home.iterdir() if place.is_dir() and next(place.glob("*.png"), None) is not None]
    return sorted(places, key=lambda place: natural_key(place.name))


def _is_clip(folder: Path) -> bool:
    return (folder / TABLE).is_file() or bool(_objects(folder)) or next(folder.glob("*.png"), None) is not None


def _home(folder: Path, name: str) -> Path:
    """The folder of the clip that is meant."""
    found = clips(folder)
    if not found:
        raise BadInput(f"There are no PNG masks in {folder}: <clip>/<object>/<frame>.png is missing.")
    chosen = choose(name, found, folder)
    return folder if folder.absolute().name == chosen and not (folder / chosen).is_dir() else folder / chosen


def clips(folder: Path) -> Sequence[str]:
    """The clips of a folder; or its own name, where the masks lie directly in it or in folders of objects."""
    if not folder.is_dir():
        return []
    inside = sorted(place.name for place in folder.iterdir() if place.is_dir() and _has_objects(place))
    return inside or ([folder.absolute().name] if _is_clip(folder) else [])


def _has_objects(folder: Path) -> bool:
    return (folder / TABLE).is_file() or bool(_objects(folder))


def looks(folder: Path) -> bool:
    """Folders of PNG files."""
    return bool(clips(folder))


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`."""
    return (name,)


FORMAT = Format(
    "png",
    "Plain PNG masks, a folder per object",
    parts,
    write,
    read,
    keeps="overlaps, any number of objects, the frames' own names; labels, expressions, provenance in objects.json",
    loses="scores, prompts and review marks; the frames are not copied",
    layout="<clip>/<object>/<frame>.png (0/255), <clip>/objects.json",
    clips=clips,
    looks=looks,
)
