"""Run lengths in JSON, as COCO and all that followed it write them: compressed text, plain numbers, or polygons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Rle
from decaf_gui.formats.jsons import shown

Size = tuple[int, int]
"""(H, W) in pixels."""
LARGEST = 1 << 31
"""Pixels of the largest mask that is believed."""


def plain_runs(rle: Rle) -> dict[str, Any]:
    """{"size": [H, W], "counts": [runs]}: background first, down the columns."""
    return {"size": list(rle.size), "counts": rle.runs}


def rle_of(entry: Any, where: object) -> Rle:
    """The mask of {"size": [H, W], "counts": text or numbers}.

    Raises BadInput unless the runs describe exactly H x W pixels: pycocotools believes what it reads.
    """
    try:
        height, width = entry["size"]
        counts = entry["counts"]
        if type(height) is not int or type(width) is not int or not 0 < height * width < LARGEST or height < 1:
            raise TypeError(height, width)
        if isinstance(counts, list):
            return _of_numbers(counts, (height, width))
        if isinstance(counts, str):
            return Rle.checked((height, width), counts.encode("ascii"))
        raise TypeError(counts)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, BadInput) as error:
        message = f'{where}: a mask must be {{"size": [H, W], "counts": "..."}} or null, not {shown(entry)}.'
        raise BadInput(message) from error


def segmentation(entry: Any, size: Size, where: object) -> Rle:
    """A mask of `size` from run lengths, or from polygons [[x, y, ...], ...] in pixels. Raises BadInput."""
    if isinstance(entry, list):
        return _of_polygons(entry, size, where)
    found = rle_of(entry, where)
    if found.size != size:
        raise BadInput(f"{where}: the mask is {found.size[1]}x{found.size[0]}, {size[1]}x{size[0]} was expected.")
    return found


def _of_numbers(counts: Sequence[Any], size: Size) -> Rle:
    if any(type(run) is not int or run < 0 for run in counts) or sum(counts) != size[0] * size[1]:
        raise ValueError("runs")
    packed: Mapping[str, Any] = coco_mask.frPyObjects({"size": list(size), "counts": list(counts)}, *size)
    return Rle.checked(size, bytes(packed["counts"]))


def _of_polygons(polygons: Sequence[Any], size: Size, where: object) -> Rle:
    """Drawn as pycocotools draws them; corners far from the picture are refused, they would take all memory."""
    furthest = 4.0 * max(*size, 256)
    for corners in polygons:
        numbers = np.asarray(corners, float) if isinstance(corners, list) else np.zeros(0)
        if numbers.ndim != 1 or numbers.size < 6 or numbers.size % 2 or not (np.abs(numbers) <= furthest).all():
            raise BadInput(f"{where}: a polygon must be [x, y, x, y, x, y, ...] in pixels, not {shown(corners)}.")
    if not polygons:
        return Rle.empty(size)
    merged = coco_mask.merge(coco_mask.frPyObjects([list(map(float, p)) for p in polygons], *size))
    return Rle.checked(size, bytes(merged["counts"]))
