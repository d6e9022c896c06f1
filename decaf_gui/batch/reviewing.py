"""A pre-labelled folder as those who review it see it: what is to be looked at, in which order, what was decided.

Only read here, but for `accept_waiting`, which persons ask for. The work list says what there is; projects are read for
what was decided, quickly (`glance`), and again only when their files have changed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from decaf_gui.batch.worklist import FILE, Row, WorkList, project_path
from decaf_gui.core.calibration import Decision
from decaf_gui.core.entities import Expression, Scoring
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.project.edits import Edit
from decaf_gui.core.project.rows import Project, VerdictRow
from decaf_gui.core.project.store import Store, glance
from decaf_gui.core.project.verdicts import Asked, accept_above, asked_of

EntryState = Literal["to review", "reviewed", "failed", "running", "waiting"]
Order = Literal["doubt", "score", "clip"]
RANKS: Mapping[EntryState, int] = {"to review": 0, "failed": 1, "running": 2, "waiting": 3, "reviewed": 4}
"""What is to be done comes first."""
PAUSE = 0.5
"""Seconds between two pictures of a folder that is being read."""
Stamp = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One (clip, expression) of the queue.

    "to review": labelled, and candidates wait for a word, or nobody has said what there is where none was selected.
    `doubt` in [0, 1] and `score` are those of pre-labelling, None without a selected candidate. `open` candidates wait,
    of `selected`.
    """

    clip: str
    expression: str
    state: EntryState
    doubt: float | None = None
    score: float | None = None
    selected: int = 0
    open: int = 0
    reason: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from the others."""
        return self.clip, self.expression


@dataclass(frozen=True, slots=True)
class Waiting:
    """Candidates of a clip that wait for a word, to be accepted together."""

    clip: str
    project: Path
    tracklets: tuple[int, ...]


@dataclass(frozen=True)
class Picture:
    """A folder at one moment: the rows of its work list, and what the projects that were read say, by clip."""

    folder: Path
    rows: tuple[Row, ...] = ()
    asked: Mapping[str, Mapping[str, Asked]] = field(default_factory=dict)
    """By clip and expression."""
    whole: bool = False
    """Whether all projects were read."""
    begun: float = 0.0
    """When the look at the folder began that this is of (`time.monotonic`): it may not know of later edits."""

    def with_clip(self, clip: str, asked: Iterable[Asked]) -> Picture:
        """The picture with what one clip's project says now."""
        return replace(self, asked={**self.asked, clip: _by_text(asked)})

    def entries(self) -> list[Entry]:
        """All of the queue, in the order of the work list."""
        return [_entry(row, self.asked.get(row.clip, {}).get(Expression(row.expression).text)) for row in self.rows]

    def scoring(self) -> Scoring:
        """How most of the candidates were scored: scores of another kind cannot be compared with theirs."""
        kinds = Counter(c.scoring for asked in self._all_asked() for c in asked.candidates)
        return max(kinds, key=lambda kind: kinds[kind], default="consistency")

    def decisions(self) -> list[Decision]:
        """What persons have decided so far, on candidates scored as most are."""
        scoring = self.scoring()
        return [decision for asked in self._all_asked() for decision in asked.decisions(scoring)]

    def waiting(self, threshold: float) -> list[Waiting]:
        """The candidates that reach a score and wait for a word, clip by clip."""
        scoring, found = self.scoring(), []
        for clip, by_text in self.asked.items():
            tracklets = tuple(
                candidate.tracklet
                for asked in by_text.values()
                for candidate in asked.candidates
                if not asked.no_target and candidate.state == "open"
                if candidate.scoring == scoring and candidate.score >= threshold
            )
            if tracklets:
                found.append(Waiting(clip, project_path(self.folder, clip), tracklets))
        return found

    def _all_asked(self) -> Iterator[Asked]:
        return (asked for by_text in self.asked.values() for asked in by_text.values())


def _by_text(asked: Iterable[Asked]) -> dict[str, Asked]:
    return {one.text: one for one in asked}


def _entry(row: Row, asked: Asked | None) -> Entry:
    if row.state != "done" or row.result is None:
        return Entry(row.clip, row.expression, "waiting" if row.state == "done" else row.state, reason=row.reason)
    result = row.result
    numbers = (result.doubt, result.score, result.selected)
    if asked is None:  # not read yet
        return Entry(row.clip, row.expression, "to review", *numbers, open=result.selected)
    state: EntryState = "reviewed" if asked.reviewed else "to review"
    return Entry(row.clip, row.expression, state, *numbers, open=asked.waiting)


# --- the queue ---------------------------------------------------------------------------------------------------


def in_order(entries: Iterable[Entry], order: Order) -> list[Entry]:
    """By doubt: what is to be done first, the most doubtful of it first. By score: the lowest first. By clip: as is.

    Entries without a number come behind those with one: nothing was selected for them.
    """
    if order == "clip":
        return list(entries)
    key: Callable[[Entry], float | None] = {
        "doubt": lambda entry: None if entry.doubt is None else -entry.doubt,
        "score": lambda entry: entry.score,
    }[order]
    return sorted(entries, key=lambda entry: (RANKS[entry.state], key(entry) is None, key(entry) or 0.0))


def matching(entries: Iterable[Entry], text: str, states: Iterable[EntryState]) -> list[Entry]:
    """Those in one of the states whose clip, expression or reason has all the words of a text."""
    words, wanted = text.casefold().split(), set(states)
    told = ((entry, f"{entry.clip} {entry.expression} {entry.reason}".casefold()) for entry in entries)
    return [entry for entry, said in told if entry.state in wanted and all(word in said for word in words)]


def next_to_review(entries: Sequence[Entry], current: tuple[str, str] | None, step: int = 1) -> Entry | None:
    """The next (or previous) entry to review after the present one, round and round; None when there is no other."""
    place = next((place for place, entry in enumerate(entries) if entry.key == current), -1 if step > 0 else 0)
    around = (entries[(place + step * n) % len(entries)] for n in range(1, len(entries) + 1))
    return next((entry for entry in around if entry.state == "to review" and entry.key != current), None)


# --- reading -----------------------------------------------------------------------------------------------------


def set_folder(path: Path) -> Path | None:
    """The pre-labelled folder that a path names, by itself or by the work list in it; None when it is none."""
    folder = path.parent if path.name == FILE else path
    return folder if (folder / FILE).is_file() else None


class LabelledSet:
    """A pre-labelled folder that is looked at again and again, also while it is still being made.

    Raises BadInput when the folder is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, tuple[Stamp, dict[str, Asked]]] = {}
        with WorkList.open(folder, read_only=True):
            pass

    def look(self) -> Iterator[Picture]:
        """The work list at once, then the projects whose files changed: pictures at most `PAUSE` apart, last the whole.

        A project that cannot be read now is left as it was: it is tried again the next time. Raises BadInput when the
        work list is gone.
        """
        told = begun = time.monotonic()
        with WorkList.open(self.folder, read_only=True) as worklist:
            rows = tuple(worklist.rows())
        yield self._picture(rows, begun)
        for clip in dict.fromkeys(row.clip for row in rows if row.state == "done"):
            self._refresh(clip)
            if time.monotonic() - told > PAUSE:
                told = time.monotonic()
                yield self._picture(rows, begun)
        yield self._picture(rows, begun, whole=True)

    def _picture(self, rows: tuple[Row, ...], begun: float, *, whole: bool = False) -> Picture:
        return Picture(self.folder, rows, {clip: asked for clip, (_, asked) in self._read.items()}, whole, begun)

    def _refresh(self, clip: str) -> None:
        path = project_path(self.folder, clip)
        stamp = _stamp(path)
        if stamp and self._read.get(clip, ((), {}))[0] != stamp:
            try:
                self._read[clip] = (stamp, _by_text(asked_of(glance(path))))
            except BadInput:
                self._read.pop(clip, None)


def _stamp(path: Path) -> Stamp:
    """What changes with every edit of a project: time and size of its file and of its log; empty without a file."""
    found = []
    for part in (path, path.with_name(f"{path.name}-wal")):
        try:
            status = part.stat()
        except OSError:
            continue
        found.append((status.st_mtime_ns, status.st_size))
    return tuple(found)


# --- accepting what the score vouches for ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """One project's part is done, by this edit."""

    clip: str
    project: Path
    edit: Edit

    @property
    def candidates(self) -> int:
        """How many were accepted, or given back."""
        return sum(change.kind is VerdictRow for change in self.edit.changes)


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A project that stays as it is, and why."""

    clip: str
    reason: str


Done = Changed | LeftAlone


def accept_waiting(waiting: Iterable[Waiting], threshold: float) -> Iterator[Done]:
    """Accepts candidates that reach a score, one edit for each project; closing the generator stops after one.

    A project that somebody else works on is left alone.
    """
    for part in waiting:
        yield _change(part.clip, part.project, partial(_accept, part.tracklets, threshold))


def take_back(changed: Iterable[Changed]) -> Iterator[Done]:
    """Undoes `accept_waiting`, project by project; one whose rows were changed since is left alone."""
    for part in changed:
        yield _change(part.clip, part.project, partial(_undone, part.edit))


def _accept(tracklets: Sequence[int], threshold: float, project: Project) -> Edit:
    return accept_above(project, tracklets, threshold)


def _undone(edit: Edit, _: Project) -> Edit:
    return edit.undone


def _change(clip: str, path: Path, make: Callable[[Project], Edit]) -> Done:
    """Stores an edit in a project that is not open here."""
    try:
        with Store.open(path) as store:
            edit = make(store.project)
            store.do(edit)
            return Changed(clip, path, edit)
    except DecafError as error:
        return LeftAlone(clip, str(error))
