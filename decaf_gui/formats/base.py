"""The one interface of all formats, and how a result is made aside and put in place only when complete."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.events import Event
from decaf_gui.formats.labelset import LabelSet

PARTIAL = ".partial"
"""The folder, inside the output folder, where unfinished results lie."""


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


@dataclass(frozen=True)
class Format:
    """One format. `parts(name)` are the files and folders of the clip `name` inside `<out>/<format name>`.

    `bytes_per_pixel` is a rough upper estimate of what a frame made anew takes on disk. `loses` says what of a project
    it cannot hold, for people.
    """

    name: str
    title: str
    parts: Callable[[str], tuple[str, ...]]
    writer: Writer | None = None
    reader: Reader | None = None
    copies_images: bool = False
    bytes_per_pixel: float = 0.5
    loses: str = ""

    def home(self, folder: Path) -> Path:
        """Where results of this format lie in the output folder."""
        return folder / self.name

    def check_output(self, clip: Clip, folder: Path, *, overwrite: bool = False, name: str = "") -> None:
        """Raise BadInput when the result would replace another one, or will not fit on the disk.

        `name` is the label set's, the clip's by default. Writers do this too; call it before long work whose
        result is to be written.
        """
        home = self.home(folder)
        existing = [home / part for part in self.parts(safe_name(name or clip.name)) if (home / part).exists()]
        if existing and not overwrite:
            raise BadInput(f"{existing[0]} exists: choose another folder, or replace it with --overwrite.")
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

    def finish(self, warnings: Iterable[str] = ()) -> Written:
        """Rename all parts into place, in their order; what they replace is deleted last."""
        home = self.format.home(self.folder)
        for part in self.format.parts(self.name):
            target, made = home / part, self.work / part
            if not made.exists():  # frames that were not asked for
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                target.replace(self.path(f".replaced/{part}"))
            made.replace(target)
        shutil.rmtree(self.work)
        for empty in (self.work.parent, self.work.parent.parent):
            if not any(empty.iterdir()):
                empty.rmdir()
        return Written(self.format.name, home, tuple(warnings))

    def _leftover(self) -> str:
        return f"What was made stays in {self.work}."


def partial_folder(folder: Path, format_name: str, clip_name: str) -> Path:
    """Where the unfinished result of a clip in a format lies; it exists only after an interruption or failure."""
    return folder / PARTIAL / format_name / safe_name(clip_name)


def safe_name(name: str) -> str:
    """A clip's name as a file name on any system, free of separators and of signs with a meaning."""
    return re.sub(r"[^\w.-]+", "_", name).strip(".") or "clip"


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
