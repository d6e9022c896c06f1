"""DAVIS 2017: JPEG frames and indexed PNG masks (formats spec, sections 1 and 14).

    JPEGImages/480p/<clip>/00000.jpg    Annotations/480p/<clip>/00000.png    ImageSets/2017/val.txt
    Tables/<clip>/names.csv             number of a frame -> name of its source
    Tables/<clip>/objects.json          PNG index -> object, label, expressions; expressions -> PNG indices

Overlaps cannot be kept: the newer object (higher id) is on top. The folder is called 480p whatever the size, because
the official evaluator looks there by default.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.formats.base import Draft, Ending, Format, choose, write_clip
from decaf_gui.formats.frames import save_jpeg
from decaf_gui.formats.jsons import dumps, read_json
from decaf_gui.formats.labelset import LabelSet, Source
from decaf_gui.formats.maps import OVERLAPS, VOID, Maps, late_words, png_files, read_maps, values_in
from decaf_gui.formats.tables import Found, label_set, table_of

IMAGES, ANNOTATIONS, TABLES = "JPEGImages/480p", "Annotations/480p", "Tables"
UNSUPERVISED = "Annotations_unsupervised/480p"
IMAGE_SET = "ImageSets/2017/val.txt"


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/davis`; see Writer. At most 254 objects, each known on every frame."""
    maps = Maps.of(labelset, "DAVIS")

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"{IMAGES}/{draft.name}/{frame:05d}.jpg"))
        maps.save(frame, draft.path(f"{ANNOTATIONS}/{draft.name}/{frame:05d}.png"))

    def end(draft: Draft) -> Ending:
        warnings = [*late_words(labelset), *maps.warnings()]
        told = {"overlaps": "the newer object (higher id) is on top", "warnings": warnings}
        write_tables(draft, labelset, table_of(labelset, maps.numbers) | told)
        return warnings, [add_lines(draft, IMAGE_SET, [draft.name])]

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end)


def write_tables(draft: Draft, labelset: LabelSet, table: dict[str, Any]) -> None:
    """names.csv and objects.json of a clip."""
    # Names in bytes that are no text come back as they were.
    place = draft.path(f"{TABLES}/{draft.name}/names.csv")
    with place.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
        rows = ((f"{frame:05d}", source) for frame, source in enumerate(labelset.names))
        csv.writer(stream).writerows([("frame", "source"), *rows])
    draft.path(f"{TABLES}/{draft.name}/objects.json").write_text(dumps(table, indent=2) + "\n", "utf-8")


def add_lines(draft: Draft, part: str, lines: Iterable[str]) -> str:
    """Makes a list of the dataset anew in the draft, with more lines: the part's name, for `Draft.finish`."""
    draft.path(part).write_text(_with_lines(draft.home / part, lines), "utf-8")
    return part


def add_to_image_set(path: Path, name: str) -> None:
    """Add a line to a list of sequences: last, so that a reader never meets half a sequence."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(_with_lines(path, [name]), "utf-8")
    beside.replace(path)


def _with_lines(path: Path, lines: Iterable[str]) -> str:
    """What a list holds, and lines that it does not hold yet."""
    there = path.read_text("utf-8").splitlines() if path.exists() else []
    return "".join(f"{line}\n" for line in dict.fromkeys([*there, *lines]))


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one sequence; see Reader. Void pixels (255) are dropped.

    Without this program's tables (other people's data) every object is labelled "object" and the rate is 24.
    """
    files = png_files(sequence(folder, name))
    size, masks, warnings = read_maps(files)
    found = files[0].parent.name
    media = folder / IMAGES / found
    source = Source(files, media if media.is_dir() else None, warnings)
    return label_set(Found(found, size, tuple(f.stem for f in files), masks, source=source), read_tables(folder, found))


def read_tables(folder: Path, name: str) -> dict[str, Any]:
    """What `write_tables` wrote; empty where others have written the masks."""
    path, names = folder / TABLES / name / "objects.json", folder / TABLES / name / "names.csv"
    table = read_json(path, "the table of objects") if path.exists() else {}
    if names.exists():
        with names.open(encoding="utf-8", errors="surrogateescape", newline="") as stream:
            table["names"] = [row["source"] for row in csv.DictReader(stream)]
    return table


def sequences(folder: Path) -> Sequence[str]:
    """The names of the sequences that have masks."""
    root = masks_root(folder)
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


def masks_root(folder: Path) -> Path:
    """The masks of either task."""
    root = folder / ANNOTATIONS
    return root if root.is_dir() or not (folder / UNSUPERVISED).is_dir() else folder / UNSUPERVISED


def sequence(folder: Path, name: str) -> Path:
    """The folder of a sequence's masks. Raises BadInput when there is none, or several to choose from."""
    found = sequences(folder)
    if not found:
        raise BadInput(f"There is no DAVIS data in {folder}: {ANNOTATIONS} with a folder per clip is missing.")
    return masks_root(folder) / choose(name, found, folder)


def looks(folder: Path) -> bool:
    """DAVIS folders whose masks are numbers, not one object in white."""
    return bool(sequences(folder)) and inks(folder) != {VOID}


def inks(folder: Path) -> set[int]:
    """The values of the first mask that is not empty, among the first sequences."""
    return next(filter(None, (values_in(files_of(folder, name)) for name in sequences(folder)[:3])), set())


def files_of(folder: Path, name: str) -> list[Path]:
    """The masks of a sequence."""
    return sorted((masks_root(folder) / name).glob("*.png"))


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its line in val.txt."""
    return f"{IMAGES}/{name}", f"{ANNOTATIONS}/{name}", f"{TABLES}/{name}"


FORMAT = Format(
    "davis",
    "DAVIS 2017, indexed PNG",
    parts,
    write,
    read,
    keeps="masks as object numbers; in Tables/ beside them labels, expressions, source names, provenance",
    loses=f"{OVERLAPS}, scores, prompts and review marks",
    layout=f"{ANNOTATIONS}/<clip>/00000.png, {IMAGES}/<clip>/00000.jpg, {IMAGE_SET}, {TABLES}/<clip>/",
    clips=sequences,
    looks=looks,
)
