"""Everything that can be set, on five pages made of the tables of settings, preferences, models and actions."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QBrush
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QStackedWidget,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.downloads import Downloads
from decaf_gui.app.keys_page import KeysPage
from decaf_gui.app.look_page import LookPage
from decaf_gui.app.method_page import MethodPage
from decaf_gui.app.models_page import ModelsPage
from decaf_gui.app.pages import Page, paint_text, signal_colour
from decaf_gui.app.preferences import Preferences
from decaf_gui.app.settings_help import settings_markdown

Button = QDialogButtonBox.StandardButton


class HelpPage(Page):
    """What all settings mean."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        self.text.setMarkdown(settings_markdown())
        self.text.document().setDocumentMargin(10)
        self.text.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.text)


class SettingsDialog(QDialog):
    """Models, method, look, keys and their help. `chosen` carries the `Preferences` on OK.

    Downloads go on when it is closed where `downloads` belong to somebody else; its own are broken off.
    """

    chosen = Signal(object)

    def __init__(
        self, preferences: Preferences, parent: QWidget | None = None, downloads: Downloads | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings"))
        self.resize(960, 680)
        self._given = preferences
        self._own_downloads = None if downloads is not None else Downloads(self)
        self.models = ModelsPage(downloads or self._own_downloads or Downloads(self))
        self.method, self.look, self.keys, self.help = MethodPage(), LookPage(), KeysPage(), HelpPage()
        self.pages: dict[str, Page] = {
            self.tr("Models"): self.models,
            self.tr("Method"): self.method,
            self.tr("Look"): self.look,
            self.tr("Keys"): self.keys,
            self.tr("Help"): self.help,
        }
        self.list, self.stack = QListWidget(), QStackedWidget()
        self.list.addItems(list(self.pages))
        self.list.setFixedWidth(130)
        for row in range(self.list.count()):
            self.list.item(row).setSizeHint(QSize(0, self.fontMetrics().height() + 14))
        self.list.setAccessibleName(self.tr("Pages"))
        for page in self.pages.values():
            page.show_preferences(preferences)
            self.stack.addWidget(page)
        self.told = QLabel()
        self.told.setWordWrap(True)
        paint_text(self.told, "wrong")
        self.buttons = QDialogButtonBox(Button.Ok | Button.Cancel | Button.RestoreDefaults)
        self._arrange()
        self._connect()
        self.list.setCurrentRow(0)
        self._check()

    def _arrange(self) -> None:
        middle = QHBoxLayout()
        middle.addWidget(self.list)
        middle.addWidget(self.stack, 1)
        column = QVBoxLayout(self)
        column.addLayout(middle, 1)
        column.addWidget(self.told)
        column.addWidget(self.buttons)
        back = self.buttons.button(Button.RestoreDefaults)
        back.setToolTip(self.tr("Puts everything on this page back to its default"))
        self.buttons.button(Button.Ok).setDefault(True)

    def _connect(self) -> None:
        self.list.currentRowChanged.connect(self._turn)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.buttons.button(Button.RestoreDefaults).clicked.connect(self.restore)
        for page in self.pages.values():
            page.changed.connect(self._check)

    def preferences(self) -> Preferences:
        """What is chosen now."""
        preferences = self._given
        for page in self.pages.values():
            preferences = page.chosen(preferences)
        return preferences

    def show_page(self, page: Page) -> None:
        """Turns to a page."""
        self.list.setCurrentRow(self.stack.indexOf(page))

    def restore(self) -> None:
        """The page that is shown goes back to its defaults."""
        page = self.stack.currentWidget()
        if isinstance(page, Page):
            page.restore(self.preferences())
            self._check()

    def done(self, result: int) -> None:
        """Says what was chosen, when that can be used, and closes."""
        if result == QDialog.DialogCode.Accepted:
            if self._problem():
                return
            self.chosen.emit(self.preferences())
        if self._own_downloads is not None:
            self._own_downloads.stop()
        super().done(result)

    def _turn(self, place: int) -> None:
        self.stack.setCurrentIndex(place)
        self.buttons.button(Button.RestoreDefaults).setEnabled(self.stack.currentWidget() is not self.help)

    def _problem(self) -> str:
        """The first thing that does not fit, with its page."""
        found = ((title, page.problem()) for title, page in self.pages.items())
        return next((f"{title}: {problem}" for title, problem in found if problem), "")

    def _check(self) -> None:
        problem = self._problem()
        wrong, usual = QBrush(signal_colour(self, "wrong")), QBrush()
        for row, page in enumerate(self.pages.values()):
            self.list.item(row).setForeground(wrong if page.problem() else usual)
        self.told.setText(problem)
        self.told.setVisible(bool(problem))
        self.buttons.button(Button.Ok).setEnabled(not problem)
