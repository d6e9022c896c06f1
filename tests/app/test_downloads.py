"""Downloads beside the window, from a hub on this machine: progress, cancelling at any moment, going on, failures."""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import huggingface_hub.constants
import pytest
from PySide6.QtWidgets import QDialogButtonBox

from decaf_gui.app.downloads import Download, Downloads
from decaf_gui.app.model_box import ModelBox
from decaf_gui.app.preferences import Preferences
from decaf_gui.app.settings_dialog import SettingsDialog
from decaf_gui.pipeline.models import card_of, locate

sys.path.append(str(Path(__file__).parents[1] / "pipeline"))
from small_hub import small_hub

LONG = 30_000
SAM = card_of("sam", "facebook/sam2.1-hiera-tiny")
QWEN = card_of("mllm", "Qwen/Qwen2-VL-2B-Instruct")
FILE = "sam2.1_hiera_tiny.pt"
MIB = 1 << 20


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


@pytest.fixture
def hub(online):
    """Serves a repository to the processes that are started from here."""
    served = []

    def serve(repo, files, pause=0.0):
        server = small_hub(repo, files, pause=pause)
        online.setenv("HF_ENDPOINT", server.__enter__())
        served.append(server)

    yield serve
    for server in served:
        server.__exit__(None, None, None)


@pytest.fixture
def silent_hub(online):
    """Takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        online.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield server


@pytest.fixture
def download(qapp):
    made = []

    def make(card):
        made.append(Download(card))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def test_it_arrives_with_progress(hub, download, qtbot):
    weights = os.urandom(24 * MIB)
    hub(SAM.source, {FILE: weights}, pause=0.01)
    coming, seen = download(SAM), []
    coming.progress.connect(lambda done, total: seen.append((done, total)))
    with qtbot.waitSignal(coming.finished, timeout=LONG):
        coming.start()
    assert not coming.running
    assert seen == sorted(seen)
    assert {total for _, total in seen} == {len(weights)}
    assert seen[-1][0] == len(weights)
    assert locate(SAM).read_bytes() == weights


def test_sizes_beyond_32_bits_are_told_as_they_are(download):
    coming, seen = download(SAM), []
    coming.progress.connect(lambda done, total: seen.append((done, total)))
    coming._thread.told.emit(5 << 32, 9 << 32)
    assert seen == [(5 << 32, 9 << 32)]


def test_cancelling_in_the_middle_leaves_no_part_of_a_file(hub, download, qtbot, tmp_path):
    hub(SAM.source, {FILE: bytes(40 * MIB)}, pause=0.2)
    coming = download(SAM)
    coming.start()
    qtbot.waitUntil(lambda: coming.done > 0, timeout=LONG)
    before = time.monotonic()
    with qtbot.waitSignal(coming.cancelled, timeout=LONG):
        coming.cancel()
    assert time.monotonic() - before < 3, "the rest of the file takes more than five seconds"
    assert locate(SAM) is None
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_cancelling_while_the_hub_says_nothing_is_prompt(silent_hub, download, qtbot):
    coming, ended = download(SAM), []
    for signal in (coming.finished, coming.failed):
        signal.connect(lambda *_: ended.append("other"))
    coming.start()
    assert silent_hub.accept(), "the child is waiting for the answer"
    before = time.monotonic()
    with qtbot.waitSignal(coming.cancelled, timeout=LONG):
        coming.cancel()
    assert time.monotonic() - before < 3
    assert ended == []


def test_stop_waits_for_the_end(silent_hub, download):
    coming = download(SAM)
    coming.start()
    assert coming.running
    coming.stop()
    assert not coming.running


def test_what_was_complete_is_not_fetched_again(hub, download, qtbot, tmp_path):
    files = {"config.json": b"{}" * 2000, "model.safetensors": os.urandom(24 * MIB)}
    hub(QWEN.source, files, pause=0.1)
    first = download(QWEN)
    first.start()
    qtbot.waitUntil(lambda: first.done > 4000, timeout=LONG)
    with qtbot.waitSignal(first.cancelled, timeout=LONG):
        first.cancel()
    [config] = tmp_path.rglob("config.json")
    written = config.stat().st_mtime_ns
    hub(QWEN.source, files)
    second = download(QWEN)
    with qtbot.waitSignal(second.finished, timeout=LONG):
        second.start()
    assert config.stat().st_mtime_ns == written
    assert (locate(QWEN) / "model.safetensors").read_bytes() == files["model.safetensors"]


def test_failures_are_one_line(hub, download, qtbot):
    hub(SAM.source, {"other.bin": b"x"})
    coming = download(SAM)
    with qtbot.waitSignal(coming.failed, timeout=LONG) as caught:
        coming.start()
    assert "holds no files of the wanted kind" in caught.args[0]
    assert "\n" not in caught.args[0]


def test_offline_mode_is_said(download, qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    coming = download(SAM)
    with qtbot.waitSignal(coming.failed, timeout=LONG) as caught:
        coming.start()
    assert "HF_HUB_OFFLINE" in caught.args[0]


def test_a_model_is_fetched_once_at_a_time(silent_hub, qapp):
    downloads = Downloads()
    assert downloads.start(SAM) is downloads.start(SAM)
    assert downloads.running
    downloads.stop()
    assert not downloads.running


def test_the_box_downloads_and_says_that_it_is_here(hub, qtbot):
    hub(SAM.source, {FILE: bytes(16 * MIB)}, pause=0.05)
    downloads = Downloads()
    box = ModelBox("sam", downloads)
    qtbot.addWidget(box)
    box.show_id(SAM.id)
    box.show()
    assert "not on this machine" in box.facts["here"].text()
    assert "156 MB" in box.fetch.text()
    assert "are free" in box.told.text()
    box.fetch.click()
    assert box.cancel.isVisible()
    assert not box.fetch.isVisible()
    qtbot.waitUntil(lambda: " of 17 MB" in box.told.text() and box.bar.value() > 0, timeout=LONG)
    qtbot.waitUntil(lambda: "is here" in box.facts["here"].text(), timeout=LONG)
    assert not box.bar.isVisible()
    assert not box.fetch.isVisible()
    assert downloads.of(SAM.id) is None


def test_the_box_cancels_and_offers_it_again(silent_hub, qtbot):
    box = ModelBox("sam", Downloads())
    qtbot.addWidget(box)
    box.show_id(SAM.id)
    box.show()
    box.fetch.click()
    assert "Asking" in box.told.text()
    box.cancel.click()
    qtbot.waitUntil(box.fetch.isVisible, timeout=LONG)
    assert box.fetch.isEnabled()
    assert "Download" in box.fetch.text()


def test_the_box_shows_what_failed_and_can_try_again(hub, qtbot):
    hub(SAM.source, {"other.bin": b"x"})
    box = ModelBox("sam", Downloads())
    qtbot.addWidget(box)
    box.show_id(SAM.id)
    box.show()
    box.fetch.click()
    qtbot.waitUntil(lambda: "wanted kind" in box.told.text(), timeout=LONG)
    assert box.fetch.text() == "Try again"
    hub(SAM.source, {FILE: b"weights"})
    box.fetch.click()
    qtbot.waitUntil(lambda: "is here" in box.facts["here"].text(), timeout=LONG)


def test_a_full_disk_is_said_before_anything_is_fetched(online, qtbot):
    online.setattr("decaf_gui.app.model_box.free_disk", lambda: 5 * 10**9)
    box = ModelBox("mllm", Downloads())
    qtbot.addWidget(box)
    box.show_id("Qwen/Qwen2.5-VL-7B-Instruct")
    assert not box.fetch.isEnabled()
    assert "5.0 GB are free" in box.told.text()
    assert "HF_HOME" in box.told.text()


def test_the_dialog_ends_its_own_downloads_and_no_others(silent_hub, qtbot):
    others = Downloads()
    for downloads in (None, others):
        dialog = SettingsDialog(Preferences(sam=SAM.id), downloads=downloads)
        qtbot.addWidget(dialog)
        dialog.show()
        dialog.models.sam.fetch.click()
        own = dialog.models.sam.downloads
        assert own.running
        dialog.buttons.button(QDialogButtonBox.StandardButton.Cancel).click()
        assert own.running is (downloads is not None)
    again = SettingsDialog(Preferences(sam=SAM.id), downloads=others)
    qtbot.addWidget(again)
    again.show()
    assert again.models.sam.cancel.isVisible(), "it is still under way"
    others.stop()
