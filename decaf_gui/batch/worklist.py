"""The work list of a pre-labelling run: every (clip, expression) with its state and result, in one SQLite file.

Only the coordinator writes it, each change in one transaction; others may read it at the same time. What was recorded
survives the death of the process.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Literal, get_args

from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.project.locking import Lock
from decaf_gui.core.project.store import SUFFIX
from decaf_gui.formats.base import safe_name

State = Literal["waiting", "running", "done", "failed"]
FILE, PROJECTS, EXPORTS = "worklist.sqlite", "projects", "exports"
APPLICATION = 0x44435750
"""SQLite's application id of work lists ("DCWP")."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """One expression of a clip that is to be pre-labelled.

    `label` is the category of what answers to it ("" none: the model's own word), `id` the dataset's own name for it.
    """

    expression: str
    label: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class SourceClip:
    """A clip as its source has it: a name, a video file or folder of frames, and what is wanted of it."""

    name: str
    media: Path
    wanted: tuple[Wanted, ...]


@dataclass(frozen=True, slots=True)
class ClipWork:
    """The unit of work: all expressions of a clip together. `clip` is its name in the list; attempts count from 1."""

    clip: str
    media: Path
    wanted: tuple[Wanted, ...]
    attempt: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one (clip, expression): candidates, how many the scores selected, and the best one's score.

    `doubt` in [0, 1] is the highest of its selected masks (`core.doubt`). Score and doubt are None without any.
    """

    clip: str
    expression: str
    label: str
    candidates: int
    selected: int
    score: float | None
    doubt: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One (clip, expression) of the list; `reason` says why it failed, or why it is tried again."""

    clip: str
    expression: str
    label: str
    state: State
    attempts: int
    reason: str
    result: Result | None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something of the source that is left out: the clip and expression (either may be empty), and why."""

    clip: str
    expression: str
    reason: str


SCHEMA = f"""
CREATE TABLE head (identity TEXT NOT NULL);
CREATE TABLE clip (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, place TEXT NOT NULL UNIQUE, media TEXT NOT NULL UNIQUE
);
CREATE TABLE pair (
    id INTEGER PRIMARY KEY, clip INTEGER NOT NULL REFERENCES clip, expression TEXT NOT NULL,
    label TEXT NOT NULL, dataset_id TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
    attempts INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
    candidates INTEGER, selected INTEGER, score REAL, doubt REAL, seconds REAL,
    UNIQUE (clip, expression)
);
CREATE INDEX by_state ON pair (state, attempts, clip);
CREATE TABLE exported (
    clip INTEGER NOT NULL REFERENCES clip, format TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (clip, format)
) WITHOUT ROWID;
CREATE TABLE problem (clip TEXT NOT NULL, expression TEXT NOT NULL, reason TEXT NOT NULL);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""
"""`place` is a name as file systems that know no case take it. `exported` has the formats that a clip was written in,
or, with a reason, could not be written in.
"""
NEXT = "SELECT clip, attempts FROM pair WHERE state = 'waiting' ORDER BY attempts, clip LIMIT 1"
ROWS = """
SELECT clip.name, expression, label, state, attempts, reason, candidates, selected, score, doubt, seconds
FROM pair JOIN clip ON clip.id = pair.clip ORDER BY clip.id, pair.id
"""


class WorkList:
    """An open work list. Use `WorkList.begin` or `WorkList.open`; close it, or use `with`.

    Only the thread that opened it may use it.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, lock: Lock | None) -> None:
        self.folder, self._connection, self._lock = folder, connection, lock

    @classmethod
    def begin(cls, folder: Path, identity: Mapping[str, Any]) -> WorkList:
        """The list in `folder` for a new start: made when it is not there, else what was broken off or failed waits.

        `identity` is plain data that decides about the results. Raises BadInput when the list there is of another run
        (naming the first difference), when another process works on it, or when the folder cannot be written to.
        """
        _make_room(folder)
        lock = _take(folder)
        try:
            if not (folder / FILE).exists():
                _make(folder / FILE, identity)
            worklist = cls(folder, _opened(folder / FILE), lock)
            worklist._start_anew(identity)
        except BaseException:
            lock.release()
            raise
        return worklist

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False) -> WorkList:
        """The list in `folder` as it is; read-only also while another process writes it. Raises BadInput."""
        _check(folder / FILE)  # before a lock is left in a folder of something else
        lock = None if read_only else _take(folder)
        try:
            return cls(folder, _opened(folder / FILE, read_only=read_only), lock)
        except BaseException:
            if lock is not None:
                lock.release()
            raise

    def __enter__(self) -> WorkList:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Puts everything into the one file and lets go of it."""
        with suppress(sqlite3.Error):
            if self._lock is not None:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    # --- what the source wants ---------------------------------------------------------------------------------

    def _start_anew(self, identity: Mapping[str, Any]) -> None:
        """Raises BadInput when the list is of another run."""
        ((told,),) = self._all("SELECT identity FROM head")
        there, wanted = json.loads(told), json.loads(json.dumps(identity))
        key = next((key for key in {**wanted, **there} if there.get(key) != wanted.get(key)), None)
        if key is not None:
            was, now = json.dumps(there.get(key)), json.dumps(wanted.get(key))
            raise BadInput(
                f"{self.folder} is of another run: {key} was {was}, now it is {now}. Choose another --out folder."
            )
        with self._transaction() as change:
            change.execute("UPDATE pair SET state = 'waiting', attempts = 0 WHERE state != 'done'")
            change.execute("DELETE FROM exported WHERE reason != ''")

    def add(self, clips: Iterable[SourceClip], problems: Sequence[Problem] = ()) -> None:
        """Makes the list follow its source: what is new waits, what is gone from it leaves, but for what is done.

        Clips are known by their media, and named apart where two would have the same project.
        """
        with self._transaction() as change:
            kept = [pair for clip in clips for pair in self._enter(change, clip)]
            change.execute("CREATE TEMP TABLE kept (id INTEGER PRIMARY KEY)")
            change.executemany("INSERT OR IGNORE INTO kept VALUES (?)", [(pair,) for pair in kept])
            change.execute("DELETE FROM pair WHERE state != 'done' AND id NOT IN kept")
            change.execute("DROP TABLE kept")
            change.execute("DELETE FROM exported WHERE clip IN (SELECT clip FROM pair WHERE state != 'done')")
            change.execute("DELETE FROM clip WHERE id NOT IN (SELECT clip FROM pair)")
            change.execute("DELETE FROM problem")
            rows = [(problem.clip, problem.expression, problem.reason) for problem in problems]
            change.executemany("INSERT INTO problem VALUES (?, ?, ?)", rows)

    def _enter(self, change: sqlite3.Connection, clip: SourceClip) -> list[int]:
        """The numbers of a clip's pairs, entered where they are new."""
        media = str(clip.media.absolute())
        known = change.execute("SELECT id FROM clip WHERE media = ?", (media,)).fetchone()
        if known is None:
            name = _free_name(change, clip.name)
            values = (name, _place(name), media)
            enter = "INSERT INTO clip (name, place, media) VALUES (?, ?, ?) RETURNING id"
            known = change.execute(enter, values).fetchone()
        for wanted in clip.wanted:
            change.execute(
                "INSERT INTO pair (clip, expression, label, dataset_id) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE"
                " SET label = excluded.label, dataset_id = excluded.dataset_id WHERE state != 'done'",
                (known[0], wanted.expression, wanted.label, wanted.id),
            )
        query = "SELECT id FROM pair WHERE clip = ? AND expression = ?"
        found = (change.execute(query, (known[0], wanted.expression)).fetchone() for wanted in clip.wanted)
        return [pair for (pair,) in found]

    # --- what happens to it ------------------------------------------------------------------------------------

    def take(self) -> ClipWork | None:
        """The next clip that waits, marked as running; those that failed before come last. None: nothing waits."""
        with self._transaction() as change:
            found = change.execute(NEXT).fetchone()
            if found is None:
                return None
            clip, attempts = found
            query = "SELECT expression, label, dataset_id FROM pair WHERE clip = ? AND state = 'waiting' ORDER BY id"
            wanted = tuple(Wanted(*values) for values in change.execute(query, (clip,)))
            run = "UPDATE pair SET state = 'running', attempts = ? WHERE clip = ? AND state = 'waiting'"
            change.execute(run, (attempts + 1, clip))
            name, media = change.execute("SELECT name, media FROM clip WHERE id = ?", (clip,)).fetchone()
        return ClipWork(name, Path(media), wanted, attempts + 1)

    def finished(self, clip: str, results: Iterable[Result]) -> None:
        """The expressions of a clip are done, with these results; what is done already stays as it is."""
        rows = [(r.candidates, r.selected, r.score, r.doubt, r.seconds, clip, r.expression) for r in results]
        with self._transaction() as change:
            change.executemany(
                "UPDATE pair SET state = 'done', reason = '', candidates = ?, selected = ?, score = ?, doubt = ?,"
                " seconds = ? WHERE clip = (SELECT id FROM clip WHERE name = ?) AND expression = ? AND state != 'done'",
                rows,
            )

    def failed(self, clip: str, reason: str, *, again: bool) -> None:
        """What runs of a clip has failed, or waits for another attempt."""
        with self._transaction() as change:
            change.execute(
                "UPDATE pair SET state = ?, reason = ? WHERE clip = (SELECT id FROM clip WHERE name = ?)"
                " AND state = 'running'",
                ("waiting" if again else "failed", reason, clip),
            )

    def exported(self, clip: str, form: str, reason: str = "") -> None:
        """A clip was written in a format; with a reason: it could not be."""
        with self._transaction() as change:
            change.execute(
                "INSERT OR REPLACE INTO exported SELECT id, ?, ? FROM clip WHERE name = ?", (form, reason, clip)
            )

    # --- what is in it -----------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """All, clip by clip, in order."""
        return [_row(values) for values in self._all(ROWS)]

    def clips(self) -> list[str]:
        """The names of all clips, in order."""
        return [name for (name,) in self._all("SELECT name FROM clip ORDER BY id")]

    def totals(self) -> dict[State, int]:
        """How many expressions are in each state."""
        found = dict(self._all("SELECT state, count(*) FROM pair GROUP BY state"))
        return {state: int(found.get(state, 0)) for state in get_args(State)}

    def attempts(self, clip: str) -> int:
        """How often a clip was taken since the last start."""
        query = "SELECT max(attempts) FROM pair JOIN clip ON clip.id = pair.clip WHERE name = ? AND state = 'running'"
        ((most,),) = self._all(query, clip)
        return int(most or 0)

    def unexported(self, formats: Sequence[str]) -> list[tuple[str, str]]:
        """(clip, format) of clips that are done as a whole and were not written in one of the formats yet."""
        query = "SELECT name FROM clip WHERE id NOT IN (SELECT clip FROM pair WHERE state != 'done') ORDER BY id"
        done = [name for (name,) in self._all(query)]
        there = set(self._all("SELECT name, format FROM exported JOIN clip ON clip.id = exported.clip"))
        return [(clip, form) for clip in done for form in formats if (clip, form) not in there]

    def failures(self) -> list[Problem]:
        """What could not be read of the source, labelled or exported, and why."""
        read = self._all("SELECT clip, expression, reason FROM problem")
        query = "SELECT name, expression, reason FROM pair JOIN clip ON clip.id = pair.clip"
        labelled = self._all(f"{query} WHERE state = 'failed' ORDER BY pair.id")
        query = "SELECT name, '', reason FROM exported JOIN clip ON clip.id = exported.clip"
        written = self._all(f"{query} WHERE reason != '' ORDER BY clip.id, format")
        return [Problem(*values) for values in (*read, *labelled, *written)]

    def project(self, clip: str) -> Path:
        """Where a clip's project lies once it is done."""
        return project_path(self.folder, clip)

    def media(self, clip: str) -> Path:
        """A clip's video file or folder of frames. Raises BadInput for a clip that is not in the list."""
        found = self._all("SELECT media FROM clip WHERE name = ?", clip)
        if not found:
            raise BadInput(f"There is no clip {clip} in the work list of {self.folder}.")
        return Path(found[0][0])

    def _all(self, query: str, *values: object) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise DecafError(f"{self.folder / FILE} could not be read: {error}.") from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
        except sqlite3.Error as error:
            raise DecafError(f"{self.folder / FILE} could not be written: {error}.") from error


def project_path(folder: Path, clip: str) -> Path:
    """Where the project of a clip of the list in `folder` lies once it is done."""
    return folder / PROJECTS / f"{safe_name(clip)}{SUFFIX}"


def _row(values: Sequence[Any]) -> Row:
    clip, expression, label, state, attempts, reason, *found = values
    result = Result(clip, expression, label, *found) if state == "done" else None
    return Row(clip, expression, label, state, attempts, reason, result)


def _place(name: str) -> str:
    """The file name of a clip's project, alike for names that some file system could take for the same."""
    return safe_name(name).casefold()


def _free_name(connection: sqlite3.Connection, name: str) -> str:
    """The name, numbered where another clip's project would have the same file."""
    tried = (name if n == 1 else f"{name}_{n}" for n in count(1))
    taken = "SELECT 1 FROM clip WHERE place = ?"
    return next(n for n in tried if connection.execute(taken, (_place(n),)).fetchone() is None)


# --- the file ------------------------------------------------------------------------------------------------


def _make_room(folder: Path) -> None:
    """The folders. Raises BadInput when they cannot be made."""
    try:
        (folder / PROJECTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{folder} cannot be made ({error.strerror or error}): choose another --out folder."
        raise BadInput(message) from error


def _make(path: Path, identity: Mapping[str, Any]) -> None:
    """An empty list, beside its place and renamed. Raises BadInput when the folder cannot be written to."""
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        with closing(_connect(beside)) as connection:
            connection.executescript(SCHEMA)
            connection.execute("INSERT INTO head VALUES (?)", (json.dumps(identity, sort_keys=True),))
        beside.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise BadInput(f"{path.parent} cannot be written to ({error}): choose another --out folder.") from error


def _take(folder: Path) -> Lock:
    lock = Lock.try_take(folder / FILE)
    if lock is None:
        holder, file = Lock.holder(folder / FILE), folder / f".{FILE}.lock"
        raise BadInput(f"{folder} is being worked on by {holder}. If that is no more, delete {file}.")
    return lock


def _check(path: Path) -> None:
    """Raises BadInput for what is no work list of this version."""
    if not path.is_file():
        raise BadInput(f"There is no work list in {path.parent}: pre-label something into it first.")
    try:
        with closing(_connect(path)) as connection:
            (kind,) = connection.execute("PRAGMA application_id").fetchone()
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        raise BadInput(f"{path} cannot be read as a work list: {error}.") from None
    if kind != APPLICATION:
        raise BadInput(f"{path} is no work list.")
    if version > VERSION:
        raise BadInput(f"{path} was made by a newer program (version {version}, this one reads {VERSION}): update.")


def _opened(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to a list that is there, whole after a kill. Raises BadInput for what is none."""
    _check(path)
    connection = _connect(path)
    try:
        connection.execute("PRAGMA query_only = ON" if read_only else "PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        connection.close()
        raise BadInput(f"{path} cannot be opened: {error}.") from None
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=5)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
