"""What all referring video segmentation datasets are read into: videos, what is asked of them, and the true masks.

A dataset is one file with a `DATASET`, and a line in the registry (`decaf_gui/formats/rvos/__init__.py`). What cannot
be read of it becomes a `Problem` that names the file and what was expected; the rest is still there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.images import ImageSequence, natural_key
from decaf_gui.core.masks import Rle, union_rle
from decaf_gui.formats.jsons import part, read_json, shown
from decaf_gui.formats.pngs import Size, image_size, read_labels, read_mask, require_size
from decaf_gui.formats.runs import rle_of

Layers = NDArray[np.uint8]
"""(H, W): how many true objects cover a pixel."""
Made = TypeVar("Made")

CACHE_BYTES = 512 << 20


class Truth(Protocol):
    """The true masks of one expression, by position among its scored frames; read when asked for."""

    @property
    def size(self) -> Size | None:
        """The masks' size, None where no frame tells it (all are absent)."""

    def layers(self, index: int, size: Size) -> Layers:
        """The objects of frame `index`. Raises BadInput when they cannot be read, or are not of `size`."""


@dataclass(frozen=True)
class LabelTruth:
    """Object `label` of indexed PNG files (YouTube-VOS, DAVIS): other labels and void (255) are background."""

    files: tuple[Path, ...]
    label: int

    @property
    def size(self) -> Size | None:
        """From the first file's header."""
        return image_size(self.files[0])

    def layers(self, index: int, size: Size) -> Layers:
        """0/1."""
        return np.asarray(self.labels(index, size) == self.label, np.uint8)

    def labels(self, index: int, size: Size) -> NDArray[np.uint8]:
        """The label map (H, W) as it is, void too."""
        labels = read_labels(self.files[index])
        require_size(labels.shape, size, self.files[index])
        return labels


@dataclass(frozen=True)
class MaskTruth:
    """Image files of one object each: whatever is not 0 belongs to it (ReasonVOS)."""

    files: tuple[Path, ...]

    @property
    def size(self) -> Size | None:
        """From the first file's header."""
        return image_size(self.files[0])

    def layers(self, index: int, size: Size) -> Layers:
        """0/1."""
        mask = read_mask(self.files[index])
        require_size(mask.shape, size, self.files[index])
        return mask.astype(np.uint8)


@dataclass(frozen=True)
class RleTruth:
    """Several objects' COCO run lengths, (objects, frames), None where absent (MeViS, ReVOS); `where` is for people.

    `foreground` is the union of all of the video's objects by frame, for ReVOS' robustness.
    """

    where: str
    objects: tuple[tuple[Any, ...], ...]
    foreground: tuple[Any, ...] = ()

    @property
    def size(self) -> Size | None:
        """Of the first mask that there is."""
        told = next((rle for track in (*self.objects, self.foreground) for rle in track if rle is not None), None)
        return None if told is None else rle_of(told, self.where).size

    def layers(self, index: int, size: Size) -> Layers:
        """The sum over the objects; overlaps have 2 and more."""
        return sum((self._dense(track[index], size) for track in self.objects), np.zeros(size, np.uint8))

    def rle(self, index: int, size: Size) -> Rle:
        """The union of the objects on frame `index`, as it is in the file where there is one object."""
        found = [rle_of(track[index], self.where) for track in self.objects if track[index] is not None]
        for rle in found:
            require_size(rle.size, size, self.where)
        return union_rle(found) if found else Rle.empty(size)

    def surroundings(self, index: int, size: Size) -> Layers:
        """All objects of the video on frame `index`, 0/1."""
        return self._dense(self.foreground[index], size)

    def _dense(self, rle: Any, size: Size) -> Layers:
        if rle is None:
            return np.zeros(size, np.uint8)
        found = rle_of(rle, self.where)
        require_size(found.size, size, self.where)
        return found.dense().astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Ask:
    """One expression of one video.

    `folder` is where its predictions lie under the root of all predictions, one `<frame>.png` each; `frames` are those
    that are scored, `truth` (None where it is not public) has one entry for each. `kind` is what the dataset calls its
    type, `objects` are those that answer, as it calls them. `turn` and `label` are for datasets that are scored as
    label maps: the map that the object belongs to (an annotator), and its number in it.
    """

    video: str
    id: str
    text: str
    folder: str
    frames: tuple[str, ...]
    truth: Truth | None = None
    kind: str = ""
    turn: str = ""
    label: int = 0
    objects: tuple[str, ...] = ()

    def prediction_path(self, root: Path, frame: str) -> Path:
        """The mask of a frame: 8-bit PNG, whatever is not 0 belongs to the object."""
        return root / self.folder / f"{frame}.png"


@dataclass(frozen=True, eq=False)
class Video:
    """One video: `frames` are the names of its frames in their order in time, `files` their images.

    `objects` are the true masks of each object, as the dataset calls it, on all frames (None where they are label
    maps); `table` is what this program's writers add (`decaf_gui.formats.tables`).
    """

    name: str
    frames: tuple[str, ...]
    files: tuple[Path, ...]
    asks: tuple[Ask, ...]
    objects: Mapping[str, Truth] | None = None
    table: Mapping[str, Any] = field(default_factory=dict)

    def open(self) -> Clip:
        """The listed frames alone, whatever else lies in their folder. Raises BadInput when one is missing."""
        missing = next((file for file in self.files if not file.is_file()), None)
        if missing is not None:
            raise BadInput(f"{missing} is missing: the dataset lists this frame. Unpack its JPEGImages completely.")
        return Clip(ImageSequence(self.files[0].parent, self.files), CACHE_BYTES)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is left out: the video and expression (either may be empty), and why."""

    video: str
    expression: str
    reason: str


@dataclass(frozen=True, eq=False)
class Split:
    """What there is of one split of a dataset. `public` says whether the true masks are there to be scored against."""

    dataset: RvosDataset
    name: str
    root: Path
    videos: tuple[Video, ...]
    problems: tuple[Problem, ...]
    public: bool

    @property
    def asks(self) -> tuple[Ask, ...]:
        """All expressions of all videos."""
        return tuple(ask for video in self.videos for ask in video.asks)


class SplitReader(Protocol):
    """Reads a split: videos and what is wrong. Raises BadInput when there is no such data at `root`."""

    def __call__(self, root: Path, split: str) -> Iterable[Video | Problem]: ...


@dataclass(frozen=True)
class RvosDataset:
    """One dataset. `splits` are in the order of their use, `hidden` those whose true masks are not public.

    `protocols` are names of `decaf_gui.evaluation.protocols`, the official one first. `zip_top` is the folder in which
    a submission's masks lie; `ink` the value of an object's pixels in predictions; `layout` shows people the files.
    """

    name: str
    title: str
    splits: tuple[str, ...]
    protocols: tuple[str, ...]
    read: SplitReader
    layout: str
    hidden: frozenset[str] = frozenset()
    zip_top: str = ""
    ink: int = 255

    def open(self, root: Path, split: str = "") -> Split:
        """A split, the first one by default. Raises BadInput for an unknown one, or when it is not at `root`."""
        chosen = split or self.splits[0]
        if chosen not in self.splits:
            raise BadInput(f'{self.title} has no split "{chosen}": choose among {", ".join(self.splits)}.')
        found = list(self.read(root, chosen))
        problems = [entry for entry in found if isinstance(entry, Problem)]
        videos = [entry for entry in found if isinstance(entry, Video)]
        kept, twice = _apart(videos)
        return Split(self, chosen, root, tuple(kept), (*problems, *twice), chosen not in self.hidden)


def _apart(videos: Sequence[Video]) -> tuple[list[Video], list[Problem]]:
    """The videos without expressions whose predictions would lie in another's folder, and those as problems."""
    times = Counter(ask.folder for video in videos for ask in video.asks)
    clashing = [ask for video in videos for ask in video.asks if times[ask.folder] > 1]
    problems = [Problem(a.video, a.id, f"{times[a.folder]} expressions share the folder {a.folder}.") for a in clashing]
    shared = {ask.folder for ask in clashing}
    return [replace(v, asks=tuple(a for a in v.asks if a.folder not in shared)) for v in videos], problems


@dataclass
class Gathered:
    """Collects what could be built of a table, and why the rest could not."""

    where: Path
    problems: list[Problem] = field(default_factory=list)

    def build(
        self, entries: Iterable[tuple[str, Any]], make: Callable[[str, Any], Made], video: str = ""
    ) -> Iterator[Made]:
        """What `make` gives for every (name, entry); what is wrong with one is noted, the next one follows."""
        for name, entry in entries:
            try:
                made = make(name, entry)
            except BadInput as error:
                self.problems.append(Problem(video or name, name if video else "", str(error)))
            else:
                yield made


def videos_of(path: Path) -> dict[str, Any]:
    """The table of videos of an expressions file, by name."""
    return part(read_json(path, 'expressions by video, {"videos": {...}}'), "videos", dict, path)


def frames_of(entry: Any, where: object) -> tuple[str, ...]:
    """The frames' names as listed, without a suffix. Raises BadInput when there is none, or one twice."""
    names = tuple(stem(name, where) for name in part(entry, "frames", list, where))
    if not names:
        raise BadInput(f"{where}: no frames are listed.")
    if len(set(names)) < len(names):
        twice = next(name for name, times in Counter(names).items() if times > 1)
        raise BadInput(f"{where}: frame {twice} is listed twice.")
    return names


def in_time(frames: Sequence[str]) -> list[int]:
    """Positions in `frames` in the order of time: by the numbers in the names."""
    return sorted(range(len(frames)), key=lambda i: natural_key(frames[i]))


def stem(name: Any, where: object) -> str:
    """A frame's name without ".jpg". Raises BadInput for what is no plain name."""
    return plain(name, where).removesuffix(".jpg")


def plain(name: Any, where: object) -> str:
    """A name that is one file's or folder's. Raises BadInput for anything that leads elsewhere."""
    found = inside(name, where)
    if "/" in found:
        raise BadInput(f"{where}: the name {shown(name)} must be without slashes.")
    return found


def inside(name: Any, where: object) -> str:
    """A relative path with slashes that stays below where it begins. Raises BadInput for anything else.

    Names of a dataset become paths that are written to; a name such as "../x" must not lead out of the folder.
    """
    if not isinstance(name, str):
        raise BadInput(f"{where}: a name must be a text, not {shown(name)}.")
    parts = name.split("/")
    unfit = any(p in ("", ".", "..") or p != p.strip() or set(p) & set('\\:*?"<>|') for p in parts)
    if unfit or not name.isprintable() or PurePosixPath(name).is_absolute():
        raise BadInput(f"{where}: the name {shown(name)} is no path inside of a folder.")
    return name
