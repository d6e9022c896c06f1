"""Label maps: one image per frame whose pixels are object numbers (DAVIS, YouTube-VOS and what was built on them)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput
from decaf_gui.core.images import natural_key
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.formats.labelset import LabelSet, starts_late
from decaf_gui.formats.pngs import read_labels, read_mask, require_size, save_indexed

MAX_OBJECTS = 254
VOID = 255
OVERLAPS = "overlaps (the newer object is on top), more than 254 objects"


@dataclass
class Maps:
    """Writes the label maps of a label set: newer objects (higher ids) on top. Counts frames where objects overlap."""

    labelset: LabelSet
    numbers: Mapping[int, int]
    overlapping: int = field(default=0)

    @classmethod
    def of(cls, labelset: LabelSet, title: str) -> Maps:
        """Raises BadInput for more objects than an 8-bit image can number."""
        if len(labelset.objects) > MAX_OBJECTS:
            raise BadInput(
                f"{title} holds at most {MAX_OBJECTS} objects, there are {len(labelset.objects)}: use coco or ytvis."
            )
        return cls(labelset, labelset.numbers)

    def save(self, frame: int, path: Path) -> None:
        """The label map of a frame as an indexed PNG."""
        indices, overlaps = label_map(self.labelset, self.numbers, frame)
        save_indexed(indices.astype(np.uint8), path)
        self.overlapping += overlaps

    def warnings(self) -> list[str]:
        """What was lost, and what evaluators will not see, for people."""
        return [*overlap_words(self.overlapping, self.labelset), *nothing_words(self.labelset)]


def label_map(labelset: LabelSet, numbers: Mapping[int, int], frame: int) -> tuple[NDArray[np.uint16], bool]:
    """uint16 (H, W) of `numbers` (by object id) on `frame`, higher ids on top, and whether any two objects overlap."""
    indices = np.zeros(labelset.size, np.uint16)
    overlaps = False
    for obj in sorted(labelset.objects, key=lambda obj: obj.id):
        mask = obj.masks[frame]
        overlaps = overlaps or bool(indices[mask].any())
        indices[mask] = numbers[obj.id]
    return indices, overlaps


def overlap_words(frames: int, labelset: LabelSet) -> list[str]:
    """The warning that overlaps are lost."""
    told = f"Objects overlap on {frames} of {labelset.frame_count} frames: the newer one is on top."
    return [told] if frames else []


def late_words(labelset: LabelSet) -> list[str]:
    """The warning that the semi-supervised evaluator leaves objects out (formats spec, section 1, trap 1)."""
    late = [str(labelset.numbers[obj.id]) for obj in labelset.objects if starts_late(obj)]
    told = f"Not seen on frame 0: object {', '.join(late)}. The semi-supervised DAVIS evaluator does not score those."
    return [told] if late else []


def nothing_words(labelset: LabelSet) -> list[str]:
    """The warning that there is nothing to be seen."""
    return [] if labelset.objects else ["There are no objects: all masks are empty."]


def png_files(folder: Path) -> tuple[Path, ...]:
    """The PNG files of a folder in their order in time. Raises BadInput when there are none."""
    files = sorted(folder.glob("*.png"), key=lambda file: natural_key(file.name))
    if not files:
        raise BadInput(f"There are no PNG masks in {folder}.")
    return tuple(files)


def read_maps(files: Sequence[Path]) -> tuple[tuple[int, int], dict[int, Masks], tuple[str, ...]]:
    """The size, the masks of every number that occurs (absent where it does not), and warnings. Void is dropped."""
    size: tuple[int, int] | None = None
    rles: dict[int, dict[int, Rle]] = {}
    void = 0
    for frame, file in enumerate(files):
        indices = read_labels(file)
        size = size or (indices.shape[0], indices.shape[1])
        require_size(indices.shape, size, file)
        present = set(np.unique(indices).tolist()) - {0}
        void += VOID in present
        for number in present - {VOID}:
            rles.setdefault(number, {})[frame] = Rle.encode(indices == number)
    assert size is not None
    told = (f"Void pixels (255) on {void} frames belong to no object.",) if void else ()
    return size, {number: filled(found, size, len(files)) for number, found in rles.items()}, told


def read_single(files: Sequence[Path], size: tuple[int, int]) -> Masks:
    """One object's masks by place of the file: what is not 0. Raises BadInput for one of another size."""
    rles = {}
    for frame, file in enumerate(files):
        mask = read_mask(file)
        require_size(mask.shape, size, file)
        rles[frame] = Rle.encode(mask)
    return Masks(size, rles)


def filled(rles: Mapping[int, Rle], size: tuple[int, int], frames: int) -> Masks:
    """Masks on all frames: absent where none is given."""
    absent = Rle.empty(size)
    return Masks(size, {frame: rles.get(frame, absent) for frame in range(frames)})


def values_in(files: Sequence[Path]) -> set[int]:
    """The values of the first label map that is not empty; none when all are, or when they are no label maps."""
    for file in files:
        try:
            found: set[Any] = set(np.unique(read_labels(file)).tolist()) - {0}
        except BadInput:
            return set()
        if found:
            return found
    return set()
