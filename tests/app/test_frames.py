"""Frames for the screen come from a thread; what was asked for last wins."""

from __future__ import annotations

import numpy as np
import pytest

from decaf_gui.app.frames import FrameReader
from decaf_gui.core.clip import Clip


@pytest.fixture
def reader(qapp):
    made = FrameReader()
    yield made
    made.stop()


def test_a_frame_is_the_clips_frame(reader, qtbot, media):
    with qtbot.waitSignal(reader.ready, timeout=10_000) as answer:
        reader.ask(media, 7)
    path, frame, picture = answer.args
    assert (path, frame) == (media, 7)
    with Clip.open(media) as clip:
        assert np.array_equal(picture, clip[7])


def test_of_many_requests_the_last_is_answered(reader, qtbot, media):
    seen = []
    reader.ready.connect(lambda _path, frame, _picture: seen.append(frame))
    for frame in range(30):
        reader.ask(media, frame)
    qtbot.waitUntil(lambda: 29 in seen, timeout=10_000)
    qtbot.wait(50)
    assert seen == sorted(seen)
    assert len(seen) < 30, "frames that nobody wants any more were decoded"


def test_what_cannot_be_read_is_told_and_the_thread_lives(reader, qtbot, media, tmp_path):
    with qtbot.waitSignal(reader.failed, timeout=10_000) as answer:
        reader.ask(tmp_path / "none.mp4", 0)
    assert "There is no file" in answer.args[1]
    with qtbot.waitSignal(reader.failed, timeout=10_000) as answer:
        reader.ask(media, 99)
    assert "no frame 99" in answer.args[1]
    with qtbot.waitSignal(reader.ready, timeout=10_000):
        reader.ask(media, 0)


def test_stopping_twice_is_no_error(qapp):
    reader = FrameReader()
    reader.stop()
    reader.stop()
