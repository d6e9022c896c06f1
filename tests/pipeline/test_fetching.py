"""Downloads from a hub on this machine: progress, cache, cancelling, and every failure as one line."""

from __future__ import annotations

import time
from collections import namedtuple

import huggingface_hub.constants
import pytest
from small_hub import COMMIT, small_hub

from decaf_gui.core.errors import DecafError
from decaf_gui.pipeline import fetching
from decaf_gui.pipeline.models import card_of, download, locate, revision_of, source_of

SAM = card_of("sam", "facebook/sam2.1-hiera-tiny")
QWEN = card_of("mllm", "Qwen/Qwen2-VL-2B-Instruct")
WEIGHTS = bytes(range(256)) * 4096 * 24


@pytest.fixture
def online(tmp_path, monkeypatch):
    """An empty cache and no offline mode, here and in the process that downloads."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return monkeypatch


def test_a_sam_file_arrives_and_is_found_afterwards(online, tmp_path):
    files = {"sam2.1_hiera_tiny.pt": WEIGHTS, "other.bin": b"not wanted"}
    with small_hub(SAM.source, files) as address:
        online.setenv("HF_ENDPOINT", address)
        events = list(download(SAM))
    done = [event.done for event in events]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == len(WEIGHTS)
    assert any(0 < d < len(WEIGHTS) for d in done)
    assert {event.total for event in events} == {len(WEIGHTS)}
    assert locate(SAM).read_bytes() == WEIGHTS
    assert revision_of(locate(SAM)) == COMMIT
    assert not list(tmp_path.rglob("other.bin"))
    assert list(download(SAM)) == [], "nothing is fetched twice"


def test_a_multimodal_llm_arrives_as_a_folder_without_pickles(online):
    files = {"config.json": b"{}", "model.safetensors": b"weights", "pytorch_model.bin": b"pickled", "code.py": b"#"}
    with small_hub(QWEN.source, files) as address:
        online.setenv("HF_ENDPOINT", address)
        list(download(QWEN))
    assert {path.name for path in source_of(QWEN).iterdir()} == {"config.json", "model.safetensors"}


def test_closing_stops_the_download_and_leaves_no_part_of_a_file(online, tmp_path):
    with small_hub(SAM.source, {"sam2.1_hiera_tiny.pt": WEIGHTS}, pause=0.2) as address:
        online.setenv("HF_ENDPOINT", address)
        events = download(SAM)
        part = next(event.done for event in events if event.done)
        assert 0 < part < len(WEIGHTS)
        before = time.monotonic()
        events.close()
        assert time.monotonic() - before < 2, "the rest of the file takes more than 2.5 seconds"
    assert locate(SAM) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_offline_mode_is_one_line(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DecafError, match="unset HF_HUB_OFFLINE"):
        next(download(SAM))


def test_a_network_failure_is_one_line(online):
    with small_hub(SAM.source, {}) as address:
        pass
    online.setenv("HF_ENDPOINT", address)
    with pytest.raises(DecafError, match="Check the network") as caught:
        list(download(SAM))
    assert "\n" not in str(caught.value)


def test_a_repository_without_the_file_is_one_line(online):
    with small_hub(SAM.source, {"other.bin": b"x"}) as address:
        online.setenv("HF_ENDPOINT", address)
        with pytest.raises(DecafError, match="holds no files of the wanted kind"):
            list(download(SAM))


def test_a_full_disk_is_noticed_before_anything_is_fetched(online):
    usage = namedtuple("usage", "total used free")
    online.setattr(fetching.shutil, "disk_usage", lambda _: usage(10**12, 10**12, 5 * 10**9))
    wanted = fetching.Wanted("a/b", COMMIT, (("model.safetensors", 5 * 10**9),))
    with pytest.raises(DecafError, match=r"needs 6\.1 GB .* 5\.0 GB are free"):
        fetching._check_room(wanted)
    fetching._check_room(fetching.Wanted("a/b", COMMIT, (("model.safetensors", 3 * 10**9),)))
