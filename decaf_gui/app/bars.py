"""The bars around the canvas: expression, banner, transport, and what is being worked on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QWidget,
)


class TypingFirst(QObject):
    """Keeps keys without Ctrl or Alt for the field that is being typed in, whatever shortcut they are elsewhere."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Claims the key before any shortcut does."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            held = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
            if not held:
                event.accept()
                return True
        return super().eventFilter(watched, event)


class ExpressionBar(QWidget):
    """What is looked for. `proposed` (text); `chosen` (expression id); `left` when the field is left with Esc."""

    proposed = Signal(str)
    chosen = Signal(int)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = QComboBox()
        self.field.setEditable(True)
        self.field.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        line = self.field.lineEdit()
        assert line is not None
        self.line = line
        self.line.setPlaceholderText(self.tr('What to look for, such as "the dog that jumps"'))
        self.line.setClearButtonEnabled(True)
        self._typing = TypingFirst(self)
        self.line.installEventFilter(self._typing)
        self.button = QPushButton(self.tr("Propose"))
        self.button.setToolTip(self.tr("Propose masks for the whole clip (Ctrl+Return)"))
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.answer = QLabel()
        self.answer.setMinimumWidth(0)
        self.chip = QLabel()
        self.chip.setFrameShape(QFrame.Shape.StyledPanel)
        self.chip.setContentsMargins(6, 1, 6, 1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        for widget, stretch in ((self.field, 1), (self.button, 0), (self.answer, 0), (self.chip, 0)):
            layout.addWidget(widget, stretch)
        self.button.clicked.connect(self.propose)
        self.line.returnPressed.connect(self.propose)
        self.field.activated.connect(self._on_activated)

    def propose(self) -> None:
        """Asks for what is written."""
        if self.line.text().strip():
            self.proposed.emit(self.line.text())
        else:
            self.line.setFocus()

    def show_expressions(self, expressions: Sequence[tuple[int, str]], current: int, answer: str) -> None:
        """The expressions of the clip, the one that is looked at, and the model's answer to it."""
        if [(self.field.itemData(i), self.field.itemText(i)) for i in range(self.field.count())] != list(expressions):
            written = self.line.text()
            self.field.clear()
            for number, text in expressions:
                self.field.addItem(text, number)
            self.line.setText(written)
        place = self.field.findData(current)
        if place >= 0 and place != self.field.currentIndex() and not self.line.hasFocus():
            self.field.setCurrentIndex(place)
        self.answer.setText(answer)

    def show_models(self, text: str, tip: str) -> None:
        """The chip: which models, where."""
        self.chip.setText(text)
        self.chip.setToolTip(tip)

    def _on_activated(self, place: int) -> None:
        number = self.field.itemData(place)
        if number is not None:
            self.chosen.emit(int(number))


class Banner(QFrame):
    """What went wrong, and what to do; stays until it is closed or replaced. `retried` asks for it once more."""

    retried = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.setStyleSheet("#banner { background: #8c2f1b; } #banner QLabel { color: white; }")
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.retry = QPushButton(self.tr("Try again"))
        self.closing = QToolButton()
        self.closing.setText("×")
        self.closing.setToolTip(self.tr("Close"))
        for button in (self.retry, self.closing):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 6, 6, 6)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.retry)
        layout.addWidget(self.closing)
        self.closing.clicked.connect(self.hide)
        self.retry.clicked.connect(self.retried)
        self.hide()

    def tell(self, text: str, *, retry: bool = False) -> None:
        """Shows a sentence."""
        self.text.setText(text)
        self.retry.setVisible(retry)
        self.show()


class Transport(QWidget):
    """First, back, play, on, last; where the play head is; the most doubtful frame. Its buttons are actions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(8, 3, 8, 3)
        self.place, self.range = QLabel(), QLabel()
        self.place.setMinimumWidth(190)

    def fill(self, buttons: Sequence[QToolButton], behind: Sequence[QToolButton]) -> None:
        """Puts the buttons to the left, and the others to the right."""
        for button in (*buttons, *behind):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setAutoRaise(True)
        for button in buttons:
            self._layout.addWidget(button)
        self._layout.addWidget(self.place)
        self._layout.addWidget(self.range)
        self._layout.addStretch(1)
        for button in behind:
            self._layout.addWidget(button)


class WorkBar(QWidget):
    """What is being worked on, how far it is, and Cancel."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.bar = QProgressBar()
        self.bar.setFixedWidth(160)
        self.bar.setTextVisible(False)
        self.button = QPushButton(self.tr("Cancel"))
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        for widget in (self.text, self.bar, self.button):
            layout.addWidget(widget)
        self.button.clicked.connect(self.cancelled)
        self.rest()

    def tell(self, text: str, done: int, total: int) -> None:
        """Progress; without a total the bar only moves."""
        self.text.setText(text)
        self.bar.setRange(0, total)
        self.bar.setValue(min(done, total))
        self.bar.show()
        self.button.show()

    def rest(self) -> None:
        """Nothing is being worked on."""
        self.text.clear()
        self.bar.hide()
        self.button.hide()
