"""Masks as PNG files: label maps with the PASCAL palette, single masks in one ink, and how both are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from decaf_gui.core.errors import BadInput
from decaf_gui.core.images import opened

Mask = NDArray[np.bool_]
Size = tuple[int, int]
"""(H, W) in pixels."""


def pascal_palette() -> NDArray[np.uint8]:
    """(256, 3) RGB: bit i of the index, from the lowest, is bit 7 - i // 3 of channel i % 3 (PASCAL VOC)."""
    palette = np.zeros((256, 3), np.uint8)
    for bit in range(8):
        palette[:, bit % 3] |= (np.arange(256, dtype=np.uint8) >> bit & 1) << (7 - bit // 3)
    return palette


def save_indexed(indices: NDArray[np.uint8], path: Path) -> None:
    """An 8-bit PNG with the PASCAL palette, mode P."""
    image = Image.fromarray(indices)
    image.putpalette(pascal_palette().tobytes())
    image.save(path, "PNG")


def save_mask(mask: Mask, path: Path, ink: int = 255) -> None:
    """An 8-bit grey PNG: `ink` where the mask is, else 0."""
    Image.fromarray(mask.astype(np.uint8) * np.uint8(ink)).save(path, "PNG")


def read_labels(file: Path) -> NDArray[np.uint8]:
    """Object numbers (H, W) of an indexed or grey PNG. Raises BadInput for anything else."""
    with opened(file) as image:
        if image.mode in ("P", "L"):
            return np.array(image)
        mode = image.mode
    raise BadInput(f"{file} is no label map: its pixels must be object numbers (indexed or grey 8-bit), not {mode}.")


def read_mask(file: Path) -> Mask:
    """bool (H, W): what is not 0. Colours count by their brightness, as OpenCV's grey reading has it.

    Raises BadInput when the file is missing, no image, or has more than 8 bits.
    """
    with opened(file) as image:
        if image.mode in ("P", "L", "1"):
            return np.asarray(np.asarray(image) != 0)
        if image.mode in ("RGB", "RGBA", "LA"):
            return np.asarray(np.asarray(image.convert("L")) != 0)
        mode = image.mode
    raise BadInput(f"{file} is no mask: it must be an 8-bit image that is 0 outside of the object, not {mode}.")


def image_size(file: Path) -> Size:
    """(H, W) from the header."""
    with opened(file) as image:
        return image.height, image.width


def require_size(found: tuple[int, ...], expected: Size, where: object) -> None:
    """Raises BadInput unless the mask at `where` has the `expected` (H, W)."""
    if found != expected:
        there, wanted = ("x".join(map(str, reversed(size))) for size in (found, expected))
        raise BadInput(f"{where}: the mask is {there}, {wanted} was expected.")
