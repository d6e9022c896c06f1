"""What datasets have no field for: this program's own table beside them, and how both become a label set.

The table says of every numbered object its id in the project and its class, and keeps the frames' source names, the
classes, the rate, the provenance and the notice. What a dataset says itself (masks, classes, expressions) goes first:
it may have been changed by others since.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.video import DEFAULT_FPS
from decaf_gui.formats.jsons import part
from decaf_gui.formats.labelset import LabelledObject, LabelSet, Source

KEY = "decaf_gui"
"""The table's name in a dataset's own JSON: others skip keys that they do not know."""
UNKNOWN = "object"
"""The class of objects of which nobody says what they are."""

Asked = Sequence[tuple[str, frozenset[int]]]
"""Expressions with the numbers of the objects that answer."""


@dataclass(frozen=True)
class Found:
    """What a dataset's own files say of one clip: masks by number, and what there is of classes and expressions.

    `asked` None: the format has no expressions. `labels` are classes with ids, `classes` the class of an object.
    """

    name: str
    size: tuple[int, int]
    frames: tuple[str, ...]
    masks: Mapping[int, Masks]
    classes: Mapping[int, str] = field(default_factory=dict)
    labels: tuple[Label, ...] = ()
    asked: Asked | None = None
    source: Source = field(default_factory=Source)


def table_of(labelset: LabelSet, numbers: Mapping[int, int]) -> dict[str, Any]:
    """The table of a label set whose objects have `numbers` in the dataset."""
    ordered = sorted(labelset.objects, key=lambda obj: numbers[obj.id])
    return {
        "name": labelset.name,
        "fps": labelset.fps,
        "size": list(labelset.size),
        "names": list(labelset.names),
        "objects": [
            {"number": numbers[o.id], "object": o.id, "label": o.label.name, "expressions": list(o.expressions)}
            for o in ordered
        ],
        "expressions": [
            {"id": i, "text": text, "objects": sorted(numbers[o.id] for o in labelset.answers(i))}
            for i, text in enumerate(labelset.expressions)
        ],
        "labels": [{"id": label.id, "name": label.name} for label in labelset.labels.entries],
        "notice": labelset.notice,
        "provenance": dict(labelset.provenance),
    }


def table_in(entry: Any) -> Mapping[str, Any]:
    """The table in a dataset's own entry; empty where others have written it."""
    found = entry.get(KEY) if isinstance(entry, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def numbers_in(table: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    """The table's objects by number. Raises BadInput when it is damaged."""
    listed = part(table, "objects", list, "the table of objects") if "objects" in table else []
    return {part(entry, "number", int, "the table of objects"): entry for entry in listed}


def label_set(found: Found, table: Mapping[str, Any]) -> LabelSet:
    """A dataset's word and the table's together. An object of the table without masks is absent on all frames."""
    told = numbers_in(table)
    labels = _labels(found, table)
    asked = _asked(found, table)
    empty = Masks(found.size, dict.fromkeys(range(len(found.frames)), Rle.empty(found.size)))
    objects = []
    for number in sorted(found.masks.keys() | told.keys()):
        entry = told.get(number, {})
        label = labels.find(found.classes.get(number) or str(entry.get("label", ""))) or labels.entries[0]
        answers = tuple(i for i, (_, numbers) in enumerate(asked) if number in numbers)
        objects.append(LabelledObject(int(entry.get("object", number)), label, found.masks.get(number, empty), answers))
    return LabelSet(
        name=str(table.get("name", found.name)),
        size=found.size,
        frame_count=len(found.frames),
        fps=float(table.get("fps", DEFAULT_FPS)),
        names=_names(found, table),
        objects=tuple(sorted(objects, key=lambda obj: obj.id)),
        labels=labels,
        expressions=tuple(text for text, _ in asked),
        provenance=dict(table.get("provenance", {})),
        notice=str(table.get("notice", "")),
        source=found.source,
    )


def together(asked: Iterable[tuple[str, Iterable[int]]]) -> list[tuple[str, frozenset[int]]]:
    """Expressions of the same words are one: formats with one object per expression write it once for each object."""
    found: dict[str, set[int]] = {}
    for text, numbers in asked:
        found.setdefault(text, set()).update(numbers)
    return [(text, frozenset(numbers)) for text, numbers in found.items()]


def _labels(found: Found, table: Mapping[str, Any]) -> Labels:
    told = tuple(Label(part(e, "id", int, "the table"), str(e["name"])) for e in table.get("labels", ()))
    labels = Labels(told or found.labels)
    for _, name in sorted(found.classes.items()):
        labels = labels.add(name)
    return labels if labels.entries else Labels.of([UNKNOWN])


def _asked(found: Found, table: Mapping[str, Any]) -> Asked:
    """The dataset's expressions, in the table's order; of the table alone those that the dataset had no room for."""
    told = [(str(entry["text"]), frozenset(entry["objects"])) for entry in table.get("expressions", ())]
    if found.asked is None:
        return told
    native = dict(together(found.asked))
    kept = [(text, native.pop(text, numbers)) for text, numbers in told if text in native or not numbers]
    return [*kept, *native.items()]


def _names(found: Found, table: Mapping[str, Any]) -> tuple[str, ...]:
    told = tuple(str(name) for name in table.get("names", ()))
    return told if len(told) == len(found.frames) else found.frames
