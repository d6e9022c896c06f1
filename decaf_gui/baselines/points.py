"""Key points as models write them: read from an answer, whatever its form, and taken back to the source frame."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from decaf_gui.baselines.settings import Coordinates

XY = tuple[float, float]
POINT_KEYS = (
    "point_2d",
    "point",
    "points",
    "keypoint",
    "key_point",
    "keypoints",
    "coordinates",
    "coordinate",
    "position",
)
BOX_KEYS = ("bbox_2d", "bbox", "box", "box_2d")
_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_TEXT_NUMBER = re.compile(rf"\s*({_NUMBER})\s*(%?)\s*")
_PAIR = re.compile(rf"[\[(<]\s*({_NUMBER})\s*(%?)\s*[,;\s]\s*({_NUMBER})\s*(%?)\s*[\])>]")
_ATTRIBUTES = re.compile(
    rf"""\bx\d*\s*[=:]\s*["']?\s*({_NUMBER})\s*(%?)["']?[\s,;]+["']?y\d*["']?\s*[=:]\s*["']?\s*({_NUMBER})\s*(%?)(?![\d.])"""
)
_SCALES = {"thousandths": 1000.0, "percent": 100.0, "fraction": 1.0}


@dataclass(frozen=True, slots=True)
class SpokenPoint:
    """A point as an answer has it; `percent` when the numbers carry the sign, `exact` when they have decimals."""

    x: float
    y: float
    percent: bool = False
    exact: bool = False


@dataclass(frozen=True, slots=True)
class _Number:
    value: float
    percent: bool
    exact: bool


def parse_points(answer: str) -> list[SpokenPoint]:
    """All points of an answer, each once, in order: JSON in fences or bare, whole or broken off, or else plain text.

    JSON: objects with a point, with x and y, or with a box (its centre), and lists of two numbers (four: a box). A
    piece that is broken off in the middle is left out: of its last number, digits may be missing.
    """
    found = list(_points_of_json(answer)) or list(_points_of_text(answer))
    return list(dict.fromkeys(found))


def _points_of_json(text: str) -> Iterator[SpokenPoint]:
    """Every complete piece of JSON in the text, however it is wrapped."""
    decoder, at = json.JSONDecoder(), 0
    while (opening := re.compile(r"[\[{]").search(text, at)) is not None:
        try:
            value, at = decoder.raw_decode(text, opening.start())
        except (ValueError, RecursionError):
            at = opening.start() + 1
        else:
            yield from _points_in(value)


def _points_in(value: Any) -> Iterator[SpokenPoint]:
    if isinstance(value, dict):
        yield from _points_of_object({str(key).lower(): inner for key, inner in value.items()})
    elif isinstance(value, list):
        numbers = [_number(inner) for inner in value]
        if len(numbers) in (2, 4) and all(number is not None for number in numbers):
            yield from _point_of([number for number in numbers if number is not None])
        else:
            for inner in value:
                yield from _points_in(inner)


def _points_of_object(fields: dict[str, Any]) -> Iterator[SpokenPoint]:
    """Of one object: its point, else x and y, else its box, else what is inside of it."""
    if "x" in fields and "y" in fields:
        yield from _points_in([fields["x"], fields["y"]])
        return
    named = [key for key in (*POINT_KEYS, *BOX_KEYS) if key in fields]
    for inner in [fields[named[0]]] if named else fields.values():
        yield from _points_in(inner)


def _number(value: Any) -> _Number | None:
    """A finite number, also one that is written as text, also in percent."""
    if isinstance(value, str):
        matched = _TEXT_NUMBER.fullmatch(value)
        return None if matched is None else _read(matched[1], matched[2])
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return _Number(float(value), False, isinstance(value, float))


def _read(digits: str, sign: str) -> _Number | None:
    value = float(digits)
    return _Number(value, bool(sign), "." in digits) if math.isfinite(value) else None


def _point_of(numbers: list[_Number]) -> Iterator[SpokenPoint]:
    """Two numbers are a point, four a box."""
    percent, exact = any(n.percent for n in numbers), any(n.exact for n in numbers)
    half = len(numbers) // 2
    xs, ys = [n.value for n in numbers[::2]], [n.value for n in numbers[1::2]]
    yield SpokenPoint(sum(xs) / half, sum(ys) / half, percent, exact)


def _points_of_text(text: str) -> Iterator[SpokenPoint]:
    """(x, y), [x, y], <x, y>, and x="..." y="..." as in Qwen's XML."""
    for pattern in (_ATTRIBUTES, _PAIR):
        matched = [_pair(match) for match in pattern.finditer(text)]
        if matched:
            yield from (point for point in matched if point is not None)
            return


def _pair(match: re.Match[str]) -> SpokenPoint | None:
    numbers = [_read(match[1], match[2]), _read(match[3], match[4])]
    known = [number for number in numbers if number is not None]
    return next(_point_of(known)) if len(known) == 2 else None


def unit_of(point: SpokenPoint, coordinates: Coordinates, model_type: str) -> Coordinates:
    """What a point's numbers are. "auto": percent signs or decimals in [0, 1] say so, else it is the family's habit."""
    if coordinates != "auto":
        return coordinates
    if point.percent:
        return "percent"
    if point.exact and 0 <= point.x <= 1 and 0 <= point.y <= 1:
        return "fraction"
    return "pixels" if model_type == "qwen2_5_vl" else "thousandths"


def to_source(point: SpokenPoint, unit: Coordinates, shown: tuple[int, int], source: tuple[int, int]) -> XY | None:
    """The point in source pixels ((0.5, 0.5) is the first one's centre); None outside of the picture.

    `shown` and `source` are (H, W) of the resized input and of the frame. "pixels" name pixels of the resized input and
    mean their centres.
    """
    (height, width), (down, right) = source, shown
    if unit == "pixels":
        across, along = (point.x + 0.5) / right, (point.y + 0.5) / down
    else:
        across, along = point.x / _SCALES[unit], point.y / _SCALES[unit]
    return (across * width, along * height) if 0 <= across <= 1 and 0 <= along <= 1 else None
