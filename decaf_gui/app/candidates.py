"""The list of objects and candidates: colour, name, score parts as bars, state, visible, locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QSlider,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.palette import Colour

NAME, SCORE, STATE = range(3)
PARTS = Qt.ItemDataRole.UserRole + 1
KEY = Qt.ItemDataRole.UserRole
BARS = (QColor(183, 55, 121), QColor(86, 180, 233), QColor(0, 158, 115))
"""Attention, SAM2's IoU, consistency."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `parts` are attention, SAM2's IoU and consistency (None: not known), in [0, 1]; None for objects."""

    kind: str
    id: int
    name: str
    colour: Colour
    state: str
    parts: tuple[float, float, float | None] | None = None
    total: float | None = None
    ghost: bool = False
    visible: bool = True


class Bars(QStyledItemDelegate):
    """Draws the parts of a score as bars below each other, and the total as a number."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Three thin bars on their grounds."""
        super().paint(painter, option, index)
        parts = index.data(PARTS)
        if not parts:
            return
        box = QRectF(option.rect).adjusted(6, 5, -40, -5)
        height = box.height() / len(parts)
        for place, (part, colour) in enumerate(zip(parts, BARS, strict=True)):
            line = QRectF(box.x(), box.y() + place * height, box.width(), height - 1.5)
            ground = QColor(option.palette.color(QPalette.ColorRole.Text))
            ground.setAlphaF(0.10)
            painter.fillRect(line, ground)
            if part is not None:
                line.setWidth(line.width() * min(1.0, max(0.0, part)))
                painter.fillRect(line, colour)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:  # noqa: N802
        """High enough for three bars."""
        return QSize(super().sizeHint(option, index).width(), 28)


class CandidatesPanel(QWidget):
    """Objects first, then candidates, ghosts last; above them the threshold, which runs no model.

    `picked` and `activated` (kind, id), `shown` (kind, id, visible), `threshold` (0 to 1).
    """

    picked = Signal(str, int)
    shown = Signal(str, int, bool)
    activated = Signal(str, int)
    threshold = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.counts = QLabel()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setValue(80)
        self.slider.setToolTip(self.tr("Candidates with a score under this are ghosts. No model runs."))
        self.value = QLabel("0.80")
        self.tree = QTreeWidget()
        self.tree.setHeaderLabels([self.tr("Name"), self.tr("Score"), self.tr("State")])
        self.tree.setRootIsDecorated(False)
        self.tree.setUniformRowHeights(True)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setItemDelegateForColumn(SCORE, Bars(self.tree))
        self.tree.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        header = self.tree.header()
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setStretchLastSection(False)
        header.resizeSection(SCORE, 118)
        header.resizeSection(STATE, 78)
        line = QHBoxLayout()
        line.addWidget(QLabel(self.tr("Threshold")))
        line.addWidget(self.slider, 1)
        line.addWidget(self.value)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.addLayout(line)
        layout.addWidget(self.counts)
        layout.addWidget(self.tree, 1)
        self.slider.valueChanged.connect(self._on_slider)
        self.tree.currentItemChanged.connect(self._on_current)
        self.tree.itemChanged.connect(self._on_changed)
        self.tree.itemDoubleClicked.connect(self._on_activated)

    def show_entries(self, entries: Sequence[Entry], picked: tuple[str, int] | None) -> None:
        """Shows the lines anew; nothing is emitted."""
        self.tree.blockSignals(True)
        self.tree.clear()
        for entry in entries:
            item = self._item(entry)
            self.tree.addTopLevelItem(item)
            if (entry.kind, entry.id) == picked:
                self.tree.setCurrentItem(item)
        self.tree.blockSignals(False)
        objects = sum(entry.kind == "object" for entry in entries)
        alive = sum(entry.kind == "candidate" and not entry.ghost for entry in entries)
        ghosts = sum(entry.ghost for entry in entries)
        self.counts.setText(self.tr("objects: {0}   candidates: {1}   ghosts: {2}").format(objects, alive, ghosts))

    def _item(self, entry: Entry) -> QTreeWidgetItem:
        total = "" if entry.total is None else f"{entry.total:.2f}"
        item = QTreeWidgetItem([entry.name, total, entry.state])
        item.setData(NAME, KEY, (entry.kind, entry.id))
        item.setIcon(NAME, swatch(entry.colour))
        item.setCheckState(NAME, Qt.CheckState.Checked if entry.visible else Qt.CheckState.Unchecked)
        item.setData(SCORE, PARTS, entry.parts)
        item.setTextAlignment(SCORE, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        if entry.parts is not None:
            names = (self.tr("attention at the point"), self.tr("SAM2's IoU"), self.tr("attention consistency"))
            told = [
                f"{name}: {'-' if part is None else f'{part:.2f}'}"
                for name, part in zip(names, entry.parts, strict=True)
            ]
            item.setToolTip(SCORE, "\n".join(told))
        if entry.ghost:
            for column in (NAME, STATE):
                item.setForeground(column, self.palette().color(QPalette.ColorRole.PlaceholderText))
        return item

    def _on_slider(self, value: int) -> None:
        self.value.setText(f"{value / 100:.2f}")
        self.threshold.emit(value / 100)

    def _on_current(self, item: QTreeWidgetItem | None) -> None:
        if item is not None:
            self.picked.emit(*item.data(NAME, KEY))

    def _on_changed(self, item: QTreeWidgetItem, column: int) -> None:
        if column == NAME:
            self.shown.emit(*item.data(NAME, KEY), item.checkState(NAME) == Qt.CheckState.Checked)

    def _on_activated(self, item: QTreeWidgetItem) -> None:
        self.activated.emit(*item.data(NAME, KEY))


def swatch(colour: Colour) -> QIcon:
    """A little square of a colour."""
    picture = QPixmap(12, 12)
    picture.fill(QColor(*colour))
    return QIcon(picture)
