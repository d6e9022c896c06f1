"""MOTS text: a line per object and frame, no overlaps (formats spec, section 11).

    <clip>/gt/gt.txt    <clip>/seqinfo.ini    <clip>/img1/000001.jpg    <clip>/objects.json
    <frame> <id> <class> <height> <width> <run lengths>

Frames are counted from 1, as MOTS Challenge does; id = 1000 * class + instance. "car" is class 1 and "pedestrian"
class 2 as there, other labels follow; 10 is left out: it means a region to be ignored. KITTI MOTS (frames from 0, one
<clip>.txt each) is read, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as IniError
from pathlib import Path
from typing import Any

import numpy as np

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.masks import Rle
from decaf_gui.formats.base import Draft, Ending, Format, choose, write_clip
from decaf_gui.formats.frames import save_jpeg
from decaf_gui.formats.jsons import dumps, read_json
from decaf_gui.formats.labelset import LabelSet, Source
from decaf_gui.formats.maps import filled, label_map, nothing_words, overlap_words
from decaf_gui.formats.tables import Found, label_set, table_of

KNOWN = {"car": 1, "pedestrian": 2}
IGNORED = 10
INSTANCES = 999
"""Objects of one class: more do not fit into an id."""
TABLE = "objects.json"
LINE = "<frame> <id> <class> <height> <width> <run lengths>"


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/mots`; see Writer. At most 999 objects of one class, each known on every frame."""
    classes = classes_of(labelset)
    ids = _ids(labelset, classes)
    lines: list[str] = []
    overlapping = 0

    def each(draft: Draft, frame: int) -> None:
        nonlocal overlapping
        if frames:
            save_jpeg(clip, frame, draft.path(f"{draft.name}/img1/{frame + 1:06d}.jpg"))
        indices, overlaps = label_map(labelset, labelset.numbers, frame)
        overlapping += overlaps
        for number in np.unique(indices[indices > 0]).tolist():
            rle, (height, width) = Rle.encode(indices == number), labelset.size
            which = ids[number]
            lines.append(f"{frame + 1} {which} {which // 1000} {height} {width} {rle.counts.decode('ascii')}\n")

    def end(draft: Draft) -> Ending:
        draft.path(f"{draft.name}/gt/gt.txt").write_text("".join(lines), "ascii")
        draft.path(f"{draft.name}/seqinfo.ini").write_text(_seqinfo(labelset, draft.name), "utf-8")
        table = table_of(labelset, labelset.numbers) | {"ids": {str(n): i for n, i in ids.items()}, "classes": classes}
        draft.path(f"{draft.name}/{TABLE}").write_text(dumps(table, indent=2) + "\n", "utf-8")
        return [*overlap_words(overlapping, labelset), *nothing_words(labelset)], []

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end)


def classes_of(labelset: LabelSet) -> dict[str, int]:
    """Class numbers by label: the two that MOTS knows, then from 3, without the one that is ignored."""
    free = (number for number in range(3, 1 << 20) if number != IGNORED)
    return {entry.name: KNOWN.get(entry.name) or next(free) for entry in labelset.labels.entries}


def _ids(labelset: LabelSet, classes: Mapping[str, int]) -> dict[int, int]:
    """Number -> MOTS id. Raises BadInput for more objects of a class than it can tell apart."""
    ids: dict[int, int] = {}
    used: dict[int, int] = {}
    numbers = labelset.numbers
    for number, obj in sorted(((numbers[obj.id], obj) for obj in labelset.objects), key=lambda pair: pair[0]):
        which = classes[obj.label.name]
        used[which] = used.get(which, 0) + 1
        if used[which] > INSTANCES:
            raise BadInput(
                f'MOTS holds at most {INSTANCES} objects of one class: "{obj.label.name}" has more. Use coco.'
            )
        ids[number] = 1000 * which + used[which]
    return ids


def _seqinfo(labelset: LabelSet, name: str) -> str:
    height, width = labelset.size
    told = {"name": name, "imDir": "img1", "frameRate": round(labelset.fps), "seqLength": labelset.frame_count}
    told |= {"imWidth": width, "imHeight": height, "imExt": ".jpg"}
    return "[Sequence]\n" + "".join(f"{key}={value}\n" for key, value in told.items())


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one sequence: of a folder of sequences, a sequence's folder, or a text file; see Reader."""
    found = _sequences(folder)
    if not found:
        raise BadInput(f"There is no MOTS data in {folder}: <clip>/gt/gt.txt or <clip>.txt is missing.")
    chosen = choose(name, list(found), folder)
    path = found[chosen]
    home = path.parent.parent if path.name == "gt.txt" else path.parent
    table = read_json(home / TABLE, "the table of objects") if (home / TABLE).is_file() else {}
    rows = list(_rows(path))
    size, count = _extent(home, rows, table, path)
    first = 0 if any(frame == 0 for frame, *_ in rows) or path.name != "gt.txt" else 1
    numbers = {int(which): int(number) for number, which in table.get("ids", {}).items()}
    tracks: dict[int, dict[int, Rle]] = {}
    for frame, which, rle in ((row[0] - first, row[1], row[3]) for row in rows if row[2] != IGNORED):
        if rle.size != size or not 0 <= frame < count:
            raise BadInput(f"{path}: object {which} on frame {frame + first} does not fit {count} frames of one size.")
        number = numbers.setdefault(which, which if not table else max(numbers.values(), default=0) + 1)
        tracks.setdefault(number, {})[frame] = rle
    ignored = sum(row[2] == IGNORED for row in rows)
    told = (f"{ignored} regions to be ignored (class {IGNORED}) belong to no object.",) if ignored else ()
    masks = {number: filled(track, size, count) for number, track in tracks.items()}
    stems = tuple(f"{frame + first:06d}" for frame in range(count))
    media = home / "img1"
    source = Source((path,), media if media.is_dir() else None, told)
    return label_set(Found(chosen, size, stems, masks, _classes(numbers, tracks, table), source=source), table)


def _classes(numbers: Mapping[int, int], tracks: Mapping[int, Any], table: Mapping[str, Any]) -> dict[int, str]:
    """Number -> label, by the class in the id."""
    names = {number: name for name, number in KNOWN.items()}
    names |= {int(number): str(name) for name, number in table.get("classes", {}).items()}
    there = {number: which // 1000 for which, number in numbers.items() if number in tracks}
    return {number: names.get(which, f"class {which}") for number, which in there.items()}


Row = tuple[int, int, int, Rle]
"""Frame, id, class, mask."""


def _rows(path: Path) -> Iterator[Row]:
    """Every line of a file. Raises BadInput that names the first one that is none."""
    for place, line in enumerate(path.read_text("ascii", errors="replace").splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        try:
            frame, which, kind, height, width = (int(word) for word in words[:5])
            (counts,) = words[5:]
            if min(frame, which, kind) < 0 or height < 1 or width < 1:
                raise ValueError(line)
            yield frame, which, kind, Rle.checked((height, width), counts.encode("ascii"))
        except (ValueError, UnicodeError, BadInput) as error:
            raise BadInput(f"{path}, line {place}: it should be {LINE}.") from error


def _extent(home: Path, rows: Sequence[Row], table: Mapping[str, Any], path: Path) -> tuple[tuple[int, int], int]:
    """The size and the number of frames: as seqinfo.ini says, else the table, else the lines themselves."""
    info = ConfigParser()
    try:
        info.read(home / "seqinfo.ini", "utf-8")
        if info.has_section("Sequence"):
            told = info["Sequence"]
            return (int(told["imHeight"]), int(told["imWidth"])), int(told["seqLength"])
    except (IniError, KeyError, ValueError) as error:
        raise BadInput(f"{home / 'seqinfo.ini'} should have numbers imHeight, imWidth and seqLength.") from error
    if "size" in table:
        height, width = table["size"]
        return (int(height), int(width)), len(table["names"])
    if not rows:
        raise BadInput(f"{path} is empty, and there is no seqinfo.ini: nobody can tell the size of the frames.")
    first = 0 if path.name != "gt.txt" or any(row[0] == 0 for row in rows) else 1
    return rows[0][3].size, max(row[0] for row in rows) + 1 - first


def _sequences(folder: Path) -> dict[str, Path]:
    """Name -> text file."""
    if folder.is_file():
        return {folder.parent.parent.name if folder.name == "gt.txt" else folder.stem: folder}
    if (folder / "gt/gt.txt").is_file():
        return {folder.absolute().name: folder / "gt/gt.txt"}
    nested = {path.parent.parent.name: path for path in sorted(folder.glob("*/gt/gt.txt"))}
    return nested or {path.stem: path for path in sorted(folder.glob("*.txt")) if _is_mots(path)}


def _is_mots(path: Path) -> bool:
    with path.open("rb") as stream:
        words = stream.readline(1 << 20).split()
    return len(words) == 6 and all(word.isdigit() for word in words[:5])


def looks(folder: Path) -> bool:
    """Text files of six words a line (an empty one says nothing)."""
    if folder.is_file():
        return folder.suffix == ".txt" and _is_mots(folder)
    found = _sequences(folder)
    return any(_is_mots(path) for path in found.values()) or any(path.name == "gt.txt" for path in found.values())


def clips(folder: Path) -> Sequence[str]:
    """The sequences."""
    return list(_sequences(folder))


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`."""
    return (name,)


FORMAT = Format(
    "mots",
    "MOTS text, RLE masks",
    parts,
    write,
    read,
    keeps="masks, tracks, classes; in objects.json beside it expressions, source names, provenance",
    loses="overlaps (the newer object is on top), more than 999 objects of a class, scores, prompts and review marks",
    layout="<clip>/gt/gt.txt, <clip>/seqinfo.ini, <clip>/img1/000001.jpg, <clip>/objects.json",
    clips=clips,
    looks=looks,
)
