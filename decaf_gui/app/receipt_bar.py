"""What the last correction changed, span by span; each span can be taken back by itself."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QWidget

from decaf_gui.app.icons import dress
from decaf_gui.core.project.planning import Span

MOST = 4
"""Spans that are offered one by one; with more of them the longest ones are."""


class ReceiptBar(QFrame):
    """`reverted` (object, Span): a span is to be taken back."""

    reverted = Signal(int, object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.buttons: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(10, 3, 6, 3)
        self._row.addWidget(self.text)
        self._row.addStretch(1)
        self._close = QToolButton()
        dress(self._close, "close")
        self._close.setAutoRaise(True)
        self._close.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._close.setToolTip(self.tr("Keep all of it"))
        self._close.clicked.connect(self.hide)
        self._row.addWidget(self._close)
        self.hide()

    def show_receipt(self, text: str, spans: Sequence[tuple[int, str, Span]]) -> None:
        """A sentence and the changed spans: (object, its name, span); without a sentence nothing is shown."""
        for button in self.buttons:
            self._row.removeWidget(button)
            button.deleteLater()
        self.text.setText(text)
        longest = sorted(spans, key=lambda entry: entry[2].first - entry[2].last)[:MOST]
        self.buttons = [self._button(*entry) for entry in sorted(longest, key=lambda entry: entry[2].first)]
        for place, button in enumerate(self.buttons):
            self._row.insertWidget(2 + place, button)
        self.setVisible(bool(text))

    def _button(self, thing: int, name: str, span: Span) -> QPushButton:
        frames = f"{span.first}" if span.first == span.last else f"{span.first}-{span.last}"
        made = QPushButton(self.tr("Revert {0}").format(frames))
        dress(made, "undo")
        made.setToolTip(self.tr("Takes back what changed of {0} on frames {1}; the rest stays").format(name, frames))
        made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        made.clicked.connect(lambda: self.reverted.emit(thing, span))
        return made
