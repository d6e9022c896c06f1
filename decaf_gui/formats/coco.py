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

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Label
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.masks import Masks, Rle, union_rle
from decaf_gui.formats.base import Draft, Format, choose, safe_name
from decaf_gui.formats.frames import save_as_source
from decaf_gui.formats.jsons import dumps, part, read_json
from decaf_gui.formats.labelset import LabelSet, Source, require_complete, require_match
from decaf_gui.formats.maps import filled, nothing_words
from decaf_gui.formats.runs import segmentation
from decaf_gui.formats.tables import Found, label_set

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
        written = draft.finish(nothing_words(labelset))
    yield written


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one file `annotations/instances_<name>.json` (or of the file `folder` itself); see Reader.

    Annotations need track ids; polygons are drawn as pycocotools draws them. Frames are in the order of the images.
    """
    path = folder if folder.is_file() else _annotation_file(folder, name)
    data = _load(path)
    size = _one_size(path, data["images"])
    info = data.get("info") or {}
    files = tuple(Path(image["file_name"]).name for image in data["images"])
    tracks = _tracks(path, data["annotations"])
    frames = {image["id"]: frame for frame, image in enumerate(data["images"])}
    found = Found(
        path.stem.removeprefix("instances_"),
        size,
        files,
        {track: _masks(path, seen_on, frames, size) for track, seen_on in tracks.items()},
        classes=_classes(data, tracks),
        labels=tuple(Label(part(e, "id", int, path), str(e["name"])) for e in data["categories"]),
        source=Source((path,), _media(path, files)),
    )
    return label_set(found, _told(data, info))


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`."""
    return f"{IMAGES}/{name}", _json_part(name)


def clips(folder: Path) -> Sequence[str]:
    """The clips of a folder, each with its file; for a file itself its own."""
    files = [folder] if folder.is_file() else sorted((folder / ANNOTATIONS).glob("instances_*.json"))
    return [file.stem.removeprefix("instances_") for file in files]


def looks(folder: Path) -> bool:
    """Files of images and annotations."""
    if folder.is_file():
        return folder.suffix == ".json" and {"images", "annotations"} <= _keys(folder)
    files = sorted((folder / ANNOTATIONS).glob("instances_*.json"))
    return bool(files) and "images" in _keys(files[0])


FORMAT = Format(
    "coco",
    "COCO instances, RLE masks with track ids",
    parts,
    write,
    read,
    copies_images=True,
    keeps="overlaps, any number of objects, category ids; in keys beside COCO's own tracks, expressions, provenance",
    loses="prompts and review marks; tools that know plain COCO alone do not see tracks and expressions",
    layout=f"{ANNOTATIONS}/instances_<clip>.json, {IMAGES}/<clip>/<source name>",
    clips=clips,
    looks=looks,
)


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
        stream.write(f"{json.dumps(key)}: {dumps(value)},\n")
    stream.write('"images": [\n' + ",\n".join(dumps(image) for image in images))
    stream.write('\n],\n"annotations": [')


def _info(labelset: LabelSet) -> dict[str, Any]:
    return {
        "description": f"Masks of {labelset.name}, made with DecAF GUI",
        "clip": labelset.name,
        "fps": labelset.fps,
        "names": list(labelset.names),
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
    found = clips(folder)
    if not found:
        raise BadInput(f"There is no COCO data in {folder}: {ANNOTATIONS}/instances_<name>.json is missing.")
    return folder / _json_part(choose(name, found, folder))


def _keys(path: Path) -> set[str]:
    try:
        return set(read_json(path, "COCO data"))
    except BadInput:
        return set()


def _load(path: Path) -> dict[str, Any]:
    data = read_json(path, "images, annotations and categories")
    missing = {"images", "annotations", "categories"} - data.keys()
    if missing:
        raise BadInput(f"{path} is no COCO file: {', '.join(sorted(missing))} is missing.")
    return data


def _one_size(path: Path, images: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    sizes = {(part(image, "height", int, path), part(image, "width", int, path)) for image in images}
    if len(sizes) != 1:
        raise BadInput(f"{path} must hold the frames of one clip: its images have {len(sizes)} different sizes.")
    return sizes.pop()


def _tracks(path: Path, annotations: Iterable[Mapping[str, Any]]) -> Mapping[int, Sequence[Mapping[str, Any]]]:
    """Annotations by track."""
    tracks: dict[int, list[Mapping[str, Any]]] = {}
    for annotation in annotations:
        if "track_id" not in annotation:
            raise BadInput(f"{path}: annotation {annotation.get('id')} has no track_id, so frames cannot be linked.")
        tracks.setdefault(part(annotation, "track_id", int, path), []).append(annotation)
    return tracks


def _masks(path: Path, seen_on: Iterable[Mapping[str, Any]], frames: Mapping[int, int], size: tuple[int, int]) -> Masks:
    """The masks of a track; parts of one object on one frame are put together."""
    seen: dict[int, Rle] = {}
    for annotation in seen_on:
        frame = frames[annotation["image_id"]]
        rle = segmentation(annotation["segmentation"], size, f"{path}, annotation {annotation.get('id')}")
        seen[frame] = union_rle([seen[frame], rle]) if frame in seen else rle
    return filled(seen, size, len(frames))


def _classes(data: Mapping[str, Any], tracks: Mapping[int, Sequence[Mapping[str, Any]]]) -> dict[int, str]:
    names = {entry["id"]: str(entry["name"]) for entry in data["categories"]}
    return {track: names[seen_on[0]["category_id"]] for track, seen_on in tracks.items()}


def _told(data: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """What this program adds, in the words of its table (`decaf_gui.formats.tables`)."""
    names = {entry["id"]: entry["name"] for entry in data["categories"]}
    objects = [
        {"number": entry["track_id"], "object": entry["object"], "label": names[entry["category_id"]]}
        for entry in data.get("objects", ())
    ]
    expressions = [{"text": e["text"], "objects": e["track_ids"]} for e in data.get("expressions", ())]
    told = {"name": info["clip"]} if "clip" in info else {}
    kept = {key: info[key] for key in ("fps", "names", "provenance", "notice") if key in info}
    return told | kept | {"objects": objects, "expressions": expressions}


def _media(path: Path, files: Sequence[str]) -> Path | None:
    """The folder of the images: as this program writes it, or beside the annotations' folder."""
    name = path.stem.removeprefix("instances_")
    places = (path.parent.parent / IMAGES / name, path.parent.parent / IMAGES)
    return next((place for place in places if files and (place / files[0]).is_file()), None)
