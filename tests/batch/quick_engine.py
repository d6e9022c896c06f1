"""What stands in for the models where the list, the projects and the exports are under test, and made clips."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Grounding, Proposal, Scores, Tracklet
from decaf_gui.core.events import Event, Proposed, Stage
from decaf_gui.core.masks import Masks

SIZE, FRAMES = (24, 32), 3


class QuickEngine:
    """Finds two boxes for every expression, where its text says; the first one is selected. Counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def propose(self, clip: Clip, text: str) -> Iterator[Event]:
        self.asked.append((clip.name, text))
        yield Stage("track", 0, len(clip))
        yield Stage("track", len(clip), len(clip))
        maps = np.full((2, 3, 4), 0.5, np.float32)
        grounding = Grounding(maps, (0, len(clip) - 1), f"a {text}", (text,), {"video_object": maps[:1]})
        found = tuple(_tracklet(clip, text, i) for i in (0, 1))
        made = {"mllm": {"id": "quick"}, "notice": ""}
        yield Proposed(Proposal(Expression(text), clip.size, len(clip), grounding, found, {}, made))

    def forget(self, clip: Clip, number: int) -> None:
        """Nothing is kept."""

    def free(self) -> None:
        """Nothing is kept."""


def _tracklet(clip: Clip, text: str, number: int) -> Tracklet:
    frames = range(len(clip)) if number == 0 else (0,)
    masks = Masks.encode({f: box(text, number, f) for f in frames}, clip.size)
    scores = Scores(0.9 - 0.1 * number, 0.8, 0.7)
    return Tracklet(number + 1, 0, (2.0, 3.0), masks, scores, selected=number == 0)


def box(text: str, number: int, frame: int) -> np.ndarray:
    """Where the object of an expression is on a frame: bool (H, W)."""
    mask = np.zeros(SIZE, bool)
    top, left = crc32(text.encode()) % 8 + 8 * number, crc32(text[::-1].encode()) % 16
    mask[top : top + 6, left + frame : left + frame + 9] = True
    return mask


def write_clip(folder: Path, shade: int = 0) -> Path:
    """Frames as PNG files; no two shades are the same clip."""
    folder.mkdir(parents=True)
    for i in range(FRAMES):
        Image.fromarray(np.full((*SIZE, 3), (shade, 10 * i, 7), np.uint8)).save(folder / f"{i:05d}.png")
    return folder


def write_source(folder: Path, clips: int, expressions: int = 2) -> Path:
    """A folder of clips with a table."""
    lines = ["clip,expression,label"]
    for k in range(clips):
        write_clip(folder / f"clip{k}", k)
        lines += [f"clip{k},thing {e},sort {e}" for e in range(expressions)]
    (folder / "expressions.csv").write_text("\n".join(lines) + "\n")
    return folder
