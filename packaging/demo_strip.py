"""The README's strip of a demo scene: frames, where the model looked, and what it proposed.

uv run python packaging/demo_strip.py --scene hide-and-seek --expression "the red circle"
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from decaf_gui.core.clip import Clip
    from decaf_gui.core.entities import Proposal

Pixels = NDArray[np.uint8]
HEIGHT, GAP = 180, 6


def main() -> None:
    """Proposes for one expression of a scene and writes the strip."""
    parser = argparse.ArgumentParser(description="A strip of pictures of a demo scene, for the README.")
    parser.add_argument("--scene", default="hide-and-seek")
    parser.add_argument("--expression", default="the red circle")
    parser.add_argument("--pictures", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("resources/pictures/demo.jpg"))
    given = parser.parse_args()
    from decaf_gui.core.clip import Clip
    from decaf_gui.core.events import Proposed
    from decaf_gui.demo.scenes import SCENES, write_scenes
    from decaf_gui.pipeline.engine import Engine

    scene = next(s for s in SCENES if s.name == given.scene)
    with tempfile.TemporaryDirectory() as folder:
        (path,) = write_scenes(Path(folder), [scene], video=True)
        with Clip.open(path) as clip:
            events = Engine(device="cpu").propose(clip, given.expression)
            proposal = next(event.proposal for event in events if isinstance(event, Proposed))
            cv2.imwrite(str(given.out), strip(clip, proposal, given.pictures), [cv2.IMWRITE_JPEG_QUALITY, 90])


def strip(clip: Clip, proposal: Proposal, count: int) -> Pixels:
    """Three rows of `count` pictures (BGR): the frames, the attention over them, and the masks."""
    places = np.linspace(0, len(proposal.grounding.frames) - 1, count).round().astype(int)
    columns = [_column(clip, proposal, int(place)) for place in places]
    return np.ascontiguousarray(_joined(columns, axis=1)[..., ::-1])


def _column(clip: Clip, proposal: Proposal, place: int) -> Pixels:
    frame = proposal.grounding.frames[place]
    picture = clip[frame]
    looked = _heated(picture, proposal.grounding.maps[place])
    return _joined([_small(p) for p in (picture, looked, _outlined(picture, proposal.mask(frame)))], axis=0)


def _heated(picture: Pixels, attention: NDArray[np.float32]) -> Pixels:
    size = (picture.shape[1], picture.shape[0])
    shares = cv2.resize(attention / max(float(attention.max()), 1e-6), size, interpolation=cv2.INTER_LINEAR)
    heat = cv2.applyColorMap((shares * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    return np.asarray(picture * 0.35 + heat * 0.65, np.uint8)


def _outlined(picture: Pixels, mask: NDArray[np.bool_]) -> Pixels:
    shown = np.where(mask[..., None], picture, picture // 3 + 40).astype(np.uint8)
    lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(shown, lines, -1, (255, 255, 255), 3, cv2.LINE_AA))


def _small(picture: Pixels) -> Pixels:
    width = round(picture.shape[1] * HEIGHT / picture.shape[0])
    return np.asarray(cv2.resize(picture, (width, HEIGHT), interpolation=cv2.INTER_AREA))


def _joined(parts: list[Pixels], axis: int) -> Pixels:
    shape = list(parts[0].shape)
    shape[axis] = GAP
    gap = np.full(shape, 255, np.uint8)
    return np.concatenate([piece for part in parts for piece in (gap, part)][1:], axis=axis)


if __name__ == "__main__":
    main()
