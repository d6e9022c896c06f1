"""The window's benchmark at its quick size, and the long video that it makes for itself."""

from __future__ import annotations

import tempfile

import av
import pytest

from decaf_gui.bench import window
from decaf_gui.bench.results import Options, run
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import DecafError


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_long_video_is_one_group_of_pictures_after_the_other(temporary):
    path = window.long_video(500, (96, 128))
    assert [found.name for found in temporary.iterdir()] == [path.name], "the group is left behind"
    with av.open(str(path)) as container:
        keys = [number for number, packet in enumerate(container.demux(video=0)) if packet.is_keyframe]
    assert keys == [0, 250]
    with Clip.open(path) as clip:
        assert (len(clip), clip.size, clip.fps, clip.damage) == (500, (96, 128), 25.0, "")
        assert (clip[260] == clip[10]).all()
        assert (clip[260] != clip[20]).any()
    made = path.stat().st_mtime_ns
    assert window.long_video(500, (96, 128)).stat().st_mtime_ns == made, "it is made once"


def test_every_row_is_measured_in_the_real_window(temporary):
    *_, result = run("window", Options(quick=True))
    rows = {row["what"]: row for row in result.as_dict()["rows"]}
    assert len(rows) == 5
    assert all(0 < row["median ms"] <= row["longest ms"] for row in rows.values())
    assert rows["gap between beats, loading"]["count"] > 50
    assert rows["gap between beats, proposing"]["median ms"] == pytest.approx(10, abs=8)
    assert rows["long clip, frame at random"]["count"] == 5
    assert rows["long clip, frame at random"]["peak MiB"] > 100
    assert result.targets == (), "promises are measured at full size only"


def test_a_window_that_cannot_open_is_told(tmp_path):
    (tmp_path / "no.decaf").write_text("nothing")
    with pytest.raises(DecafError, match=r"no\.decaf"):
        window.watched("paint", Options(), tmp_path / "no.decaf")
