"""A clip: frames by number from a video file, a folder of images, or one image."""

from __future__ import annotations

import hashlib
import operator
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Protocol, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.images import ImageSequence, image_suffixes, is_still, natural_key
from decaf_gui.core.video import Video

Frame = NDArray[np.uint8]
"""RGB, (H, W, 3), read-only."""

VIDEO_SUFFIXES = ("mp4", "mov", "avi", "mkv", "webm", "m4v", "mpg", "mpeg", "wmv", "gif")
"""What videos are called where a folder is searched for them; any other file can be opened by its name."""

_MIB = 1 << 20

_STEPS_BACK = 8
"""A frame so little before the last one asked for means that somebody goes backwards."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Tells whether a file is still the one that was labelled: bytes, frames, and hash of both ends.

    `sha256` is taken over the first and the last MiB; of a folder over the first MiB of its first image and the
    last MiB of its last one. `bytes` of a folder is the sum over its images.
    """

    bytes: int
    frames: int
    sha256: str


class Source(Protocol):
    """What a clip reads from; not thread-safe."""

    path: Path

    @property
    def size(self) -> tuple[int, int]: ...
    @property
    def fps(self) -> float: ...
    @property
    def damage(self) -> str: ...
    def __len__(self) -> int: ...
    def read(self, number: int, reach: int = 1) -> Iterator[tuple[int, Frame]]: ...
    def close(self) -> None: ...


class Clip:
    """Frames by number: `clip[i]` is RGB uint8 (H, W, 3), read-only; lazy, thread-safe, cached by bytes.

    Random access gives exactly what sequential decoding gives. Use `Clip.open`; close it, or use it in `with`.
    """

    def __init__(self, source: Source, cache_bytes: int, frames: range | None = None) -> None:
        self._source, self._budget, self._part = source, cache_bytes, frames
        self._cache: OrderedDict[int, Frame] = OrderedDict()
        self._asked = 0
        self._count: int | None = None
        """Kept, so that nobody who only wants to know it waits for a frame that is being decoded."""
        self._lock = Lock()
        self._closed = False

    @classmethod
    def open(cls, path: str | Path, *, cache_bytes: int = 512 << 20, frames: range | None = None) -> Clip:
        """Open a video file, a folder of images or an image; `cache_bytes` bounds the decoded frames kept.

        With `frames`, the clip consists of these frames only, numbered from 0; they keep their names. Raises BadInput
        when there is nothing at `path`, no frame can be read, or the images differ in size.
        """
        path = Path(path)
        if not path.exists():
            raise BadInput(f"There is no file or folder {path}.")
        try:
            return cls(_source(path), cache_bytes, frames)
        except OSError as error:
            raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error

    @property
    def path(self) -> Path:
        """As given to `open`."""
        return self._source.path

    @property
    def name(self) -> str:
        """The folder's name, or the file's without its suffix."""
        absolute = self.path.absolute()
        return absolute.name if absolute.is_dir() else absolute.stem

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels, upright."""
        return self._source.size

    @property
    def height(self) -> int:
        """Pixels."""
        return self.size[0]

    @property
    def width(self) -> int:
        """Pixels."""
        return self.size[1]

    @property
    def fps(self) -> float:
        """Frames per second, the average when it varies; 24.0 for images; of every nth frame an nth of it."""
        with self._lock:
            return self._source.fps / (self._part.step if self._part is not None else 1)

    @property
    def damage(self) -> str:
        """One line for people when the file ends too early, naming the frames that there are; else ""."""
        with self._lock:
            return self._source.damage

    @cached_property
    def names(self) -> Sequence[str]:
        """One per frame: file names of images, "00000", "00001"... for a video."""
        numbers = range(len(self)) if self._part is None else self._part
        return [file.name for file in self.files] or [f"{i:05d}" for i in numbers]

    @property
    def files(self) -> Sequence[Path]:
        """The image file of every frame; empty for a video."""
        if not isinstance(self._source, ImageSequence):
            return ()
        files = self._source.files
        return files if self._part is None else [files[i] for i in self._part]

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """See Fingerprint. Reads at most 2 MiB."""
        files = self.files or (self.path,)
        digest = hashlib.sha256(_end(files[0], last=False) + _end(files[-1], last=True))
        return Fingerprint(sum(file.stat().st_size for file in files), len(self), digest.hexdigest())

    def __len__(self) -> int:
        """Number of frames. Indexes the file when that has not happened yet."""
        if self._count is None:
            with self._lock:
                self._count = self._counted()
        return self._count

    def __getitem__(self, index: SupportsIndex) -> Frame:
        """Frame `index`, negative from the end: RGB uint8 (H, W, 3), read-only.

        Raises IndexError beyond the ends, BadInput when the frame cannot be decoded, DecafError when closed.
        """
        number = operator.index(index)
        with self._lock:
            if self._closed:
                raise DecafError(f"The clip {self.path} is closed.")
            if number or self._part is not None:  # frame 0 is shown before the file is indexed
                number = self._within(number)
            frame = self._cached(number) if number in self._cache else self._read(number)
            self._asked = number
            return frame

    def __iter__(self) -> Iterator[Frame]:
        """All frames in order."""
        return (self[i] for i in range(len(self)))

    def __enter__(self) -> Clip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Clip({str(self.path)!r})"

    def close(self) -> None:
        """Let go of the file and of all cached frames."""
        with self._lock:
            self._closed = True
            self._cache.clear()
            self._source.close()

    def _counted(self) -> int:
        frames = len(self._source)
        if self._part is None:
            return frames
        if not self._part or not 0 <= min(self._part) <= max(self._part) < frames:
            raise BadInput(f"{self.path} has {frames} frames: it cannot be cut to {self._part}.")
        return len(self._part)

    def _within(self, number: int) -> int:
        """The source's number of a frame."""
        frames = self._counted()
        if not -frames <= number < frames:
            raise IndexError(f"There is no frame {number}: the clip has {frames}.")
        return number % frames if self._part is None else self._part[number]

    def _cached(self, number: int) -> Frame:
        self._cache.move_to_end(number)
        return self._cache[number]

    def _read(self, number: int) -> Frame:
        """Decode; when frames are asked for backwards, those decoded on the way are kept, up to half the budget."""
        room = max(1, self._budget // (3 * self.height * self.width))
        backwards = 0 < self._asked - number <= _STEPS_BACK
        for passed, frame in self._source.read(number, reach=(room + 1) // 2 if backwards else 1):
            frame.setflags(write=False)
            self._cache[passed] = frame
            self._cache.move_to_end(passed)
            if len(self._cache) > room:
                self._cache.popitem(last=False)
        return self._cache[number]


def _source(path: Path) -> Source:
    if path.is_dir():
        return ImageSequence.of_folder(path)
    return ImageSequence(path, [path]) if is_still(path) else Video(path)


def _end(file: Path, last: bool) -> bytes:
    """The first or the last MiB of a file."""
    with file.open("rb") as stream:
        if last:
            stream.seek(max(0, file.stat().st_size - _MIB))
        return stream.read(_MIB)


def clips_in(path: Path) -> list[Path]:
    """What can be opened of a path: itself, or for a folder without images the videos and folders of images in it.

    In natural order of their names. Raises BadInput for a folder in which there is nothing.
    """
    if not path.is_dir() or _holds_images(path):
        return [path]
    visible = [entry for entry in path.iterdir() if not entry.name.startswith(".")]
    found = [e for e in visible if (_holds_images(e) if e.is_dir() else e.suffix.lower().lstrip(".") in VIDEO_SUFFIXES)]
    if not found:
        raise BadInput(f"There are no images, videos or folders of images in {path}.")
    return sorted(found, key=lambda entry: natural_key(entry.name))


def _holds_images(folder: Path) -> bool:
    return any(file.suffix.lower() in image_suffixes() and not file.name.startswith(".") for file in folder.iterdir())
