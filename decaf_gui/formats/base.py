"""The one interface of all formats, and how a result is made aside and put in place only when complete."""

from __future__ import annotations

import errno
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event, Stage
from decaf_gui.formats.labelset import LabelSet, require_complete, require_match

PARTIAL = ".partial"
"""The folder, inside the output folder, where unfinished results lie."""
NAME_BYTES = 120
"""A clip's name in a dataset is no longer, so that prefixes and suffixes still fit into the 255 of file systems."""
RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")
"""What Windows keeps for devices, with any suffix."""
DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError)
"""What reading raises where a file has another shape than its format says."""


@dataclass(frozen=True, slots=True)
class Written(Event):
    """The last event of a writer: the result is complete at `path`; `warnings` are for people."""

    format: str
    path: Path
    warnings: tuple[str, ...] = ()


class Writer(Protocol):
    """Writes one clip: a `Stage` per frame, then `Written`. One frame at a time is in memory.

    With `frames` the clip's pictures are written, too, where the format keeps them apart from the labels.

    Closing the generator, or an error, leaves what was made under `partial_folder`; only complete results get
    their final names. Raises BadInput when the result exists and `overwrite` is False, when labels and clip do
    not fit together, or when the disk is too full; DecafError when a file cannot be written.
    """

    def __call__(
        self, labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
    ) -> Iterator[Event]: ...


class Reader(Protocol):
    """Reads one clip's labels from the root `folder` of a dataset; `name` chooses among several clips.

    Raises BadInput when there is nothing of this format, or when `name` is needed.
    """

    def __call__(self, folder: Path, name: str = "") -> LabelSet: ...


def _nothing(_: Path, __: str = "") -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Format:
    """One format. `parts(name)` are the files and folders of the clip `name` inside `<out>/<format name>`.

    `layout` shows people the files, `keeps` and `loses` say what of a project it can and cannot hold. `clips` lists the
    clips of a dataset at a folder, `looks` says whether a folder or file is probably of this format. `shared` names
    the dataset files that have an entry of a clip, `owned` further parts of a clip that is there, both below the
    format's folder. `bytes_per_pixel` is a rough upper estimate of what a frame made anew takes on disk.
    """

    name: str
    title: str
    parts: Callable[[str], tuple[str, ...]]
    writer: Writer | None = None
    reader: Reader | None = None
    copies_images: bool = False
    bytes_per_pixel: float = 0.5
    loses: str = ""
    keeps: str = ""
    layout: str = ""
    clips: Callable[[Path], Sequence[str]] = _nothing
    looks: Callable[[Path], bool] = lambda _: False
    shared: Callable[[Path, str], Sequence[str]] = _nothing
    owned: Callable[[Path, str], Sequence[str]] = _nothing

    def home(self, folder: Path) -> Path:
        """Where results of this format lie in the output folder."""
        return folder / self.name

    def read(self, folder: Path, name: str = "") -> LabelSet:
        """As the reader; whatever a file of another shape makes it stumble over is BadInput."""
        if self.reader is None:
            raise BadInput(f"{self.title} can only be written: choose a format that can be read.")
        try:
            return self.reader(folder, name)
        except DAMAGE as error:
            what = " ".join(f"{type(error).__name__}: {error}".split())
            raise BadInput(f"{folder} is damaged, or no {self.title}, or not all of it is there ({what}).") from error
        except OSError as error:
            raise BadInput(f"{error.filename or folder} cannot be read: {error.strerror or error}.") from error

    def existing(self, folder: Path, name: str) -> list[Path]:
        """What the clip called `name` has in the output folder already; dataset files are there for its entry."""
        home, safe = self.home(folder), safe_name(name)
        own = (*self.parts(safe), *self.owned(home, safe))
        there = [home / part for part in dict.fromkeys(own) if (home / part).exists()]
        return [*there, *(home / part for part in self.shared(home, safe))]

    def check_output(self, clip: Clip, folder: Path, *, overwrite: bool = False, name: str = "") -> None:
        """Raise BadInput when the result would replace another one, or will not fit on the disk.

        `name` is the label set's, the clip's by default. Writers do this too; call it before long work whose
        result is to be written.
        """
        existing = self.existing(folder, name or clip.name)
        if existing and not overwrite:
            told = few([str(path) for path in existing])
            verb = "exists" if len(existing) == 1 else "exist"
            raise BadInput(f"{told} {verb}: choose another folder, or replace it with --overwrite.")
        _check_place(folder, self._needed(clip))

    def _needed(self, clip: Clip) -> int:
        if self.copies_images and clip.files:
            return sum(file.stat().st_size for file in clip.files)
        return int(len(clip) * clip.height * clip.width * self.bytes_per_pixel)


@dataclass(frozen=True)
class Draft:
    """One result in the making: `work` holds the parts until `finish` puts them in place."""

    format: Format
    folder: Path
    name: str

    @property
    def home(self) -> Path:
        """Where the parts go in the end."""
        return self.format.home(self.folder)

    @property
    def work(self) -> Path:
        """The unfinished parts."""
        return partial_folder(self.folder, self.format.name, self.name)

    def path(self, part: str) -> Path:
        """The place of a part, or of a file in it, while it is made; its folder exists."""
        path = self.work / part
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def started(self) -> Iterator[None]:
        """Begin with an empty work folder; an error inside is raised again as one that names what was left."""
        try:
            if self.work.exists():
                shutil.rmtree(self.work)
            self.work.mkdir(parents=True)
            yield
        except DecafError as error:
            raise type(error)(f"{error} {self._leftover()}") from error
        except OSError as error:
            kind = BadInput if error.errno == errno.ENOSPC else DecafError
            raise kind(f"Writing failed: {error.strerror or error}. {self._leftover()}") from error

    def finish(self, warnings: Iterable[str] = (), more: Iterable[str] = ()) -> Written:
        """Rename all parts into place, in their order, then `more`; what they replace is deleted last.

        `more` are parts that the name alone does not tell, and dataset files last, so that no reader meets the entry
        of a clip whose files are not there. A file is replaced in one step.
        """
        parts = tuple(dict.fromkeys((*self.format.parts(self.name), *more)))
        for part in parts:
            target, made = self.home / part, self.work / part
            if not made.exists():  # frames that were not asked for
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists() and (target.is_dir() or made.is_dir()):
                target.replace(self.path(f".replaced/{part}"))
            made.replace(target)
        for part in set(self.format.owned(self.home, self.name)) - set(parts):
            (self.home / part).replace(self.path(f".replaced/{part}"))
        shutil.rmtree(self.work)
        for empty in (self.work.parent, self.work.parent.parent):
            if not any(empty.iterdir()):
                empty.rmdir()
        return Written(self.format.name, self.home, tuple(warnings))

    def _leftover(self) -> str:
        return f"What was made stays in {self.work}."


def partial_folder(folder: Path, format_name: str, clip_name: str) -> Path:
    """Where the unfinished result of a clip in a format lies; it exists only after an interruption or failure."""
    return folder / PARTIAL / format_name / safe_name(clip_name)


Ending = tuple[Iterable[str], Iterable[str]]
"""What a writer has to say in the end: warnings, and what `Draft.finish` calls `more`."""


def write_clip(
    form: Format,
    labelset: LabelSet,
    clip: Clip,
    folder: Path,
    overwrite: bool,
    each: Callable[[Draft, int], None],
    end: Callable[[Draft], Ending],
    after: Callable[[], object] = lambda: None,
) -> Iterator[Event]:
    """A writer's work: all is checked, `each` is called with the draft and every frame, then `end`; see Writer.

    `after` is called when all is in its place.
    """
    require_match(labelset, clip)
    require_complete(labelset)
    form.check_output(clip, folder, overwrite=overwrite, name=labelset.name)
    draft = Draft(form, folder, safe_name(labelset.name))
    with draft.started():
        yield Stage(f"Writing {form.name}", 0, labelset.frame_count, f"made in {draft.work}")
        for frame in range(labelset.frame_count):
            each(draft, frame)
            yield Stage(f"Writing {form.name}", frame + 1, labelset.frame_count)
        written = draft.finish(*end(draft))
    after()
    yield written


def safe_name(name: str) -> str:
    """A clip's name as one file name on any system: composed letters, digits, "_", "." and "-" alone.

    Nothing in it leads to another folder, is hidden, kept for devices, or too long; what was cut off is told apart by
    a hash. The same name always gives the same.
    """
    plain = re.sub(r"[^\w.-]+", "_", unicodedata.normalize("NFC", name)).strip(".") or "clip"
    if RESERVED.fullmatch(plain):
        plain = f"_{plain}"
    encoded = plain.encode()
    if len(encoded) <= NAME_BYTES:
        return plain
    kept = encoded[: NAME_BYTES - 9].decode(errors="ignore").rstrip(".")
    return f"{kept}_{sha256(encoded).hexdigest()[:8]}"


def few(texts: Sequence[str], most: int = 3) -> str:
    """The first of some texts, and how many more there are."""
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def choose(name: str, found: Sequence[str], where: Path) -> str:
    """The clip that is meant: `name`, or the only one. Raises BadInput that names what there is."""
    if name in found:
        return name
    if name or len(found) != 1:
        raise BadInput(f"Choose a clip of {where}: there are {few(found, 20)}.")
    return found[0]


def _check_place(folder: Path, needed: int) -> None:
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not existing.is_dir():
        raise BadInput(f"{existing} is a file: choose a folder for the results.")
    if not os.access(existing, os.W_OK):
        raise BadInput(f"{existing} cannot be written to: choose another folder for the results.")
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise BadInput(
            f"There is not enough disk: about {needed >> 20} MiB are needed in {folder}, {free >> 20} MiB are free."
        )
