"""What decisions so far say of the scores: a curve, a table, and candidates that can be accepted by their score."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.translation import tr
from decaf_gui.batch.reviewing import Picture
from decaf_gui.core.calibration import Level, level_at, levels, lowest_level

BAND, CURVE = QColor(86, 180, 233, 70), QColor(86, 180, 233)
STEP, DIGITS = 0.001, 3
"""Between two thresholds that can be chosen, and how they are written."""
LINES = 12
"""Of the table at most."""
WANTED = 95
"""Per cent of precision that is looked for at first."""


def level_words(level: Level) -> str:
    """Precision, its interval and on how much it stands, such as "96 % [90, 99] on 52 decisions"."""
    low, high = math.floor(100 * level.low), math.ceil(100 * level.high)  # never better than it is
    words = tr("{0} % [{1}, {2}] on {3} decisions") if level.decisions != 1 else tr("{0} % [{1}, {2}] on 1 decision")
    return words.format(round(100 * level.precision), low, high, level.decisions)


def score_words(score: float) -> str:
    """A threshold as it is written."""
    return f"{score:.{DIGITS}f}"


def round_levels(known: Sequence[Level]) -> list[Level]:
    """Levels at round thresholds, each number of decisions once and at the highest threshold that it holds for."""
    if not known:
        return []
    first, last = math.floor(known[0].threshold / STEP + 1e-9), math.floor(known[-1].threshold / STEP + 1e-9)
    found = (level_at(known, round(number * STEP, DIGITS)) for number in range(first, last + 1))
    return list({level.decisions: level for level in found if level is not None}.values())


def some_levels(rounds: Sequence[Level]) -> list[Level]:
    """As many of them, evenly chosen, as a table has lines."""
    if len(rounds) <= LINES:
        return list(rounds)
    return [rounds[round(line * (len(rounds) - 1) / (LINES - 1))] for line in range(LINES)]


class PrecisionPlot(QWidget):
    """Precision above each threshold with its interval; `picked` (threshold) by a click.

    Across go the decisions, the lowest score first: each has the same room, however close together scores lie.
    """

    picked = Signal(float)

    def __init__(self, rounds: Sequence[Level], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._levels, self.threshold, self.wanted = list(rounds), 0.0, 1.0
        self.setMinimumSize(460, 210)
        self.setAccessibleName(self.tr("Precision above each score"))

    def show_choice(self, threshold: float, wanted: float) -> None:
        """The threshold and the precision that are looked for."""
        self.threshold, self.wanted = threshold, wanted
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """A click picks the threshold next to it."""
        if self._levels:
            x = event.position().x()
            self.picked.emit(min(self._levels, key=lambda level: abs(self._at(level, 0).x() - x)).threshold)

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802
        """Grid, band, curve, threshold."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.AlternateBase))
        self._grid(painter)
        if self._levels:
            self._scores(painter)
            self._curve(painter)
            self._choice(painter)
        painter.end()

    def _area(self) -> QRectF:
        return QRectF(self.rect()).adjusted(46, 12, -24, -26)

    def _at(self, level: Level, share: float) -> QPointF:
        """Where a share lies above a level's threshold."""
        area, most, least = self._area(), self._levels[0].decisions, self._levels[-1].decisions
        across = (most - level.decisions) / max(1, most - least)
        return QPointF(area.left() + across * area.width(), area.bottom() - share * area.height())

    def _grid(self, painter: QPainter) -> None:
        area = self._area()
        words = self.palette().color(QPalette.ColorRole.PlaceholderText)
        line = QColor(words)
        line.setAlphaF(0.3)
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = area.bottom() - share * area.height()
            painter.setPen(QPen(line, 1))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(words)
            at = QRectF(0, y - 8, area.left() - 6, 16)
            painter.drawText(at, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{share:.0%}")

    def _scores(self, painter: QPainter) -> None:
        """The thresholds below the curve, as many as there is room for."""
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        free = 0.0
        for level in self._levels:
            at = self._at(level, 0)
            if at.x() - 22 >= free:
                painter.drawText(
                    QRectF(at.x() - 22, at.y() + 4, 44, 16), Qt.AlignmentFlag.AlignCenter, score_words(level.threshold)
                )
                free = at.x() + 40

    def _curve(self, painter: QPainter) -> None:
        low = [self._at(level, level.low) for level in self._levels]
        high = [self._at(level, level.high) for level in self._levels]
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(BAND)
        painter.drawPolygon(QPolygonF([*low, *reversed(high)]))
        painter.setPen(QPen(CURVE, 2))
        painter.drawPolyline(QPolygonF([self._at(level, level.precision) for level in self._levels]))
        if len(self._levels) == 1:  # no line yet: a dot in its interval
            painter.drawLine(low[0], high[0])
            painter.setBrush(CURVE)
            painter.drawEllipse(self._at(self._levels[0], self._levels[0].precision), 4, 4)

    def _choice(self, painter: QPainter) -> None:
        text, area = self.palette().color(QPalette.ColorRole.Text), self._area()
        painter.setPen(QPen(text, 1, Qt.PenStyle.DashLine))
        y = self._at(self._levels[0], self.wanted).y()
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        level = level_at(self._levels, self.threshold)
        if level is not None:
            painter.setPen(QPen(text, 2))
            x = self._at(level, 0).x()
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))


class CalibrationDialog(QDialog):
    """`accept_wanted` (threshold): the person wants the candidates at or above it accepted. Nothing is done here.

    `back_wanted`: what was accepted in this way last, `done` candidates, is to be taken back.
    """

    accept_wanted = Signal(float)
    back_wanted = Signal()

    def __init__(self, picture: Picture, parent: QWidget | None = None, *, done: int = 0) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Calibration: what scores are worth"))
        self._picture, self._known = picture, levels(picture.decisions())
        self._rounds = round_levels(self._known)
        self._listed = some_levels(self._rounds)
        self.plot = PrecisionPlot(self._rounds)
        self.table = QTableWidget(0, 5)
        self.wanted, self.threshold = QSpinBox(), QDoubleSpinBox()
        self.wanted.setRange(50, 99)
        self.wanted.setSuffix(" %")
        self.wanted.setValue(WANTED)
        self.threshold.setDecimals(DIGITS)
        self.threshold.setRange(-1.0, 1.0)
        self.threshold.setSingleStep(STEP)
        self.seek = QPushButton(self.tr("Find the threshold"))
        self.seek.setToolTip(self.tr("The lowest score above which the interval begins at this precision or better"))
        self.found = QLabel()
        self.found.setProperty("role", "quiet")
        self.told, self.note = QLabel(), QLabel(self._note())
        for label in (self.told, self.note):
            label.setWordWrap(True)
        font = self.told.font()
        font.setPointSizeF(font.pointSizeF() * 1.15)
        font.setBold(True)
        self.told.setFont(font)
        self.note.setProperty("role", "quiet")
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.accept_all = QPushButton()
        self.back = QPushButton(self.tr("Take back the {0} accepted last").format(done))
        for button in (self.accept_all, self.back):
            self.buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        self.back.setVisible(done > 0)
        self._arrange()
        self._fill()
        self._connect()
        self._find()

    def _note(self) -> str:
        """What the numbers are, and what they are not."""
        if not self._known:
            return self.tr(
                "Nothing has been decided in this set yet. Judge some candidates: each accepted or rejected one tells "
                "what its score is worth."
            )
        return self.tr(
            "Of the candidates that persons decided on at or above a score: the share that they accepted, and Wilson's "
            "95 % interval. Candidates that were accepted by their score alone do not count. It holds for the rest of "
            "the set as far as those that were decided on are like the rest; the most doubtful ones, reviewed first, "
            "tend to be worse."
        )

    def _arrange(self) -> None:
        self.table.setHorizontalHeaderLabels(
            [self.tr("Above"), self.tr("Precision"), self.tr("95 % interval"), self.tr("Decisions"), self.tr("Waiting")]
        )
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setDefaultSectionSize(24)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.table.setMinimumHeight(190)
        choice = QHBoxLayout()
        wanted, scores = QLabel(self.tr("Precision of at least")), QLabel(self.tr("Scores above"))
        parts: tuple[QWidget, ...] = (wanted, self.wanted, self.seek, self.found, scores, self.threshold)
        for part in parts:
            choice.addWidget(part, int(part is self.found))
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addWidget(self.plot, 1)
        column.addWidget(self.table, 2)
        column.addLayout(choice)
        column.addWidget(self.told)
        column.addWidget(self.note)
        column.addWidget(self.buttons)
        self.resize(620, 660)

    def _connect(self) -> None:
        self.plot.picked.connect(self.threshold.setValue)
        self.table.cellClicked.connect(lambda row, _: self.threshold.setValue(self._listed[row].threshold))
        self.seek.clicked.connect(self._find)
        self.threshold.valueChanged.connect(self._tell)
        self.wanted.valueChanged.connect(self._tell)
        self.accept_all.clicked.connect(lambda: self.accept_wanted.emit(self.threshold.value()))
        self.back.clicked.connect(self.back_wanted)
        self.buttons.rejected.connect(self.reject)

    def _fill(self) -> None:
        """The table: a line for each of some thresholds."""
        self.table.setRowCount(len(self._listed))
        for row, level in enumerate(self._listed):
            interval = f"{math.floor(100 * level.low)} - {math.ceil(100 * level.high)} %"
            counts = (str(level.decisions), str(self._waiting(level.threshold)))
            for place, text in enumerate((score_words(level.threshold), f"{level.precision:.0%}", interval, *counts)):
                item = QTableWidgetItem(text)
                item.setTextAlignment(Qt.AlignmentFlag.AlignCenter)
                self.table.setItem(row, place, item)

    def _waiting(self, threshold: float) -> int:
        return sum(len(part.tracklets) for part in self._picture.waiting(threshold))

    def _find(self) -> None:
        """The lowest threshold whose interval begins at the precision that is wanted, or comes nearest."""
        found = lowest_level(self._rounds, self.wanted.value() / 100)
        if self._rounds:
            self.threshold.setValue((found or max(self._rounds, key=lambda level: level.low)).threshold)
        none = self.tr("no score yet: more decisions are needed")
        self.found.setText(none if self._rounds and found is None else "")
        self._tell()

    def _tell(self, *_: object) -> None:
        """What is known of the threshold, and what accepting would do."""
        threshold = self.threshold.value()
        level, waiting = level_at(self._known, threshold), self._waiting(threshold)
        here = [row for row, line in enumerate(self._listed) if level and line.decisions == level.decisions]
        self.table.setCurrentCell(here[0] if here else -1, 0)
        self.plot.show_choice(threshold, self.wanted.value() / 100)
        if level is None:
            self.told.setText(self.tr("Above {0} nothing has been decided yet.").format(score_words(threshold)))
        else:
            self.told.setText(self.tr("Above {0}: {1}").format(score_words(threshold), level_words(level)))
        self.accept_all.setText(self.tr("Accept all {0} waiting above {1}...").format(waiting, score_words(threshold)))
        self.accept_all.setEnabled(level is not None and waiting > 0)
