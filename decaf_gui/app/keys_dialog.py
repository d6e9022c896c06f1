"""What can be pressed here: all actions with their keys, to be searched, and what the mouse does."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.actions import MOUSE, Deed
from decaf_gui.app.translation import tr


class KeysDialog(QDialog):
    """A table of (where, what, keys); typing narrows it."""

    def __init__(self, acts: Sequence[tuple[Deed, QAction]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys and mouse"))
        self.resize(680, 560)
        lines = [(self.tr("Mouse"), tr(text), tr(how)) for text, how in MOUSE]
        lines += [(tr(deed.menu), tr(deed.text), _keys(act)) for deed, act in acts if act.shortcuts()]
        lines.insert(len(MOUSE), (self.tr("Go"), self.tr("Play and pause"), self.tr("Space")))
        self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search an action or a key"))
        self.search.setClearButtonEnabled(True)
        self.table = QTableWidget(len(lines), 3)
        self.table.setHorizontalHeaderLabels([self.tr("Where"), self.tr("What"), self.tr("Keys")])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QTableWidget.SelectionMode.NoSelection)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.horizontalHeader().resizeSection(2, 200)
        for row, line in enumerate(lines):
            for column, text in enumerate(line):
                self.table.setItem(row, column, QTableWidgetItem(text))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        whole = QVBoxLayout(self)
        whole.addWidget(self.search)
        whole.addWidget(self.table, 1)
        whole.addWidget(buttons)
        self.search.textChanged.connect(self._narrow)
        self.search.setFocus()

    def _narrow(self, text: str) -> None:
        wanted = text.strip().lower()
        for row in range(self.table.rowCount()):
            items = (self.table.item(row, column) for column in range(3))
            words = " ".join(item.text() for item in items if item is not None)
            self.table.setRowHidden(row, wanted not in words.lower())


def _keys(action: QAction) -> str:
    texts = (key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
    return "   ".join(texts)
