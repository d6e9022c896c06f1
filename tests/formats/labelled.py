"""Clips and label sets for the format tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Labels
from decaf_gui.core.masks import Masks
from decaf_gui.formats.labelset import LabelledObject, LabelSet

Dense = NDArray[np.bool_]
SIZE = (30, 41)
LABELS = Labels.of(["dog", "ball", "cat"])
EXPRESSIONS = ("the dog that jumps", "everything round")


def picture(frame: int, size: tuple[int, int] = SIZE) -> NDArray[np.uint8]:
    """Smooth, so that JPEG keeps it; different on every frame."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.stack([4 * rows, 3 * columns, np.full_like(rows, 40 + 10 * frame)], axis=-1).astype(np.uint8)


def image_clip(folder: Path, count: int = 4, suffix: str = "png", size: tuple[int, int] = SIZE) -> Clip:
    """A clip of images called shot1, shot2..."""
    folder.mkdir(parents=True)
    for frame in range(count):
        Image.fromarray(picture(frame, size)).save(folder / f"shot{frame + 1}.{suffix}")
    return Clip.open(folder)


class Blank:
    """Frames of one colour that lie nowhere: a clip for tests of what is written of labels alone."""

    path = Path("blank.mp4")
    fps = 24.0
    damage = ""

    def __init__(self, size: tuple[int, int], count: int) -> None:
        self.size, self.count = size, count

    def __len__(self) -> int:
        return self.count

    def read(self, number: int, reach: int = 1) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        yield number, np.full((*self.size, 3), 90, np.uint8)

    def close(self) -> None:
        pass


def blank_clip(size: tuple[int, int], count: int) -> Clip:
    """A clip that is on no disk."""
    return Clip(Blank(size, count), 1 << 20)


def box(top: int, left: int, bottom: int, right: int, size: tuple[int, int] = SIZE) -> Dense:
    """True inside the rectangle."""
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return mask


def label_set(
    clip: Clip,
    tracks: Mapping[int, Sequence[Dense]],
    expressions: Mapping[int, tuple[int, ...]] | None = None,
    notice: str = "",
) -> LabelSet:
    """Objects by id with one dense mask per frame; labels in turn."""
    objects = [
        LabelledObject(
            id_,
            LABELS.entries[i % len(LABELS.entries)],
            Masks.encode(dict(enumerate(track)), clip.size),
            (expressions or {}).get(id_, ()),
        )
        for i, (id_, track) in enumerate(tracks.items())
    ]
    return LabelSet.of_clip(clip, objects, LABELS, EXPRESSIONS, {"models": {"sam": "demo"}}, notice)


def two_objects(clip: Clip) -> LabelSet:
    """Object 3 runs to the right over object 7, which is missing on frame 2."""
    runner = [box(5, 2 + 5 * t, 20, 14 + 5 * t) for t in range(len(clip))]
    rester = [box(10, 20, 28, 34) & (t != 2) for t in range(len(clip))]
    return label_set(clip, {3: runner, 7: rester}, {3: (0,), 7: (0, 1)})
