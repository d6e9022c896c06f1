"""The page of the keys: all actions, the keys they have, and which of them two actions have."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QBrush, QKeySequence
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QFormLayout,
    QGridLayout,
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.actions import DEEDS, PRESETS, Deed, conflicts
from decaf_gui.app.pages import Page, calm, heading, quiet, signal_colour, tip
from decaf_gui.app.preferences import PREFERENCES, Preferences
from decaf_gui.app.translation import tr

Portable, Native = QKeySequence.SequenceFormat.PortableText, QKeySequence.SequenceFormat.NativeText
ACTION, MENU, KEYS, SAID = range(4)


def spelled(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Keys in Qt's spelling: "Delete" and "Del" are the same key."""
    return tuple(QKeySequence(key).toString(Portable) for key in keys)


class KeysPage(Page):
    """Keys of all actions; those that differ from the preset are kept as one's own."""

    names = ("key_preset", "keys")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._own: dict[str, tuple[str, ...]] = {}
        self._problem = ""
        self.preset = QComboBox()
        self.presets = list(PRESETS)
        self.preset.addItems([tr(title) for title in PRESETS.values()])
        self.preset.setToolTip(tip(tr(PREFERENCES["key_preset"].about.help)))
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Find an action or a key"))
        self.filter.setClearButtonEnabled(True)
        self.items = [[QTableWidgetItem() for _ in range(4)] for _ in DEEDS]
        self.table = self._make_table()
        self.action = heading("")
        self.edits = (QKeySequenceEdit(), QKeySequenceEdit())
        for edit in self.edits:
            edit.setMaximumSequenceLength(1)
            edit.setClearButtonEnabled(True)
            edit.setToolTip(tip(self.tr("Press the keys. Tab goes on to the next field and cannot be given here.")))
        self.reset, self.reset_all = QPushButton(self.tr("Reset")), QPushButton(self.tr("Reset all keys"))
        self.told = QLabel()
        self.told.setWordWrap(True)
        self._arrange()
        calm(self)
        self._connect()

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(len(DEEDS), 4)
        table.setHorizontalHeaderLabels([self.tr("Action"), self.tr("Menu"), self.tr("Keys"), ""])
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(table.fontMetrics().height() + 9)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTabKeyNavigation(False)
        table.setShowGrid(False)
        table.setAlternatingRowColors(True)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(ACTION, QHeaderView.ResizeMode.Stretch)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for row, (deed, items) in enumerate(zip(DEEDS, self.items, strict=True)):
            items[ACTION].setText(tr(deed.text))
            items[MENU].setText(tr(deed.menu))
            for column, item in enumerate(items):
                table.setItem(row, column, item)
        return table

    def _arrange(self) -> None:
        head = QFormLayout()
        head.addRow(tr(PREFERENCES["key_preset"].about.title), self.preset)
        below = QGridLayout()
        below.addWidget(self.action, 0, 0, 1, 5)
        below.addWidget(quiet(self.tr("Keys"), wrap=False), 1, 0)
        for place, widget in enumerate((*self.edits, self.reset), 1):
            below.addWidget(widget, 1, place)
        below.addWidget(self.reset_all, 1, 5)
        below.setColumnStretch(4, 1)
        column = QVBoxLayout(self)
        column.addLayout(head)
        column.addWidget(self.filter)
        column.addWidget(self.table, 1)
        column.addLayout(below)

    def _connect(self) -> None:
        self.preset.currentIndexChanged.connect(self._on_preset)
        self.filter.textChanged.connect(self._show_found)
        self.table.currentCellChanged.connect(self._show_current)
        self.table.cellActivated.connect(lambda *_: self.edits[0].setFocus())
        self.reset.clicked.connect(self._reset)
        self.reset_all.clicked.connect(self._reset_all)
        for edit in self.edits:
            edit.keySequenceChanged.connect(self._on_keys)

    def show_preferences(self, preferences: Preferences) -> None:
        """Fills the page."""
        with QSignalBlocker(self.preset):
            self.preset.setCurrentIndex(self.presets.index(preferences.key_preset))
        self._own = dict(preferences.keys)
        if self.table.currentRow() < 0:
            self.table.setCurrentCell(0, ACTION)
        self._refresh()

    def chosen(self, preferences: Preferences) -> Preferences:
        """`preferences` with these keys."""
        return replace(preferences, key_preset=self._preset, keys=dict(self._own))

    def problem(self) -> str:
        """The first key that two actions have."""
        return self._problem

    @property
    def _preset(self) -> str:
        return self.presets[self.preset.currentIndex()]

    @property
    def current(self) -> Deed:
        """The action whose keys are shown below."""
        return DEEDS[max(0, self.table.currentRow())]

    def keys_of(self, deed: Deed) -> tuple[str, ...]:
        """The keys of an action as they stand."""
        return self._own.get(deed.name, deed.keys_of(self._preset))

    def _refresh(self) -> None:
        """Everything that follows from the keys."""
        clashes = self._find_clashes()
        wrong, usual = QBrush(signal_colour(self, "wrong")), QBrush()
        for deed, items in zip(DEEDS, self.items, strict=True):
            clash = clashes.get(deed.name, "")
            keys = ", ".join(QKeySequence(key).toString(Native) for key in self.keys_of(deed))
            for column, text in ((KEYS, keys), (SAID, clash or (self.tr("changed") if deed.name in self._own else ""))):
                items[column].setText(text)
                items[column].setForeground(wrong if clash else usual)
            font = self.table.font()
            font.setBold(deed.name in self._own)
            items[KEYS].setFont(font)
        self._show_found()
        self._show_current()
        self.reset_all.setEnabled(bool(self._own))

    def _find_clashes(self) -> dict[str, str]:
        """What to say of each action that shares a key; the first of them is the page's problem."""
        texts = {deed.name: tr(deed.text) for deed in DEEDS}
        keys = {deed.name: spelled(self.keys_of(deed)) for deed in DEEDS}
        said: dict[str, str] = {}
        self._problem = ""
        for _, names in conflicts(keys):
            shared = next(key for key in keys[names[0]] if key in keys[names[1]])
            words = self.tr("{0} is the key of two actions, {1} and {2}: give one of them another.")
            self._problem = self._problem or words.format(shared, *(f'"{texts[name]}"' for name in names[:2]))
            for name in names:
                others = ", ".join(texts[other] for other in names if other != name)
                said.setdefault(name, self.tr("also: {0}").format(others))
        return said

    def _show_found(self) -> None:
        wanted = self.filter.text().strip().lower()
        for row, items in enumerate(self.items):
            texts = (item.text().lower() for item in items)
            self.table.setRowHidden(row, bool(wanted) and not any(wanted in text for text in texts))
        rows = range(self.table.rowCount())
        first = next((row for row in rows if not self.table.isRowHidden(row)), -1)
        if first >= 0 and self.table.isRowHidden(self.table.currentRow()):
            self.table.setCurrentCell(first, ACTION)

    def _show_current(self) -> None:
        keys = [QKeySequence(key) for key in self.keys_of(self.current)]
        self.action.setText(tr(self.current.text))
        for place, edit in enumerate(self.edits):
            with QSignalBlocker(edit):
                edit.setKeySequence(keys[place] if place < len(keys) else QKeySequence())
        self.reset.setEnabled(self.current.name in self._own)

    def _on_keys(self) -> None:
        """Takes what was pressed; what equals the preset is nothing of one's own."""
        given = (edit.keySequence().toString(Portable) for edit in self.edits)
        keys = tuple(dict.fromkeys(key for key in given if key))
        self._own.pop(self.current.name, None)
        if keys != spelled(self.current.keys_of(self._preset)):
            self._own[self.current.name] = keys
        self._refresh()
        self.changed.emit()

    def _on_preset(self) -> None:
        """One's own keys stay, unless the other preset has the same."""
        same = [d.name for d in DEEDS if spelled(self._own.get(d.name, ("?none",))) == spelled(d.keys_of(self._preset))]
        for name in same:
            self._own.pop(name, None)
        self._refresh()
        self.changed.emit()

    def _reset(self) -> None:
        self._own.pop(self.current.name, None)
        self._refresh()
        self.changed.emit()

    def _reset_all(self) -> None:
        self._own.clear()
        self._refresh()
        self.changed.emit()
