"""Clips are opened in their thread, many at once; what is none is told, and the others come."""

from __future__ import annotations

import shutil

import pytest

from decaf_gui.app.opening import ClipOpener


@pytest.fixture
def opener(qapp):
    made = ClipOpener()
    yield made
    made.stop()


def test_a_folder_of_clips_is_opened_clip_by_clip(opener, media, tmp_path, qtbot):
    for name in ("one", "two"):
        shutil.copytree(media, tmp_path / "clips" / name)
    (tmp_path / "clips" / "broken.mp4").write_bytes(b"no video")
    opened, refused = [], []
    opener.opened.connect(opened.append)
    opener.refused.connect(refused.append)
    opener.open([tmp_path / "clips", tmp_path / "none.mp4"])
    qtbot.waitUntil(lambda: len(opened) == 2 and len(refused) == 2)
    assert [clip.name for clip in opened] == ["one", "two"]
    assert [len(clip) for clip in opened] == [30, 30]
    assert "broken.mp4" in refused[0]
    assert "no file or folder" in refused[1]
    for clip in opened:
        clip.close()
