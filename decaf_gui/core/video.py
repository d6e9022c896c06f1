"""One video file as an indexed sequence of upright RGB frames, exact to the frame, through PyAV.

The packets tell, without decoding, which frames there are and from which keyframe each can be reached. Random
access goes to that keyframe and decodes forward until the wanted presentation time, so that it gives what
sequential decoding gives. Where packets do not tell (raw streams, H.264 in AVI, fields as packets, equal
times) the frames are counted by decoding, and every step backwards starts at the beginning of the file.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, count, islice
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.sidedata.sidedata import SideData
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput

HEAD = 8
"""Frames decoded at opening: the first is kept, the times of all show whether the packets tell the truth."""

DEFAULT_FPS = 24.0
"""Frames per second where nothing says better (DAVIS's rate)."""

_UNORDERED = frozenset({("avi", "h264"), ("avi", "hevc")})
"""Containers whose packet times are made up by libavformat and wrong where frames are reordered."""

_TEXT = "tty"
"""The demuxer that makes a video of any text file."""


_QUARTER_TURNS = ((1, 0, 0, 1), (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))
"""Display matrices (a, b, c, d) of 0 to 3 turns against the clock."""

Packets = Iterator["Packet[VideoStream]"]
"""Packets of the video stream in decoding order."""


class Key(NamedTuple):
    """A keyframe: its place in decoding order and its times, in units of the stream's time base."""

    position: int
    pts: int
    dts: int | None

    @property
    def seek_time(self) -> int:
        """A time that no container's seek takes for a later keyframe."""
        return self.pts if self.dts is None else min(self.pts, self.dts)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Where every frame lies in the file, told by the packets alone.

    `times[i]` is the presentation time of frame i, `numbers` its inverse, `positions` the place of a time in
    decoding order, `keys` the keyframes in decoding order.
    """

    times: tuple[int, ...]
    numbers: Mapping[int, int]
    positions: Mapping[int, int]
    keys: tuple[Key, ...]

    def entries(self, number: int) -> Sequence[Key]:
        """The two keyframes nearest before frame `number`, nearest first, from which it can be decoded.

        A frame shown before a keyframe may need the picture group before it (open groups), so presentation
        order counts. The second entry serves streams whose "keyframes" only start a gradual refresh.
        """
        time = self.times[number]
        last = bisect_right(self.keys, self.positions[time], key=lambda key: key.position)
        usable = (self.keys[i] for i in reversed(range(last)) if self.keys[i].pts <= time)
        return list(islice(usable, 2))


class Listed(NamedTuple):
    """What is kept of a packet once the file is indexed: its times and whether its frame is one of the clip's."""

    pts: int | None
    dts: int | None
    key: bool
    discard: bool
    corrupt: bool

    @classmethod
    def of(cls, packet: Packet[VideoStream]) -> Listed:
        """Without its data."""
        return cls(packet.pts, packet.dts, packet.is_keyframe, packet.is_discard, packet.is_corrupt)


class Fed:
    """The packets of a run on their way to the decoder; `count` of them lie behind in decoding order."""

    def __init__(self, packets: Packets, count: int) -> None:
        self._packets, self.count = packets, count

    def __iter__(self) -> Fed:
        return self

    def __next__(self) -> Packet[VideoStream]:
        packet = next(self._packets)
        self.count += 1
        return packet


class Run:
    """One forward run of the decoder, from the start of the file or from the keyframe `start`.

    Iterating gives (number, frame); `next` is the lowest frame number that can still come. Nothing that a run holds
    refers to it: decoder and pictures go with it at once, not when the garbage collector comes by.
    """

    def __init__(
        self, packets: Packets, stream: VideoStream, timeline: Timeline | None, start: Key | None = None
    ) -> None:
        self.next = 0
        self._fed = Fed(packets, start.position if start else 0)
        self._timeline, self._start = timeline, start
        self._frames, self._ordinals = _decoded(self._fed, stream), count()

    def __iter__(self) -> Iterator[tuple[int, VideoFrame]]:
        return self

    def __next__(self) -> tuple[int, VideoFrame]:
        for frame in self._frames:
            number = next(self._ordinals) if self._timeline is None else self._find(self._timeline, frame)
            if number is not None:
                self.next = number + 1
                return number, frame
        raise StopIteration

    def leads_to(self, number: int) -> bool:
        """Whether going on is the way to frame `number`: it lies ahead, with no keyframe to jump to before it."""
        if number <= self.next or self._timeline is None:
            return number >= self.next
        return all(key.position < self._fed.count for key in self._timeline.entries(number)[:1])

    def _find(self, timeline: Timeline, frame: VideoFrame) -> int | None:
        if frame.pts is None or (self._start and frame.pts < self._start.pts):
            return None  # leading frames of an open group: their references lie before the start of this run
        return timeline.numbers.get(frame.pts)


class Video:
    """A video file: `len`, `size` (H, W), `fps`, `damage` and `read`. Not thread-safe (see Clip).

    Raises BadInput at opening when there is no video in the file or not one frame of it can be decoded. The file is
    indexed when somebody asks for more than frame 0: while another thread imports torch, listing the packets of ten
    minutes takes two seconds (each packet is a wait for the interpreter), and the first frame is to be seen before.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: tuple[InputContainer, VideoStream] | None = None
        self._run: Run | None = None
        self._seen: set[int] = set()
        container, stream = _open(path)
        with container:
            head = [frame for _, frame in islice(Run(_packets(container, stream), stream, None), HEAD)]
            if not head:
                raise BadInput(f"{path} is broken: not one frame of it could be decoded.")
            self._declared_fps = float(stream.average_rate or stream.guessed_rate or 0)
            self._tick = float(stream.time_base or 0)
            self._matrix = _display_matrix(head[0])
            self._coded = (head[0].height, head[0].width)
            self._first = self._rgb(head[0])
            self._head = tuple(frame.pts for frame in head)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels, upright."""
        return self._first.shape[0], self._first.shape[1]

    def __len__(self) -> int:
        return self._length

    @cached_property
    def fps(self) -> float:
        """Frames per second on average: as declared, or as measured when the declaration is off by over 2 %."""
        times = self._index[0].times if self._index[0] else ()
        seconds = (times[-1] - times[0]) * self._tick if times else 0.0
        measured = (len(times) - 1) / seconds if seconds else 0.0
        trusted = not measured or abs(self._declared_fps - measured) <= 0.02 * measured
        return (self._declared_fps if trusted else measured) or DEFAULT_FPS

    @property
    def damage(self) -> str:
        """One line when the file ends before its time, else ""."""
        _, cut = self._index
        return f"{self.path} is damaged, it ends too early: {len(self)} frames could be read." if cut else ""

    def read(self, number: int, reach: int = 1) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Decode frame `number`: yields (i, RGB uint8 (H, W, 3)) of up to `reach` frames on the way, it the last.

        Raises BadInput when the frame cannot be decoded.
        """
        if number == 0:
            yield 0, self._first
            return
        for run in self._runs(number):
            for passed, frame in run:
                self._seen.add(passed)
                if number - reach < passed <= number:
                    yield passed, self._rgb(frame)
                if passed == number:
                    return
                if passed > number:
                    break
        raise BadInput(
            f"Frame {number} of {self.path} cannot be decoded: the video is broken there "
            f"({len(self._seen)} of its {len(self)} frames could be read so far)."
        )

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file[0].close()
        self._file = self._run = None

    @cached_property
    def _index(self) -> tuple[Timeline | None, bool]:
        return _index(self.path, self._head)

    @cached_property
    def _length(self) -> int:
        timeline, _ = self._index
        if timeline is not None:
            return len(timeline.times)
        container, stream = _open(self.path)
        with container:
            return sum(1 for _ in Run(_packets(container, stream), stream, None))

    def _runs(self, number: int) -> Iterator[Run]:
        """Runs that may lead to frame `number`, most promising first; the latest is kept for the next read."""
        if self._run is not None and self._run.leads_to(number):
            yield self._run
        timeline, landed = self._index[0], False
        for key in timeline.entries(number) if timeline else ():
            self._run = self._seek(timeline, key) if timeline and key.position else self._restart()
            if self._run is not None:
                landed = True
                yield self._run
        if not landed:
            self._run = self._restart()
            yield self._run

    def _restart(self) -> Run:
        """A run from the start, in a file opened afresh: exactly what sequential decoding does."""
        self.close()
        self._file = container, stream = _open(self.path)
        return Run(_packets(container, stream), stream, self._index[0])

    def _seek(self, timeline: Timeline, key: Key) -> Run | None:
        """A run from `key`, or None when the container's seek does not lead there."""
        self._file = container, stream = self._file or _open(self.path)
        try:
            container.seek(key.seek_time, stream=stream)
        except av.FFmpegError:
            return None
        packets = _packets(container, stream)
        for packet in packets:
            position = -1 if packet.pts is None else timeline.positions.get(packet.pts, -1)
            if position == key.position:
                return Run(chain((packet,), packets), stream, timeline, key)
            if position > key.position:
                return None
        return None

    def _rgb(self, frame: VideoFrame) -> NDArray[np.uint8]:
        height, width = self._coded
        pixels = cast("NDArray[np.uint8]", frame.to_ndarray(format="rgb24", width=width, height=height))
        return _upright(pixels, self._matrix)


def _open(path: Path) -> tuple[InputContainer, VideoStream]:
    """The container and its main video stream; local files only, whatever a playlist in it may say."""
    try:
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"})
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read as a video: {_reason(error)}.") from error
    stream = container.streams.best("video")
    if not isinstance(stream, VideoStream) or not _moving(container, stream):
        container.close()
        raise BadInput(f"{path} holds no video stream that can be decoded.")
    stream.thread_type = "SLICE"  # frame threads lose the neighbours of broken packets and conceal errors at random
    return container, stream


def _moving(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the stream can be decoded and is neither the cover of a song nor a text file."""
    cover = bool(stream.disposition & Disposition.attached_pic)
    return stream.codec_context is not None and not cover and container.format.name != _TEXT


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).rstrip(".")


def _packets(container: InputContainer, stream: VideoStream) -> Packets:
    """The packets of `stream` in decoding order, as far as the file can be read."""
    try:
        for packet in container.demux(stream):
            if packet.size:
                yield packet
    except av.FFmpegError:
        return


def _decoded(packets: Iterable[Packet[VideoStream]], stream: VideoStream) -> Iterator[VideoFrame]:
    for packet in packets:
        yield from _decode(stream, packet)
    yield from _decode(stream, None)


def _decode(stream: VideoStream, packet: Packet[VideoStream] | None) -> Sequence[VideoFrame]:
    """The frames that come out after `packet` (None: the last ones); none for a broken packet."""
    try:
        return stream.decode(packet)
    except av.FFmpegError:
        return ()


def _index(path: Path, head: Sequence[int | None]) -> tuple[Timeline | None, bool]:
    """The timeline of the file, None when its packets do not tell, and whether the file ends too early."""
    container, stream = _open(path)
    with container:
        packets = [Listed.of(packet) for packet in _packets(container, stream)]
        cut = _ends_early(path, stream, packets[-1])
        if packets[-1].corrupt:
            packets.pop()
        ordered = (container.format.name, stream.codec_context.name) not in _UNORDERED
        return (_timeline(packets, head) if ordered else None), cut


def _timeline(packets: Sequence[Listed], head: Sequence[int | None]) -> Timeline | None:
    """The timeline, or None when times are missing, repeated or not those of the frames decoded at the head."""
    times = [packet.pts for packet in packets if packet.pts is not None]
    positions = {time: position for position, time in enumerate(times)}
    first = head[0]
    if first is None or not len(packets) == len(times) == len(positions):
        return None
    # Frames before the first that decodes have lost their keyframe; discarded ones lie outside the edit list.
    shown = tuple(sorted(p.pts for p in packets if p.pts is not None and p.pts >= first and not p.discard))
    if shown[: len(head)] != tuple(head):
        return None
    keys = tuple(Key(i, times[i], packet.dts) for i, packet in enumerate(packets) if packet.key)
    return Timeline(shown, {time: number for number, time in enumerate(shown)}, positions, keys)


def _ends_early(path: Path, stream: VideoStream, last: Listed) -> bool:
    """Whether the file is cut off: inside a packet, before the end of its own index, or of its declared length."""
    entries: Sequence[Any] = getattr(stream, "index_entries", ())  # PyAV 15 and older do not tell
    beyond = len(entries) > 0 and entries[-1].pos + entries[-1].size > path.stat().st_size
    return last.corrupt or beyond or _declared_end(stream) > _seconds(stream, last) + 1.0


def _declared_end(stream: VideoStream) -> float:
    """Seconds, from Matroska's DURATION tag ("00:00:02.400000000"); 0.0 when there is none."""
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return 0.0
    return 3600 * hours + 60 * minutes + seconds


def _seconds(stream: VideoStream, packet: Listed) -> float:
    return float((packet.pts or 0) * (stream.time_base or 0))


def _display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """(a, b, c, d) of the display matrix: a pixel (x, y) is shown at (a x + c y, b x + d y), up to a shift."""
    try:
        side_data = list(cast("Iterable[SideData]", frame.side_data))
    except ValueError:  # PyAV fails at kinds that it has no name for; its `rotation` does not know of mirroring
        return _QUARTER_TURNS[round(frame.rotation / 90) % 4]
    for data in side_data:
        if data.type.name == "DISPLAYMATRIX":
            m = np.frombuffer(bytes(data), np.int32)
            return int(m[0]), int(m[1]), int(m[3]), int(m[4])
    return _QUARTER_TURNS[0]


def _upright(pixels: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """`pixels` (H, W, 3) turned and mirrored as the display matrix says, to the nearest quarter turn."""
    a, b, c, d = matrix
    if abs(a) + abs(d) < abs(b) + abs(c):
        pixels, a, d = pixels.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
