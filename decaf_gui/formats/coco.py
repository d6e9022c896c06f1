"""COCO instances with run-length masks and track ids (formats spec, sections 9 and 14).

    annotations/instances_<clip>.json    images/<clip>/<source name>, 00000.jpg... for a video

Overlaps are kept. An absent object has no annotation; a frame without objects stays as an image. Beside COCO's own
keys: `track_id` in annotations, `objects` (track -> object, expressions) and `expressions` (text -> tracks).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TextIO

from pycocotools import mask as coco_mask

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.video import DEFAULT_FPS
from decaf_gui.formats.base import Draft, Format, safe_name
from decaf_gui.formats.frames import save_as_source
from decaf_gui.formats.labelset import LabelledObject, LabelSet, require_complete, require_match

ANNOTATIONS, IMAGES = "annotations", "images"


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/coco`; see Writer. Every object must be known on every frame."""
    require_match(labelset, clip)
    require_complete(labelset)
    FORMAT.check_output(clip, folder, overwrite=overwrite, name=labelset.name)
    draft = Draft(FORMAT, folder, safe_name(labelset.name))
    names = [name if clip.files else f"{name}.jpg" for name in clip.names]
    with draft.started():
        yield Stage("Writing coco", 0, labelset.frame_count, f"made in {draft.work}")
        with draft.path(_json_part(draft.name)).open("w", encoding="utf-8") as stream:
            _write_head(stream, labelset, names)
            ids, numbers, separator = count(1), labelset.numbers, "\n"
            for frame, file_name in enumerate(names):
                if frames:
                    save_as_source(clip, frame, draft.path(f"{IMAGES}/{draft.name}/{file_name}"))
                for annotation in _annotations(labelset, numbers, frame, ids):
                    stream.write(separator + json.dumps(annotation))
                    separator = ",\n"
                yield Stage("Writing coco", frame + 1, labelset.frame_count)
            stream.write("\n]}\n")
        written = draft.finish([] if labelset.objects else ["There are no objects: no annotations were written."])
    yield written


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one file `annotations/instances_<name>.json` (or of the file `folder` itself); see Reader.

    Annotations need track ids; polygons are drawn as pycocotools draws them. Frames are in the order of the images.
    """
    path = folder if folder.is_file() else _annotation_file(folder, name)
    data = _load(path)
    size = _one_size(path, data["images"])
    frames = {image["id"]: frame for frame, image in enumerate(data["images"])}
    labels = Labels(tuple(Label(entry["id"], entry["name"]) for entry in data["categories"]))
    told = {entry["track_id"]: entry for entry in data.get("objects", ())}
    tracks = _tracks(path, data["annotations"], told)
    info = data.get("info") or {}
    return LabelSet(
        name=info.get("clip", path.stem.removeprefix("instances_")),
        size=size,
        frame_count=len(frames),
        fps=info.get("fps", DEFAULT_FPS),
        names=tuple(Path(image["file_name"]).name for image in data["images"]),
        objects=tuple(sorted(_objects(tracks, told, labels, frames, size), key=lambda obj: obj.id)),
        labels=labels,
        expressions=tuple(entry["text"] for entry in data.get("expressions", ())),
        provenance=info.get("provenance", {}),
        notice=info.get("notice", ""),
    )


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`."""
    return f"{IMAGES}/{name}", _json_part(name)


LOSES = "prompts and review marks; tools that know plain COCO alone do not see tracks and expressions"
FORMAT = Format("coco", "COCO instances, RLE masks with track ids", parts, write, read, copies_images=True, loses=LOSES)


def _json_part(name: str) -> str:
    return f"{ANNOTATIONS}/instances_{name}.json"


def _write_head(stream: TextIO, labelset: LabelSet, names: Sequence[str]) -> None:
    """Everything before the annotations, which follow as a list."""
    height, width = labelset.size
    images = ({"id": i, "file_name": name, "height": height, "width": width} for i, name in enumerate(names, start=1))
    head: dict[str, Any] = {
        "info": _info(labelset),
        "licenses": [],
        "categories": [{"id": e.id, "name": e.name, "supercategory": ""} for e in labelset.labels.entries],
        **_tables(labelset),
    }
    stream.write("{\n")
    for key, value in head.items():
        stream.write(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, default=str)},\n")
    stream.write('"images": [\n' + ",\n".join(json.dumps(image, ensure_ascii=False) for image in images))
    stream.write('\n],\n"annotations": [')


def _info(labelset: LabelSet) -> dict[str, Any]:
    return {
        "description": f"Masks of {labelset.name}, made with DecAF GUI",
        "clip": labelset.name,
        "fps": labelset.fps,
        "notice": labelset.notice,
        "provenance": dict(labelset.provenance),
    }


def _tables(labelset: LabelSet) -> dict[str, Any]:
    numbers = labelset.numbers
    return {
        "objects": [
            {"track_id": numbers[o.id], "object": o.id, "category_id": o.label.id, "expressions": list(o.expressions)}
            for o in sorted(labelset.objects, key=lambda o: numbers[o.id])
        ],
        "expressions": [
            {"id": i, "text": text, "track_ids": sorted(numbers[o.id] for o in labelset.answers(i))}
            for i, text in enumerate(labelset.expressions)
        ],
    }


def _annotations(
    labelset: LabelSet, numbers: Mapping[int, int], frame: int, ids: Iterator[int]
) -> Iterator[dict[str, Any]]:
    for obj in labelset.objects:
        rle = obj.masks.rle(frame)
        if rle.box is not None:
            yield {
                "id": next(ids),
                "image_id": frame + 1,
                "category_id": obj.label.id,
                "track_id": numbers[obj.id],
                "iscrowd": 0,
                "area": rle.area,
                "bbox": [float(side) for side in rle.box],
                "segmentation": rle.to_coco(),
            }


def _annotation_file(folder: Path, name: str) -> Path:
    files = sorted((folder / ANNOTATIONS).glob("instances_*.json"))
    found = {file.stem.removeprefix("instances_"): file for file in files}
    if not found:
        raise BadInput(f"There is no COCO data in {folder}: {ANNOTATIONS}/instances_<name>.json is missing.")
    if name not in found and (name or len(found) > 1):
        raise BadInput(f"Choose a clip of {folder}: there are {', '.join(found)}.")
    return found[name or next(iter(found))]


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as JSON: {error}.") from error
    missing = {"images", "annotations", "categories"} - set(data if isinstance(data, dict) else ())
    if missing:
        raise BadInput(f"{path} is no COCO file: {', '.join(sorted(missing))} is missing.")
    return dict(data)


def _one_size(path: Path, images: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    sizes = {(int(image["height"]), int(image["width"])) for image in images}
    if len(sizes) != 1:
        raise BadInput(f"{path} must hold the frames of one clip: its images have {len(sizes)} different sizes.")
    return sizes.pop()


def _tracks(
    path: Path, annotations: Iterable[Mapping[str, Any]], told: Mapping[int, Any]
) -> Mapping[int, Sequence[Mapping[str, Any]]]:
    """Annotations by track; tracks of the table that are never seen are there too."""
    tracks: dict[int, list[Mapping[str, Any]]] = {track: [] for track in told}
    for annotation in annotations:
        if "track_id" not in annotation:
            raise BadInput(f"{path}: annotation {annotation.get('id')} has no track_id, so frames cannot be linked.")
        tracks.setdefault(annotation["track_id"], []).append(annotation)
    return tracks


def _objects(
    tracks: Mapping[int, Sequence[Mapping[str, Any]]],
    told: Mapping[int, Mapping[str, Any]],
    labels: Labels,
    frames: Mapping[int, int],
    size: tuple[int, int],
) -> Iterator[LabelledObject]:
    by_id = {label.id: label for label in labels.entries}
    for track, seen_on in tracks.items():
        entry = told.get(track) or {"category_id": seen_on[0]["category_id"]}
        seen = {frames[a["image_id"]]: _rle(a["segmentation"], size) for a in seen_on}
        masks = Masks(size, dict.fromkeys(frames.values(), Rle.empty(size))).replace(seen)
        expressions = tuple(entry.get("expressions", ()))
        yield LabelledObject(entry.get("object", track), by_id[entry["category_id"]], masks, expressions)


def _rle(segmentation: Any, size: tuple[int, int]) -> Rle:
    """From run lengths, or from polygons [[x, y, ...], ...]."""
    if isinstance(segmentation, list):
        merged = coco_mask.merge(coco_mask.frPyObjects(segmentation, *size))
        return Rle(size, merged["counts"])
    return Rle.from_coco(segmentation)
