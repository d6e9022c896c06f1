"""DAVIS 2017: JPEG frames and indexed PNG masks (formats spec, sections 1 and 14).

    JPEGImages/480p/<clip>/00000.jpg    Annotations/480p/<clip>/00000.png    ImageSets/2017/val.txt
    Tables/<clip>/names.csv             number of a frame -> name of its source
    Tables/<clip>/objects.json          PNG index -> object, label, expressions; expressions -> PNG indices

Overlaps cannot be kept: the newer object (higher id) is on top. The folder is called 480p whatever the size, because
the official evaluator looks there by default.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.images import natural_key, opened
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.video import DEFAULT_FPS
from decaf_gui.formats.base import Draft, Format, safe_name
from decaf_gui.formats.frames import save_jpeg
from decaf_gui.formats.labelset import LabelledObject, LabelSet, require_complete, require_match, starts_late

IMAGES, ANNOTATIONS, TABLES = "JPEGImages/480p", "Annotations/480p", "Tables"
IMAGE_SET = "ImageSets/2017/val.txt"
MAX_OBJECTS = 254
VOID = 255


def pascal_palette() -> NDArray[np.uint8]:
    """(256, 3) RGB: bit i of the index, from the lowest, is bit 7 - i // 3 of channel i % 3 (PASCAL VOC)."""
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= (np.arange(256, dtype=np.uint8) >> bit & 1) << (7 - bit // 3)
    return palette


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/davis`; see Writer. At most 254 objects, each known on every frame."""
    require_match(labelset, clip)
    require_complete(labelset)
    if len(labelset.objects) > MAX_OBJECTS:
        raise BadInput(f"DAVIS holds at most {MAX_OBJECTS} objects, there are {len(labelset.objects)}: use coco.")
    FORMAT.check_output(clip, folder, overwrite=overwrite, name=labelset.name)
    draft = Draft(FORMAT, folder, safe_name(labelset.name))
    with draft.started():
        yield Stage("Writing davis", 0, labelset.frame_count, f"made in {draft.work}")
        numbers, overlapping = labelset.numbers, 0
        for frame in range(labelset.frame_count):
            if frames:
                save_jpeg(clip, frame, draft.path(f"{IMAGES}/{draft.name}/{frame:05d}.jpg"))
            indices, overlaps = label_map(labelset, numbers, frame)
            save_indexed(indices, draft.path(f"{ANNOTATIONS}/{draft.name}/{frame:05d}.png"))
            overlapping += overlaps
            yield Stage("Writing davis", frame + 1, labelset.frame_count)
        warnings = _warnings(labelset, overlapping)
        _write_tables(draft, labelset, warnings)
        written = draft.finish(warnings)
    add_to_image_set(written.path / IMAGE_SET, draft.name)
    yield written


def label_map(labelset: LabelSet, numbers: Mapping[int, int], frame: int) -> tuple[NDArray[np.uint8], bool]:
    """uint8 (H, W) of `numbers` (by object id) on `frame`, higher ids on top, and whether any two objects overlap."""
    indices = np.zeros(labelset.size, np.uint8)
    overlaps = False
    for obj in sorted(labelset.objects, key=lambda obj: obj.id):
        mask = obj.masks[frame]
        overlaps = overlaps or bool(indices[mask].any())
        indices[mask] = numbers[obj.id]
    return indices, overlaps


def save_indexed(indices: NDArray[np.uint8], path: Path) -> None:
    """An 8-bit PNG with the PASCAL palette, mode P."""
    image = Image.fromarray(indices)
    image.putpalette(pascal_palette().tobytes())
    image.save(path, "PNG")


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one sequence; see Reader. Void pixels (255) are dropped.

    Without this program's tables (other people's data) every object is labelled "object" and the rate is 24.
    """
    annotations = _sequence(folder, name)
    files = sorted(annotations.glob("*.png"), key=lambda file: natural_key(file.name))
    if not files:
        raise BadInput(f"There are no PNG masks in {annotations}.")
    size, rles = _read_masks(files)
    tables = folder / TABLES / annotations.name
    info = json.loads((tables / "objects.json").read_text("utf-8")) if (tables / "objects.json").exists() else {}
    known = {entry["number"]: entry for entry in info.get("objects", ())}
    numbers = sorted(known.keys() | rles.keys())
    labels = _labels(info)
    objects = [
        _object(number, known.get(number, {}), labels, Masks(size, _filled(rles.get(number, {}), size, len(files))))
        for number in numbers
    ]
    return LabelSet(
        name=info.get("name", annotations.name),
        size=size,
        frame_count=len(files),
        fps=info.get("fps", DEFAULT_FPS),
        names=_names(tables / "names.csv") or tuple(file.stem for file in files),
        objects=tuple(sorted(objects, key=lambda obj: obj.id)),
        labels=labels,
        expressions=tuple(entry["text"] for entry in info.get("expressions", ())),
        provenance=info.get("provenance", {}),
        notice=info.get("notice", ""),
    )


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its line in val.txt."""
    return f"{IMAGES}/{name}", f"{ANNOTATIONS}/{name}", f"{TABLES}/{name}"


LOSES = "overlaps (the newer object is on top), scores, prompts and review marks, more than 254 objects"
FORMAT = Format("davis", "DAVIS 2017, indexed PNG", parts, write, read, bytes_per_pixel=0.5, loses=LOSES)


def _warnings(labelset: LabelSet, overlapping: int) -> list[str]:
    late = [str(labelset.numbers[obj.id]) for obj in labelset.objects if starts_late(obj)]
    told = []
    if late:
        told.append(
            f"Not seen on frame 0: object {', '.join(late)}. The semi-supervised DAVIS evaluator does not score those."
        )
    if overlapping:
        told.append(f"Objects overlap on {overlapping} of {labelset.frame_count} frames: the newer one is on top.")
    if not labelset.objects:
        told.append("There are no objects: all masks are empty.")
    return told


def _write_tables(draft: Draft, labelset: LabelSet, warnings: Sequence[str]) -> None:
    with draft.path(f"{TABLES}/{draft.name}/names.csv").open("w", encoding="utf-8", newline="") as stream:
        rows = ((f"{frame:05d}", source) for frame, source in enumerate(labelset.names))
        csv.writer(stream).writerows([("frame", "source"), *rows])
    table = json.dumps(_table(labelset, warnings), ensure_ascii=False, indent=2, default=str)
    draft.path(f"{TABLES}/{draft.name}/objects.json").write_text(table + "\n", "utf-8")


def _table(labelset: LabelSet, warnings: Sequence[str]) -> dict[str, Any]:
    numbers = labelset.numbers
    return {
        "name": labelset.name,
        "fps": labelset.fps,
        "objects": [
            {"number": numbers[o.id], "object": o.id, "label": o.label.name, "expressions": list(o.expressions)}
            for o in sorted(labelset.objects, key=lambda o: numbers[o.id])
        ],
        "expressions": [
            {"id": i, "text": text, "objects": sorted(numbers[o.id] for o in labelset.answers(i))}
            for i, text in enumerate(labelset.expressions)
        ],
        "labels": [{"id": label.id, "name": label.name} for label in labelset.labels.entries],
        "overlaps": "the newer object (higher id) is on top",
        "warnings": list(warnings),
        "notice": labelset.notice,
        "provenance": dict(labelset.provenance),
    }


def add_to_image_set(path: Path, name: str) -> None:
    """Add a line to the list of sequences: last, so that a reader never meets half a sequence."""
    names = path.read_text("utf-8").split() if path.exists() else []
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text("".join(f"{line}\n" for line in dict.fromkeys([*names, name])), "utf-8")
    beside.replace(path)


def _sequence(folder: Path, name: str) -> Path:
    root = folder / ANNOTATIONS
    found = sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []
    if not found:
        raise BadInput(f"There is no DAVIS data in {folder}: {ANNOTATIONS} with a folder per clip is missing.")
    if name not in found and (name or len(found) > 1):
        raise BadInput(f"Choose a clip of {folder}: there are {', '.join(found)}.")
    return root / (name or found[0])


def _read_masks(files: Sequence[Path]) -> tuple[tuple[int, int], Mapping[int, Mapping[int, Rle]]]:
    """The size, and index -> frame -> mask for every index that occurs."""
    size: tuple[int, int] | None = None
    rles: dict[int, dict[int, Rle]] = {}
    for frame, file in enumerate(files):
        indices = _read_indices(file)
        size = size or (indices.shape[0], indices.shape[1])
        if indices.shape != size:
            raise BadInput(f"The masks must be of one size: {file} is {indices.shape}, {files[0].name} is {size}.")
        for number in set(np.unique(indices).tolist()) - {0, VOID}:
            rles.setdefault(number, {})[frame] = Rle.encode(indices == number)
    assert size is not None
    return size, rles


def _read_indices(file: Path) -> NDArray[np.uint8]:
    with opened(file) as image:
        if image.mode in ("P", "L"):
            return np.array(image)
        mode = image.mode
    raise BadInput(f"{file} is no mask: its pixels must be object numbers (indexed or grey 8-bit), it is {mode}.")


def _filled(rles: Mapping[int, Rle], size: tuple[int, int], frames: int) -> Mapping[int, Rle]:
    """In DAVIS a number that does not occur on a frame means that the object is absent there."""
    absent = Rle.empty(size)
    return {frame: rles.get(frame, absent) for frame in range(frames)}


def _labels(info: Mapping[str, Any]) -> Labels:
    told = tuple(Label(entry["id"], entry["name"]) for entry in info.get("labels", ()))
    return Labels(told) if told else Labels.of(["object"])


def _object(number: int, entry: Mapping[str, Any], labels: Labels, masks: Masks) -> LabelledObject:
    label = labels.find(entry.get("label", "")) or labels.entries[0]
    return LabelledObject(entry.get("object", number), label, masks, tuple(entry.get("expressions", ())))


def _names(path: Path) -> tuple[str, ...]:
    if not path.exists():
        return ()
    with path.open(encoding="utf-8", newline="") as stream:
        return tuple(row["source"] for row in csv.DictReader(stream))
