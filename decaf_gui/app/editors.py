"""Fields for typed rows: a spin box, a check box, a combo or a line for each kind, all used in the same way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QSignalBlocker, SignalInstance
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QSpinBox, QWidget

from decaf_gui.pipeline.settings import GIB, SettingRow

MOST = 10**9
DECIMALS = 3


@dataclass(frozen=True, slots=True)
class Editor:
    """A widget, and how its value is read and shown."""

    widget: QWidget
    value: Callable[[], Any]
    set_value: Callable[[Any], None]
    changed: SignalInstance

    def show(self, value: Any) -> None:
        """Shows a value without saying that it changed."""
        with QSignalBlocker(self.widget):
            self.set_value(value)


def editor_of(row: SettingRow) -> Editor:
    """The field of a setting."""
    if row.about.unit == "bytes":
        return _bytes(row)
    return MAKERS[row.kind](row)


def _check(_: SettingRow) -> Editor:
    box = QCheckBox()
    return Editor(box, box.isChecked, box.setChecked, box.toggled)


def _combo(row: SettingRow) -> Editor:
    box = QComboBox()
    box.addItems(row.choices)
    return Editor(box, box.currentText, box.setCurrentText, box.currentIndexChanged)


def _text(row: SettingRow) -> Editor:
    """Words of one's own, or one of some names."""
    box = QComboBox()
    box.setEditable(True)
    box.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
    box.setCompleter(None)  # type: ignore[arg-type]  # it would put a name in place of words that begin like it
    box.addItems(row.choices)
    return Editor(box, box.currentText, box.setEditText, box.editTextChanged)


def _whole(row: SettingRow) -> Editor:
    """A setting that may be left open has one more step below its range, which says what happens then."""
    box = QSpinBox()
    low = int(row.about.low or 0)
    box.setRange(low - row.optional, int(row.about.high or MOST))
    box.setSingleStep(int(row.about.step))
    if row.optional:
        box.setSpecialValueText(row.about.unset.split(" (", 1)[0])

    def value() -> int | None:
        return None if row.optional and box.value() < low else box.value()

    def set_value(value: int | None) -> None:
        box.setValue(low - 1 if value is None else min(value, MOST))

    return Editor(box, value, set_value, box.valueChanged)


def _real(row: SettingRow) -> Editor:
    box = QDoubleSpinBox()
    box.setDecimals(DECIMALS)
    box.setRange(row.about.low or 0, MOST if row.about.high is None else row.about.high)
    box.setSingleStep(row.about.step)
    return Editor(box, lambda: round(box.value(), DECIMALS), box.setValue, box.valueChanged)


def _bytes(_: SettingRow) -> Editor:
    box = QDoubleSpinBox()
    box.setDecimals(2)
    box.setRange(0, MOST)
    box.setSingleStep(0.5)
    box.setSuffix(" GiB")
    return Editor(box, lambda: round(box.value() * GIB), lambda value: box.setValue(value / GIB), box.valueChanged)


MAKERS: Mapping[str, Callable[[SettingRow], Editor]] = {
    "bool": _check,
    "choice": _combo,
    "text": _text,
    "int": _whole,
    "float": _real,
}
