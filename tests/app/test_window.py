"""The real window, offscreen, driven by keys and mouse: propose, judge, correct, undo, close, open again."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialogButtonBox, QMessageBox

from decaf_gui.app.actions import DEEDS, PRESETS, conflicts
from decaf_gui.app.desk import Desk
from decaf_gui.app.export_dialog import ExportDialog
from decaf_gui.app.keys_dialog import KeysDialog
from decaf_gui.app.projects import open_project
from decaf_gui.app.view import View
from decaf_gui.app.window import MainWindow
from decaf_gui.app.worker import Worker
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import AnswerRow, ClipRow, ExpressionRow, ObjectRow, PromptRow, TrackletRow, VerdictRow
from decaf_gui.core.project.store import Store
from decaf_gui.formats.registry import format_named

LONG = 60_000
Key = Qt.Key


@pytest.fixture
def opened(path, engine, qtbot, monkeypatch):
    """Opens the project in a window, as often as it is called."""
    windows = []

    def open_it() -> MainWindow:
        view = View(Desk(Store.open(path), Worker(make=lambda _: engine)))
        made = MainWindow(view)
        windows.append(made)
        made.resize(1280, 800)
        made.show()
        qtbot.waitUntil(lambda: made.picture is not None, timeout=LONG)
        return made

    yield open_it
    for window in windows:
        window.close()
        window.deleteLater()


@pytest.fixture
def window(opened):
    return opened()


def at(window, x, y) -> QPoint:
    return QPoint(*(round(v) for v in window.canvas.view.to_widget(x, y)))


def middle(shapes, thing, frame):
    pixels = np.argwhere(shapes.masks[thing, frame])
    y, x = pixels[len(pixels) // 2]
    return float(x) + 0.5, float(y) + 0.5


def rest(window, qtbot):
    qtbot.waitUntil(lambda: not window.view.desk.work, timeout=LONG)


def press(window, qtbot, *keys):
    for key in keys:
        qtbot.keyClick(window.canvas, *((key,) if isinstance(key, Key) else key))


def propose(window, qtbot, text="the red cross"):
    """The objects that are there lose their masks, so that no candidate is taken for one of them."""
    for thing in (1, 2):
        window.view.do(lambda project, thing=thing: edits.delete_masks(project, thing, [10]))
    window.expressions.line.setFocus()
    qtbot.keyClicks(window.expressions.line, text)
    qtbot.keyClick(window.expressions.line, Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    rest(window, qtbot)
    window.view.pick_first()


def test_propose_judge_correct_undo_and_open_again(window, opened, qtbot, shapes, path):
    view, project = window.view, lambda: window.view.project
    propose(window, qtbot)
    chosen = view.candidate_id
    assert project().need(TrackletRow, chosen).selected
    press(window, qtbot, Key.Key_Return)
    made = project().need(VerdictRow, chosen).object
    assert made == 3
    press(window, qtbot, Key.Key_Down, Key.Key_X)
    assert any(row.state == "rejected" for row in project().rows(VerdictRow).values())
    press(window, qtbot, Key.Key_3, *[Key.Key_D] * 5)
    assert (view.object_id, view.frame) == (3, 5)
    qtbot.waitUntil(lambda: window.picture[0] == 5, timeout=LONG)
    x, y = middle(shapes, 0, 5)
    before = project()
    qtbot.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=at(window, x, y))
    qtbot.mouseClick(window.canvas, Qt.MouseButton.RightButton, pos=at(window, 3, 3))
    rest(window, qtbot)
    points = project().need(PromptRow, 3, 5).points
    assert [positive for *_, positive in points] == [True, False]
    assert points[0][:2] == pytest.approx((x, y), abs=1)
    while not project().same(before):
        qtbot.keyClick(window.canvas, Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    qtbot.keyClick(window.canvas, Key.Key_Y, Qt.KeyboardModifier.ControlModifier)
    assert project().find(PromptRow, 3, 5) is not None
    last = project()
    window.close()
    assert not path.with_name(path.name + "-wal").exists(), "closing left more than one file"
    again = opened()
    assert again.view.project.same(last)


def test_typing_an_expression_presses_no_other_key(window, qtbot):
    before = window.view.project
    window.expressions.line.setFocus()
    text = "xlfbdoqn? [x] 123"
    qtbot.keyClicks(window.expressions.line, text)
    qtbot.keyClick(window.expressions.line, Key.Key_Backspace)
    qtbot.keyClick(window.expressions.line, Key.Key_Home)
    assert window.expressions.line.text() == text[:-1]
    assert window.view.project is before
    assert window.view.frame == 0
    assert not window.view.desk.work


def test_the_same_key_stops_tracking(window, qtbot, engine):
    engine.pause = 0.1
    window.view.pick(("object", 1))
    window.view.look_at(10)
    press(window, qtbot, Key.Key_F)
    qtbot.waitUntil(lambda: bool(window.view.pending(1)), timeout=LONG)
    assert window.work_bar.text.text().startswith("Tracking shape0")
    press(window, qtbot, Key.Key_F)
    rest(window, qtbot)
    assert 1 < len(window.view.project.masks(1)) < 20
    qtbot.waitUntil(lambda: not window.work_bar.bar.isVisible())


def test_marks_by_key_on_the_range_of_the_timeline(window, qtbot):
    view = window.view
    view.pick(("object", 1))
    view.look_at(4)
    press(window, qtbot, Key.Key_BracketLeft)
    view.look_at(7)
    press(window, qtbot, Key.Key_BracketRight, Key.Key_L)
    assert view.project.locked(1) == {4, 5, 6, 7}
    assert "range 4 to 7" in window.transport.range.text()
    press(window, qtbot, Key.Key_L, Key.Key_O)
    assert view.project.masks(1).absent(5)
    press(window, qtbot, Key.Key_Delete)
    assert view.project.masks(1).frames == (10,)


def test_threshold_and_lists(window, qtbot):
    propose(window, qtbot)
    before = window.view.project
    qtbot.waitUntil(lambda: len(window.candidates.model.entries) > 3)
    window.candidates.slider.setValue(100)
    qtbot.waitUntil(lambda: "candidates: 0" in window.candidates.counts.text())
    window.candidates.slider.setValue(0)
    qtbot.waitUntil(lambda: "candidates: 0" not in window.candidates.counts.text())
    assert window.view.project is before
    row = window.candidates.model.row_of(("object", 1))
    window.candidates.list.setCurrentIndex(window.candidates.model.index(row))
    assert window.view.picked == ("object", 1)
    click_in_line(window, qtbot, row, "eye")
    assert ("object", 1) in window.view.hidden


def test_the_lock_in_the_list_locks_all_frames(window, qtbot):
    click_in_line(window, qtbot, 0, "lock")
    assert window.view.project.locked(1) == {10}
    qtbot.waitUntil(lambda: window.candidates.model.entries[0].locked)
    click_in_line(window, qtbot, 0, "lock")
    assert not window.view.project.locked(1)


def click_in_line(window, qtbot, row, what):
    """Clicks where the line shows it."""
    listed = window.candidates
    box = QRectF(listed.list.visualRect(listed.model.index(row)))
    entry = listed.model.entries[row]
    y = round(box.center().y())
    found = [x for x in range(round(box.right())) if listed.line.place(box, QPoint(x, y), entry) == what]
    qtbot.mouseClick(listed.list.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(found[len(found) // 2], y))


def test_playing_goes_to_the_end_and_stops(window, qtbot):
    press(window, qtbot, Key.Key_Space)
    assert window.playback.playing
    qtbot.waitUntil(lambda: window.view.frame == 29, timeout=LONG)
    qtbot.waitUntil(lambda: not window.playback.playing)


def test_what_cannot_be_done_is_in_the_banner(window, qtbot):
    window.view.pick(None)
    press(window, qtbot, Key.Key_Return)
    assert window.banner.isVisible()
    assert "Choose a candidate" in window.banner.text.text()
    qtbot.mouseClick(window.banner.closing, Qt.MouseButton.LeftButton)
    assert not window.banner.isVisible()


def test_the_models_are_named_with_what_must_be_said(window):
    assert window.expressions.chip.text().startswith("Demo models, know shapes only")
    assert "on real video their masks mean nothing" in window.expressions.chip.toolTip()


def test_closing_while_tracking_keeps_what_was_found(window, qtbot, engine, path):
    engine.pause = 0.05
    window.view.pick(("object", 1))
    window.view.look_at(10)
    window.view.track("forward")
    qtbot.waitUntil(lambda: len(window.view.pending(1)) > 3, timeout=LONG)
    shown = set(window.view.pending(1))
    window.close()
    with Store.open(path) as again:
        assert shown <= set(again.project.masks(1).frames)


def test_a_clip_that_is_open_when_the_window_closes_joins_the_project(window, media, path, tmp_path, qtbot):
    shutil.copytree(media, tmp_path / "another")
    told = []
    window.opener._opener.opened.connect(told.append, Qt.ConnectionType.DirectConnection)
    window.add_clips([tmp_path / "another"])
    give_up = time.monotonic() + 10
    while not told and time.monotonic() < give_up:
        time.sleep(0.01)  # no event loop: the window does not hear of it yet
    window.close()
    qtbot.wait(50)
    with Store.open(path) as again:
        assert [Path(row.path).name for row in again.project.where(ClipRow)] == ["shapes", "another"]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_key_means_two_things(preset):
    assert conflicts({deed.name: deed.keys_of(preset) for deed in DEEDS}) == []


def test_every_action_of_the_window_has_a_deed_and_a_text(window):
    names = {deed.name for deed in DEEDS}
    assert set(window.acts) <= names
    assert all(action.text() for action in window.acts.values())
    press_help = window.acts["keys"]
    press_help.trigger()
    dialog = window.findChild(KeysDialog)
    dialog.search.setText("doubtful")
    rows = [row for row in range(dialog.table.rowCount()) if not dialog.table.isRowHidden(row)]
    assert [[dialog.table.item(row, column).text() for column in range(3)] for row in rows] == [
        ["Go", "Next doubtful frame", "N"]
    ]
    dialog.close()


def test_a_clip_opens_with_a_project_beside_it(media, tmp_path):
    clip = tmp_path / "dog clip"
    shutil.copytree(media, clip)
    with open_project([clip]) as store:
        assert store.path == tmp_path / "dog clip.decaf"
        assert [row.path for row in store.project.rows(ClipRow).values()] == ["dog clip"]
    with open_project([clip]) as again:
        assert len(again.project.rows(ClipRow)) == 1
    with open_project([tmp_path / "dog clip.decaf", clip]) as both:
        assert len(both.project.rows(ClipRow)) == 1
    with open_project([clip], tmp_path / "other.decaf") as named:
        assert named.path.name == "other.decaf"
    with pytest.raises(BadInput, match="one project"):
        open_project([tmp_path / "dog clip.decaf", tmp_path / "other.decaf"])
    with pytest.raises(BadInput, match="no file or folder"):
        open_project([tmp_path / "none.mp4"])
    with pytest.raises(BadInput, match="no project"):
        open_project([tmp_path / "none.decaf"])
    assert not (tmp_path / "none.decaf").exists()


def test_without_a_display_it_says_so(path, tmp_path):
    import os

    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")}
    command = [sys.executable, "-m", "decaf_gui.cli", "open", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("decaf-gui: No window can be shown: there is no display")
    assert "use `decaf-gui propose`" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with Store.open(path, read_only=True) as store:
        clip = store.media(store.project.need(ClipRow, 1))
    before = set(clip.parent.iterdir())
    assert (
        subprocess.run([*command[:-1], str(clip)], capture_output=True, env=env, timeout=60, check=False).returncode
        == 1
    )
    assert set(clip.parent.iterdir()) == before, "a project was made for a window that cannot be shown"
    with Store.open(path) as again:
        assert again.project.rows(ObjectRow)
        assert not again.project.rows(ExpressionRow)


def test_exporting_writes_what_was_accepted(window, qtbot, tmp_path):
    propose(window, qtbot)
    press(window, qtbot, Key.Key_Return)
    for thing in (1, 2):  # known on one frame only
        window.view.do(lambda project, thing=thing: edits.remove_object(project, thing))
    out = tmp_path / "labels"
    dialog = ExportDialog(window.view.project, out, window)
    qtbot.addWidget(dialog)
    assert str(out / "davis") in dialog.told.text()
    dialog.formats["coco"].setChecked(True)
    window.export(dialog.wish())
    rest(window, qtbot)
    masks = window.view.project.masks(3)
    read = format_named("davis").reader(out / "davis")
    assert [read.objects[0].masks.rle(frame) for frame in range(30)] == [masks.rle(frame) for frame in range(30)]
    assert list((out / "coco/annotations").glob("*.json"))
    assert "coco is in" in window.work_bar.said.text()
    again = ExportDialog(window.view.project, out, window)
    qtbot.addWidget(again)
    assert "is there already" in again.told.text()
    assert not again.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    window.export(again.wish())
    rest(window, qtbot)
    assert "--overwrite" in window.banner.text.text() or "exists" in window.banner.text.text()
    again.overwrite.setChecked(True)
    assert again.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()
    for box in again.formats.values():
        box.setChecked(False)
    assert not again.buttons.button(QDialogButtonBox.StandardButton.Ok).isEnabled()


def test_export_refuses_what_is_not_known_everywhere(window, qtbot, tmp_path):
    dialog = ExportDialog(window.view.project, tmp_path / "labels", window)
    qtbot.addWidget(dialog)
    window.export(dialog.wish())
    rest(window, qtbot)
    assert "is not labelled on frame 0" in window.banner.text.text()
    assert not (tmp_path / "labels/davis").exists()


def test_clips_are_added_and_those_that_cannot_be_are_told(window, qtbot, media, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(media, other)
    empty = tmp_path / "empty"
    empty.mkdir()
    window.add_clips([tmp_path / "none.mp4", other, media, empty])
    qtbot.waitUntil(lambda: "There are no images" in window.banner.text.text(), timeout=LONG)
    assert "There is no file or folder" in window.banner.text.text(), "the first of two errors is not shown any more"
    assert len(window.view.project.rows(ClipRow)) == 2, "the clip that is there was added again"
    assert window.view.clip == 2
    qtbot.waitUntil(lambda: window.clips.clips.count() == 2)
    window.view.undo()
    assert len(window.view.project.rows(ClipRow)) == 1
    assert window.view.clip == 0
    window.view.open_clip(1)
    qtbot.waitUntil(lambda: window.picture is not None, timeout=LONG)


def test_a_copy_is_saved(window, tmp_path, monkeypatch):
    target = tmp_path / "copy.decaf"
    monkeypatch.setattr("decaf_gui.app.asks.QFileDialog.getSaveFileName", lambda *_: (str(target), ""))
    window.acts["save_copy"].trigger()
    with Store.open(target) as copy:
        assert copy.project.same(window.view.project)
    window.acts["save_copy"].trigger()
    assert "exists" in window.banner.text.text()


@pytest.mark.parametrize(("button", "objects"), [("It is cross 3", 3), ("A new object", 4), ("Cancel", 3)])
def test_a_candidate_where_an_object_lies_already_is_asked_about(window, qtbot, button, objects):
    view = window.view
    propose(window, qtbot)
    first = view.candidate_id
    press(window, qtbot, Key.Key_Return)
    assert view.project.need(ObjectRow, 3).name == "cross 3"
    view.propose("the red shape")
    rest(window, qtbot)
    view.pick_first()
    second = view.candidate_id
    assert second not in (None, first)
    press(window, qtbot, Key.Key_Return)
    box = window.findChild(QMessageBox)
    assert "covers what cross 3 covers" in box.text()
    (pressed,) = [made for made in box.buttons() if made.text().replace("&", "") == button]
    qtbot.mouseClick(pressed, Qt.MouseButton.LeftButton)
    assert len(view.project.rows(ObjectRow)) == objects
    verdict = view.project.find(VerdictRow, second)
    assert (verdict is None) is (button == "Cancel")
    if button == "It is cross 3":
        assert verdict.object == 3
        assert len(view.project.rows(AnswerRow)) == 2, "the object does not answer to both expressions"


def test_no_target_is_a_result(window, qtbot):
    propose(window, qtbot)
    qtbot.keyClick(window.canvas, Key.Key_X, Qt.KeyboardModifier.ShiftModifier)
    assert window.view.project.need(ExpressionRow, 1).no_target
    qtbot.waitUntil(lambda: "no target" in window.answer.text.text())
    press(window, qtbot, Key.Key_Return)
    assert not window.view.project.need(ExpressionRow, 1).no_target, "an accepted object is a target"
    qtbot.keyClick(window.canvas, Key.Key_X, Qt.KeyboardModifier.ShiftModifier)
    assert "reject them before" in window.banner.text.text()


def test_what_failed_can_be_tried_again_and_reported(window, qtbot, engine, shapes, monkeypatch):
    decode = engine.decode
    monkeypatch.setattr(engine, "decode", lambda *_: (_ for _ in ()).throw(RuntimeError("the model fell over")))
    window.view.pick(("object", 1))
    window.view.look_at(10)
    window.view.click(*middle(shapes, 0, 10), True)
    qtbot.waitUntil(lambda: "the model fell over" in window.banner.text.text(), timeout=LONG)
    assert window.banner.offer.isVisible()
    qtbot.mouseClick(window.banner.copy, Qt.MouseButton.LeftButton)
    told = QGuiApplication.clipboard().text()
    assert "RuntimeError: the model fell over" in told
    assert "Traceback" in told
    assert "demo MLLM + demo SAM2 on cpu" in told
    monkeypatch.setattr(engine, "decode", decode)
    qtbot.mouseClick(window.banner.offer, Qt.MouseButton.LeftButton)
    assert not window.banner.isVisible()
    rest(window, qtbot)
    assert window.view.project.find(PromptRow, 1, 10) is not None
    assert len(window.view.project.masks(1)) == 30


def test_without_an_object_keys_say_what_to_do(window, qtbot):
    for key in (Key.Key_O, Key.Key_Delete, Key.Key_L, Key.Key_F):
        window.view.pick(None)
        window.banner.hide()
        press(window, qtbot, key)
        assert "Choose an object" in window.banner.text.text()
        assert window.banner.isVisible()


def test_panels_go_and_come_back(window, qtbot):
    press(window, qtbot, Key.Key_F11)
    assert not any(panel.isVisible() for panel in window.panels)
    press(window, qtbot, Key.Key_F11)
    assert all(panel.isVisible() for panel in window.panels)


def test_attention_maps_are_gone_through(window, qtbot):
    propose(window, qtbot)
    names = window.view.attention_names()
    assert names[0] == "fused"
    assert len(names) > 3, "the parts are not shown"
    press(window, qtbot, Key.Key_T)
    assert window.view.attention == "fused"
    assert window.canvas.scene.attention is not None
    seen = []
    for _ in names:
        qtbot.keyClick(window.canvas, Key.Key_T, Qt.KeyboardModifier.ShiftModifier)
        seen.append(window.view.attention)
    assert sorted(seen) == sorted(names)
    qtbot.waitUntil(lambda: window.strip.maps.currentData() == window.view.attention)
    press(window, qtbot, Key.Key_T)
    assert window.canvas.scene.attention is None


def test_long_texts_do_not_make_the_window_wide(window, qtbot):
    least = window.minimumSizeHint().width()
    words = "the man with the extremely long description who walks behind the two children " * 4
    window.view.do(lambda project: edits.add_expression(project, 1, words))
    window.view.do(lambda project: edits.rename(project, 1, words))
    window.view.ask(1)
    window.banner.tell(f"/no/{'x' * 300}/clip.mp4 is not there.")
    qtbot.waitUntil(lambda: window.candidates.model.entries[0].name == words.strip())
    assert window.minimumSizeHint().width() <= max(least, 1280)
