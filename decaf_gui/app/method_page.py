"""The page of the papers' settings: one line for each row of the table, with its name, its default and a way back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QGridLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.editors import editor_of
from decaf_gui.app.pages import Page, calm, heading, quiet, scrolled, tip
from decaf_gui.app.preferences import PREFERENCES, Preferences
from decaf_gui.app.settings_help import ROOMS, value_words
from decaf_gui.app.translation import tr
from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.settings import SettingRow, Settings, as_text, setting_rows, value_of

FIELD_WIDTH = 190


class SettingField(QObject):
    """One setting as a line of a grid. Its value stays exactly as given until it is edited."""

    changed = Signal()

    def __init__(self, row: SettingRow, grid: QGridLayout, parent: QWidget) -> None:
        super().__init__(parent)
        self.row, self.value, self._default = row, row.default, row.default
        self.title = QLabel(tr(row.about.title))
        self.editor = editor_of(row)
        self.default = quiet(wrap=False)
        self.default.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.reset = QToolButton()
        self.reset.setText(self.tr("Reset"))
        self.reset.setAutoRaise(True)
        kept = self.reset.sizePolicy()
        kept.setRetainSizeWhenHidden(True)
        self.reset.setSizePolicy(kept)
        field = self.editor.widget
        field.setFixedWidth(FIELD_WIDTH)
        field.setAccessibleName(tr(row.about.title))
        self.title.setBuddy(field)
        said = tr(row.about.help) + (f" ({row.about.source})" if row.about.source else "")
        for widget in (self.title, field, self.default):
            widget.setToolTip(tip(said))
        place = grid.rowCount()
        for column, widget in enumerate((self.title, field, self.default, self.reset)):
            grid.addWidget(widget, place, column)
        self.editor.changed.connect(self._on_edit)
        self.reset.clicked.connect(self._on_reset)

    @property
    def is_changed(self) -> bool:
        """Whether it differs from the preset."""
        return bool(self.value != self._default)

    def show_value(self, value: Any, default: Any) -> None:
        """Shows a value beside the default of the preset."""
        self.value, self._default = value, default
        self.editor.show(value)
        self._mark()

    def _mark(self) -> None:
        title = tr(self.row.about.title)
        # as rich text: a font that is set before the label is first shown gets lost under the program's style sheet
        self.title.setText(f"<b>{escape(title)}</b>" if self.is_changed else title)
        self.reset.setVisible(self.is_changed)
        default = tr(value_words(self.row, self._default)).split(" (", 1)[0]
        self.default.setText(self.tr("{0}, default {1}").format(self.row.name.split(".", 1)[1], default))

    def _on_edit(self) -> None:
        self.value = self.editor.value()
        self._mark()
        self.changed.emit()

    def _on_reset(self) -> None:
        self.editor.widget.setFocus()
        self.show_value(self._default, self._default)
        self.changed.emit()


class MethodPage(Page):
    """Every setting of the pipeline, and the preset that they start from."""

    names = ("preset", "values")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        about = PREFERENCES["preset"].about
        self.preset = QComboBox()
        self.presets = list(PREFERENCES["preset"].choices)
        for name, words in PREFERENCES["preset"].choices.items():
            self.preset.addItem(f"{name}: {tr(words)}")
        self.preset.setToolTip(tip(tr(about.help)))
        inside = QWidget()
        column = QVBoxLayout(inside)
        head = QFormLayout()
        head.addRow(tr(about.title), self.preset)
        column.addLayout(head)
        grid = QGridLayout()
        grid.setColumnStretch(2, 1)
        grid.setHorizontalSpacing(14)
        self.fields: dict[str, SettingField] = {}
        for room, (title, sentence) in ROOMS.items():
            self._add_heading(grid, tr(title), tr(sentence))
            for row in setting_rows():
                if row.room == room:
                    self.fields[row.name] = SettingField(row, grid, inside)
        column.addLayout(grid)
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inside))
        calm(self)
        for field in self.fields.values():
            field.changed.connect(self.changed)
        self.preset.currentIndexChanged.connect(self._on_preset)

    def show_preferences(self, preferences: Preferences) -> None:
        """Fills the page."""
        self.preset.setCurrentIndex(self.presets.index(preferences.preset))
        standing = Settings.preset(preferences.preset)
        chosen = standing
        for name, text in preferences.values.items():
            with suppress(BadInput):  # what does not fit has its default, as when the file is read
                chosen = chosen.changed({name: text})
        for name, field in self.fields.items():
            field.show_value(value_of(chosen, name), value_of(standing, name))

    def chosen(self, preferences: Preferences) -> Preferences:
        """`preferences` with these settings; only what differs from the preset is named."""
        return replace(preferences, preset=self._preset, values=self._values())

    def problem(self) -> str:
        """What the settings themselves say of a value."""
        try:
            Settings.preset(self._preset).changed(self._values())
        except BadInput as error:
            return str(error)
        return ""

    @property
    def _preset(self) -> str:
        return self.presets[self.preset.currentIndex()]

    def _values(self) -> dict[str, str]:
        return {name: as_text(field.value) for name, field in self.fields.items() if field.is_changed}

    def _on_preset(self) -> None:
        """What was changed stays; everything else follows the preset."""
        standing = Settings.preset(self._preset)
        for name, field in self.fields.items():
            default = value_of(standing, name)
            field.show_value(field.value if field.is_changed else default, default)
        self.changed.emit()

    @staticmethod
    def _add_heading(grid: QGridLayout, title: str, sentence: str) -> None:
        place = grid.rowCount()
        line = QFrame()
        line.setFrameShape(QFrame.Shape.HLine)
        line.setFrameShadow(QFrame.Shadow.Sunken)
        label = heading(title)
        label.setMinimumHeight(2 * label.sizeHint().height())
        label.setAlignment(Qt.AlignmentFlag.AlignBottom)
        said = quiet(sentence, wrap=False)
        said.setAlignment(Qt.AlignmentFlag.AlignBottom)
        grid.addWidget(label, place, 0)
        grid.addWidget(said, place, 1, 1, 3)
        grid.addWidget(line, place + 1, 0, 1, 4)
