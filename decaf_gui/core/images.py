"""A folder of images, or one image, as a sequence of upright RGB frames, through Pillow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from decaf_gui.core.errors import BadInput
from decaf_gui.core.video import DEFAULT_FPS

_NOT_PIXELS = frozenset({".bufr", ".emf", ".eps", ".grib", ".h5", ".hdf", ".mpeg", ".mpg", ".ps", ".wmf"})
"""What Pillow recognises but cannot decode by itself."""

_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError)
"""What Pillow raises for files that are not what their names say."""


@cache
def image_suffixes() -> frozenset[str]:
    """Lower-case suffixes of the image files that Pillow reads here."""
    known = Image.registered_extensions()
    return frozenset(suffix for suffix, kind in known.items() if kind in Image.OPEN) - _NOT_PIXELS


def natural_key(name: str) -> tuple[list[str | int], str]:
    """Sorts "frame9" before "frame10"; case does not matter."""
    parts = re.split(r"([0-9]+)", name.lower())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


class ImageSequence:
    """Image files of one size: `len`, `size` (H, W), `fps`, `names` and `read`.

    Raises BadInput when there are none, one is no image, or one differs in size from the first.
    """

    fps = DEFAULT_FPS
    damage = ""

    def __init__(self, path: Path, files: Sequence[Path]) -> None:
        self.path, self.files = path, tuple(files)
        if not self.files:
            raise BadInput(f"There are no images in {path}.")
        self.size = _upright_size(self.files[0])
        for file in self.files[1:]:
            self._check(file, _upright_size(file))

    @classmethod
    def of_folder(cls, folder: Path) -> ImageSequence:
        """All images directly in `folder`, in natural order of their names; hidden files do not count."""
        visible = (file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())
        images = [file for file in visible if file.suffix.lower() in image_suffixes()]
        return cls(folder, sorted(images, key=lambda file: natural_key(file.name)))

    def __len__(self) -> int:
        return len(self.files)

    def read(self, number: int, reach: int = 1) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Yields (number, RGB uint8 (H, W, 3)). Raises BadInput when the file cannot be read (any more)."""
        frame = load_image(self.files[number])
        self._check(self.files[number], (frame.shape[0], frame.shape[1]))
        yield number, frame

    def close(self) -> None:
        """Nothing is kept open."""

    def _check(self, file: Path, size: tuple[int, int]) -> None:
        if size != self.size:
            raise BadInput(
                f"The images must be of one size: {file} is {size[1]}x{size[0]}, "
                f"{self.files[0].name} is {self.size[1]}x{self.size[0]}."
            )


def is_still(path: Path) -> bool:
    """Whether `path` is called an image and holds one picture (an animation is a video).

    Raises BadInput for a TIFF of several pages, which no video decoder reads.
    """
    if path.suffix.lower() not in image_suffixes():
        return False
    try:
        with Image.open(path) as image:
            pages, kind = getattr(image, "n_frames", 1), image.format
    except _UNREADABLE:
        return True
    if kind == "TIFF" and pages > 1:
        raise BadInput(f"{path} holds {pages} pages: split it into a folder with one image per frame.")
    return pages == 1 or kind == "MPO"  # MPO: a JPEG with a preview


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The image at `path`, pixels not yet decoded. Raises BadInput when it, or later its pixels, cannot be read."""
    try:
        with Image.open(path) as image:
            yield image
    except _UNREADABLE as error:
        raise BadInput(f"{path} cannot be read as an image: {error}.") from error


def load_image(path: Path) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3), upright as EXIF says. Raises BadInput when it cannot be read."""
    with opened(path) as image:
        return to_rgb(ImageOps.exif_transpose(image))


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """RGB uint8 (H, W, 3) of any mode.

    16-bit grey keeps its upper byte, as Pillow does for 16-bit colour; floats run from 0 to 1; transparency is dropped.
    """
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image), 0, 65535) >> 8
    elif image.mode == "F":
        grey = np.clip(np.nan_to_num(np.asarray(image)), 0, 1) * 255
    else:
        return np.array(image.convert("RGB"))
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)


def _upright_size(path: Path) -> tuple[int, int]:
    """(H, W) from the header alone. Raises BadInput when there is none."""
    with opened(path) as image:
        width, height = image.size
        return (width, height) if orientation(image) > 4 else (height, width)


def orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 to 8, of a freshly opened image. Pillow itself has seen to that of TIFF files."""
    # Without this look, getexif would decode a whole PNG only to find nothing.
    told = "exif" in image.info or "Raw profile type exif" in image.info
    return int(image.getexif().get(0x0112, 1)) if told and image.format != "TIFF" else 1
