"""Clips for benchmarks: shapes that go on moving for as long as is asked, and the same as a video file."""

from __future__ import annotations

from fractions import Fraction
from functools import cached_property
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.demo.shapes import make_clip

Frame = NDArray[np.uint8]
DAVIS_SIZE = (480, 854)
"""The size that DAVIS 2017 is evaluated at: (H, W)."""


class EndlessClip:
    """A clip of the shapes world played to and fro: any length, memory of a few frames, made when asked for.

    Has of `decaf_gui.Clip` what the engine needs.
    """

    def __init__(self, count: int, size: tuple[int, int] = DAVIS_SIZE, seed: int = 3, turn: int = 24) -> None:
        self.count, self.size, self.seed, self.turn = count, size, seed, turn
        self.fingerprint = ("endless", count, size, seed)

    @cached_property
    def _frames(self) -> NDArray[np.uint8]:
        return make_clip(self.seed, "kind", self.turn).frames

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Frame:
        """RGB uint8 (H, W, 3)."""
        if not 0 <= index < self.count:
            raise IndexError(f"There is no frame {index}: the clip has {self.count}.")
        step = index % (2 * self.turn - 2)
        frame: Frame = self._frames[min(step, 2 * self.turn - 2 - step)]
        if frame.shape[:2] == self.size:
            return frame
        return np.asarray(cv2.resize(frame, self.size[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def write_video(clip: EndlessClip, path: Path) -> Path:
    """The clip as H.264 in MP4, with B-frames and a key frame at least every 250 frames, as cameras' files have."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "veryfast"})
        (stream.height, stream.width), stream.pix_fmt = clip.size, "yuv420p"
        for index in range(len(clip)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(clip[index], format="rgb24")))
        container.mux(stream.encode())
    return path
