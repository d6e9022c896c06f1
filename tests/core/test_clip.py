"""Clips: frames by number equal sequential decoding, whatever the container does; folders of images."""

from __future__ import annotations

import gc
import hashlib
import random
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av
import numpy as np
import pytest
from made_videos import HEIGHT, WIDTH, decode_all, pictures, remux, write_video
from PIL import Image

from decaf_gui.core.clip import Clip, clips_in
from decaf_gui.core.errors import BadInput, DecafError

Make = Callable[[Path], Path]

B_FRAMES = {"bf": "3", "g": "12", "x264-params": "scenecut=0"}
OPEN_GOP = {"bf": "3", "g": "12", "x264-params": "open-gop=1:b-adapt=0:scenecut=0"}
REFRESH = {"bf": "0", "g": "12", "x264-params": "intra-refresh=1"}
UNEVEN = np.cumsum(np.random.default_rng(1).integers(5, 90, 40)).tolist()

VIDEOS: dict[str, Make] = {
    "h264 with b-frames in mp4": lambda d: write_video(d / "a.mp4", options=B_FRAMES),
    "h264 with sound in mp4": lambda d: write_video(d / "a.mp4", options=B_FRAMES, audio=True),
    "fragmented mp4": lambda d: write_video(
        d / "a.mp4", options=B_FRAMES, container={"movflags": "frag_keyframe+empty_moov"}
    ),
    "open groups in mp4": lambda d: write_video(d / "a.mp4", options=OPEN_GOP),
    "open groups in ts": lambda d: write_video(d / "a.ts", options=OPEN_GOP),
    "gradual refresh in mkv": lambda d: write_video(d / "a.mkv", options=REFRESH),
    "uneven times in mkv": lambda d: write_video(d / "a.mkv", options=B_FRAMES, times=UNEVEN),
    "uneven times in mp4": lambda d: write_video(d / "a.mp4", options=B_FRAMES, times=UNEVEN),
    "an edit list that cuts the start": lambda d: remux(
        write_video(d / "whole.mp4", options=B_FRAMES), d / "a.mp4", shift=512 * 7, avoid_negative_ts="disabled"
    ),
    "hevc in mp4": lambda d: write_video(
        d / "a.mp4", "libx265", options={"x265-params": "keyint=12:bframes=3:log-level=none"}
    ),
    "vp9 in webm": lambda d: write_video(
        d / "a.webm", "libvpx-vp9", options={"g": "12", "deadline": "realtime", "cpu-used": "8"}
    ),
    "mpeg-2 in ts": lambda d: write_video(d / "a.ts", "mpeg2video", options={"bf": "2", "g": "12"}),
    "mpeg-4 in avi": lambda d: write_video(d / "a.avi", "mpeg4", options={"bf": "2", "g": "12"}),
    "mjpeg in avi": lambda d: write_video(d / "a.avi", "mjpeg", pix_fmt="yuvj420p"),
    "h264 in avi, whose times are wrong": lambda d: write_video(d / "a.avi", options=B_FRAMES),
    "a raw stream without times": lambda d: write_video(d / "a.h264", options=B_FRAMES),
    "an animated gif": lambda d: write_video(d / "a.gif", "gif", pix_fmt="rgb8"),
    "an animated png": lambda d: write_video(d / "a.apng", "apng", pix_fmt="rgb24"),
}


@pytest.fixture
def mp4(tmp_path: Path) -> Path:
    return write_video(tmp_path / "clip.mp4", options=B_FRAMES)


@pytest.mark.parametrize("kind", VIDEOS)
def test_random_access_gives_what_sequential_decoding_gives(kind: str, tmp_path: Path) -> None:
    path = VIDEOS[kind](tmp_path)
    expected = decode_all(path)
    order = list(range(len(expected))) * 2
    random.Random(0).shuffle(order)
    with Clip.open(path, cache_bytes=1) as clip:
        assert len(clip) == len(expected) >= 33
        assert all(np.array_equal(clip[i], expected[i]) for i in order)
        assert all(np.array_equal(clip[i], expected[i]) for i in reversed(range(len(clip))))
        assert all(np.array_equal(frame, known) for frame, known in zip(clip, expected, strict=True))


def test_frames_of_a_lossless_video_are_the_pictures_that_went_in(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", "ffv1", count=12, pix_fmt="bgr0")
    with Clip.open(path) as clip:
        assert all(np.array_equal(frame, picture) for frame, picture in zip(clip, pictures(12), strict=True))


def test_a_clip_tells_its_size_rate_names_and_path(mp4: Path) -> None:
    with Clip.open(str(mp4)) as clip:
        assert (clip.size, clip.height, clip.width) == ((HEIGHT, WIDTH), HEIGHT, WIDTH)
        assert (clip.fps, clip.name, clip.path, clip.damage) == (25.0, "clip", mp4, "")
        assert list(clip.names) == [f"{i:05d}" for i in range(40)]
        assert (clip[0].shape, clip[0].dtype) == ((HEIGHT, WIDTH, 3), np.uint8)


def test_the_rate_of_uneven_times_is_the_mean(tmp_path: Path) -> None:
    with Clip.open(VIDEOS["uneven times in mkv"](tmp_path)) as clip:
        assert clip.fps == pytest.approx(39 / ((UNEVEN[-1] - UNEVEN[0]) / 1000), rel=1e-3)


def test_frames_cannot_be_written_to(mp4: Path) -> None:
    with Clip.open(mp4) as clip, pytest.raises(ValueError, match="read-only"):
        clip[3][0, 0] = 0


def test_indices_count_from_the_end_too_and_stop_at_both_ends(mp4: Path) -> None:
    with Clip.open(mp4) as clip:
        assert np.array_equal(clip[-1], clip[39])
        assert np.array_equal(clip[-40], clip[0])
        assert np.array_equal(clip[np.int64(5)], clip[5])
        for beyond in (40, -41):
            with pytest.raises(IndexError):
                clip[beyond]


def test_the_cache_stays_within_its_bytes_and_hands_out_the_same_array(mp4: Path) -> None:
    frame_bytes = HEIGHT * WIDTH * 3
    with Clip.open(mp4, cache_bytes=5 * frame_bytes) as clip:
        for i in (30, 2, 17, 39, 0):
            assert clip[i] is clip[i]
            assert sum(frame.nbytes for frame in clip._cache.values()) <= 5 * frame_bytes


def test_reading_backwards_decodes_a_group_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_video(tmp_path / "a.mp4", options={"g": "40", "bf": "0"})
    asked: list[int] = []
    with Clip.open(path) as clip:
        read = clip._source.read
        monkeypatch.setattr(clip._source, "read", lambda number, reach: asked.append(number) or read(number, reach))
        backwards = [clip[i] for i in reversed(range(40))]
    assert asked == [39, 38]  # the second shows the direction, and what it passes is kept
    assert all(np.array_equal(a, b) for a, b in zip(reversed(backwards), decode_all(path), strict=True))


def test_threads_read_the_same_frames(mp4: Path) -> None:
    expected = decode_all(mp4)
    numbers = [random.Random(1).randrange(40) for _ in range(200)]
    with Clip.open(mp4, cache_bytes=3 * expected[0].nbytes) as clip, ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(lambda i: clip[i], numbers))
    assert all(np.array_equal(frame, expected[i]) for i, frame in zip(numbers, frames, strict=True))


def test_a_closed_clip_says_so(mp4: Path) -> None:
    clip = Clip.open(mp4)
    clip.close()
    with pytest.raises(DecafError, match="closed"):
        clip[0]


@pytest.mark.parametrize(("degrees", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_rotated_recordings_are_shown_upright(degrees: int, turns: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", options=B_FRAMES, rotation=degrees)
    with av.open(str(path)) as container:
        assert next(container.decode(video=0)).rotation % 360 == degrees  # against the clock
    with Clip.open(path) as clip:
        assert all(np.array_equal(clip[i], np.rot90(f, turns)) for i, f in enumerate(decode_all(path)))
        assert clip.size == clip[0].shape[:2]


def test_the_fingerprint_is_of_both_ends_of_the_file(mp4: Path, tmp_path: Path) -> None:
    data = mp4.read_bytes()
    with Clip.open(mp4) as clip:
        assert clip.fingerprint.sha256 == hashlib.sha256(data + data).hexdigest()  # shorter than one MiB
        assert (clip.fingerprint.bytes, clip.fingerprint.frames) == (len(data), 40)
    shutil.copy(mp4, tmp_path / "elsewhere.mp4")
    with Clip.open(tmp_path / "elsewhere.mp4") as moved:
        assert moved.fingerprint == clip.fingerprint


def test_a_closed_clip_leaves_no_decoder_to_the_garbage_collector(mp4: Path) -> None:
    def decoders() -> int:
        return sum(type(thing) in (av.container.InputContainer, av.video.VideoStream) for thing in gc.get_objects())

    gc.collect()
    before = decoders()
    gc.disable()
    try:
        with Clip.open(mp4) as clip:
            assert clip[7].any()
            assert clip[2].any()
            assert decoders() > before, "the count sees them"
        del clip
        assert decoders() == before
    finally:
        gc.enable()


def test_a_long_mp4_is_open_within_a_second(tmp_path: Path) -> None:
    short = write_video(tmp_path / "short.mp4", options=B_FRAMES, count=300)
    long = tmp_path / "long.mp4"
    _repeat(short, long, times=60)
    started = time.process_time()  # not the time that others take of the processor
    with Clip.open(long) as clip:
        assert len(clip) == 18000
        assert time.process_time() - started < 1.0
        assert np.array_equal(clip[300 * 50 + 7], clip[7])


def _repeat(source: Path, target: Path, times: int) -> None:
    with av.open(str(target), "w") as new:
        copy = None
        for turn in range(times):
            with av.open(str(source)) as old:
                stream = old.streams.video[0]
                copy = copy or new.add_stream_from_template(stream)
                for packet in old.demux(stream):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + turn * 300 * 512, packet.dts + turn * 300 * 512
                        packet.stream = copy
                        new.mux(packet)


# ---- broken and unfit files


def test_a_cut_off_video_is_usable_and_says_how_many_frames_there_are(tmp_path: Path) -> None:
    whole = remux(write_video(tmp_path / "a.mp4", options=B_FRAMES), tmp_path / "b.mp4", movflags="faststart")
    whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.7)])
    readable = decode_all(whole)
    assert 0 < len(readable) < 40
    with Clip.open(whole) as clip:
        assert len(clip) == len(readable)
        assert f"{len(readable)} frames could be read" in clip.damage
        assert all(np.array_equal(frame, known) for frame, known in zip(clip, readable, strict=True))


def test_a_recording_that_starts_within_a_group_begins_at_its_first_decodable_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.ts", "mpeg2video", options={"bf": "2", "g": "12"})
    path.write_bytes(path.read_bytes()[188 * 30 :])
    readable = decode_all(path)
    assert len(readable) < 40
    with Clip.open(path) as clip:
        assert np.array_equal(clip[-1], readable[-1])
        assert all(np.array_equal(frame, known) for frame, known in zip(clip, readable, strict=True))


def test_a_frame_that_cannot_be_decoded_is_named_and_the_others_can_be_read(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", "mjpeg", pix_fmt="yuvj420p")
    with av.open(str(path)) as container:
        packet = bytes([p for p in container.demux(video=0) if p.size][20])
    path.write_bytes(path.read_bytes().replace(packet, bytes(len(packet))))
    with Clip.open(path, cache_bytes=1) as clip:
        for i in range(20):
            clip[i]
        with pytest.raises(BadInput, match=r"Frame 20 of .* cannot be decoded.*20 of its 40 frames"):
            clip[20]
        assert clip[21].shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("missing.mp4", None, "no file or folder"),
        ("empty.mp4", b"", "cannot be read as a video"),
        ("noise.mkv", random.Random(0).randbytes(5000), "cannot be read as a video"),
        ("notes.txt", b"hello\n" * 99, "no video stream"),
        ("broken.png", b"hello", "cannot be read as an image"),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(name: str, content: bytes | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=says) as caught:
        Clip.open(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "song.m4a"), "w") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(BadInput, match="no video stream"):
        Clip.open(tmp_path / "song.m4a")


# ---- images


def _save(path: Path, picture: np.ndarray, **options: object) -> None:
    Image.fromarray(picture).save(path, **options)


def test_images_come_in_natural_order_with_their_names(tmp_path: Path) -> None:
    for i, picture in enumerate(pictures(12)):
        _save(tmp_path / f"Shot{i}.PNG", picture)
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("no image")
    with Clip.open(tmp_path) as clip:
        assert list(clip.names) == [f"Shot{i}.PNG" for i in range(12)]
        assert all(np.array_equal(frame, picture) for frame, picture in zip(clip, pictures(12), strict=True))
        assert (clip.name, clip.fps) == (tmp_path.name, 24.0)
        assert clip.fingerprint.frames == 12


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "ppm", "webp", "jp2"])
def test_any_lossless_image_type_gives_the_same_frame(suffix: str, tmp_path: Path) -> None:
    picture = next(pictures(1))
    _save(tmp_path / f"a.{suffix}", picture, **({"lossless": True} if suffix == "webp" else {}))
    with Clip.open(tmp_path / f"a.{suffix}") as clip:
        assert np.array_equal(clip[0], picture)
        assert (len(clip), clip.name) == (1, "a")


def test_grey_palette_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    picture = next(pictures(1))
    grey = picture[..., 0]
    alpha = np.dstack([picture, np.full(grey.shape, 9, np.uint8)])
    Image.fromarray(grey).save(tmp_path / "0.png")
    Image.fromarray(alpha).save(tmp_path / "1.png")
    Image.fromarray(grey > 99).save(tmp_path / "2.png")
    indexed = Image.fromarray((grey > 99).astype(np.uint8), mode=None).convert("P")
    indexed.putpalette([1, 2, 3, 200, 100, 50])
    indexed.save(tmp_path / "3.png")
    with Clip.open(tmp_path) as clip:
        assert np.array_equal(clip[0], np.dstack([grey] * 3))
        assert np.array_equal(clip[1], picture)
        assert np.array_equal(clip[2], np.dstack([(grey > 99) * np.uint8(255)] * 3))
        assert np.array_equal(clip[3], np.where((grey > 99)[..., None], (200, 100, 50), (1, 2, 3)))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bit_grey_keeps_its_upper_byte(suffix: str, tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, HEIGHT * WIDTH).astype(np.uint16).reshape(HEIGHT, WIDTH)
    _save(tmp_path / f"a.{suffix}", deep)
    with Clip.open(tmp_path) as clip:
        assert np.array_equal(clip[0], np.dstack([deep // 256] * 3))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_is_applied(suffix: str, tmp_path: Path) -> None:
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:16, :16] = 255  # upper left; orientation 6 is shown a quarter turn clockwise: upper right
    exif = Image.Exif()
    exif[0x0112] = 6
    _save(tmp_path / f"a.{suffix}", picture, exif=exif)
    with Clip.open(tmp_path) as clip:
        assert clip.size == (WIDTH, HEIGHT)
        assert (clip[0][4, -5, 0] > 200, clip[0][4, 4, 0] < 50) == (True, True)
        assert clip[0].shape == (WIDTH, HEIGHT, 3)


def test_images_of_different_sizes_are_refused_by_the_first_that_differs(tmp_path: Path) -> None:
    for i, size in enumerate([(8, 6), (8, 6), (9, 6), (7, 6)]):
        Image.new("RGB", size).save(tmp_path / f"{i}.png")
    with pytest.raises(BadInput, match=r"2\.png is 9x6, 0\.png is 8x6"):
        Clip.open(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no images"):
        Clip.open(tmp_path)


@pytest.mark.parametrize("frames", [range(3, 9), range(0, 10, 4), range(9, 10)])
def test_a_part_of_a_clip_has_its_frames_under_their_names(tmp_path, frames):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i in range(10):
        Image.fromarray(np.full((8, 12, 3), 20 * i, np.uint8)).save(folder / f"take_{i:03d}.png")
    with Clip.open(folder) as whole, Clip.open(folder, frames=frames) as part:
        assert len(part) == len(frames)
        assert part.names == [whole.names[i] for i in frames]
        assert [file.name for file in part.files] == part.names
        assert part.fps == pytest.approx(whole.fps / frames.step)
        for place in (0, -1, len(frames) // 2):
            assert np.array_equal(part[place], whole[frames[place]])
        with pytest.raises(IndexError):
            part[len(frames)]
        assert part.fingerprint.frames == len(frames)


def test_a_part_of_a_video_is_numbered_as_in_the_video(tmp_path):
    video = tmp_path / "clip.mp4"
    write_video(video, count=12)
    with Clip.open(video) as whole, Clip.open(video, frames=range(4, 12, 3)) as part:
        assert part.names == ["00004", "00007", "00010"]
        assert all(np.array_equal(part[i], whole[f]) for i, f in enumerate((4, 7, 10)))


@pytest.mark.parametrize("frames", [range(11), range(0), range(12, 14)])
def test_a_part_must_lie_within_the_clip(tmp_path, frames):
    for i in range(10):
        Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(tmp_path / f"{i}.png")
    with Clip.open(tmp_path, frames=frames) as part, pytest.raises(BadInput, match="cannot be cut"):
        len(part)


def test_a_folder_of_clips_is_searched_for_them(tmp_path):
    for name in ("b10", "b9", "empty"):
        (tmp_path / name).mkdir()
    for name in ("b10", "b9"):
        Image.new("RGB", (4, 4)).save(tmp_path / name / "0.png")
    for name in ("a.MP4", "notes.txt", ".hidden.mp4"):
        (tmp_path / name).write_bytes(b"")
    assert [path.name for path in clips_in(tmp_path)] == ["a.MP4", "b9", "b10"]
    assert clips_in(tmp_path / "b9") == [tmp_path / "b9"], "a folder of images is a clip"
    assert clips_in(tmp_path / "notes.txt") == [tmp_path / "notes.txt"], "a file that is named is opened"
    with pytest.raises(BadInput, match="no images, videos or folders of images"):
        clips_in(tmp_path / "empty")
