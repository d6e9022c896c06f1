"""Objects and candidates as a list: colour, picture, name, label, state, score parts as bars, eye and lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QHelpEvent, QImage, QMouseEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLabel,
    QListView,
    QSlider,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app import icons
from decaf_gui.app.palette import Colour

Index = QModelIndex | QPersistentModelIndex
ENTRY = Qt.ItemDataRole.UserRole
HEIGHT, PICTURE = 52, QSize(60, 44)
BARS: Mapping[str, QColor] = {
    "attention": QColor(183, 55, 121),
    "sam": QColor(86, 180, 233),
    "consistency": QColor(0, 158, 115),
    "video_correlation": QColor(183, 55, 121),
    "frame_correlation": QColor(230, 159, 0),
}
"""The colours of a score's parts."""
BAR_ROOM = 7.3
"""Pixels of a bar's height and the gap below it."""
Parts = tuple[tuple[str, float | None], ...]
"""A score's parts by name, None where one is not known."""
SPACE = 20
"""Pixels of the eye's and the lock's columns."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: `parts` of its score, shown in [0, 1]; None for objects."""

    kind: str
    id: int
    name: str
    colour: Colour
    state: str
    parts: Parts | None = None
    total: float | None = None
    ghost: bool = False
    visible: bool = True
    locked: bool = False
    picture: QImage | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from the others."""
        return self.kind, self.id


class Entries(QAbstractListModel):
    """The lines; new values of the same lines keep selection and scroll position."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []

    def rowCount(self, parent: Index | None = None) -> int:  # noqa: N802
        """How many there are."""
        return len(self.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """The name for readers of the screen, the entry for the delegate."""
        entry = self.entries[index.row()]
        if role == ENTRY:
            return entry
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{entry.name}, {entry.state}"
        return None

    def show(self, entries: Sequence[Entry]) -> None:
        """Other lines, or other values of the same."""
        same = [entry.key for entry in entries] == [entry.key for entry in self.entries]
        if not same:
            self.beginResetModel()
        changed = [row for row, pair in enumerate(zip(entries, self.entries, strict=False)) if pair[0] != pair[1]]
        self.entries = list(entries)
        if not same:
            self.endResetModel()
        elif changed:
            self.dataChanged.emit(self.index(changed[0]), self.index(changed[-1]))

    def row_of(self, key: tuple[str, int] | None) -> int:
        """The line of a key, or -1."""
        return next((row for row, entry in enumerate(self.entries) if entry.key == key), -1)


class Line(QStyledItemDelegate):
    """Draws a line, and says where in it the pointer is."""

    toggled = Signal(object, str)
    """(entry, "eye" or "lock")."""
    pressed = "line"
    """Where in its line the mouse was pressed last."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802
        """All lines are of one height."""
        return QSize(200, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """From left to right: colour, picture, name over state, score, lock, eye."""
        entry: Entry = index.data(ENTRY)
        box, palette = QRectF(option.rect), option.palette
        chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(palette.color(QPalette.ColorRole.Highlight))
        ground.setAlphaF(0.28 if chosen else 0.0)
        painter.fillRect(box, ground)
        painter.fillRect(QRectF(box.x(), box.y() + 1, 4, box.height() - 2), QColor(*entry.colour))
        self._picture(painter, entry, box)
        self._words(painter, entry, box, palette)
        if entry.parts is not None:
            self._score(painter, entry, self._score_box(box), palette)
        text = palette.color(QPalette.ColorRole.Text)
        faint = palette.color(QPalette.ColorRole.PlaceholderText)
        icons.draw(painter, "eye" if entry.visible else "hidden", self._icon(box, 0), text if entry.visible else faint)
        if entry.kind == "object":
            if not entry.locked:
                faint.setAlphaF(0.45)
            icons.draw(
                painter, "lock" if entry.locked else "unlock", self._icon(box, 1), text if entry.locked else faint
            )
        painter.restore()

    def editorEvent(  # noqa: N802
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """A click on the eye or the lock turns it."""
        presses = (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick)
        if event.type() in presses and isinstance(event, QMouseEvent):
            what = self.pressed = self.place(QRectF(option.rect), event.position().toPoint(), index.data(ENTRY))
            if what in ("eye", "lock") and event.button() == Qt.MouseButton.LeftButton:
                self.toggled.emit(index.data(ENTRY), what)
                return True
        return False

    def helpEvent(  # noqa: N802
        self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index
    ) -> bool:
        """What lies under the pointer, in words."""
        if not index.isValid():
            return False
        entry: Entry = index.data(ENTRY)
        QToolTip.showText(
            event.globalPos(), self.told(entry, self.place(QRectF(option.rect), event.pos(), entry)), view
        )
        return True

    def place(self, box: QRectF, at: QPoint, entry: Entry) -> str:
        """Which part of a line lies under a point: "eye", "lock", "score" or "line"."""
        if self._icon(box, 0).adjusted(-2, -14, 4, 14).contains(at):
            return "eye"
        if entry.kind == "object" and self._icon(box, 1).adjusted(-2, -14, 2, 14).contains(at):
            return "lock"
        return "score" if entry.parts is not None and self._score_box(box).contains(at) else "line"

    def told(self, entry: Entry, place: str) -> str:
        """The tooltip of a place."""
        if place == "eye":
            return (
                self.tr("Shown on the canvas: click to hide (H)") if entry.visible else self.tr("Hidden: click to show")
            )
        if place == "lock":
            return self.tr("Locked: click to unlock") if entry.locked else self.tr("Click to lock all frames")
        if entry.parts is None or place == "line":
            return f"{entry.name}\n{entry.state}"
        return "\n".join(self._told_score(entry.parts, entry.total))

    def _told_score(self, parts: Parts, total: float | None) -> list[str]:
        """The parts of a score in words, and how they are put together."""
        names = {
            "attention": self.tr("attention at the point"),
            "sam": self.tr("SAM2's IoU"),
            "consistency": self.tr("attention consistency"),
            "video_correlation": self.tr("correlation with the video's attention"),
            "frame_correlation": self.tr("correlation with the frames' attention"),
        }
        told = [f"{names[name]}: {'-' if part is None else f'{part:.2f}'}" for name, part in parts]
        weighted = any(name == "video_correlation" for name, _ in parts)
        whole = self.tr("weighted sum: {0:.2f}") if weighted else self.tr("mean: {0:.2f}")
        return told if total is None else [*told, whole.format(total)]

    def _picture(self, painter: QPainter, entry: Entry, box: QRectF) -> None:
        place = QRectF(box.x() + 9, box.y() + (HEIGHT - PICTURE.height()) / 2, PICTURE.width(), PICTURE.height())
        painter.fillRect(place, QColor(0, 0, 0, 60))
        if entry.picture is not None:
            painter.setOpacity(0.5 if entry.ghost else 1.0)
            painter.drawImage(place, entry.picture)
            painter.setOpacity(1.0)

    def _words(self, painter: QPainter, entry: Entry, box: QRectF, palette: QPalette) -> None:
        left = box.x() + PICTURE.width() + 16
        right = self._score_box(box).left() if entry.parts is not None else self._icon(box, 1).left()
        font = QFont(painter.font())
        for text, top, bold, role in (
            (
                entry.name,
                8.0,
                not entry.ghost,
                QPalette.ColorRole.PlaceholderText if entry.ghost else QPalette.ColorRole.Text,
            ),
            (entry.state, 27.0, False, QPalette.ColorRole.PlaceholderText),
        ):
            font.setBold(bold)
            painter.setFont(font)
            painter.setPen(palette.color(role))
            room = QRectF(left, box.y() + top, right - left - 6, 18)
            short = QFontMetricsF(font).elidedText(text, Qt.TextElideMode.ElideMiddle, room.width())
            painter.drawText(room, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), short)

    def _score(self, painter: QPainter, entry: Entry, box: QRectF, palette: QPalette) -> None:
        """Thin bars on their grounds, the total behind them."""
        assert entry.parts is not None
        height = BAR_ROOM * len(entry.parts)
        bars = QRectF(box.x(), box.y() + (HEIGHT - height) / 2, box.width() - 34, height)
        ground = QColor(palette.color(QPalette.ColorRole.Text))
        ground.setAlphaF(0.12)
        for place, (name, part) in enumerate(entry.parts):
            line = QRectF(bars.x(), bars.y() + place * BAR_ROOM, bars.width(), BAR_ROOM - 2.5)
            painter.fillRect(line, ground)
            if part is not None:
                line.setWidth(line.width() * min(1.0, max(0.0, part)))
                painter.fillRect(line, BARS[name])
        painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText if entry.ghost else QPalette.ColorRole.Text))
        total = "" if entry.total is None else f"{entry.total:.2f}"
        painter.drawText(box, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), total)

    @staticmethod
    def _icon(box: QRectF, place: int) -> QRectF:
        """The eye's square (0), or the lock's (1)."""
        return QRectF(box.right() - 6 - (place + 1) * SPACE + 3, box.y() + (HEIGHT - 15) / 2, 15, 15)

    def _score_box(self, box: QRectF) -> QRectF:
        return QRectF(self._icon(box, 0).left() - 104, box.y(), 98, HEIGHT)


class CandidatesPanel(QWidget):
    """Objects first, then candidates, ghosts last; above them the threshold, which runs no model.

    `picked` and `activated` (kind, id), `shown` (kind, id, visible), `locked` (object, lock), `threshold` (0 to 1),
    `menu_wanted` (kind, id, where on the screen).
    """

    picked = Signal(str, int)
    shown = Signal(str, int, bool)
    locked = Signal(int, bool)
    activated = Signal(str, int)
    threshold = Signal(float)
    menu_wanted = Signal(str, int, QPoint)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        title = QLabel(self.tr("Objects and candidates"))
        title.setProperty("role", "title")
        self.counts, self.value = QLabel(), QLabel("0.80")
        self.counts.setProperty("role", "quiet")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setValue(80)
        self.slider.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.slider.setToolTip(self.tr("Candidates with a score under this are ghosts. No model runs."))
        self.model, self.line = Entries(self), Line(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(self.line)
        self.list.setUniformItemSizes(True)
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.empty = QLabel(self.tr("Nothing here yet: ask for something, or click on an object in the frame."))
        self.empty.setWordWrap(True)
        self.empty.setProperty("role", "quiet")
        self.empty.setContentsMargins(10, 6, 10, 6)
        self.actions_row = QHBoxLayout()
        self.actions_row.setContentsMargins(8, 4, 8, 6)
        self._lay_out(title)
        self.slider.valueChanged.connect(self._on_slider)
        self.list.selectionModel().currentChanged.connect(self._on_current)
        self.list.doubleClicked.connect(self._on_double_click)
        self.list.customContextMenuRequested.connect(self._on_menu)
        self.line.toggled.connect(self._on_toggled)

    def _lay_out(self, title: QLabel) -> None:
        line = QHBoxLayout()
        line.setContentsMargins(10, 0, 10, 0)
        line.addWidget(QLabel(self.tr("Threshold")))
        line.addWidget(self.slider, 1)
        line.addWidget(self.value)
        self.counts.setContentsMargins(10, 0, 10, 4)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(title)
        layout.addLayout(line)
        layout.addWidget(self.counts)
        layout.addWidget(self.empty)
        layout.addWidget(self.list, 100)
        layout.addStretch(1)
        layout.addLayout(self.actions_row)

    def show_entries(self, entries: Sequence[Entry], picked: tuple[str, int] | None) -> None:
        """Shows the lines as they are now; nothing is emitted."""
        chooser = self.list.selectionModel()
        chooser.blockSignals(True)
        self.model.show(entries)
        row = self.model.row_of(picked)
        if row != self.list.currentIndex().row():
            self.list.setCurrentIndex(self.model.index(row) if row >= 0 else QModelIndex())
            self.list.viewport().update()
        chooser.blockSignals(False)
        self.empty.setVisible(not entries)
        self.list.setVisible(bool(entries))
        objects = sum(entry.kind == "object" for entry in entries)
        alive = sum(entry.kind == "candidate" and not entry.ghost for entry in entries)
        ghosts = sum(entry.ghost for entry in entries)
        self.counts.setText(self.tr("objects: {0}   candidates: {1}   ghosts: {2}").format(objects, alive, ghosts))

    def set_threshold(self, value: float) -> None:
        """Moves the slider; nothing is emitted."""
        self.slider.blockSignals(True)
        self.slider.setValue(round(100 * value))
        self.slider.blockSignals(False)
        self.value.setText(f"{value:.2f}")

    def _on_slider(self, value: int) -> None:
        self.value.setText(f"{value / 100:.2f}")
        self.threshold.emit(value / 100)

    def _on_current(self, index: QModelIndex) -> None:
        if index.isValid():
            self.picked.emit(*index.data(ENTRY).key)

    def _on_double_click(self, index: QModelIndex) -> None:
        if self.line.pressed in ("line", "score"):
            self.activated.emit(*index.data(ENTRY).key)

    def _on_toggled(self, entry: Entry, what: str) -> None:
        if what == "eye":
            self.model.show(
                [replace(e, visible=not e.visible) if e.key == entry.key else e for e in self.model.entries]
            )
            self.shown.emit(entry.kind, entry.id, not entry.visible)
        else:
            self.locked.emit(entry.id, not entry.locked)

    def _on_menu(self, at: QPoint) -> None:
        index = self.list.indexAt(at)
        if index.isValid():
            self.menu_wanted.emit(*index.data(ENTRY).key, self.list.viewport().mapToGlobal(at))
