"""What a run has scored so far, one JSON line each: a killed run goes on where it was."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import BadInput

Stamp = list[int]
"""How many files a folder of masks has, their bytes, and when the newest was written (ns)."""


class Ledger:
    """Records by key. A record holds for the masks that it was made of: with another stamp it is not found."""

    def __init__(self, path: Path, records: dict[str, dict[str, Any]]) -> None:
        self._path, self._records = path, records

    @classmethod
    def open(cls, path: Path, identity: Mapping[str, Any]) -> Ledger:
        """The records at `path`, begun when there are none. A line that a kill cut off is dropped.

        Raises BadInput when they are of another run than `identity` describes, or are no such records.
        """
        head = json.dumps({"evaluation": identity}, sort_keys=True)
        if not path.exists():
            _begin(path, head)
            return cls(path, {})
        content = path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(path, len(whole))
        first, *lines = whole.decode("utf-8", "replace").splitlines() or [""]
        if first != head:
            raise BadInput(f"{path} is of another run: {_difference(first, head)}. Choose another --out folder.")
        return cls(path, dict(_parsed(path, number, line) for number, line in enumerate(lines, start=2)))

    def find(self, key: str, stamp: Stamp) -> Any:
        """What was noted of masks with this stamp, or None."""
        record = self._records.get(key, {})
        return record.get("value") if record.get("stamp") == stamp else None

    def add(self, key: str, stamp: Stamp, value: Any) -> None:
        """Notes it; it is on the disk when this returns."""
        record = {"key": key, "stamp": stamp, "value": value}
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(record) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        self._records[key] = record


def _begin(path: Path, head: str) -> None:
    """The first line, beside its place and renamed. Raises BadInput when the folder cannot be written to."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(f"{head}\n", "utf-8")
        beside.replace(path)
    except OSError as error:
        message = f"{path.parent} cannot be written to ({error.strerror or error}): choose another --out folder."
        raise BadInput(message) from error


def stamp_of(folder: Path) -> Stamp:
    """Of the files directly in `folder`; [0, 0, 0] when there is no such folder."""
    if not folder.is_dir():
        return [0, 0, 0]
    with os.scandir(folder) as entries:
        stats = [entry.stat() for entry in entries if entry.is_file()]
    return [len(stats), sum(s.st_size for s in stats), max((s.st_mtime_ns for s in stats), default=0)]


def _parsed(path: Path, number: int, line: str) -> tuple[str, dict[str, Any]]:
    try:
        record = json.loads(line)
        return record["key"], record
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}, line {number}, is no record of a run: delete the file to score anew.") from error


def _difference(first: str, head: str) -> str:
    """In words: the first thing that differs."""
    try:
        there, wanted = json.loads(first)["evaluation"], json.loads(head)["evaluation"]
        key = next(key for key in {**wanted, **there} if there.get(key) != wanted.get(key))
        return f"{key} was {json.dumps(there.get(key))}, now it is {json.dumps(wanted.get(key))}"
    except (ValueError, KeyError, TypeError, AttributeError, StopIteration):
        return "its first line does not say what it is"
