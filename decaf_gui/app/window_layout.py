"""The main window's widgets and where they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QByteArray, Qt, QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QMainWindow, QSplitter, QVBoxLayout, QWidget

from decaf_gui.app.bars import AnswerPanel, Banner, ExpressionBar, Transport, WorkBar
from decaf_gui.app.candidates import CandidatesPanel
from decaf_gui.app.canvas import Canvas
from decaf_gui.app.clips_panel import ClipsPanel
from decaf_gui.app.receipt_bar import ReceiptBar
from decaf_gui.app.recent import Recent
from decaf_gui.app.timeline import Timeline
from decaf_gui.app.tool_strip import ToolStrip

DOUBT_PAUSE = 400
"""Milliseconds without a change before doubt is worked out again: it looks at every mask."""
LANE_PAUSE = 60
"""Milliseconds between two updates of lists and timeline at least."""
CLIPS_PAUSE = 250
"""Milliseconds for which pictures of clips are gathered before the list is shown anew."""
REVIEWING = ("next_entry", "previous_entry", "entry_before", "calibration")
"""What can be done in a pre-labelled set alone."""
MEMORY_PAUSE = 2000
"""Milliseconds between two looks at the memory in use."""


class WindowLayout(QMainWindow):
    """Expression above, clips to the left, candidates to the right, the timeline below, the canvas in the middle."""

    def __init__(self, recent: Recent | None = None) -> None:
        super().__init__()
        self.recent = recent or Recent()
        self.acts: dict[str, QAction] = {}
        self.setAcceptDrops(True)
        self._build()

    def _build(self) -> None:
        self.expressions, self.banner, self.canvas = ExpressionBar(), Banner(), Canvas()
        self.strip, self.receipts, self.answer = ToolStrip(), ReceiptBar(), AnswerPanel()
        self.timeline, self.transport, self.work_bar = Timeline(), Transport(), WorkBar()
        self.candidates, self.clips = CandidatesPanel(), ClipsPanel()
        middle = _column(self.canvas, self.strip, stretched=self.canvas)
        right = _column(self.candidates, self.answer, stretched=self.candidates)
        below = _column(self.receipts, self.transport, self.timeline, stretched=self.timeline)
        self.across, self.upright = QSplitter(Qt.Orientation.Horizontal), QSplitter(Qt.Orientation.Vertical)
        for side, widget, wide in ((self.across, self.clips, 0), (self.across, middle, 1), (self.across, right, 0)):
            side.addWidget(widget)
            side.setStretchFactor(side.indexOf(widget), wide)
        self.upright.addWidget(self.across)
        self.upright.addWidget(below)
        self.upright.setStretchFactor(0, 1)
        for splitter in (self.across, self.upright):
            splitter.setChildrenCollapsible(False)
        self.panels: tuple[QWidget, ...] = (self.clips, right, below)
        self.setCentralWidget(_column(self.expressions, self.banner, self.upright, stretched=self.upright))
        self.saved, self.memory = QLabel(), QLabel()
        self.memory.setProperty("role", "quiet")
        self.statusBar().setSizeGripEnabled(False)
        self.statusBar().addWidget(self.work_bar, 1)
        self.statusBar().addPermanentWidget(self.saved)
        self.statusBar().addPermanentWidget(self.memory)
        self.doubt_timer = QTimer(self, singleShot=True, interval=DOUBT_PAUSE)
        self.lane_timer = QTimer(self, singleShot=True, interval=LANE_PAUSE)
        self.clips_timer = QTimer(self, singleShot=True, interval=CLIPS_PAUSE)
        self.memory_timer = QTimer(self, interval=MEMORY_PAUSE)

    def _restore(self) -> None:
        """As the window lay the last time."""
        self.resize(1440, 900)
        if self.recent.geometry:
            self.restoreGeometry(QByteArray.fromBase64(self.recent.geometry.encode()))
        self.across.setSizes([232, 880, 330])
        self.upright.setSizes([640, 220])
        if len(self.recent.splitters) == 2:
            for splitter, state in zip((self.across, self.upright), self.recent.splitters, strict=True):
                splitter.restoreState(QByteArray.fromBase64(state.encode()))

    def show_review(self, panel: QWidget, sizes: Sequence[int]) -> None:
        """Has the queue of a pre-labelled set where the clips are: each project of it has one; `sizes` across."""
        self.clips.give_way(panel)
        self.across.setSizes(list(sizes))
        for name in REVIEWING:
            self.acts[name].setEnabled(True)

    def remembered(self, recent: Recent) -> Recent:
        """How the window lies, to be remembered."""
        states = tuple(as_base64(splitter.saveState()) for splitter in (self.across, self.upright))
        method = self.expressions.chosen_method
        return replace(recent, geometry=as_base64(self.saveGeometry()), splitters=states, method=method)


def _column(*widgets: QWidget, stretched: QWidget) -> QWidget:
    """Widgets below each other without gaps."""
    made = QWidget()
    column = QVBoxLayout(made)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    for widget in widgets:
        column.addWidget(widget, int(widget is stretched))
    return made


def as_base64(data: QByteArray) -> str:
    """Qt's own bytes as text."""
    return bytes(data.toBase64().data()).decode()
