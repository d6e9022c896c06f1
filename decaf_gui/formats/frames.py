"""Frames of a clip as image files: the source's own file where it will do, else encoded anew; and their names."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.images import natural_key, opened, orientation
from decaf_gui.formats.base import safe_name

JPEG_QUALITY = 95


def numbered(count: int) -> tuple[str, ...]:
    """00000, 00001...: what DAVIS and MeViS readers want."""
    return tuple(f"{frame:05d}" for frame in range(count))


def kept_names(names: Sequence[str]) -> tuple[str, ...]:
    """The source names without suffix, as YouTube-VOS keeps them; numbers from 00000 where they will not do.

    They will not when a file cannot be called so, two are the same, or sorting them as text or by their numbers would
    change the order: readers do either.
    """
    stems = tuple(Path(name).stem for name in names)
    fit = all(stem == safe_name(stem) and not stem.lower().endswith(".jpg") for stem in stems)
    apart = len({stem.casefold() for stem in stems}) == len(stems)
    in_order = list(stems) == sorted(stems) == sorted(stems, key=natural_key)
    return stems if fit and apart and in_order else numbered(len(names))


def renamed_words(names: Sequence[str], stems: Sequence[str]) -> list[str]:
    """The warning that frames could not keep their names."""
    told = "Frames are numbered from 00000: by their own names readers would sort or find them wrongly."
    return [] if list(stems) == [Path(name).stem for name in names] else [told]


def save_jpeg(clip: Clip, frame: int, path: Path) -> None:
    """Frame `frame` as JPEG: the source file itself when it is one that every reader sees alike."""
    if clip.files and _plain_jpeg(clip.files[frame]):
        shutil.copyfile(clip.files[frame], path)
    else:
        Image.fromarray(clip[frame]).save(path, "JPEG", quality=JPEG_QUALITY)


def save_as_source(clip: Clip, frame: int, path: Path) -> None:
    """Frame `frame` under the type of its source file, copied unless EXIF turns it; JPEG for a video."""
    if not clip.files:
        save_jpeg(clip, frame, path)
    elif _turned(clip.files[frame]):
        Image.fromarray(clip[frame]).save(path, quality=JPEG_QUALITY)
    else:
        shutil.copyfile(clip.files[frame], path)


def _plain_jpeg(file: Path) -> bool:
    with opened(file) as image:
        return image.format == "JPEG" and image.mode in ("RGB", "L") and orientation(image) == 1


def _turned(file: Path) -> bool:
    with opened(file) as image:
        return orientation(image) != 1 or (image.format == "TIFF" and image.getexif().get(0x0112, 1) != 1)
