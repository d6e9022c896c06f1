"""What the pages of the settings dialog share: how a page is read and filled, and small things made the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QColor, QPalette
from PySide6.QtWidgets import QAbstractSlider, QAbstractSpinBox, QComboBox, QFrame, QLabel, QScrollArea, QWidget

from decaf_gui.app.preferences import PREFERENCES, Preferences


class Page(QWidget):
    """One page. It shows the preferences named in `names`, and gives them back as chosen."""

    names: tuple[str, ...] = ()
    changed = Signal()

    def show_preferences(self, preferences: Preferences) -> None:
        """Fills the page."""

    def chosen(self, preferences: Preferences) -> Preferences:
        """`preferences` with what this page says."""
        return preferences

    def problem(self) -> str:
        """One line on what does not fit, "" when all does."""
        return ""

    def restore(self, preferences: Preferences) -> None:
        """Shows the defaults of this page."""
        self.show_preferences(replace(preferences, **{name: PREFERENCES[name].default for name in self.names}))


class NoWheel(QObject):
    """Lets the wheel scroll the page instead of changing what lies under the pointer."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Passes the wheel on unless the field has the focus."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


def calm(page: QWidget) -> None:
    """Makes all fields of a page leave the wheel alone."""
    keeper = NoWheel(page)
    fields: Sequence[QWidget] = [
        *page.findChildren(QAbstractSpinBox),
        *page.findChildren(QComboBox),
        *page.findChildren(QAbstractSlider),
    ]
    for field in fields:
        if isinstance(field, QAbstractSpinBox | QComboBox) or field.focusPolicy() != Qt.FocusPolicy.NoFocus:
            field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            field.installEventFilter(keeper)


def scrolled(inside: QWidget) -> QScrollArea:
    """A page that may be longer than the dialog is high."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setWidget(inside)
    return area


def quiet(text: str = "", *, wrap: bool = True) -> QLabel:
    """A label in the colour of what is beside the point."""
    label = QLabel(text)
    label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
    label.setWordWrap(wrap)
    return label


def heading(text: str) -> QLabel:
    """A bold line above a part of a page."""
    label = QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def tip(text: str) -> str:
    """A tooltip that breaks its lines."""
    return f"<p>{escape(text)}</p>"


def signal_colour(widget: QWidget, kind: str) -> QColor:
    """Red for what is wrong ("wrong"), amber for what must be known ("note"), both readable on this background."""
    dark = widget.palette().color(QPalette.ColorRole.Window).lightness() < 128
    light, bright = {"wrong": ("#b3261e", "#ff8a80"), "note": ("#8a5300", "#f2b866")}[kind]
    return QColor(bright if dark else light)


def paint_text(label: QLabel, kind: str) -> None:
    """Gives a label one of the colours of `signal_colour`; "" makes it quiet again."""
    # a style sheet's colour would be paled by the role of quiet text
    label.setForegroundRole(QPalette.ColorRole.NoRole if kind else QPalette.ColorRole.PlaceholderText)
    label.setStyleSheet(f"color: {signal_colour(label, kind).name()}" if kind else "")
