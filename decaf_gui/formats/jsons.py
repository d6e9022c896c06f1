"""JSON of datasets: read with errors that say what was expected, written as text, merged beside and renamed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from decaf_gui.core.errors import BadInput
from decaf_gui.formats.base import Draft

Made = TypeVar("Made")
KINDS: Mapping[type, str] = {str: "a text", int: "a whole number", list: "a list", dict: "an object"}


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON as people read it: letters as they are, unless one cannot be written (a file's name in odd bytes)."""
    text = json.dumps(value, ensure_ascii=False, indent=indent, default=str)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, default=str)
    return text


def read_json(path: Path, expected: str) -> dict[str, Any]:
    """A JSON file's object. Raises BadInput that says what was `expected` there."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadInput(f"{path} is missing: it should hold {expected}.") from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput(f"{path} cannot be read as JSON ({error}): it should hold {expected}.") from error
    if not isinstance(data, dict):
        raise BadInput(f"{path} holds {shown(data)}: it should hold {expected}.")
    return data


def part(entry: Any, key: str, kind: type[Made], where: object) -> Made:
    """`entry[key]`, which must be a `kind`. Raises BadInput that names the place and what was expected."""
    found = entry.get(key) if isinstance(entry, Mapping) else None
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        there = isinstance(entry, Mapping) and key in entry
        raise BadInput(
            f'{where}: "{key}" must be {KINDS[kind]}, {"not " + shown(found) if there else "it is missing"}.'
        )
    return found


def shown(value: Any) -> str:
    """A value in a message: short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def merge(draft: Draft, name: str, expected: str, change: Callable[[dict[str, Any]], None]) -> str:
    """Makes a dataset file anew in the draft: what it holds, with a `change`. Its name, for `Draft.finish`.

    Nothing that was there is dropped: keys that nobody here knows stay as they are. The file itself changes when the
    draft is finished, in one step. Raises BadInput when it is there and cannot be read.
    """
    there = draft.home / name
    data = read_json(there, expected) if there.exists() else {}
    change(data)
    draft.path(name).write_text(dumps(data) + "\n", "utf-8")
    return name


def section(data: dict[str, Any], key: str, kind: type[Made], where: object) -> Made:
    """`data[key]`, begun empty when it is not there. Raises BadInput when it is something else."""
    data.setdefault(key, kind())
    return part(data, key, kind, where)


def has_key(path: Path, key: str, name: str) -> bool:
    """Whether the object `key` of a JSON file has an entry `name`; False for what cannot be read."""
    return path.is_file() and name in _keys(path, stamp(path), key)


Stamp = tuple[int, int]


def stamp(path: Path) -> Stamp:
    """Changes when a file does: who looks into the same large file again and again need not read it again."""
    state = path.stat()
    return state.st_mtime_ns, state.st_size


@lru_cache(maxsize=64)
def _keys(path: Path, _: Stamp, key: str) -> frozenset[str]:
    try:
        found = read_json(path, "a dataset").get(key)
    except BadInput:
        return frozenset()
    return frozenset(found) if isinstance(found, dict) else frozenset()
