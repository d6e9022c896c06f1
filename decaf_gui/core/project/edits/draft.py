"""An `Edit`, as data, and the `Draft` that collects its changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from decaf_gui.core.errors import BadInput
from decaf_gui.core.project.rows import NAMES, Change, CounterRow, Key, MaskRow, Project, Row

R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of the work: what it did, in words, and the rows that it changed."""

    text: str
    changes: tuple[Change, ...]

    def apply(self, project: Project) -> Project:
        """The project after it."""
        return project.changed(self.changes)

    def revert(self, project: Project) -> Project:
        """The project before it."""
        return project.changed(self.undone.changes)

    @property
    def undone(self) -> Edit:
        """The edit that takes it back."""
        return Edit(f"undo {self.text}", tuple(change.undone for change in reversed(self.changes)))

    @property
    def touched(self) -> frozenset[tuple[type[Row], Key]]:
        """The rows that it changed: what has to be shown anew."""
        return frozenset((change.kind, change.key) for change in self.changes)

    @property
    def frames(self) -> dict[int, frozenset[int]]:
        """The frames of each object whose masks it changed."""
        found: dict[int, set[int]] = {}
        for change in self.changes:
            if change.kind is MaskRow:
                owner, frame = change.key
                found.setdefault(int(owner), set()).add(int(frame))
        return {owner: frozenset(frames) for owner, frames in found.items()}


class Draft:
    """An edit in the making: reads what the project would be, remembers what was there."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._before: dict[tuple[type[Row], Key], Row | None] = {}
        self._after: dict[tuple[type[Row], Key], Row | None] = {}

    def find(self, kind: type[R], *key: int | str) -> R | None:
        """A row as it would be, or None."""
        if (kind, key) in self._after:
            return self._after[kind, key]  # type: ignore[return-value]
        return self.project.find(kind, *key)

    def put(self, row: Row) -> None:
        """Adds or replaces a row."""
        self._set(type(row), row.key, row)

    def drop(self, kind: type[Row], *key: int | str) -> None:
        """Removes a row, if it is there."""
        self._set(kind, key, None)

    def next_id(self, kind: type[Row]) -> int:
        """A new id of a table, never given before."""
        name = NAMES[kind]
        counter = self.find(CounterRow, name) or CounterRow(name, 1)
        self.put(CounterRow(name, counter.next + 1))
        return counter.next

    def edit(self, text: str) -> Edit:
        """What was put and dropped, without what stayed the same. Raises BadInput when nothing changed."""
        changes = tuple(
            Change(kind, key, self._before[kind, key], after)
            for (kind, key), after in self._after.items()
            if self._before[kind, key] != after
        )
        if not changes:
            raise BadInput(f"Nothing to do: {text} would change nothing.")
        return Edit(text, changes)

    def _set(self, kind: type[Row], key: Key, row: Row | None) -> None:
        self._before.setdefault((kind, key), self.project.find(kind, *key))
        self._after[kind, key] = row
