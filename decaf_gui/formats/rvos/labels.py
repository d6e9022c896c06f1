"""From a referring dataset, as it is read for evaluation, to the label set of one of its videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.formats.base import choose
from decaf_gui.formats.jsons import part
from decaf_gui.formats.labelset import LabelSet, Source
from decaf_gui.formats.maps import read_maps
from decaf_gui.formats.pngs import image_size, require_size
from decaf_gui.formats.rvos.base import MaskTruth, RleTruth, RvosDataset, Truth, Video, videos_of
from decaf_gui.formats.tables import Found, label_set, numbers_in


def clips_of(files: Mapping[str, Path]) -> list[str]:
    """The videos of expressions files (by split) that are there."""
    return list(dict.fromkeys(name for path in files.values() if path.is_file() for name in videos_of(path)))


def find_video(
    dataset: RvosDataset, files: Mapping[str, Path], folder: Path, name: str
) -> tuple[Video, str, tuple[str, ...]]:
    """A video of the splits whose masks are there, its split, and what of it cannot be read.

    Raises BadInput when there is none, several to choose from, or nothing of it can be read.
    """
    there = {split: path for split, path in files.items() if path.is_file()}
    if not there:
        raise BadInput(f"There is no {dataset.title} data in {folder}: it has {dataset.layout}.")
    chosen = choose(name, clips_of(there), folder)
    split = next(split for split, path in there.items() if chosen in videos_of(path))
    found = dataset.open(folder, split)
    problems = tuple(problem for problem in found.problems if problem.video in (chosen, ""))
    video = next((video for video in found.videos if video.name == chosen), None)
    if video is None:
        raise BadInput(next((p.reason for p in problems), f"{chosen} of {folder} cannot be read."))
    told = tuple(f"expression {p.expression or '(all)'}: {p.reason}" for p in problems)
    return video, split, told


def labels_of_maps(
    video: Video, maps: Sequence[Path], files: Sequence[Path], classes: Mapping[int, str], told: Sequence[str]
) -> LabelSet:
    """The label set of a video whose masks are label maps."""
    size, masks, void = read_maps(maps)
    asked = [(ask.text, frozenset([ask.label])) for ask in video.asks]
    source = Source((*files, *maps), media_of(video), (*told, *void))
    return label_set(Found(video.name, size, video.frames, masks, classes, asked=asked, source=source), video.table)


def labels_of_objects(video: Video, files: Sequence[Path], told: Sequence[str]) -> LabelSet:
    """The label set of a video whose objects have masks of their own (`Video.objects`)."""
    objects = video.objects or {}
    gone = next((name for name in called(video.table) if name not in objects), None)
    if gone is not None:
        raise BadInput(f"{files[0]}: the masks of {gone} of {video.name} are missing, or not one for each frame.")
    size = _size(video, objects)
    numbers = _numbers(video, objects)
    masks = {numbers[name]: _masks(truth, video.frames, size) for name, truth in objects.items()}
    asked = [(ask.text, frozenset(numbers[name] for name in ask.objects)) for ask in video.asks]
    source = Source(tuple(dict.fromkeys(files)), media_of(video), tuple(told))
    return label_set(Found(video.name, size, video.frames, masks, asked=asked, source=source), video.table)


def media_of(video: Video) -> Path | None:
    """The folder of the video's frames."""
    place = video.files[0].parent
    return place if place.is_dir() else None


def called(table: Mapping[str, Any]) -> list[str]:
    """What the objects of this program's table are called in the dataset."""
    return [part(entry, "called", str, "the table of objects") for entry in numbers_in(table).values()]


def _numbers(video: Video, objects: Mapping[str, Truth]) -> dict[str, int]:
    """Name -> number: the table's; without one, the dataset's own from 1, or in its order."""
    told = dict(zip(called(video.table), numbers_in(video.table), strict=True))
    free = (n for n in range(1, len(objects) + len(told) + 1) if n not in told.values())
    return {name: told[name] if name in told else next(free) for name in objects}


def _size(video: Video, objects: Mapping[str, Truth]) -> tuple[int, int]:
    """As a mask, the table or a frame says. Raises BadInput when nothing does."""
    told = next(filter(None, (truth.size for truth in objects.values())), None)
    if told is not None:
        return told
    if "size" in video.table:
        height, width = video.table["size"]
        return int(height), int(width)
    if not video.files[0].is_file():
        raise BadInput(f"{video.files[0]} is missing, and all masks are empty: nobody can tell the size of the frames.")
    return image_size(video.files[0])


def _masks(truth: Truth, frames: Sequence[str], size: tuple[int, int]) -> Masks:
    """On the frames that the dataset has masks of."""
    if isinstance(truth, RleTruth):
        return Masks(size, {frame: truth.rle(frame, size) for frame in range(len(frames))})
    assert isinstance(truth, MaskTruth)
    places = {stem: frame for frame, stem in enumerate(frames)}
    found = {}
    for index, file in enumerate(truth.files):
        if file.stem not in places:
            raise BadInput(f"{file} is a mask of a frame that the dataset does not list.")
        require_size(image_size(file), size, file)
        found[places[file.stem]] = Rle.encode(truth.layers(index, size))
    return Masks(size, found)
