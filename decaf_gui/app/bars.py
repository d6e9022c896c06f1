"""The bars around the canvas: expression, banner, transport, and what is being worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from PySide6.QtCore import QEvent, QObject, QSize, QStringListModel, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QCompleter,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.icons import dress, undress

FAILURE, HINT = "#8c2f1b", "#705410"
"""What broke is told on red, what cannot be done on brown; white text is readable on both."""
BANNER = "#banner {{ background: {0}; }} #banner QLabel {{ color: white; background: transparent; }}"


SAID = 15000
"""Milliseconds for which a sentence stands in the status bar."""


class TypingFirst(QObject):
    """Keeps keys without Ctrl or Alt for the field that is being typed in, whatever shortcut they are elsewhere.

    `left`: Esc was pressed in it.
    """

    left = Signal()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802
        """Claims the key before any shortcut does."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
            self.left.emit()
            return True
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            held = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier)
            if not held:
                event.accept()
                return True
        return super().eventFilter(watched, event)


class ExpressionBar(QWidget):
    """What is looked for. `proposed` (text); `left` by Esc; `chosen` (expression id); `settings_wanted` (page)."""

    proposed = Signal(str)
    left = Signal()
    chosen = Signal(int)
    settings_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.field = QComboBox()
        self.field.setEditable(True)
        self.field.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.field.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.field.setMinimumContentsLength(20)  # a long expression must not make the window wide
        self.field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        line = self.field.lineEdit()
        assert line is not None
        self.line = line
        self.line.setPlaceholderText(self.tr('What to look for, such as "the dog that jumps"'))
        self.line.setClearButtonEnabled(True)
        self._typing = TypingFirst(self)
        self.line.installEventFilter(self._typing)
        self._typing.left.connect(self.left)
        self.button = QPushButton(self.tr("Propose"))
        self.button.setToolTip(self.tr("Propose masks for the whole clip (Ctrl+Return)"))
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.chip = QPushButton()
        self.chip.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.settings = QToolButton()
        dress(self.settings, "settings")
        self.settings.setIconSize(QSize(20, 20))
        self.settings.setAutoRaise(True)
        self.settings.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.settings.setToolTip(self.tr("Settings (Ctrl+,)"))
        self._shown = 0
        """The expression that the field was set to last."""
        self._completer = QCompleter([], self)
        self._completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self._completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.line.setCompleter(self._completer)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 8, 8, 8)
        layout.setSpacing(8)
        for widget, stretch in ((self.field, 1), (self.button, 0), (self.chip, 0), (self.settings, 0)):
            layout.addWidget(widget, stretch)
        self.button.clicked.connect(self.propose)
        self.chip.clicked.connect(lambda: self.settings_wanted.emit("models"))
        self.settings.clicked.connect(lambda: self.settings_wanted.emit(""))
        self.line.returnPressed.connect(self.propose)
        self.field.activated.connect(self._on_activated)

    def propose(self) -> None:
        """Asks for what is written."""
        if self.line.text().strip():
            self.proposed.emit(self.line.text())
        else:
            self.line.setFocus()

    def edit(self) -> None:
        """Goes to the field, with all that is written in it selected."""
        self.line.setFocus()
        self.line.selectAll()

    def show_history(self, texts: Sequence[str]) -> None:
        """What was asked before, in this project or another: offered while one types."""
        model = self._completer.model()
        assert isinstance(model, QStringListModel)
        model.setStringList(list(texts))

    def show_expressions(self, expressions: Sequence[tuple[int, str]], current: int) -> None:
        """The expressions of the clip, and the one that is looked at; what is being written stays."""
        if [(self.field.itemData(i), self.field.itemText(i)) for i in range(self.field.count())] != list(expressions):
            written = self.line.text()
            self.field.clear()
            for number, text in expressions:
                self.field.addItem(text, number)
            self.field.setCurrentIndex(-1)
            self.line.setText(written)
        if current != self._shown and not self.line.hasFocus():
            self._shown = current
            place = self.field.findData(current)
            self.field.setCurrentIndex(place)
            self.line.setText(self.field.itemText(place) if place >= 0 else "")

    def show_models(self, text: str, tip: str, marked: bool) -> None:
        """The chip: which models, where; `marked` when something must be known of their results."""
        self.chip.setText(text)
        self.chip.setToolTip(tip)
        if marked:
            dress(self.chip, "doubt")
        else:
            undress(self.chip)

    def _on_activated(self, place: int) -> None:
        number = self.field.itemData(place)
        if number is not None:
            self.chosen.emit(int(number))


class Banner(QFrame):
    """What went wrong, and what to do; stays until it is closed or replaced.

    `copied` asks for the diagnostics, which `detail` belongs to.
    """

    copied = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self.detail = ""
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)  # long paths do not wrap
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.offer = QPushButton()
        self._deed: Callable[[], object] | None = None
        self.copy = QPushButton(self.tr("Copy diagnostics"))
        self.copy.setToolTip(self.tr("What a report of this needs: versions, device, memory, the end of the log"))
        self.closing = QToolButton()
        self.closing.setText("×")
        self.closing.setToolTip(self.tr("Close"))
        for button in (self.offer, self.copy, self.closing):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(10, 6, 6, 6)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.offer)
        layout.addWidget(self.copy)
        layout.addWidget(self.closing)
        self.closing.clicked.connect(self.hide)
        self.offer.clicked.connect(self._on_offer)
        self.copy.clicked.connect(self.copied)
        self.hide()

    def tell(self, text: str, offer: tuple[str, Callable[[], object]] | None = None, *, detail: str = "") -> None:
        """Shows a sentence; `offer` (words, deed) is a button; `detail` of a failure brings the diagnostics' button."""
        self.text.setText(text)
        self.detail = detail
        self.setStyleSheet(BANNER.format(FAILURE if detail else HINT))
        self._deed = None if offer is None else offer[1]
        self.offer.setText("" if offer is None else offer[0])
        self.offer.setVisible(offer is not None)
        self.copy.setVisible(bool(detail))
        self.show()

    def _on_offer(self) -> None:
        deed = self._deed
        self.hide()
        if deed is not None:
            deed()


class Transport(QWidget):
    """First, back, play, on, last; where the play head is; the most doubtful frame. Its buttons are actions."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(8, 3, 8, 3)
        self.place, self.range, self.doubt = QLabel(), QLabel(), QLabel()
        self.place.setMinimumWidth(190)
        self.doubt.setProperty("role", "quiet")

    def fill(self, buttons: Sequence[QToolButton], behind: Sequence[QToolButton]) -> None:
        """Puts the buttons to the left, and the others to the right."""
        for button in (*buttons, *behind):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            button.setAutoRaise(True)
            button.setIconSize(QSize(18, 18))
        for button in buttons:
            self._layout.addWidget(button)
        self._layout.addWidget(self.place)
        self._layout.addWidget(self.range)
        self._layout.addStretch(1)
        self._layout.addWidget(self.doubt)
        for button in behind:
            self._layout.addWidget(button)


class WorkBar(QWidget):
    """What is being worked on, how far it is, and Cancel."""

    cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text, self.said = QLabel(), QLabel()
        self.said.setProperty("role", "quiet")
        self.said.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._forgotten = QTimer(self, singleShot=True, interval=SAID)
        self.bar = QProgressBar()
        self.bar.setFixedWidth(160)
        self.bar.setTextVisible(False)
        self.button = QPushButton(self.tr("Cancel"))
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(4, 0, 4, 0)
        for widget in (self.text, self.bar, self.button):
            layout.addWidget(widget)
        layout.addWidget(self.said, 1)
        self.button.clicked.connect(self.cancelled)
        self._forgotten.timeout.connect(self.said.clear)
        self.rest("")

    def tell(self, text: str, done: int, total: int) -> None:
        """Progress; without a total the bar only moves."""
        self.text.setText(text)
        self.bar.setRange(0, total)
        self.bar.setValue(min(done, total))
        self.bar.show()
        self.button.show()

    def say(self, text: str) -> None:
        """A sentence beside it, for a while."""
        self.said.setText(text)
        self.said.setToolTip(text)
        self._forgotten.start()

    def rest(self, text: str) -> None:
        """Nothing is being worked on: how it stands, or how the last work ended."""
        self.text.setText(text)
        self.bar.hide()
        self.button.hide()


class AnswerPanel(QWidget):
    """What the model answered for the expression."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addWidget(self.text)

    def show_answer(self, category: str, answers: Sequence[str], no_target: bool) -> None:
        """The category that was chosen, and how many of the answers (to the video, to each frame) say the same."""
        words = []
        if category:
            words.append(self.tr("The model answers: <b>{0}</b>").format(escape(category[:80])))
        if answers:
            same = sum(answer.strip().lower() == category.strip().lower() for answer in answers)
            words.append(self.tr("{0} of {1} answers say so").format(same, len(answers)))
        if no_target:
            words.append(self.tr("You said: <b>no target</b> in this clip"))
        self.text.setText("<br>".join(words))
        self.text.setToolTip("\n".join(dict.fromkeys(answers)))
        self.setVisible(bool(words))
