"""The first page: open, go on with something recent, try the demo."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app import asks
from decaf_gui.app.bars import Banner
from decaf_gui.app.icons import dress

PATH = Qt.ItemDataRole.UserRole


class StartPage(QWidget):
    """`open_wanted` (paths), `set_wanted` (folder), `demo_wanted`, `settings_wanted` (page), `forgotten` (path)."""

    open_wanted = Signal(object)
    set_wanted = Signal(object)
    demo_wanted = Signal()
    settings_wanted = Signal(str)
    forgotten = Signal(str)

    def __init__(self, recent: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("DecAF GUI")
        self.setAcceptDrops(True)
        self.resize(860, 560)
        self.banner = Banner()
        title = QLabel("DecAF GUI")
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 2.2)
        font.setBold(True)
        title.setFont(font)
        said = QLabel(self.tr("Say what to look for in a clip; judge, correct and export the masks that are proposed."))
        said.setProperty("role", "quiet")
        self.open_button = _large("video", self.tr("Open clips\nor a project"))
        self.folder_button = _large("open", self.tr("Open a folder\nof images"))
        self.set_button = _large("chart", self.tr("Review a\npre-labelled set"))
        self.demo_button = _large("demo", self.tr("Try\nthe demo"))
        self.settings_button = _large("settings", self.tr("Models\nand settings"))
        row = QHBoxLayout()
        row.setSpacing(12)
        buttons = (self.open_button, self.folder_button, self.set_button, self.demo_button, self.settings_button)
        for button in buttons:
            row.addWidget(button)
        row.addStretch(1)
        head = QLabel(self.tr("Recent projects"))
        head.setProperty("role", "title")
        self.recent = QListWidget()
        self.recent.setSpacing(2)
        self.hint = QLabel(self.tr("Projects that you open are listed here. Clips can be dropped on this window, too."))
        self.hint.setProperty("role", "quiet")
        column = QVBoxLayout()
        column.setContentsMargins(36, 28, 36, 24)
        column.setSpacing(10)
        column.addWidget(title)
        column.addWidget(said)
        column.addSpacing(10)
        column.addLayout(row)
        column.addSpacing(10)
        column.addWidget(head)
        column.addWidget(self.hint)
        column.addWidget(self.recent, 100)
        column.addStretch(1)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.banner)
        whole.addLayout(column, 1)
        self.show_recent(recent)
        self._connect()

    def _connect(self) -> None:
        self.open_button.clicked.connect(lambda: self._open(asks.clips_or_project(self, Path.home())))
        self.folder_button.clicked.connect(lambda: self._open(asks.folder_of_images(self, Path.home())))
        self.set_button.clicked.connect(self._choose_set)
        self.demo_button.clicked.connect(self.demo_wanted)
        self.settings_button.clicked.connect(lambda: self.settings_wanted.emit("models"))
        self.recent.itemActivated.connect(self._on_recent)
        self.recent.itemClicked.connect(self._on_recent)
        deeds = {"Ctrl+O": self.open_button.click, "Ctrl+,": self.settings_button.click, "Ctrl+Q": self.close}
        for keys, deed in deeds.items():
            action = QAction(self)
            action.setShortcut(QKeySequence(keys))
            action.triggered.connect(deed)
            self.addAction(action)

    def show_recent(self, paths: Sequence[str]) -> None:
        """The latest projects; those that are gone cannot be chosen."""
        self.recent.clear()
        for path in paths:
            there = Path(path).exists()
            words = str(Path(path).parent) if there else self.tr("is not there any more")
            item = QListWidgetItem(f"{Path(path).name}\n{words}")
            item.setData(PATH, path)
            item.setToolTip(path)
            if not there:
                item.setForeground(self.palette().placeholderText())
            self.recent.addItem(item)
        self.hint.setVisible(not paths)
        self.recent.setVisible(bool(paths))

    def _on_recent(self, item: QListWidgetItem) -> None:
        path = item.data(PATH)
        if Path(path).exists():
            self._open([Path(path)])
        else:
            self.banner.tell(self.tr("{0} is not there any more; it is not listed from now on.").format(path))
            self.forgotten.emit(path)

    def _choose_set(self) -> None:
        folder = asks.labelled_set(self)
        if folder is not None:
            self.set_wanted.emit(folder)

    def _open(self, paths: Sequence[Path]) -> None:
        if paths:
            self.open_wanted.emit(list(paths))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Takes files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Opens what was dropped."""
        event.acceptProposedAction()
        self._open([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])


def _large(drawn: str, text: str) -> QToolButton:
    made = QToolButton()
    dress(made, drawn)
    made.setIconSize(QSize(36, 36))
    made.setText(text)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
    made.setMinimumSize(136, 104)
    return made
