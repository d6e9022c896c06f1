"""The queue of a pre-labelled set: what is to be reviewed, how doubtful it is, how far the work is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QFontMetricsF, QPainter, QPalette
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListView,
    QProgressBar,
    QPushButton,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app import icons
from decaf_gui.app.bars import TypingFirst
from decaf_gui.app.translation import tr
from decaf_gui.batch.reviewing import Entry, EntryState, Order, in_order, matching, next_to_review

Index = QModelIndex | QPersistentModelIndex
ENTRY = Qt.ItemDataRole.UserRole
HEIGHT, MARGIN, ICON, NUMBERS = 46, 8.0, 16.0, 70.0
"""Pixels: of a line, at its sides, of its mark, and of its bar and score."""
DOUBT = QColor(230, 159, 0)
MARKS: Mapping[EntryState, str] = {
    "to review": "eye",
    "reviewed": "accept",
    "failed": "doubt",
    "running": "play",
    "waiting": "waiting",
}
"""The icon of each state."""
Key = tuple[str, str]


def state_words(entry: Entry) -> str:
    """How far an entry is, for people."""
    if entry.state == "to review":
        return tr("{0} to judge").format(entry.open) if entry.selected else tr("nothing found")
    words: dict[EntryState, str] = {
        "reviewed": tr("reviewed"),
        "failed": tr("failed"),
        "running": tr("being labelled"),
        "waiting": tr("not labelled yet"),
    }
    return words[entry.state]


class QueueModel(QAbstractListModel):
    """The lines; new values of the same lines keep selection and scroll position."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entries: list[Entry] = []

    def rowCount(self, parent: Index | None = None) -> int:  # noqa: N802
        """How many there are."""
        return len(self.entries)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Words for readers of the screen and tooltips, the entry for the delegate."""
        entry = self.entries[index.row()]
        if role == ENTRY:
            return entry
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return f"{entry.expression}, {entry.clip}, {state_words(entry)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return "\n".join(filter(None, [entry.expression, entry.clip, _numbers(entry), entry.reason]))
        return None

    def show(self, entries: Sequence[Entry]) -> None:
        """Other lines, or other values of the same."""
        same = [entry.key for entry in entries] == [entry.key for entry in self.entries]
        if same:
            self.entries = list(entries)
            if entries:
                self.dataChanged.emit(self.index(0), self.index(len(entries) - 1))
        else:
            self.beginResetModel()
            self.entries = list(entries)
            self.endResetModel()

    def row_of(self, key: Key | None) -> int:
        """The line of an entry, or -1."""
        return next((row for row, entry in enumerate(self.entries) if entry.key == key), -1)


def _numbers(entry: Entry) -> str:
    """Doubt and score in words."""
    if entry.doubt is None or entry.score is None:
        return state_words(entry)
    return tr("{0}, doubt {1:.2f}, best score {2:.2f}").format(state_words(entry), entry.doubt, entry.score)


class QueueLine(QStyledItemDelegate):
    """Draws an entry: its state, expression over clip, doubt as a bar over the score."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: N802
        """All lines are of one height."""
        return QSize(160, HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """From left to right: mark, words, numbers."""
        entry: Entry = index.data(ENTRY)
        box, palette = QRectF(option.rect), option.palette
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if option.state & QStyle.StateFlag.State_Selected:
            ground = QColor(palette.color(QPalette.ColorRole.Highlight))
            ground.setAlphaF(0.28)
            painter.fillRect(box, ground)
        text, faint = palette.color(QPalette.ColorRole.Text), palette.color(QPalette.ColorRole.PlaceholderText)
        strong = text if entry.state in ("to review", "failed") else faint
        mark = QRectF(box.x() + MARGIN, box.center().y() - ICON / 2, ICON, ICON)
        icons.draw(painter, MARKS[entry.state], mark, DOUBT if entry.state == "failed" else strong)
        room = 0.0 if entry.doubt is None else NUMBERS + MARGIN
        words = box.adjusted(2 * MARGIN + ICON, 5, -MARGIN - room, -5)
        _line(painter, words, entry.expression, strong, top=True)
        _line(painter, words, f"{state_words(entry)} · {entry.clip}", faint, top=False)
        if entry.doubt is not None:
            self._bar(painter, QRectF(box.right() - MARGIN - NUMBERS, box.y(), NUMBERS, box.height()), entry, palette)
        painter.restore()

    def _bar(self, painter: QPainter, box: QRectF, entry: Entry, palette: QPalette) -> None:
        assert entry.doubt is not None
        faint = palette.color(QPalette.ColorRole.PlaceholderText)
        bar = QRectF(box.x(), box.y() + 12, box.width(), 5)
        ground = QColor(faint)
        ground.setAlphaF(0.25)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(bar, 2.5, 2.5)
        full = QColor(DOUBT)
        full.setAlphaF(0.4 if entry.state == "reviewed" else 1.0)
        painter.setBrush(full)
        painter.drawRoundedRect(QRectF(bar.x(), bar.y(), bar.width() * entry.doubt, bar.height()), 2.5, 2.5)
        painter.setPen(faint)
        told = "" if entry.score is None else tr("score {0:.2f}").format(entry.score)
        below = box.adjusted(0, box.height() / 2, 0, -5)
        painter.drawText(below, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, told)


def _line(painter: QPainter, box: QRectF, words: str, colour: QColor, *, top: bool) -> None:
    """A line of text in the upper or lower half of a box."""
    half = box.adjusted(0, 0 if top else box.height() / 2, 0, -box.height() / 2 if top else 0)
    painter.setPen(colour)
    shown = QFontMetricsF(painter.font()).elidedText(words, Qt.TextElideMode.ElideRight, half.width())
    painter.drawText(half, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, shown)


class ReviewPanel(QWidget):
    """`chosen` (Entry), `calibration_wanted`, `halt_wanted` (of editing many projects), `left` (Esc in the filter).

    The buttons that go on and back are actions of the window that it stands in.
    """

    chosen = Signal(object)
    calibration_wanted = Signal()
    halt_wanted = Signal()
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.all: list[Entry] = []
        self.current: Key | None = None
        self._seen: Key | None = None
        """The entry that was scrolled to last."""
        self.model = QueueModel(self)
        self.list = QListView()
        self.list.setModel(self.model)
        self.list.setItemDelegate(QueueLine(self))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setUniformItemSizes(True)
        self.list.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.title, self.totals = QLabel(), QLabel()
        self.title.setProperty("role", "title")
        self.totals.setProperty("role", "quiet")
        self.progress, self.working = _thin_bar(), QProgressBar()
        self.halt = QToolButton()
        icons.dress(self.halt, "close")
        self.halt.setToolTip(self.tr("Stop; what is accepted stays accepted"))
        self.before, self.previous, self.next = QToolButton(), QToolButton(), QToolButton()
        self.calibration = QPushButton(self.tr("Calibration..."))
        self.calibration.setToolTip(self.tr("What decisions so far say of the scores; accept what a score vouches for"))
        self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Filter"))
        self.filter.setClearButtonEnabled(True)
        self._typing = TypingFirst(self)
        self.filter.installEventFilter(self._typing)
        self.shown, self.order = QComboBox(), QComboBox()
        self._fill_choices()
        self.goes_on = QCheckBox(self.tr("Go on when all is judged"))
        self.goes_on.setChecked(True)
        self._arrange()
        self._connect()
        self.show_work(None)

    def _fill_choices(self) -> None:
        """Which entries are shown, in which order."""
        everything: tuple[EntryState, ...] = ("to review", "reviewed", "failed", "running", "waiting")
        shown: list[tuple[str, tuple[EntryState, ...]]] = [
            (self.tr("All"), everything),
            (self.tr("To review"), ("to review",)),
            (self.tr("Reviewed"), ("reviewed",)),
            (self.tr("Failed"), ("failed",)),
            (self.tr("Not labelled yet"), ("running", "waiting")),
        ]
        for words, states in shown:
            self.shown.addItem(words, states)
        orders: list[tuple[str, Order]] = [
            (self.tr("Most doubtful first"), "doubt"),
            (self.tr("Lowest score first"), "score"),
            (self.tr("Clip by clip"), "clip"),
        ]
        for words, order in orders:
            self.order.addItem(words, order)

    def _arrange(self) -> None:
        for widget in (self.shown, self.order, self.goes_on, self.calibration):
            widget.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for button in (self.before, self.previous, self.next, self.halt):
            button.setAutoRaise(True)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        for combo in (self.shown, self.order):
            combo.setMinimumContentsLength(6)
            combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(_row(self.title, self.before, self.previous, self.next, stretched=self.title, left=0))
        column.addLayout(_row(self.totals, stretched=self.totals))
        column.addLayout(_row(self.progress, stretched=self.progress))
        column.addLayout(_row(self.working, self.halt, stretched=self.working))
        column.addLayout(_row(self.filter, stretched=self.filter))
        column.addLayout(_row(self.shown, self.order, stretched=self.order))
        column.addWidget(self.list, 1)
        column.addLayout(_row(self.goes_on, stretched=self.goes_on))
        column.addLayout(_row(self.calibration, stretched=self.calibration))
        column.addSpacing(4)

    def _connect(self) -> None:
        self.list.clicked.connect(lambda index: self.chosen.emit(index.data(ENTRY)))
        self.filter.textChanged.connect(self._show)
        self.shown.currentIndexChanged.connect(self._show)
        self.order.currentIndexChanged.connect(self._show)
        self.calibration.clicked.connect(self.calibration_wanted)
        self.halt.clicked.connect(self.halt_wanted)
        self._typing.left.connect(self.left)

    def show_actions(self, before: QAction, previous: QAction, following: QAction) -> None:
        """The actions of the window that the panel stands in now."""
        for button, action in ((self.before, before), (self.previous, previous), (self.next, following)):
            for old in button.actions():
                button.removeAction(old)
            button.setDefaultAction(action)

    def show_title(self, name: str) -> None:
        """The name of the set."""
        self.title.setText(self.tr("Review: {0}").format(name))

    def show_entries(self, entries: Sequence[Entry], current: Key | None) -> None:
        """The whole queue, and the entry that is looked at."""
        self.all, self.current = list(entries), current
        self.totals.setText(self._total_words())
        reviewed = sum(entry.state == "reviewed" for entry in self.all)
        self.progress.setRange(0, max(1, len(self.all)))
        self.progress.setValue(reviewed)
        self._show()

    def show_work(self, done: int | None, total: int = 0) -> None:
        """How far the editing of many projects is; None: nothing is edited. Meanwhile no entry can be chosen."""
        self.working.setVisible(done is not None)
        self.halt.setVisible(done is not None)
        self.list.setEnabled(done is None)
        self.calibration.setEnabled(done is None)
        self.working.setRange(0, total)
        self.working.setValue(done or 0)
        self.working.setFormat(self.tr("%v of %m clips"))

    def following(self, step: int = 1) -> Entry | None:
        """The next (or previous) entry to review of those that are listed."""
        return next_to_review(self.model.entries, self.current, step)

    def _show(self, *_: object) -> None:
        """The lines as they are wanted; what is read of them stays in its place unless another entry is looked at."""
        found = matching(self.all, self.filter.text(), self.shown.currentData())
        bar = self.list.verticalScrollBar()
        scrolled = bar.value()
        self.model.show(in_order(found, self.order.currentData()))
        row = self.model.row_of(self.current)
        if row != self.list.currentIndex().row():
            self.list.setCurrentIndex(self.model.index(row) if row >= 0 else QModelIndex())
        if self.current == self._seen:
            self.list.doItemsLayout()  # else the bar does not know its range yet
            bar.setValue(scrolled)
        self._seen = self.current

    def _total_words(self) -> str:
        count = Counter(entry.state for entry in self.all)
        words = [self.tr("{0} of {1} reviewed").format(count["reviewed"], len(self.all))]
        if count["failed"]:
            words.append(self.tr("{0} failed").format(count["failed"]))
        if count["running"] + count["waiting"]:
            words.append(self.tr("{0} not labelled yet").format(count["running"] + count["waiting"]))
        return ", ".join(words)


def _thin_bar() -> QProgressBar:
    made = QProgressBar()
    made.setTextVisible(False)
    made.setFixedHeight(6)
    return made


def _row(*widgets: QWidget, stretched: QWidget, left: int = 10) -> QHBoxLayout:
    """Widgets beside each other."""
    made = QHBoxLayout()
    made.setContentsMargins(left, 0, 8, 0)
    made.setSpacing(6)
    for widget in widgets:
        made.addWidget(widget, int(widget is stretched))
    return made
