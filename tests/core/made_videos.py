"""Small videos and images for the clip tests, and what sequential decoding by PyAV says about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 48, 80
MILLISECONDS = Fraction(1, 1000)


def pictures(count: int, seed: int = 0) -> Iterator[NDArray[np.uint8]]:
    """A drifting mosaic with a square running over it: every frame differs from every other."""
    mosaic = np.random.default_rng(seed).integers(0, 255, (HEIGHT // 8, WIDTH // 8, 3), np.uint8)
    background = mosaic.repeat(8, 0).repeat(8, 1)
    for i in range(count):
        picture = np.roll(background, 2 * i, 1)
        left = 3 * i % (WIDTH - 16)
        picture[10:26, left : left + 16] = (255, 7 * i % 255, 0)
        yield picture


def write_video(
    path: Path,
    codec: str = "libx264",
    count: int = 40,
    *,
    options: Mapping[str, str] | None = None,
    times: Sequence[int] | None = None,
    audio: bool = False,
    rotation: int | None = None,
    container: Mapping[str, str] | None = None,
    pix_fmt: str = "yuv420p",
) -> Path:
    """Write `count` pictures; `times` in milliseconds make the frame rate vary."""
    with av.open(str(path), "w", options=dict(container or {})) as out:
        video: Any = out.add_stream(codec, rate=25, options=dict(options or {}))
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, pix_fmt
        if times is not None:
            video.codec_context.time_base = MILLISECONDS
        if rotation is not None:
            video.set_display_rotation(rotation)
        sound: Any = out.add_stream("aac", rate=48000) if audio else None
        for i, picture in enumerate(pictures(count)):
            frame = av.VideoFrame.from_ndarray(picture)
            if times is not None:
                frame.pts, frame.time_base = times[i], MILLISECONDS
            out.mux(video.encode(frame))
            if sound is not None:
                out.mux(sound.encode(_silence(i)))
        for stream in filter(None, (video, sound)):
            out.mux(stream.encode())
    return path


def _silence(i: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = 48000, 1024 * i
    return frame


def remux(source: Path, target: Path, shift: int = 0, **options: str) -> Path:
    """Copy the packets, all `shift` ticks earlier."""
    with av.open(str(source)) as old, av.open(str(target), "w", options=options) as new:
        stream = old.streams.video[0]
        copy = new.add_stream_from_template(stream)
        for packet in old.demux(stream):
            if packet.size:
                packet.stream, packet.pts, packet.dts = copy, packet.pts - shift, packet.dts - shift
                new.mux(packet)
    return target


def decode_all(path: Path) -> list[NDArray[np.uint8]]:
    """All frames as PyAV gives them one after the other; broken packets are passed over."""
    frames: list[NDArray[np.uint8]] = []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            try:
                frames += [frame.to_ndarray(format="rgb24") for frame in packet.decode()]
            except av.FFmpegError:
                continue
    return frames
