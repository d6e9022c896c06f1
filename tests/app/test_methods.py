"""DecAF or SteerSeg in the real window: which one proposes, attributes that are edited, both side by side."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PySide6.QtCore import Qt

from decaf_gui.app.candidates import Line
from decaf_gui.app.compare_dialog import CompareDialog
from decaf_gui.app.comparing import Comparing
from decaf_gui.app.comparison import Run, differing, made_by, matched_colours, stored_run
from decaf_gui.app.desk import Desk
from decaf_gui.app.preferences import Preferences
from decaf_gui.app.recent import Recent, load_recent, save_recent
from decaf_gui.app.view import View
from decaf_gui.app.window import MainWindow
from decaf_gui.app.worker import Worker
from decaf_gui.core.entities import Grounding, Scores, Tracklet
from decaf_gui.core.masks import Masks
from decaf_gui.core.project.rows import ExpressionRow, GroundingRow, ProvenanceRow, TrackletRow
from decaf_gui.core.project.store import Store
from decaf_gui.grounding.steering import SoftPrompts, save_prompts
from decaf_gui.pipeline.settings import PRESETS, Settings, method_of, method_settings

LONG = 120_000
TEXT = "the red cross"


@pytest.fixture
def opened(path, engine, qtbot):
    """Opens the project in a window, as often as it is called."""
    windows = []

    def open_it(preferences: Preferences | None = None, recent: Recent | None = None) -> MainWindow:
        view = View(Desk(Store.open(path), Worker(make=lambda _: engine)))
        made = MainWindow(view, preferences, recent)
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


def rest(window, qtbot):
    qtbot.waitUntil(lambda: not window.view.desk.work, timeout=LONG)


def use(window, method):
    window.expressions.method.setCurrentIndex(window.expressions.method.findData(method))
    window.expressions.method.activated.emit(window.expressions.method.currentIndex())


def propose(window, qtbot, method, text=TEXT):
    use(window, method)
    window.expressions.line.setText(text)
    window.expressions.propose()
    rest(window, qtbot)
    qtbot.waitUntil(lambda: not window.lane_timer.isActive(), timeout=LONG)


def rows(window):
    return list(window.view.project.where(TrackletRow, expression=window.view.expression))


# --- which method -----------------------------------------------------------------------------------------------


def test_methods_have_their_presets_and_soft_prompts_are_steersegs():
    assert {preset: method_of(preset) for preset in PRESETS} == {
        "paper": "decaf",
        "paper-text": "decaf",
        "steerseg": "steerseg",
    }
    values = {"grounding.steering": "prompts.safetensors", "tracking.tau_pq": "0.6"}
    for preset in PRESETS:
        for method in ("decaf", "steerseg"):
            chosen = method_settings(method, preset, values)
            own = preset if method_of(preset) == method else {"decaf": "paper", "steerseg": "steerseg"}[method]
            wanted = Settings.preset(own).changed(values)
            if method == "decaf":
                wanted = replace(wanted, grounding=replace(wanted.grounding, steering="none"))
            assert chosen == wanted


def test_the_method_is_the_presets_until_another_is_chosen_and_is_remembered(opened, own_config):
    assert opened().expressions.chosen_method == "decaf"
    window = opened(Preferences(preset="steerseg"))
    assert window.expressions.chosen_method == "steerseg"
    assert window.view.settings == Settings.preset("steerseg")
    window.acts["method"].trigger()
    assert window.expressions.chosen_method == "decaf"
    assert window.view.settings == Settings()
    save_recent(window.remembered(Recent()))
    again = opened(Preferences(preset="steerseg"), load_recent())
    assert again.expressions.chosen_method == "decaf"
    again.apply(Preferences(preset="paper-text"))
    assert again.view.settings == Settings.preset("paper-text")
    again.apply(Preferences(preset="steerseg"))
    assert again.expressions.chosen_method == "steerseg"


def test_a_method_that_is_none_is_not_remembered(own_config):
    save_recent(Recent(method="else"))
    assert load_recent().method == ""


def test_the_tooltip_says_what_each_method_does(window):
    told = window.expressions.method.toolTip()
    assert all(word in told for word in ("DecAF", "SteerSeg", "background", "attributes", "correlates"))


def test_scores_follow_the_method(window, qtbot):
    propose(window, qtbot, "decaf")
    assert {row.scoring for row in rows(window)} == {"consistency"}
    parts = {name for entry in window.candidates.model.entries if entry.parts for name, _ in entry.parts}
    assert parts == {"attention", "sam", "consistency"}
    assert window.candidates.slider.value() == 80
    propose(window, qtbot, "steerseg")
    found = rows(window)
    assert {row.scoring for row in found} == {"pearson"}
    (best,) = [row for row in found if row.selected]
    assert best.correlation == max(row.correlation for row in found if not row.suppressed)
    entries = [entry for entry in window.candidates.model.entries if entry.kind == "candidate"]
    assert {name for entry in entries for name, _ in entry.parts} == {"video_correlation", "frame_correlation"}
    assert entries[0].total == best.correlation
    assert window.candidates.slider.value() == round(100 * best.correlation)
    told = Line().told(entries[0], "score").splitlines()
    assert told[-1] == f"weighted sum: {best.correlation:.2f}"
    assert told[0] == f"correlation with the video's attention: {best.video_correlation:.2f}"
    made = json.loads(window.view.project.need(ProvenanceRow, best.provenance).details)
    assert made["settings"]["tracking"]["scoring"] == "pearson"


# --- attributes -------------------------------------------------------------------------------------------------


def test_edited_attributes_are_asked_with_and_kept(window, opened, qtbot):
    line = window.answer.attributes.line
    assert not window.answer.attributes.isVisible()
    propose(window, qtbot, "steerseg")
    assert window.answer.attributes.isVisible()
    line.setFocus()
    line.clear()
    assert not window.acts["next"].shortcut().isEmpty()
    qtbot.keyClicks(line, "red; at the top, a d")
    assert window.view.frame == 0, "a key of the line moved the frame"
    assert window.answer.attributes.button.isVisible()
    qtbot.keyClick(line, Qt.Key.Key_Return)
    rest(window, qtbot)
    qtbot.waitUntil(lambda: not window.lane_timer.isActive(), timeout=LONG)
    row = window.view.project.need(GroundingRow, window.view.expression)
    assert (row.attributes, row.reasons) == (("red", "at the top", "a d"), "")
    assert line.text() == "red; at the top; a d"
    assert not window.answer.attributes.button.isVisible()
    made = window.view.project.need(ProvenanceRow, max(rows(window), key=lambda r: r.id).provenance)
    details = json.loads(made.details)
    assert (details["attributes"], details["attributes_given"]) == (["red", "at the top", "a d"], True)
    window.close()
    again = opened()
    assert again.answer.attributes.line.text() == "red; at the top; a d"
    assert again.answer.attributes.isVisible(), "attributes are shown by whichever method comes next"


def test_escape_puts_attributes_back_and_ctrl_return_uses_them(window, qtbot):
    propose(window, qtbot, "steerseg")
    attributes = window.answer.attributes
    before = attributes.line.text()
    attributes.line.setFocus()
    qtbot.keyClicks(attributes.line, "blue")
    qtbot.keyClick(attributes.line, Qt.Key.Key_Escape)
    assert (attributes.line.text(), attributes.button.isVisible()) == (before, False)
    assert window.canvas.hasFocus()
    attributes.line.setFocus()
    attributes.line.selectAll()
    qtbot.keyClicks(attributes.line, "blue")
    qtbot.keyClick(attributes.line, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    rest(window, qtbot)
    assert window.view.project.need(GroundingRow, window.view.expression).attributes == ("blue",)


def test_reasons_are_shown_as_they_are_said(window):
    panel = window.answer
    panel.show_attributes(1, ("red",), "it is <b>red</b> & large", offered=False)
    assert panel.attributes.reasons.text() == "it is &lt;b&gt;red&lt;/b&gt; &amp; large"
    panel.attributes.line.setText("blue")
    panel.show_attributes(1, ("red",), "the same", offered=False)
    assert panel.attributes.line.text() == "blue", "what was being written is gone"
    panel.show_attributes(2, (), "", offered=False)
    assert panel.attributes.line.text() == ""


# --- comparing, as data -----------------------------------------------------------------------------------------

SIZE = (20, 30)


def tracklet(number, box, selected=True):
    y, x, height, width = box
    dense = np.zeros(SIZE, bool)
    dense[y : y + height, x : x + width] = True
    masks = Masks.encode({0: dense, 5: dense}, SIZE)
    return Tracklet(number, 0, (0.5, 0.5), masks, Scores(0.9, 0.9, 0.9), selected=selected)


def run(method, *tracklets):
    return Run(method, Grounding(np.zeros((1, 2, 3), np.float32), (0,), "dog"), tracklets)


def test_what_differs_overlaps_none_of_the_others_by_more():
    one = run("decaf", tracklet(1, (0, 0, 10, 10)), tracklet(2, (0, 15, 10, 10)), tracklet(3, (12, 0, 4, 4), False))
    same, close = tracklet(7, (0, 0, 10, 8)), tracklet(8, (0, 15, 10, 5))
    other = run("steerseg", close, same)
    assert differing(one, other) == {2}, "IoU 0.8 is the same object, 0.5 is not"
    assert differing(other, one) == {8}
    own, found = matched_colours(one, other)
    assert found[7] == own[1]
    assert len({*own.values(), *found.values()}) == 3
    assert differing(one, run("steerseg")) == {1, 2}


@pytest.mark.parametrize(("steered_by", "known"), [("the same", True), ("others", False), ("", False)])
def test_stored_runs_are_known_by_what_steered_them_wherever_it_lies(tmp_path, steered_by, known):
    prompts = {
        name: SoftPrompts(torch.full((4, 192), value), torch.ones(4, 192), "demo", "qwen2_5_vl")
        for name, value in {"the same": 1.0, "others": 2.0}.items()
    }
    elsewhere = save_prompts(prompts["the same"], tmp_path / "elsewhere.safetensors")
    wanted = Settings.preset("steerseg").changed({"steering": str(elsewhere)})
    made = Settings.preset("steerseg").changed({"steering": "where/it/was.safetensors"}).as_dict()
    details = {"mllm": {"id": "demo"}, "sam": {"id": "demo"}, "settings": made}
    if steered_by:
        details["soft_prompts"] = {"model": "demo", "sha256": prompts[steered_by].digest}
    assert made_by(details, wanted, ("demo", "demo")) is known
    unsteered = Settings.preset("steerseg").changed({"steering": "none"})
    assert made_by(details, unsteered, ("demo", "demo")) is (not steered_by)


# --- comparing, in the window -------------------------------------------------------------------------------------


def compared(window, qtbot) -> CompareDialog:
    window.expressions.line.setText(TEXT)
    window.acts["compare"].trigger()
    (dialog,) = [found for found in window.findChildren(CompareDialog) if found.isVisible()]
    return dialog


def test_both_are_run_shown_and_one_is_taken(window, qtbot):
    before = window.view.project
    dialog = compared(window, qtbot)
    assert not dialog.sides["decaf"].take.isEnabled()
    qtbot.waitUntil(lambda: len(dialog.comparing.runs) == 2, timeout=LONG)
    assert window.view.project is before, "comparing changed the project"
    runs = dialog.comparing.runs
    assert {t.scores.scoring for t in runs["steerseg"].tracklets} == {"pearson"}
    assert {t.scores.scoring for t in runs["decaf"].tracklets} == {"consistency"}
    assert dialog.verdict.text()
    dialog.slider.setValue(12)
    qtbot.waitUntil(lambda: dialog._picture is not None and dialog._picture[0] == 12, timeout=LONG)
    for method, side in dialog.sides.items():
        scene = side.canvas.scene
        assert scene.attention is not None
        assert len(scene.layers) == len(runs[method].selected)
    dialog.masks.click()
    assert not dialog.sides["decaf"].canvas.scene.layers
    dialog.sides["steerseg"].take.click()
    assert not dialog.isVisible()
    asked = window.view.project.need(ExpressionRow, window.view.expression)
    assert asked.text == TEXT
    assert {row.scoring for row in rows(window)} == {"pearson"}
    chosen = [row for row in rows(window) if row.selected]
    assert [row.correlation for row in chosen] == [t.scores.total for t in runs["steerseg"].selected]
    window.view.undo()
    assert not rows(window)


def test_what_the_project_holds_is_not_run_again(window, qtbot, engine, tmp_path):
    propose(window, qtbot, "decaf")
    dialog = compared(window, qtbot)
    assert dialog.comparing.runs["decaf"].stored
    assert dialog.comparing.waiting == ("steerseg",)
    assert not dialog.sides["decaf"].take.isEnabled()
    qtbot.waitUntil(lambda: not dialog.comparing.waiting, timeout=LONG)
    stored = dialog.comparing.runs["decaf"]
    assert [t.scores.total for t in stored.selected] == [r.scores.total for r in rows(window) if r.selected]
    dialog.sides["steerseg"].take.click()
    rest(window, qtbot)
    again = compared(window, qtbot)
    assert again.comparing.runs["steerseg"].stored
    assert again.comparing.waiting == ("decaf",)
    project, clip = window.view.project, window.view.clip
    models = ("demo", "demo")
    other = Settings.preset("steerseg").changed({"frame_weight": "0.5"})
    assert stored_run(project, clip, TEXT, "steerseg", Settings.preset("steerseg"), models) is not None
    assert stored_run(project, clip, TEXT, "steerseg", other, models) is None
    prompts = SoftPrompts(*torch.ones(2, 4, 192), "demo", "qwen2_5_vl")
    steered = Settings.preset("steerseg").changed(
        {"steering": str(save_prompts(prompts, tmp_path / "one.safetensors"))}
    )
    assert stored_run(project, clip, TEXT, "steerseg", steered, models) is None
    assert stored_run(project, clip, TEXT, "steerseg", Settings.preset("steerseg"), ("demo", "large")) is None
    assert stored_run(project, clip, "something else", "steerseg", Settings.preset("steerseg"), models) is None
    again.reject()
    rest(window, qtbot)


def test_closing_breaks_it_off_and_leaves_the_project(window, qtbot):
    before = window.view.project
    dialog = compared(window, qtbot)
    qtbot.waitUntil(lambda: bool(window.view.desk.work), timeout=LONG)
    dialog.reject()
    rest(window, qtbot)
    assert window.view.project is before
    propose(window, qtbot, "decaf")
    assert rows(window), "the worker does not work any more"


def test_cancelling_tells_on_both_sides(window, qtbot):
    dialog = compared(window, qtbot)
    dialog.work.cancelled.emit()
    rest(window, qtbot)
    assert [side.said.text() for side in dialog.sides.values()] == ["cancelled", "cancelled"]
    assert not dialog.comparing.waiting
    dialog.reject()


def test_without_an_expression_the_banner_says_what_is_missing(window):
    window.expressions.line.clear()
    window.acts["compare"].trigger()
    assert not window.findChildren(CompareDialog)
    assert "expression" in window.banner.text.text()


def test_edited_attributes_are_compared(window, qtbot):
    propose(window, qtbot, "steerseg")
    window.answer.attributes.given.emit(("red",))
    rest(window, qtbot)
    wanted = {method: Settings.preset(preset) for method, preset in (("decaf", "paper"), ("steerseg", "steerseg"))}
    comparing = Comparing(window.view.desk, window.view.clip, TEXT, wanted, ("demo", "demo"))
    assert comparing.runs["steerseg"].grounding.attributes == ("red",)
    assert comparing.waiting == ("decaf",)
    comparing.cancel()
    rest(window, qtbot)
    comparing.deleteLater()
