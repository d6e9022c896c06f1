"""Frames of a clip as image files: the source's own file where it will do, else encoded anew."""

from __future__ import annotations

import shutil
from pathlib import Path

from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.images import opened, orientation

JPEG_QUALITY = 95


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
