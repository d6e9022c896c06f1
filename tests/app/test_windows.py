"""The program around the windows: first page, recent projects, another project, preferences, what cannot be opened."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtWidgets import QPushButton

from decaf_gui.app.desk import Desk
from decaf_gui.app.preferences import Preferences, load_preferences, save_preferences
from decaf_gui.app.projects import demo_project, open_project
from decaf_gui.app.recent import Recent, load_recent, recent_path, save_recent
from decaf_gui.app.settings_dialog import SettingsDialog
from decaf_gui.app.start import StartPage
from decaf_gui.app.tools import EngineChoice
from decaf_gui.app.view import View
from decaf_gui.app.window import MainWindow
from decaf_gui.app.windows import Windows
from decaf_gui.app.worker import Worker
from decaf_gui.core.project.rows import ClipRow, ExpressionRow
from decaf_gui.core.project.store import Store
from decaf_gui.demo.scenes import SCENES

LONG = 60_000


def shown(windows, qtbot) -> MainWindow:
    window = windows.window
    assert isinstance(window, MainWindow)
    qtbot.waitUntil(lambda: window.picture is not None, timeout=LONG)
    return window


def test_recent_projects_are_listed_opened_and_forgotten(windows, path, qtbot, tmp_path):
    windows.open([path])
    shown(windows, qtbot)
    windows.window.acts["close_project"].trigger()
    page = windows.window
    assert isinstance(page, StartPage)
    assert page.recent.count() == 1
    page.recent.itemClicked.emit(page.recent.item(0))
    assert shown(windows, qtbot).view.desk.store.path == path
    windows.start()
    path.unlink()
    windows.window.recent.itemClicked.emit(windows.window.recent.item(0))
    assert "is not there any more" in windows.window.banner.text.text()
    assert windows.window.recent.count() == 0
    assert load_recent().projects == ()


def test_what_cannot_be_opened_leaves_the_window_that_is_there(windows, path, qtbot, tmp_path):
    broken = tmp_path / "broken.decaf"
    broken.write_bytes(b"nothing")
    windows.start()
    windows.open([broken])
    assert isinstance(windows.window, StartPage)
    assert "broken.decaf" in windows.window.banner.text.text()
    windows.open([path])
    window = shown(windows, qtbot)
    windows.open([broken])
    assert windows.window is window
    assert "broken.decaf" in window.banner.text.text()
    windows.open([path])
    assert windows.window is window, "the project that is open was opened again"
    with Store.open(path) as second:
        assert second.read_only, "the lock was lost"


def test_another_project_takes_the_place_of_the_one_before(windows, path, media, qtbot, tmp_path):
    windows.open([path])
    first = shown(windows, qtbot)
    other = tmp_path / "other clip"
    shutil.copytree(media, other)
    windows.open([other])
    second = shown(windows, qtbot)
    assert second is not first
    assert second.view.desk.store.path == tmp_path / "other clip.decaf"
    with Store.open(path) as again:
        assert not again.read_only, "the project before was not closed"
    assert load_recent().projects == (str(tmp_path / "other clip.decaf"), str(path))


def test_clips_and_projects_can_be_dropped(windows, path, media, qtbot, tmp_path):
    windows.start()
    drop(windows.window, path)
    window = shown(windows, qtbot)
    other = tmp_path / "dropped"
    shutil.copytree(media, other)
    drop(window, other)
    qtbot.waitUntil(lambda: len(window.view.project.rows(ClipRow)) == 2, timeout=LONG)


def drop(widget, path):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    widget.dropEvent(QDropEvent(QPointF(5, 5), copy, data, left, none))


def test_preferences_are_in_force_at_once_and_kept(windows, path, qtbot):
    windows.open([path])
    window = shown(windows, qtbot)
    windows.settings("models")
    dialog = window.findChild(SettingsDialog)
    chosen = Preferences(
        theme="dark", mask_opacity=0.2, key_preset="cvat", keys={"hide": ("Ctrl+H",)}, colours=("#102030",)
    )
    dialog.chosen.emit(chosen)
    dialog.reject()
    assert window.acts["next"].shortcuts()[0].toString() == "F"
    assert [key.toString() for key in window.acts["hide"].shortcuts()] == ["Ctrl+H"]
    assert "Ctrl+H" in window.acts["hide"].toolTip()
    assert window.view.opacity == 0.2
    assert window.view.colour(1) == window.view.colour(2) == (16, 32, 48)
    dark = QGuiApplication.palette().window().color().lightness()
    assert load_preferences() == (chosen, "")
    windows._prefer(Preferences(theme="light"))
    assert QGuiApplication.palette().window().color().lightness() > dark + 100
    assert window.acts["next"].shortcuts()[0].toString() == "D"


def test_how_the_window_lies_is_remembered(windows, path, qtbot):
    windows.open([path])
    window = shown(windows, qtbot)
    window.resize(window.minimumSizeHint())  # all that the offscreen screen has room for
    size = window.size()
    window.expressions.line.setText("the red cross")
    window.expressions.propose()
    window.view.stop()
    windows.start()
    windows.open([path])
    again = shown(windows, qtbot)
    assert again.size() == size
    assert again.recent.splitters == load_recent().splitters != ()
    assert load_recent().expressions == ("the red cross",)


def test_what_is_remembered_may_be_damaged(tmp_path):
    assert load_recent() == Recent()
    save_recent(Recent(("a", "b"), ("x",), "geo", ("s", "t")).with_expression(" x  y "))
    assert load_recent() == Recent(("a", "b"), ("x y", "x"), "geo", ("s", "t"))
    for text in ("{", "[]", json.dumps({"projects": 3, "expressions": [1, "two"]})):
        recent_path().write_text(text)
        assert load_recent().projects == ()
    assert load_recent().expressions == ("two",)


def test_the_demo_is_made_once_and_has_its_expressions(tmp_path):
    with demo_project(tmp_path / "demo") as store:
        texts = [row.text for row in store.project.where(ExpressionRow)]
        assert texts == [text for scene in SCENES for text in scene.ready]
        assert [Path(row.path).stem for row in store.project.where(ClipRow)] == [scene.name for scene in SCENES]
        made = store.project
    with demo_project(tmp_path / "demo") as again:
        assert len(again.project.rows(ClipRow)) == len(SCENES)
        assert again.project.same(made)


def test_folders_of_clips_open_as_one_project(media, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(media, tmp_path / "clips" / name)
    with open_project([tmp_path / "clips"]) as store:
        assert store.path == tmp_path / "clips.decaf"
        assert [row.path for row in store.project.where(ClipRow)] == ["clips/one", "clips/two"]


def test_missing_media_are_told_and_relinked(windows, path, media, qtbot, tmp_path, monkeypatch):
    with Store.open(path, read_only=True) as store:
        there = store.media(store.project.need(ClipRow, 1))
    moved = tmp_path / "moved"
    copy = tmp_path / "copy"
    shutil.copytree(there, copy)
    with Store.open(path) as store:
        from decaf_gui.core.clip import Clip
        from decaf_gui.core.project.edits import relink_clip

        with Clip.open(copy) as clip:
            store.do(relink_clip(store.project, 1, store.relative(copy), clip.fingerprint, clip.size))
    copy.rename(moved)
    windows.open([path])
    window = windows.window
    assert "is not there" in window.banner.text.text()
    assert "missing" in window.clips.clips.item(0).text()
    monkeypatch.setattr("decaf_gui.app.asks.QFileDialog.getExistingDirectory", lambda *_: str(moved))
    offer = next(
        button for button in window.banner.findChildren(QPushButton) if button.text() == "Say where it lies..."
    )
    qtbot.mouseClick(offer, Qt.MouseButton.LeftButton)
    shown(windows, qtbot)
    assert window.view.project.need(ClipRow, 1).path == "moved"
    assert not window.banner.isVisible()


@pytest.mark.parametrize("name", ["key", "value"])
def test_a_broken_settings_file_is_told_once(name, monkeypatch, tmp_path):
    from decaf_gui.app.preferences import preferences_path

    preferences_path().parent.mkdir(parents=True)
    preferences_path().write_text('{"theme": "purple"}' if name == "value" else "{")
    preferences, notice = load_preferences()
    assert preferences == Preferences()
    assert "settings" in notice.lower()


def test_what_was_given_for_this_time_is_not_kept(qapp, engine, path, qtbot, monkeypatch):
    save_preferences(Preferences(mllm="Qwen/Qwen2-VL-2B-Instruct", theme="dark"))
    saved, _ = load_preferences()
    made = Windows(qapp, saved, lambda _: Worker(make=lambda _: engine), given={"mllm": "demo", "device": "cpu"})
    look = (qapp.palette(), qapp.styleSheet())
    try:
        made.open([path])
        assert (made.window.preferences.mllm, made.window.preferences.device) == ("demo", "cpu")
        made._prefer(replace(saved, mask_opacity=0.3))
        assert load_preferences()[0] == replace(saved, mask_opacity=0.3)
        assert (made.window.preferences.mllm, made.window.preferences.mask_opacity) == ("demo", 0.3)
        made._prefer(replace(made.preferences, mllm="Qwen/Qwen2-VL-7B-Instruct"))
        assert made.window.preferences.mllm == "Qwen/Qwen2-VL-7B-Instruct", "what a person chooses goes before"
        assert made.window.preferences.device == "cpu"
    finally:
        made.close()
        made.window.deleteLater()
        made.deleteLater()
        qapp.setPalette(look[0])
        qapp.setStyleSheet(look[1])


def test_a_model_that_is_not_here_is_told_with_a_way_to_get_it(path, qtbot):
    view = View(Desk(Store.open(path), Worker(EngineChoice(mllm="Qwen/Qwen2-VL-2B-Instruct"))))
    window = MainWindow(view, Preferences(mllm="Qwen/Qwen2-VL-2B-Instruct"))
    qtbot.addWidget(window)
    wanted = []
    window.settings_wanted.connect(wanted.append)
    window.show()
    view.propose("the dog")
    qtbot.waitUntil(lambda: "is not on this machine" in window.banner.text.text(), timeout=LONG)
    assert window.banner.offer.text() == "Models..."
    window.banner.offer.click()
    assert wanted == ["models"]
    window.close()
