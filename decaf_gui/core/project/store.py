"""The project file: SQLite, every edit one transaction, one writer.

What was stored survives the death of the process: write-ahead log with synchronous NORMAL (FULL on request), or the
rollback journal where the log cannot work (network folders). Masks of running tracking go into a journal table first.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.masks import Rle
from decaf_gui.core.project.edits import Edit, NewMask
from decaf_gui.core.project.locking import Lock
from decaf_gui.core.project.rows import (
    NAMES,
    REFERENCES,
    TABLES,
    AnswerRow,
    Change,
    ClipRow,
    ExpressionRow,
    MaskRow,
    ObjectRow,
    Project,
    PromptRow,
    Row,
    TrackletRow,
    VerdictRow,
)

SUFFIX = ".decaf"
APPLICATION = 0x44434146
"""SQLite's application id of our files ("DCAF")."""
VERSION = 4
REFERENCED = frozenset(target for targets in REFERENCES.values() for target in targets.values())
"""Tables whose rows others name."""
LARGEST_VALUE = 256 << 20
"""No value in a project is larger; a file that says otherwise is refused."""
GLANCED: tuple[type[Row], ...] = (ClipRow, ExpressionRow, TrackletRow, VerdictRow, ObjectRow, AnswerRow)
"""What `glance` reads."""
UNFINISHED = ("SQLITE_READONLY_ROLLBACK", "SQLITE_READONLY_RECOVERY", "SQLITE_READONLY_CANTINIT")
"""A killed writer left a journal, which SQLite plays back when the file is opened for writing."""
HEADER = b"SQLite format 3\0"
SQL_TYPES = {int: "INTEGER", float: "REAL", str: "TEXT", bytes: "BLOB", bool: "INTEGER"}


@dataclass(frozen=True, slots=True)
class Pending:
    """What a tracking job had found when it was broken off: masks by object and frame, and where they come from."""

    job: int
    details: str
    masks: Mapping[int, Mapping[int, NewMask]]


class Store:
    """An open project file, and the project in it. Use `Store.create` or `Store.open`; close it, or use `with`.

    Only the thread that opened it may use it.
    """

    def __init__(
        self, path: Path, connection: sqlite3.Connection, project: Project, lock: Lock | None, note: str = ""
    ) -> None:
        self.path, self.project, self.note = path, project, note
        self._connection, self._lock = connection, lock
        self._closed = False

    @classmethod
    def create(cls, path: str | Path, *, durable: bool = False) -> Store:
        """A new, empty project. Raises BadInput when something is there already, or the place cannot be written to."""
        path = Path(path)
        if path.exists():
            raise BadInput(f"{path} exists: open it, or choose another name.")
        if not path.parent.is_dir():
            raise BadInput(f"There is no folder {path.parent}.")
        lock = _take(path)
        beside = path.with_name(f".{path.name}.new")
        beside.unlink(missing_ok=True)
        try:
            with _connected(beside) as made:
                _build(made)
            beside.replace(path)
            return cls(path, _writer(path, durable), Project(), lock)
        except (OSError, sqlite3.Error) as error:
            lock.release()
            raise BadInput(f"{path} cannot be made: {error}.") from None

    @classmethod
    def open(cls, path: str | Path, *, read_only: bool = False, durable: bool = False) -> Store:
        """A project that is there; read-only when asked for, or when another program is writing it (see `note`).

        `durable` waits for the disk after each edit, so that a power cut loses nothing either. An older file is
        migrated after a copy of it was put beside it. Raises BadInput, and leaves the file as it is, when it is no
        project, damaged, or made by a newer program.
        """
        path = Path(path)
        version = _check(path)
        lock = None if read_only else Lock.try_take(path)
        if lock is None:
            note = "" if read_only else f"Read-only: {Lock.holder(path)} is working on it."
            return cls._reading(path, version, note)
        try:
            if version < VERSION:
                migrate(path, version)
            with _connected(_readable(path)) as reader:  # before anything is written, the log's mode included
                project = _read(reader, path)
            return cls(path, _writer(path, durable), project, lock)
        except (sqlite3.Error, OSError) as error:
            lock.release()
            raise BadInput(f"{path} cannot be opened for writing: {error}.") from None
        except BaseException:
            lock.release()
            raise

    @classmethod
    def _reading(cls, path: Path, version: int, note: str) -> Store:
        if version < VERSION:
            raise BadInput(f"{path} was made by an older program: open it once for writing, then it can be read.")
        try:
            connection = _connect(_readable(path))
        except sqlite3.Error as error:
            raise BadInput(f"{path} cannot be read: {error}.") from None
        try:
            return cls(path, connection, _read(connection, path), None, note)
        except BaseException:
            connection.close()
            raise

    @property
    def read_only(self) -> bool:
        """Whether edits are refused."""
        return self._lock is None

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Puts everything into the one file and lets go of it. Closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        with suppress(sqlite3.Error):
            if not self.read_only:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                self._connection.execute("PRAGMA journal_mode=DELETE")
        self._connection.close()
        if self._lock is not None:
            self._lock.release()

    # --- edits ---------------------------------------------------------------------------------------------

    def do(self, edit: Edit, *, finishes: int | None = None, of: Iterable[int] = ()) -> Project:
        """Applies and stores an edit, all of it or nothing: the project after it. It is safe when this returns.

        `finishes` names the tracking job whose journal the edit replaces: all of it, or only what it found `of` some
        objects. Raises BadInput when the edit does not fit or the file is read-only.
        """
        if self.read_only:
            raise BadInput(f"{self.path} is open read-only: {self.note or 'open it for writing first.'}")
        project = edit.apply(self.project)
        drops = any(change.after is None and change.kind in REFERENCED for change in edit.changes)
        if drops and (left := project.dangling()):  # an undo out of turn, say
            raise BadInput(f"This edit does not fit the project any more: {left}.")
        with self._transaction():
            for change in edit.changes:
                _store(self._connection, change)
            if finishes is not None:
                self._forget(finishes, of)
        self.project = project
        return project

    # --- the journal of tracking -----------------------------------------------------------------------------

    def note_pending(self, job: int, details: str, masks: Mapping[int, Mapping[int, NewMask]]) -> None:
        """Keeps streamed masks of a tracking job: by object and frame, later ones replace earlier ones."""
        rows = [
            (job, details, owner, frame, mask.rle.counts, mask.iou, mask.present)
            for owner, found in masks.items()
            for frame, mask in found.items()
        ]
        with self._transaction():
            self._connection.executemany("INSERT OR REPLACE INTO journal VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def pending(self) -> list[Pending]:
        """What broken-off tracking left: masks of objects and frames that there still are, in order of the jobs."""
        jobs: dict[int, tuple[str, dict[int, dict[int, NewMask]]]] = {}
        query = "SELECT job, details, object, frame, counts, iou, present FROM journal ORDER BY job, object, frame"
        for job, details, owner, frame, counts, iou, present in self._connection.execute(query):
            if self.project.find(ObjectRow, owner) is None:
                continue
            clip = self.project.clip_of(owner)
            if 0 <= frame < clip.frames:
                found = jobs.setdefault(job, (details, {}))[1].setdefault(owner, {})
                found[frame] = NewMask(Rle.checked(clip.size, bytes(counts)), iou, present)
        return [Pending(job, details, masks) for job, (details, masks) in jobs.items()]

    def drop_pending(self, job: int, of: Iterable[int] = ()) -> None:
        """Forgets what a tracking job left: all of it, or only what it found `of` some objects."""
        with self._transaction():
            self._forget(job, of)

    def _forget(self, job: int, of: Iterable[int]) -> None:
        things = list(of)
        for thing in things:
            self._connection.execute("DELETE FROM journal WHERE job = ? AND object = ?", (job, thing))
        if not things:
            self._connection.execute("DELETE FROM journal WHERE job = ?", (job,))

    def new_job(self) -> int:
        """A number that no journal has."""
        (last,) = self._connection.execute("SELECT coalesce(max(job), 0) FROM journal").fetchone()
        return int(last) + 1

    # --- the file --------------------------------------------------------------------------------------------

    @property
    def bytes(self) -> int:
        """Size of the file, its log included."""
        parts = (self.path, self.path.with_name(self.path.name + "-wal"))
        return sum(part.stat().st_size for part in parts if part.exists())

    def save_copy(self, path: str | Path) -> Path:
        """A whole copy as it is now, under another name. Raises BadInput when something is there."""
        path = Path(path)
        if path.exists():
            raise BadInput(f"{path} exists: choose another name for the copy.")
        beside = path.with_name(f".{path.name}.new")
        try:
            with _connected(beside) as target:
                self._connection.backup(target)
            return beside.replace(path)
        except (OSError, sqlite3.Error) as error:
            beside.unlink(missing_ok=True)
            raise BadInput(f"{path} cannot be written: {error}.") from None

    def compact(self) -> tuple[int, int]:
        """Gives unused room in the file back: its bytes before and after."""
        if self.read_only:
            raise BadInput(f"{self.path} is open read-only: {self.note or 'open it for writing first.'}")
        before = self.bytes
        self._connection.execute("VACUUM")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return before, self.bytes

    def media(self, clip: ClipRow) -> Path:
        """Where a clip's media should lie."""
        return (self.path.parent / clip.path).resolve()

    def relative(self, media: str | Path) -> str:
        """A media path as it is written into this project."""
        return Path(os.path.relpath(Path(media).resolve(), self.path.parent.resolve())).as_posix()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
        except sqlite3.Error as error:
            raise DecafError(f"{self.path} could not be written: {error}. Nothing of this edit was stored.") from error


# --- schema -----------------------------------------------------------------------------------------------------


def _build(connection: sqlite3.Connection) -> None:
    """The tables of an empty project."""
    with connection:
        connection.execute("BEGIN")
        for name, kind in TABLES.items():
            columns = ", ".join(f'"{column}" {_sql_type(type_)}' for column, type_ in _columns(kind).items())
            key = ", ".join(f'"{column}"' for column in kind.KEY)
            connection.execute(f'CREATE TABLE "{name}" ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID')
        connection.execute(
            "CREATE TABLE journal (job INTEGER, details TEXT, object INTEGER, frame INTEGER, counts BLOB, iou REAL,"
            " present REAL, PRIMARY KEY (job, object, frame)) WITHOUT ROWID"
        )
        connection.execute("CREATE TABLE made (program TEXT, at TEXT)")
        made = (f"decaf-gui {metadata.version('decaf-gui')}", time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
        connection.execute("INSERT INTO made VALUES (?, ?)", made)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")


def _add_prompt_base(connection: sqlite3.Connection) -> None:
    """2: prompts keep the mask that they correct."""
    connection.execute('ALTER TABLE "prompt" ADD COLUMN "base" BLOB')


def _add_attributes(connection: sqlite3.Connection) -> None:
    """3: groundings keep attributes and reasons, candidates how they were scored (SteerSeg)."""
    for table, column in (
        ("grounding", "\"attributes\" TEXT NOT NULL DEFAULT '[]'"),
        ("grounding", "\"reasons\" TEXT NOT NULL DEFAULT ''"),
        ("tracklet", "\"scoring\" TEXT NOT NULL DEFAULT 'consistency'"),
        ("tracklet", '"video_correlation" REAL'),
        ("tracklet", '"frame_correlation" REAL'),
        ("tracklet", '"correlation" REAL'),
    ):
        connection.execute(f'ALTER TABLE "{table}" ADD COLUMN {column}')


def _add_above(connection: sqlite3.Connection) -> None:
    """4: verdicts keep whether candidates were accepted by their score alone."""
    connection.execute('ALTER TABLE "verdict" ADD COLUMN "above" REAL')


MIGRATIONS: dict[int, Callable[[sqlite3.Connection], object]] = {
    1: _add_prompt_base,
    2: _add_attributes,
    3: _add_above,
}
"""From a version to the next."""


def migrate(path: Path, version: int) -> Path:
    """Brings an older file to this version; the file as it was lies beside it. All or nothing: the backup's path."""
    backup = path.with_name(f"{path.stem}.version{version}{path.suffix}")
    if not backup.exists():
        shutil.copy2(path, backup)
    with _connected(path) as connection, connection:
        connection.execute("BEGIN IMMEDIATE")
        for step in range(version, VERSION):
            if step not in MIGRATIONS:
                raise BadInput(f"{path} has version {step}, which this program cannot read any more.")
            MIGRATIONS[step](connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
    return backup


def _columns(kind: type[Row]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {entry.name: hints[entry.name] for entry in fields(kind)}


def _sql_type(type_: Any) -> str:
    plain = _plain(type_)
    return SQL_TYPES.get(plain, "TEXT") + ("" if _optional(type_) else " NOT NULL")


def _optional(type_: Any) -> bool:
    return type(None) in get_args(type_)


def _plain(type_: Any) -> Any:
    """The type without "or None"; the type of a literal's values."""
    if get_origin(type_) in (Union, UnionType):
        type_ = next(option for option in get_args(type_) if option is not type(None))
    if get_origin(type_) not in (None, tuple):
        return type(get_args(type_)[0])
    return type_


# --- reading and writing rows ---------------------------------------------------------------------------------


def _store(connection: sqlite3.Connection, change: Change) -> None:
    name, kind = NAMES[change.kind], change.kind
    if change.after is None:
        where = " AND ".join(f'"{column}" = ?' for column in kind.KEY)
        connection.execute(f'DELETE FROM "{name}" WHERE {where}', change.key)
        return
    columns = _columns(kind)
    values = [_to_sql(getattr(change.after, column)) for column in columns]
    places = ", ".join("?" * len(columns))
    connection.execute(f'INSERT OR REPLACE INTO "{name}" VALUES ({places})', values)


def _to_sql(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, tuple) else value


def _read(connection: sqlite3.Connection, path: Path) -> Project:
    """All rows. Raises BadInput when one of them cannot be what it should be."""
    tables: dict[type[Row], dict[Any, Row]] = {}
    try:
        with connection:
            connection.execute("BEGIN")  # all tables as they were at one moment: another program may be writing
            for name, kind in TABLES.items():
                columns = _columns(kind)
                names = ", ".join(f'"{name}"."{column}"' for column in columns)
                made = (_row(kind, columns, values) for values in connection.execute(f'SELECT {names} FROM "{name}"'))
                tables[kind] = {row.key: row for row in made}
        project = Project(tables)
        _check_rows(project)
    except (BadInput, sqlite3.Error, ValueError, TypeError, KeyError, OverflowError) as error:
        raise BadInput(f"{path} is damaged: {error}. A copy or backup may be whole.") from None
    return project


def glance(path: str | Path) -> Project:
    """The rows of a project that are quick to read, whatever it holds: no masks, maps, prompts or marks of frames.

    Candidates come with empty `masks`. The file may be written by another process meanwhile. Raises BadInput when it is
    not there, no project of this version, or cannot be read now.
    """
    path = Path(path)
    tables: dict[type[Row], dict[Any, Row]] = {}
    try:
        with _connected(_readable(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version != VERSION:
                raise BadInput(f"{path} has version {version}, this program reads {VERSION}: open it once for writing.")
            connection.execute("BEGIN")  # all tables as they were at one moment
            for kind in GLANCED:
                columns = _columns(kind)
                names = ", ".join("x''" if type_ is bytes else f'"{name}"' for name, type_ in columns.items())
                found = connection.execute(f'SELECT {names} FROM "{NAMES[kind]}"')
                tables[kind] = {row.key: row for row in (_row(kind, columns, values) for values in found)}
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise BadInput(f"{path} cannot be read: {error}.") from None
    return Project(tables)


def _row(kind: type[Row], columns: Mapping[str, Any], values: Sequence[Any]) -> Row:
    return kind(*(_from_sql(value, type_) for value, type_ in zip(values, columns.values(), strict=True)))


def _from_sql(value: Any, type_: Any) -> Any:
    if value is None and _optional(type_):
        return None
    plain = _plain(type_)
    if plain is bool:
        return bool(value)
    if get_origin(plain) is tuple:
        return _tupled(json.loads(value))
    if plain is float and isinstance(value, int):
        return float(value)
    if not isinstance(value, plain):
        raise TypeError(f"{value!r:.40} stands where {plain.__name__} belongs")
    return value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(item) for item in value) if isinstance(value, list) else value


def _check_rows(project: Project) -> None:
    """Every row names rows that are there; every mask describes its clip's pixels, on one of its frames."""
    if missing := project.dangling():
        raise ValueError(missing)
    for clip in project.rows(ClipRow).values():
        if min(clip.size) < 1 or clip.step < 1 or not 0 <= clip.first <= clip.last < clip.frames:
            raise ValueError(f"clip {clip.id} has no size or range that could be")
    for row in project.rows(MaskRow).values():
        clip = project.clip_of(row.object)
        Rle.checked(clip.size, row.counts)
        if not 0 <= row.frame < clip.frames:
            raise ValueError(f"object {row.object} has a mask on frame {row.frame} of {clip.frames}")
    for prompt in project.rows(PromptRow).values():
        if prompt.base is not None:
            Rle.checked(project.clip_of(prompt.object).size, prompt.base)


# --- opening ------------------------------------------------------------------------------------------------


def _check(path: Path) -> int:
    """The version of a project file. Raises BadInput for anything that is none; nothing is written."""
    if not path.is_file():
        raise BadInput(f"There is no project {path}.")
    try:
        with path.open("rb") as stream:
            header = stream.read(100)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from None
    if header[:16] != HEADER or len(header) < 100:
        raise BadInput(f"{path} is no DecAF project.")
    if int.from_bytes(header[68:72], "big") != APPLICATION:
        raise BadInput(f"{path} is an SQLite file, but no DecAF project.")
    version = int.from_bytes(header[60:64], "big")
    if version > VERSION:
        raise BadInput(f"{path} was made by a newer program (version {version}, this one reads {VERSION}): update.")
    try:
        try:
            verdict = _quick_check(_readable(path))
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in UNFINISHED:
                raise
            verdict = _quick_check(path)
    except sqlite3.Error as error:
        raise BadInput(f"{path} is damaged: {error}. A copy or backup may be whole.") from None
    if verdict != "ok":
        raise BadInput(f"{path} is damaged: {verdict.splitlines()[0]}. A copy or backup may be whole.")
    return version


def _quick_check(place: Path | str) -> str:
    """SQLite's own word on a file."""
    with _connected(place) as connection:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    return str(verdict)


def _take(path: Path) -> Lock:
    lock = Lock.try_take(path)
    if lock is None:
        raise BadInput(f"{path} is being worked on by {Lock.holder(path)}.")
    return lock


def _readable(path: Path) -> str:
    """The file's address for reading only."""
    return f"{path.resolve().as_uri()}?mode=ro"


@contextmanager
def _connected(path: Path | str) -> Iterator[sqlite3.Connection]:
    connection = _connect(path)
    try:
        yield connection
    finally:
        connection.close()


def _connect(path: Path | str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, uri=isinstance(path, str), timeout=5)
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _writer(path: Path, durable: bool) -> sqlite3.Connection:
    connection = _connect(path)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":  # a network folder: the rollback journal is slower, but works
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute(f"PRAGMA synchronous = {'FULL' if durable or mode != 'wal' else 'NORMAL'}")
    return connection
