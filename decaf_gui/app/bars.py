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
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.icons import dress, undress
from decaf_gui.core.attributes import joined_attributes, split_attributes
from decaf_gui.pipeline.settings import Method

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
    """What is looked for, and by which method.

    `proposed` (text); `left` by Esc; `chosen` (expression id); `method_chosen` (method); `settings_wanted` (page).
    """

    proposed = Signal(str)
    method_chosen = Signal(str)
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
        self.method = QComboBox()
        self.method.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.method.setAccessibleName(self.tr("Method"))
        for method, title, _ in self.methods():
            self.method.addItem(title, method)
        told = "".join(f"<p><b>{title}</b>: {escape(words)}</p>" for _, title, words in self.methods())
        self.method.setToolTip(f"{self.tr('The method of the next proposal')}{told}")
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
        layout.addWidget(self.field, 1)
        for widget in (self.method, self.button, self.chip, self.settings):
            layout.addWidget(widget)
        self.method.activated.connect(lambda _: self.method_chosen.emit(self.chosen_method))
        self.button.clicked.connect(self.propose)
        self.chip.clicked.connect(lambda: self.settings_wanted.emit("models"))
        self.settings.clicked.connect(lambda: self.settings_wanted.emit(""))
        self.line.returnPressed.connect(self.propose)
        self.field.activated.connect(self._on_activated)

    def methods(self) -> list[tuple[Method, str, str]]:
        """The methods: (method, name, what it does)."""
        decaf = self.tr(
            "asks for the object, takes away the attention to the background, and selects the candidates that stay "
            "on what is attended."
        )
        steerseg = self.tr(
            "first asks what tells the object from others like it (attributes that you can edit), steers the "
            "attention by soft prompts where some are set, and selects the candidate that correlates best with it."
        )
        return [("decaf", "DecAF", decaf), ("steerseg", "SteerSeg", steerseg)]

    @property
    def chosen_method(self) -> Method:
        """The method of the next proposal."""
        return self.methods()[self.method.currentIndex()][0]

    def show_method(self, method: Method) -> None:
        """The method of the next proposal; nothing is emitted."""
        self.method.setCurrentIndex(self.method.findData(method))

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


class AttributesLine(QWidget):
    """The attributes that the expression was asked with, to be edited, and why the model named them.

    `given` (attributes): they are to be used instead; `left` by Esc, which puts back what was written.
    """

    given = Signal(object)
    left = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line, self.reasons = QLineEdit(), _told()
        self.reasons.setProperty("role", "quiet")
        self.line.setPlaceholderText(self.tr("colour; position; motion"))
        told = self.tr(
            "What tells the object from others like it. Return proposes again with these attributes, with none where "
            "the line is empty; Propose asks the model for them anew."
        )
        self.line.setToolTip(f"<p>{escape(told)}</p>")
        self.line.setAccessibleName(self.tr("Attributes"))
        self.button = QPushButton(self.tr("Propose again"))
        self.button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._shown: tuple[int, tuple[str, ...]] = (0, ())
        self._typing = TypingFirst(self)
        self.line.installEventFilter(self._typing)
        title = QLabel(self.tr("Attributes"))
        title.setProperty("role", "quiet")
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(title)
        row.addWidget(self.line, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.reasons)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignRight)
        self._typing.left.connect(self._leave)
        self.line.returnPressed.connect(self.give)
        self.line.textEdited.connect(self._mark)
        self.button.clicked.connect(self.give)
        self._mark()

    def show_attributes(self, expression: int, attributes: tuple[str, ...], reasons: str) -> None:
        """Other attributes, or those of another expression; what is being written of the same stays."""
        if (expression, attributes) != self._shown:
            self._shown = (expression, attributes)
            self._write()
        self.reasons.setText(escape(reasons))
        self.reasons.setVisible(bool(reasons))

    def give(self) -> None:
        """What is written is to be used."""
        self.given.emit(split_attributes(self.line.text()))

    def _write(self) -> None:
        self.line.setText(joined_attributes(self._shown[1]))
        self.line.setCursorPosition(0)
        self._mark()

    def _leave(self) -> None:
        self._write()
        self.left.emit()

    def _mark(self, *_: object) -> None:
        """The button is there when something was changed."""
        self.button.setVisible(split_attributes(self.line.text()) != self._shown[1])


class AnswerPanel(QWidget):
    """What the model answered for the expression, and the attributes that it was asked with."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text, self.attributes = _told(), AttributesLine()
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 4, 10, 8)
        column.addWidget(self.text)
        column.addWidget(self.attributes)

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

    def show_attributes(self, expression: int, attributes: tuple[str, ...], reasons: str, *, offered: bool) -> None:
        """What the expression was asked with, and why; without attributes, the line is there where it is `offered`."""
        self.attributes.show_attributes(expression, attributes, reasons)
        self.attributes.setVisible(bool(attributes or reasons or offered))


def _told() -> QLabel:
    """Words that may be long, and may be copied."""
    label = QLabel()
    label.setWordWrap(True)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setTextFormat(Qt.TextFormat.RichText)
    return label
