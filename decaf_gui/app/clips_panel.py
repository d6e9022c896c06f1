"""The clips of the project and the expressions of the clip: what there is, and how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.icons import dress
from decaf_gui.app.overview import AskedFor, ClipState

ID = Qt.ItemDataRole.UserRole
PICTURE = QSize(64, 36)


@dataclass(frozen=True, slots=True)
class ClipLine:
    """A clip as it is listed; `media` is "there" or "missing"."""

    state: ClipState
    media: str
    picture: QImage | None = None


class ClipsPanel(QSplitter):
    """Two lists. `clip_chosen` and `expression_chosen` (id), `add_wanted`, menus (id, where on the screen)."""

    clip_chosen = Signal(int)
    expression_chosen = Signal(int)
    add_wanted = Signal()
    clip_menu = Signal(int, QPoint)
    expression_menu = Signal(int, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Vertical, parent)
        self.clips, self.expressions = _list(), _list()
        self.clips.setIconSize(PICTURE)
        self.add = QToolButton()
        dress(self.add, "add")
        self.add.setAutoRaise(True)
        self.add.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.add.setToolTip(self.tr("Add clips (Ctrl+O); files and folders can be dropped on the window, too"))
        self.hint = QLabel(self.tr("What you ask for is listed here."))
        self.hint.setProperty("role", "quiet")
        self.hint.setWordWrap(True)
        self.hint.setContentsMargins(10, 2, 10, 6)
        self._clips_part = _titled(self.tr("Clips"), self.clips, self.add)
        self.addWidget(self._clips_part)
        self.addWidget(_titled(self.tr("Expressions"), self.expressions, hint=self.hint))
        self.setStretchFactor(0, 3)
        self.setStretchFactor(1, 2)
        self.setChildrenCollapsible(False)
        self.add.clicked.connect(self.add_wanted)
        self.clips.itemClicked.connect(lambda item: self.clip_chosen.emit(item.data(ID)))
        self.expressions.itemClicked.connect(lambda item: self.expression_chosen.emit(item.data(ID)))
        self.clips.customContextMenuRequested.connect(lambda at: _menu(self.clips, at, self.clip_menu))
        self.expressions.customContextMenuRequested.connect(
            lambda at: _menu(self.expressions, at, self.expression_menu)
        )

    def give_way(self, panel: QWidget) -> None:
        """Another list stands in the place of the clips."""
        self.insertWidget(0, panel)
        self._clips_part.hide()
        self.setSizes([520, 0, 190])
        panel.show()

    def show_clips(self, lines: Sequence[ClipLine], current: int) -> None:
        """The clips of the project."""
        items = []
        for line in lines:
            name = Path(line.state.path).stem
            items.append((line.state.id, f"{name}\n{self._clip_words(line)}", line.state.path, line.picture))
        _fill(self.clips, items, current)

    def show_expressions(self, asked: Sequence[AskedFor], current: int, working: frozenset[int]) -> None:
        """The expressions of the clip; those that are being worked on are marked."""
        items = [
            (entry.id, f"{entry.text}\n{self._asked_words(entry, entry.id in working)}", entry.text, None)
            for entry in asked
        ]
        _fill(self.expressions, items, current)
        self.hint.setVisible(not items)

    def _clip_words(self, line: ClipLine) -> str:
        state = line.state
        if line.media != "there":
            return self.tr("file is missing: relink")
        objects = self.tr("1 object") if state.objects == 1 else self.tr("{0} objects").format(state.objects)
        if state.waiting:
            return self.tr("{0} to judge, {1}").format(state.waiting, objects)
        if state.done:
            return self.tr("judged, {0}").format(objects)
        return self.tr("in work, {0}").format(objects) if state.objects else self.tr("todo")

    def _asked_words(self, entry: AskedFor, working: bool) -> str:
        if working:
            return self.tr("looking...")
        if entry.progress == "new":
            return self.tr("not proposed yet")
        if entry.progress == "no target":
            return self.tr("no target")
        waiting = [self.tr("{0} to judge").format(entry.waiting)] if entry.waiting else []
        return ", ".join([self.tr("{0} accepted").format(entry.answers), *waiting])


def _list() -> QListWidget:
    made = QListWidget()
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    made.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    made.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    made.setSpacing(2)
    return made


def _titled(title: str, inside: QWidget, button: QToolButton | None = None, hint: QLabel | None = None) -> QWidget:
    label = QLabel(title)
    label.setProperty("role", "title")
    head = QHBoxLayout()
    head.setContentsMargins(0, 0, 4, 0)
    head.addWidget(label, 1)
    if button is not None:
        head.addWidget(button)
    made = QWidget()
    column = QVBoxLayout(made)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addLayout(head)
    if hint is not None:
        column.addWidget(hint)
    column.addWidget(inside, 1)
    return made


def _fill(listed: QListWidget, items: Sequence[tuple[int, str, str, QImage | None]], current: int) -> None:
    """Shows the items; those that are there already are only told anew, so that nothing jumps."""
    listed.blockSignals(True)
    while listed.count() > len(items):
        listed.takeItem(listed.count() - 1)
    while listed.count() < len(items):
        listed.addItem(QListWidgetItem())
    for row, (number, text, tip, picture) in enumerate(items):
        item = listed.item(row)
        if (item.data(ID), item.text()) != (number, text):
            item.setData(ID, number)
            item.setText(text)
            item.setToolTip(tip)
        if picture is not None:
            item.setIcon(_icon(picture))
        if number == current and listed.currentRow() != row:
            listed.setCurrentRow(row)
    if all(number != current for number, *_ in items):
        listed.setCurrentRow(-1)
    listed.blockSignals(False)


def _icon(picture: QImage) -> QIcon:
    """The picture as it is, also where its item is selected."""
    pixmap, made = QPixmap.fromImage(picture), QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        made.addPixmap(pixmap, mode)
    return made


def _menu(listed: QListWidget, at: QPoint, signal: SignalInstance) -> None:
    item = listed.itemAt(at)
    if item is not None:
        signal.emit(item.data(ID), listed.viewport().mapToGlobal(at))
