"""The window as review desk of a pre-labelled set: opened, gone through, judged, calibrated; also while it is made."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import pytest
from labelled_set import SET, label, make_list, make_media, make_set
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QMessageBox, QPushButton
from scipy.stats import binomtest

from decaf_gui.app import asks
from decaf_gui.app.calibration_dialog import CalibrationDialog
from decaf_gui.app.desk import TrackWork
from decaf_gui.app.main import what_opens
from decaf_gui.app.recent import load_recent
from decaf_gui.app.review_panel import ReviewPanel
from decaf_gui.app.review_window import ReviewWindow
from decaf_gui.app.start import StartPage
from decaf_gui.app.window import MainWindow
from decaf_gui.batch.reviewing import Entry, LabelledSet
from decaf_gui.batch.worklist import project_path
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import ExpressionRow, MaskRow, ObjectRow, ProvenanceRow, VerdictRow
from decaf_gui.core.project.store import Store

LONG = 60_000


@pytest.fixture
def folder(tmp_path):
    return make_set(tmp_path)


def opened(windows, folder, qtbot) -> ReviewWindow:
    """The set, with its first entry and a frame of it on the screen."""
    windows.open([folder])
    review = windows.window
    assert isinstance(review, ReviewWindow)
    review.look_timer.setInterval(100)
    at_rest(review, qtbot)
    return review


def at_rest(review, qtbot):
    qtbot.waitUntil(lambda: review.main is not None and review.main.picture is not None, timeout=LONG)


def here(review) -> tuple[str, str]:
    """The entry that the window shows: project and expression."""
    view = review.main.view
    return view.desk.store.path.stem, next(r.text for r in view.project.where(ExpressionRow, id=view.expression))


def key(review, name):
    review.main.acts[name].trigger()


def verdicts(folder, clip):
    with Store.open(project_path(folder, clip), read_only=True) as store:
        return {row.tracklet: (row.state, row.above) for row in store.project.rows(VerdictRow).values()}


def goes_to(review, qtbot, clip, text):
    qtbot.waitUntil(lambda: here(review) == (clip, text), timeout=LONG)
    at_rest(review, qtbot)


def test_the_most_doubtful_entry_comes_first_at_its_most_doubtful_frame(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    assert here(review) == ("beta", "the blue square")
    assert review.panel.totals.text() == "0 of 7 reviewed, 1 failed"
    assert [entry.expression for entry in review.panel.model.entries][:2] == ["the blue square", "the small one"]
    assert review.panel.list.currentIndex().row() == 0
    qtbot.waitUntil(lambda: review.main.view.frame in (4, 5), timeout=LONG)  # where its square jumps, and back
    assert review.windowTitle() == "beta - set - DecAF GUI"
    assert load_recent().projects == (str(folder.resolve()),), "the projects of the set are not listed one by one"


def test_keys_go_from_entry_to_entry_in_the_same_window_with_the_same_worker(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    worker, first = review.main.view.desk._worker, review.main
    key(review, "next_entry")
    goes_to(review, qtbot, "alpha", "the small one")
    assert windows.window is review
    assert review.main is not first
    assert review.main.view.desk._worker is worker
    assert worker.running
    with Store.open(project_path(folder, "beta")) as store:
        assert not store.read_only, "the clip before is still held"
    key(review, "next_entry")
    goes_to(review, qtbot, "gamma", "the star")
    key(review, "previous_entry")
    goes_to(review, qtbot, "alpha", "the small one")
    review.panel.list.clicked.emit(review.panel.model.index(3))
    goes_to(review, qtbot, "alpha", "the red disc")
    assert review.panel.current == ("alpha", "the red disc")


def test_after_the_last_verdict_the_next_entry_comes(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    review.main.view.reject()
    qtbot.waitUntil(lambda: review.panel.totals.text().startswith("1 of 7"))
    goes_to(review, qtbot, "alpha", "the small one")
    review.main.view.accept()
    qtbot.wait(700)
    assert here(review) == ("alpha", "the small one"), "one of its two candidates still waits"
    review.main.view.reject()
    goes_to(review, qtbot, "gamma", "the star")
    assert verdicts(folder, "alpha") == {3: ("accepted", None), 4: ("rejected", None)}
    assert [entry.state for entry in review.panel.all] == [
        "to review", "reviewed", "reviewed", "to review", "to review", "to review", "failed",
    ]  # fmt: skip


def test_what_was_just_decided_is_not_forgotten_by_a_look_that_does_not_know_it(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    stale = review.picture
    review.main.view.reject()
    key(review, "next_entry")
    goes_to(review, qtbot, "alpha", "the small one")
    review.reader.pictured.emit(stale)
    review.reader.pictured.emit(replace(stale, begun=time.monotonic(), whole=False))
    assert review.panel.totals.text().startswith("1 of 7")
    assert review.panel.model.entries[-1].expression == "the blue square"
    qtbot.wait(300)
    assert review.panel.totals.text().startswith("1 of 7")


def test_one_comes_back_to_what_was_judged_too_fast(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    review.main.view.reject()
    goes_to(review, qtbot, "alpha", "the small one")
    key(review, "next_entry")
    goes_to(review, qtbot, "gamma", "the star")
    key(review, "entry_before")
    goes_to(review, qtbot, "alpha", "the small one")
    key(review, "entry_before")
    goes_to(review, qtbot, "beta", "the blue square")
    qtbot.wait(700)
    assert here(review) == ("beta", "the blue square"), "it is reviewed, but it was asked for"
    review.main.view.reopen(1)
    assert review.panel.totals.text() == "0 of 7 reviewed, 1 failed"
    key(review, "entry_before")
    assert here(review) == ("beta", "the blue square"), "there is nothing before it"


def test_one_can_stay_and_an_undo_brings_the_entry_back(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    review.main.view.reject()
    key(review, "undo")
    qtbot.wait(700)
    assert here(review) == ("beta", "the blue square"), "it went on though the verdict was taken back"
    assert review.panel.totals.text() == "0 of 7 reviewed, 1 failed"
    review.panel.goes_on.setChecked(False)
    review.main.view.reject()
    qtbot.wait(700)
    assert here(review) == ("beta", "the blue square")
    windows.close()
    assert not load_recent().goes_on


def test_an_expression_without_candidates_is_reviewed_when_a_person_says_no_target(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    bird = next(entry for entry in review.panel.all if entry.expression == "the bird")
    review.open_entry(bird)
    goes_to(review, qtbot, "gamma", "the bird")
    review.main.view.set_no_target()
    goes_to(review, qtbot, "beta", "the blue square")
    assert next(entry for entry in review.panel.all if entry.expression == "the bird").state == "reviewed"


def test_an_expression_that_is_chosen_in_the_window_is_the_entry(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    key(review, "next_expression")
    assert review.entry == ("beta", "the green one")
    assert review.panel.list.currentIndex().data(Qt.ItemDataRole.UserRole).expression == "the green one"


def test_filter_and_order(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    panel = review.panel
    panel.filter.setText("alpha")
    assert [entry.expression for entry in panel.model.entries] == ["the small one", "the red disc"]
    key(review, "next_entry")
    goes_to(review, qtbot, "alpha", "the small one")
    panel.filter.clear()
    panel.order.setCurrentIndex(panel.order.findData("clip"))
    assert [entry.clip for entry in panel.model.entries][:3] == ["alpha", "alpha", "beta"]
    panel.shown.setCurrentIndex(panel.shown.findText("Failed"))
    assert [entry.expression for entry in panel.model.entries] == ["the car"]
    assert panel.list.currentIndex().row() == -1
    key(review, "next_entry")
    assert "No other entry that is listed" in review.main.work_bar.said.text()


def test_failed_entries_tell_why_and_the_present_one_stays(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    failed = review.panel.all[-1]
    review.open_entry(failed)
    assert here(review)[0] == "beta"
    assert "its video is empty" in review.banner.text.text()
    assert not project_path(folder, "delta").exists()


def test_a_project_that_is_gone_or_broken_leaves_the_present_one(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    main = review.main
    project_path(folder, "alpha").write_bytes(b"nothing")
    key(review, "next_entry")
    assert review.main is main
    assert "alpha.decaf" in review.banner.text.text()
    key(review, "next_entry")
    goes_to(review, qtbot, "gamma", "the star")


def test_a_project_that_is_being_written_is_only_read(windows, folder, qtbot):
    with Store.open(project_path(folder, "beta")):
        review = opened(windows, folder, qtbot)
        assert here(review)[0] == "beta"
        assert review.main.view.desk.store.read_only
        review.main.view.reject()
        assert "read-only" in review.banner.text.text()
    review.open_entry(next(entry for entry in review.panel.all if entry.key == review.entry))
    assert not review.main.view.desk.store.read_only, "it is free now"


def test_entries_appear_as_they_are_labelled(windows, tmp_path, qtbot):
    for clip in SET:
        make_media(tmp_path / "media", clip)
    with make_list(tmp_path / "set", SET, tmp_path / "media") as worklist:
        windows.open([tmp_path / "set"])
        review = windows.window
        review.look_timer.setInterval(100)
        qtbot.waitUntil(lambda: review.panel.totals.text() == "0 of 6 reviewed, 6 not labelled yet", timeout=LONG)
        assert review.main is None
        review.open_entry(review.panel.all[0])
        assert "not labelled yet" in review.banner.text.text()
        review.close_set.click()
        assert isinstance(windows.window, StartPage)
        windows.open([tmp_path / "set"])
        review = windows.window
        review.look_timer.setInterval(100)
        label(worklist, SET["alpha"])
        qtbot.waitUntil(lambda: review.main is not None, timeout=LONG)
        goes_to(review, qtbot, "alpha", "the small one")
        label(worklist, SET["beta"])
        qtbot.waitUntil(lambda: review.panel.totals.text() == "0 of 6 reviewed, 2 not labelled yet", timeout=LONG)
        assert here(review) == ("alpha", "the small one"), "what is looked at stays"
        assert review.panel.model.entries[0].expression == "the blue square"


def test_what_others_decide_meanwhile_is_seen(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    with Store.open(project_path(folder, "gamma")) as store:
        store.do(edits.accept(store.project, 1))
    qtbot.waitUntil(lambda: review.panel.totals.text().startswith("1 of 7"), timeout=LONG)
    assert len(review.picture.decisions()) == 1


def test_the_list_stays_where_one_reads_when_entries_change(qtbot):
    panel = ReviewPanel()
    qtbot.addWidget(panel)
    panel.show()
    many = [Entry(f"clip{n}", "a thing", "to review", 0.5, 0.5, 1, 1) for n in range(200)]
    panel.show_entries(many, many[0].key)
    bar = panel.list.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 1000)
    bar.setValue(bar.maximum() // 2)
    read = bar.value()
    panel.show_entries([many[0], *many[2:], many[1]], many[0].key)
    qtbot.wait(100)
    assert bar.value() == read
    panel.show_entries(many, many[3].key)
    qtbot.waitUntil(lambda: bar.value() < read, timeout=LONG)  # another entry is looked at: it is shown


def test_models_loaded_for_one_clip_correct_the_next_one(windows, folder, engine, qtbot):
    review = opened(windows, folder, qtbot)
    for clip in ("beta", "alpha"):
        view = review.main.view
        view.accept_as(view.candidate_id, None)
        view.pick(("object", 1))
        view.look_at(2)
        view.click(12, 12, True)
        qtbot.waitUntil(lambda view=view: not view.desk.work, timeout=LONG)
        origins = {view.project.need(ProvenanceRow, row.provenance).origin for row in view.project.where(MaskRow)}
        assert {"corrected", "tracked"} <= origins, clip
        if clip == "beta":
            goes_to(review, qtbot, "alpha", "the small one")


def test_leaving_a_clip_while_it_is_tracked_keeps_what_has_come(windows, folder, engine, qtbot):
    review = opened(windows, folder, qtbot)
    review.panel.goes_on.setChecked(False)
    view = review.main.view
    view.accept_as(view.candidate_id, None)
    engine.pause = 0.2
    view.pick(("object", 1))
    view.track("both")
    tracked = lambda: [w for w in view.desk.work.values() if isinstance(w, TrackWork) and w.done]  # noqa: E731
    qtbot.waitUntil(lambda: bool(tracked()), timeout=LONG)
    key(review, "next_entry")
    goes_to(review, qtbot, "alpha", "the small one")
    qtbot.wait(500)
    assert not review.main.view.project.rows(ObjectRow), "news of the clip before came to the next one"
    with Store.open(project_path(folder, "beta")) as store:
        origins = [store.project.need(ProvenanceRow, row.provenance).origin for row in store.project.where(MaskRow)]
    assert "tracked" in origins
    assert store.project.dangling() == ""


# --- opening -----------------------------------------------------------------------------------------------------


def test_a_set_is_dropped_opened_from_the_menu_and_left(windows, folder, path, qtbot, monkeypatch, tmp_path):
    windows.start()
    monkeypatch.setattr(asks, "labelled_set", lambda parent: tmp_path)
    windows.window.set_button.click()
    assert isinstance(windows.window, StartPage)
    assert "no work list" in windows.window.banner.text.text()
    windows.open([path])
    main = windows.window
    assert isinstance(main, MainWindow)
    assert not main.acts["next_entry"].isEnabled()
    main.acts["open_set"].trigger()
    assert windows.window is main
    assert "no work list" in main.banner.text.text()
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(folder))])
    point = QPointF(10, 10)
    none = Qt.KeyboardModifier.NoModifier
    main.dropEvent(QDropEvent(point, Qt.DropAction.CopyAction, data, Qt.MouseButton.LeftButton, none))
    review = windows.window
    assert isinstance(review, ReviewWindow)
    at_rest(review, qtbot)
    windows.open([folder / "worklist.sqlite"])
    assert windows.window is review, "it is open already"
    key(review, "close_project")
    assert isinstance(windows.window, StartPage)
    windows.window.recent.itemClicked.emit(windows.window.recent.item(0))
    assert isinstance(windows.window, ReviewWindow)


def test_the_command_opens_a_set_before_there_is_a_window(folder, tmp_path):
    found = what_opens([folder], None, None)
    assert isinstance(found, LabelledSet)
    assert found.folder == folder
    (folder / "worklist.sqlite").write_text("nothing of the kind")
    with pytest.raises(BadInput, match=r"worklist\.sqlite"):
        what_opens([folder], None, None)
    assert what_opens([], None, None) is None


def test_quitting_from_the_menu_closes_the_whole_window(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    worker = review.main.view.desk._worker
    key(review, "quit")
    assert not review.isVisible()
    assert not worker.running
    with Store.open(project_path(folder, "beta")) as store:
        assert not store.read_only


def test_other_preferences_reach_the_project_that_is_open(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    windows._prefer(replace(windows.preferences, keys={"next_entry": ("Ctrl+J",)}))
    assert review.main.acts["next_entry"].shortcut().toString() == "Ctrl+J"
    assert [key.toString() for key in review.main.acts["calibration"].shortcuts()] == ["Ctrl+K"]


# --- what scores are worth ---------------------------------------------------------------------------------------


def decided(folder):
    """A person's word on three candidates: 0.90 and 0.70 right, 0.65 wrong."""
    with Store.open(project_path(folder, "alpha")) as store:
        for deed, number in ((edits.accept, 1), (edits.accept, 3), (edits.reject, 4)):
            store.do(deed(store.project, number))


def interval(accepted: int, total: int) -> str:
    """As the table tells it, from SciPy's."""
    found = binomtest(accepted, total).proportion_ci(0.95, method="wilson")
    return f"{math.floor(100 * found.low)} - {math.ceil(100 * found.high)} %"


def dialog_of(review, qtbot) -> CalibrationDialog:
    key(review, "calibration")
    dialog = next(found for found in review.findChildren(CalibrationDialog) if found.isVisible())
    qtbot.waitExposed(dialog)
    return dialog


def test_calibration_counts_as_one_does_by_hand(windows, folder, qtbot):
    decided(folder)
    review = opened(windows, folder, qtbot)
    dialog = dialog_of(review, qtbot)
    table = [[dialog.table.item(row, place).text() for place in range(5)] for row in range(dialog.table.rowCount())]
    assert table == [
        ["0.650", "67%", interval(2, 3), "3", "2"],
        ["0.699", "100%", interval(2, 2), "2", "2"],  # 0.7 is a little less in binary
        ["0.900", "100%", interval(1, 1), "1", "1"],
    ]
    dialog.threshold.setValue(0.66)
    assert dialog.told.text() == "Above 0.660: 100 % [34, 100] on 2 decisions"
    assert dialog.accept_all.text() == "Accept all 2 waiting above 0.660..."
    assert dialog.found.text() == "no score yet: more decisions are needed"
    dialog.threshold.setValue(0.99)
    assert not dialog.accept_all.isEnabled()
    dialog.reject()


def test_without_decisions_nothing_can_be_accepted_by_score(windows, folder, qtbot):
    review = opened(windows, folder, qtbot)
    dialog = dialog_of(review, qtbot)
    assert not dialog.accept_all.isEnabled()
    assert "Nothing has been decided" in dialog.note.text()
    dialog.reject()


def asked(dialog) -> QMessageBox:
    return next(box for box in dialog.findChildren(QMessageBox) if box.isVisible())


def test_accepting_by_score_is_asked_declined_accepted_and_taken_back(windows, folder, qtbot):
    decided(folder)
    review = opened(windows, folder, qtbot)
    dialog = dialog_of(review, qtbot)
    dialog.threshold.setValue(0.5)
    dialog.accept_all.click()
    box = asked(dialog)
    assert "Accept all 3 candidates above 0.500 " in box.text()
    assert "in 2 clips" in box.text()
    assert "67 % [20, 94] on 3 decisions" in box.text()
    box.reject()
    assert verdicts(folder, "gamma") == {}
    assert not review.main.view.project.rows(VerdictRow)
    dialog.accept_all.click()
    next(b for b in asked(dialog).findChildren(QPushButton) if b.text() == "Accept 3").click()
    qtbot.waitUntil(
        lambda: review.banner.text.text().startswith("Candidates accepted by their score: 3 (clips: 2)."), timeout=LONG
    )
    assert verdicts(folder, "gamma") == {1: ("accepted", 0.5)}
    assert {r.tracklet: r.above for r in review.main.view.project.rows(VerdictRow).values()} == {1: 0.5, 3: 0.5}
    qtbot.waitUntil(lambda: review.panel.totals.text().startswith("5 of 7"), timeout=LONG)
    assert here(review)[0] == "beta", "it does not go on by itself"
    review.banner.offer.click()
    qtbot.waitUntil(lambda: "wait for a word again" in review.banner.text.text(), timeout=LONG)
    assert verdicts(folder, "gamma") == {}
    assert not review.main.view.project.rows(VerdictRow)
    assert not review.main.view.project.rows(ObjectRow)
    qtbot.waitUntil(lambda: review.panel.totals.text().startswith("2 of 7"), timeout=LONG)


def test_what_was_accepted_by_score_can_be_taken_back_later_and_undone_by_key(windows, folder, qtbot):
    decided(folder)
    review = opened(windows, folder, qtbot)
    review.accept(review.picture.waiting(0.5), 0.5)
    qtbot.waitUntil(lambda: not review._editing, timeout=LONG)
    key(review, "undo")
    assert not review.main.view.project.rows(VerdictRow)
    dialog = dialog_of(review, qtbot)
    assert dialog.back.text() == "Take back the 3 accepted last"
    dialog.back.click()
    qtbot.waitUntil(lambda: "wait for a word again" in review.banner.text.text(), timeout=LONG)
    assert "again: 1 (clips: 1)" in review.banner.text.text()
    assert "beta is as it was" in review.banner.text.text()
    assert verdicts(folder, "gamma") == {}


def test_closing_while_projects_are_edited_leaves_each_whole(windows, folder, qtbot):
    decided(folder)
    review = opened(windows, folder, qtbot)
    review.accept(review.picture.waiting(0.5), 0.5)
    windows.close()
    assert verdicts(folder, "beta") == {1: ("accepted", 0.5), 3: ("accepted", 0.5)}
    assert verdicts(folder, "gamma") in ({}, {1: ("accepted", 0.5)})


def test_a_set_that_is_closed_while_its_first_look_ends_opens_no_project(windows, folder, qtbot):
    windows.open([folder])
    review, told = windows.window, []
    review.reader._hands.pictured.connect(told.append, Qt.ConnectionType.DirectConnection)
    review.reader.look()
    give_up = time.monotonic() + 10
    while not (told and told[-1].whole) and time.monotonic() < give_up:
        time.sleep(0.01)  # no event loop: the window does not hear of it yet
    assert told[-1].whole
    windows.close()
    qtbot.wait(50)
    assert review.main is None
