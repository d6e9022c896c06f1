"""The settings dialog, used as a person does: fields, keys and colours in, preferences out."""

from __future__ import annotations

import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QKeySequence
from PySide6.QtWidgets import QApplication, QColorDialog, QDialog, QDialogButtonBox

from decaf_gui.app.actions import DEEDS, deed_named
from decaf_gui.app.look_page import OWN
from decaf_gui.app.models_page import loaded_cuda
from decaf_gui.app.preferences import Preferences
from decaf_gui.app.settings_dialog import SettingsDialog
from decaf_gui.core.resources import resource
from decaf_gui.pipeline.settings import GIB, Settings

Button = QDialogButtonBox.StandardButton
CHANGED = Preferences(
    sam="facebook/sam2.1-hiera-tiny",
    device="cuda:1",
    dtype="float16",
    preset="paper-text",
    values={
        "grounding.frames": "8",
        "grounding.contrast": "off",
        "grounding.rollout": "plain",
        "grounding.start_layer": "0",
        "grounding.object_prompt": "Show me\nthe {expression}",
        "grounding.background_prompt": "no-category",
        "tracking.tau_pq": "0.71234",
        "tracking.strict": "on",
        "memory.prefix_device_bytes": "1000000001",
    },
    theme="dark",
    mask_opacity=0.333,
    attention_opacity=0.5,
    colours=("#ff0000", "#00ff00"),
    key_preset="cvat",
    keys={"next": ("Right",), "first": ()},
)


@pytest.fixture
def opened(qtbot, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def open_it(preferences: Preferences | None = None) -> SettingsDialog:
        dialog = SettingsDialog(preferences or Preferences())
        qtbot.addWidget(dialog)
        dialog.show()
        return dialog

    return open_it


@pytest.fixture
def dialog(opened):
    return opened()


def ok(dialog):
    return dialog.buttons.button(Button.Ok)


def field(dialog, name):
    return dialog.method.fields[name]


def choose(dialog, deed, *keys):
    dialog.show_page(dialog.keys)
    dialog.keys.table.setCurrentCell(DEEDS.index(deed_named(deed)), 0)
    for edit, key in zip(dialog.keys.edits, (*keys, "", "")[:2], strict=True):
        edit.setKeySequence(QKeySequence(key))


def row_of(dialog, deed):
    return [item.text() for item in dialog.keys.items[DEEDS.index(deed_named(deed))]]


@pytest.mark.parametrize("preferences", [Preferences(), CHANGED])
def test_what_is_shown_comes_back_unchanged(opened, preferences):
    dialog = opened(preferences)
    for page in dialog.pages.values():
        dialog.show_page(page)
    assert dialog.preferences() == preferences
    assert ok(dialog).isEnabled()


def test_ok_says_what_was_chosen_and_cancel_says_nothing(opened, qtbot):
    first, second, said = opened(), opened(), []
    for dialog in (first, second):
        dialog.chosen.connect(said.append)
        dialog.look.theme.setCurrentIndex(2)
    second.buttons.button(Button.Cancel).click()
    assert said == []
    ok(first).click()
    assert said == [Preferences(theme="dark")]
    assert first.result() == QDialog.DialogCode.Accepted


def test_it_fits_a_small_screen(dialog):
    assert dialog.width() <= 1280
    assert dialog.height() <= 720
    assert dialog.minimumSizeHint().height() <= 600
    for page in dialog.pages.values():
        dialog.show_page(page)
        assert page.minimumSizeHint().width() <= dialog.stack.width()


def test_every_field_of_a_page_is_reached_by_tab(dialog, qtbot):
    dialog.show_page(dialog.method)
    dialog.activateWindow()
    dialog.method.preset.setFocus()
    reached = []
    for _ in range(3 * len(dialog.method.fields)):
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        reached.append(QApplication.focusWidget())
    widgets = [each.editor.widget for each in dialog.method.fields.values()]
    order = [widget for widget in reached if widget in widgets]
    assert order[: len(widgets)] == widgets


# models


def test_the_demo_model_is_here_with_its_warning(dialog):
    box = dialog.models.mllm
    assert "is here" in box.facts["here"].text()
    assert "synthetic shapes only" in box.note.text()
    assert "MiB" in box.facts["memory"].text()
    assert not box.fetch.isVisible()


def test_a_released_model_shows_licence_size_and_memory(dialog):
    box = dialog.models.mllm
    box.field.setEditText("Qwen/Qwen2.5-VL-3B-Instruct")
    assert "non-commercial" in box.facts["licence"].text()
    assert "7.5 GB" in box.fetch.text()
    assert "7.0 GiB" in box.facts["memory"].text()
    assert not box.note.isVisible()
    dialog.models.dtype.setCurrentIndex(dialog.models.dtype_values.index("float32"))
    assert "14.0 GiB" in box.facts["memory"].text()
    assert ok(dialog).isEnabled(), "it can be chosen while it is on its way"
    assert dialog.preferences() == Preferences(mllm="Qwen/Qwen2.5-VL-3B-Instruct", dtype="float32")


@pytest.mark.parametrize(("kind", "id"), [("mllm", "nonsense"), ("sam", "owner/other"), ("mllm", "")])
def test_an_unknown_model_is_one_line_and_no_ok(dialog, kind, id):
    box = getattr(dialog.models, kind)
    box.field.setEditText(id)
    assert not ok(dialog).isEnabled()
    assert f"no {kind} model" in dialog.told.text() or "no complete model" in dialog.told.text()
    assert dialog.told.isVisible()
    box.field.setEditText("demo")
    assert ok(dialog).isEnabled()
    assert not dialog.told.isVisible()


def test_a_folder_counts_when_its_model_is_complete(dialog, tmp_path):
    box = dialog.models.mllm
    box.field.setEditText(str(tmp_path))
    assert "no complete model" in dialog.told.text()
    box.field.setEditText(str(resource("models/demo-mllm")))
    assert ok(dialog).isEnabled()
    assert "synthetic shapes only" in box.note.text()


def test_a_device_must_be_one(dialog):
    dialog.models.device.setEditText("toaster")
    assert "toaster" in dialog.told.text()
    assert not ok(dialog).isEnabled()
    dialog.models.device.setEditText("cuda:3")
    assert dialog.preferences().device == "cuda:3"
    assert ok(dialog).isEnabled()


def test_free_gpu_memory_is_asked_of_a_torch_in_use_only(dialog, monkeypatch):
    class Cuda:
        def __init__(self, ready):
            self.is_initialized = lambda: ready
            self.mem_get_info = lambda: (3 * GIB, 8 * GIB)
            self.device_count = lambda: 2

    class Torch:
        cuda = Cuda(False)

    monkeypatch.setitem(sys.modules, "torch", Torch)
    assert loaded_cuda() is None
    assert "not known" in dialog.models.free.text()
    Torch.cuda = Cuda(True)
    dialog.models.show_preferences(Preferences())
    assert "3.0 of 8.0 GiB" in dialog.models.free.text()
    devices = [dialog.models.device.itemText(i) for i in range(dialog.models.device.count())]
    assert devices == ["auto", "cpu", "cuda", "cuda:0", "cuda:1", "mps"]


# method


def test_a_setting_is_changed_marked_and_reset(dialog):
    tau = field(dialog, "tracking.tau_pq")
    assert not tau.reset.isVisibleTo(dialog)
    tau.editor.widget.setValue(0.65)
    assert dialog.preferences().values == {"tracking.tau_pq": "0.65"}
    assert "<b>" in tau.title.text()
    assert "default 0.8" in tau.default.text()
    tau.reset.click()
    assert dialog.preferences() == Preferences()
    assert "<b>" not in tau.title.text()


def test_one_step_below_the_range_leaves_it_to_the_model(dialog):
    frames = field(dialog, "grounding.frames")
    assert frames.editor.widget.text() == "as the model asks"
    frames.editor.widget.stepUp()
    assert dialog.preferences().values == {"grounding.frames": "1"}
    frames.editor.widget.stepDown()
    assert dialog.preferences().values == {}


def test_a_prompt_is_chosen_by_name_or_written(dialog):
    prompt = field(dialog, "grounding.object_prompt")
    box = prompt.editor.widget
    named = ["paper", "single-sentence", "rephrased", "short", "attributes"]
    assert [box.itemText(i) for i in range(box.count())] == named
    box.setCurrentIndex(3)
    assert dialog.preferences().values == {"grounding.object_prompt": "short"}
    box.setEditText("What is {thing}?")
    assert "object_prompt has {thing}" in dialog.told.text()
    assert not ok(dialog).isEnabled()
    box.setEditText("What is {expression}?")
    assert ok(dialog).isEnabled()
    assert dialog.preferences().settings().grounding.object_prompt == "What is {expression}?"
    prompt.reset.click()
    assert dialog.preferences() == Preferences()


def test_words_that_begin_like_a_name_stay_as_they_are_typed(dialog, qtbot):
    dialog.show_page(dialog.method)
    box = field(dialog, "grounding.object_prompt").editor.widget
    box.lineEdit().selectAll()
    qtbot.keyClicks(box.lineEdit(), "Sho {expression}")
    box.clearFocus()
    assert dialog.preferences().values == {"grounding.object_prompt": "Sho {expression}"}


def test_memory_is_set_in_gib(dialog):
    field(dialog, "memory.features_host_bytes").editor.widget.setValue(1.5)
    assert dialog.preferences().settings().memory.features_host_bytes == 3 * GIB // 2


def test_a_value_that_does_not_fit_is_said_on_any_page(dialog):
    field(dialog, "grounding.video_kernel").editor.widget.setValue(4)
    assert "video_kernel must be an odd number, not 4" in dialog.told.text()
    assert not ok(dialog).isEnabled()
    dialog.done(QDialog.DialogCode.Accepted)
    assert dialog.isVisible(), "it cannot be accepted by Enter either"
    dialog.show_page(dialog.method)
    dialog.buttons.button(Button.RestoreDefaults).click()
    assert ok(dialog).isEnabled()


def test_another_preset_moves_what_was_not_changed(dialog):
    field(dialog, "tracking.tau_pq").editor.widget.setValue(0.6)
    dialog.method.preset.setCurrentIndex(1)
    chosen = dialog.preferences()
    assert chosen == Preferences(preset="paper-text", values={"tracking.tau_pq": "0.6"})
    assert chosen.settings() == Settings.preset("paper-text").changed({"tau_pq": "0.6"})
    assert not field(dialog, "tracking.strict").editor.widget.isChecked()
    assert "default off" in field(dialog, "tracking.strict").default.text()


def test_preferences_that_no_longer_fit_are_shown_as_defaults(opened):
    assert opened(Preferences(values={"tracking.tau_pq": "7"})).preferences() == Preferences()


def test_the_wheel_scrolls_the_page_instead_of_changing_values(dialog, qtbot):
    dialog.show_page(dialog.method)
    spin = field(dialog, "grounding.max_new_tokens").editor.widget
    spin.clearFocus()
    assert spin.focusPolicy() == Qt.FocusPolicy.StrongFocus
    from PySide6.QtCore import QPoint, QPointF
    from PySide6.QtGui import QWheelEvent

    event = QWheelEvent(
        QPointF(5, 5), spin.mapToGlobal(QPointF(5, 5)), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(spin, event)
    assert spin.value() == 128


# look


def test_opacities_and_theme_are_chosen(dialog):
    dialog.look.theme.setCurrentIndex(1)
    dialog.look.masks.slider.setValue(60)
    assert dialog.preferences() == Preferences(theme="light", mask_opacity=0.6)


def test_colours_are_changed_added_removed_and_restored(dialog, monkeypatch):
    look, given = dialog.look, iter(["#112233", "#445566", ""])
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor(next(given)))
    look.swatches.setCurrentRow(1)
    look.change.click()
    assert dialog.preferences().colours == (OWN[0], "#112233", *OWN[2:])
    look.add.click()
    assert dialog.preferences().colours == (OWN[0], "#112233", *OWN[2:], "#445566")
    look.swatches.setCurrentRow(0)
    look.remove.click()
    assert dialog.preferences().colours[0] == "#112233"
    before = dialog.preferences()
    look.change.click()
    assert dialog.preferences() == before, "the colour dialog was left"
    look.back.click()
    assert dialog.preferences() == Preferences()


def test_one_colour_remains(opened):
    dialog = opened(Preferences(colours=("#112233",)))
    assert not dialog.look.remove.isEnabled()


# keys


def test_an_action_gets_other_keys(dialog):
    choose(dialog, "play", "Ctrl+P", "F9")
    assert dialog.preferences() == Preferences(keys={"play": ("Ctrl+P", "F9")})
    assert row_of(dialog, "play")[2:] == ["Ctrl+P, F9", "changed"]
    dialog.keys.reset.click()
    assert dialog.preferences() == Preferences()


def test_keys_are_recorded_from_the_keyboard(dialog, qtbot):
    choose(dialog, "play")
    qtbot.keyClick(dialog.keys.edits[0], Qt.Key.Key_J, Qt.KeyboardModifier.ShiftModifier)
    assert dialog.preferences().keys == {"play": ("Shift+J",)}
    assert dialog.isVisible()


def test_the_presets_own_keys_are_nothing_of_ones_own(dialog):
    choose(dialog, "delete", "F9")
    choose(dialog, "delete", *deed_named("delete").keys)
    assert dialog.preferences() == Preferences()


def test_keys_can_be_taken_away(dialog):
    choose(dialog, "first")
    assert dialog.preferences().keys == {"first": ()}


def test_a_key_of_two_actions_is_shown_and_stops_ok(dialog):
    keys = deed_named("next").keys
    choose(dialog, "play", keys[0])
    assert not ok(dialog).isEnabled()
    assert deed_named("next").text in row_of(dialog, "play")[3]
    assert deed_named("play").text in row_of(dialog, "next")[3]
    assert deed_named("next").text in dialog.told.text()
    choose(dialog, "next", "F9")
    assert ok(dialog).isEnabled()
    dialog.keys.reset_all.click()
    assert dialog.preferences() == Preferences()


def test_two_spellings_of_a_key_are_one_key(dialog):
    choose(dialog, "play", "Del")
    assert deed_named("delete").text in row_of(dialog, "play")[3]


def test_the_filter_finds_actions_and_keys(dialog):
    def found():
        table = dialog.keys.table
        return [DEEDS[row].name for row in range(table.rowCount()) if not table.isRowHidden(row)]

    dialog.show_page(dialog.keys)
    dialog.keys.filter.setText("candidate")
    assert {"accept", "reject"} <= set(found())
    assert "undo" not in found()
    dialog.keys.filter.setText("ctrl+z")
    assert found() == ["undo"]
    dialog.keys.filter.clear()
    assert len(found()) == len(DEEDS)


def test_another_key_preset_keeps_ones_own(dialog):
    choose(dialog, "play", "F9")
    dialog.keys.preset.setCurrentIndex(1)
    assert dialog.preferences() == Preferences(key_preset="cvat", keys={"play": ("F9",)})
    assert row_of(dialog, "tool_box")[2] == deed_named("tool_box").keys_of("cvat")[0]


# defaults and help


def test_defaults_are_restored_page_by_page(opened):
    dialog = opened(CHANGED)
    for page in dialog.pages.values():
        dialog.show_page(page)
        if page is dialog.keys:
            assert dialog.preferences() == Preferences(key_preset="cvat", keys=CHANGED.keys)
        dialog.buttons.button(Button.RestoreDefaults).click()
    assert dialog.preferences() == Preferences()


def test_the_help_names_settings_and_models(dialog):
    text = dialog.help.text.toPlainText()
    for word in ("tracking.tau_pq", "Qwen/Qwen2.5-VL-3B-Instruct", "DECAF_GUI_CONFIG"):
        assert word in text
