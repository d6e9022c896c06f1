"""How the window looks: one palette for light and one for dark, after the system or as chosen."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication

Role, Group = QPalette.ColorRole, QPalette.ColorGroup
DARK = {
    Role.Window: "#232529",
    Role.WindowText: "#e7e8ea",
    Role.Base: "#2e3138",
    Role.AlternateBase: "#1b1d20",
    Role.Text: "#e7e8ea",
    Role.PlaceholderText: "#9ea3ab",
    Role.Button: "#32353b",
    Role.ButtonText: "#e7e8ea",
    Role.BrightText: "#ffffff",
    Role.Highlight: "#2f6fd0",
    Role.HighlightedText: "#ffffff",
    Role.Link: "#7fb2ff",
    Role.LinkVisited: "#b59bff",
    Role.ToolTipBase: "#34373d",
    Role.ToolTipText: "#f2f3f5",
    Role.Light: "#42464d",
    Role.Midlight: "#383b41",
    Role.Mid: "#3a3d44",
    Role.Dark: "#141517",
    Role.Shadow: "#0c0d0e",
    Role.Accent: "#4c8dee",
}
LIGHT = {
    Role.Window: "#f1f2f4",
    Role.WindowText: "#1c1e21",
    Role.Base: "#ffffff",
    Role.AlternateBase: "#f7f8f9",
    Role.Text: "#1c1e21",
    Role.PlaceholderText: "#5f656e",
    Role.Button: "#fbfbfc",
    Role.ButtonText: "#1c1e21",
    Role.BrightText: "#000000",
    Role.Highlight: "#2563c4",
    Role.HighlightedText: "#ffffff",
    Role.Link: "#1d55b0",
    Role.LinkVisited: "#6a3fb5",
    Role.ToolTipBase: "#ffffff",
    Role.ToolTipText: "#1c1e21",
    Role.Light: "#ffffff",
    Role.Midlight: "#e6e8eb",
    Role.Mid: "#d0d4d9",
    Role.Dark: "#a9afb7",
    Role.Shadow: "#8b919a",
    Role.Accent: "#2563c4",
}
FAINT = {"dark": "#71767e", "light": "#8d939b"}
"""Text of what cannot be used now."""
SHEET = """
QToolTip { padding: 4px; border: 1px solid palette(mid); }
QSplitter::handle { background: palette(mid); }
QSplitter::handle:horizontal { width: 1px; }
QSplitter::handle:vertical { height: 1px; }
QStatusBar { border-top: 1px solid palette(mid); }
QStatusBar::item { border: none; }
QLabel[role="title"] { font-weight: 600; padding: 7px 10px 3px 10px; }
QLabel[role="quiet"] { color: palette(placeholder-text); }
QListView { border: none; background: palette(alternate-base); outline: none; }
QListWidget::item { padding: 4px 6px; }
QListView::item:selected { background: rgba(76, 141, 238, 0.30); color: palette(text); }
QComboBox { padding: 3px 6px; }
QToolButton { padding: 3px 5px; }
QPushButton { padding: 4px 12px; }
"""


def is_dark(theme: str) -> bool:
    """Whether a theme ("light", "dark" or "system") is dark now."""
    if theme != "system":
        return theme == "dark"
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def palette_of(dark: bool) -> QPalette:
    """All colours of the widgets."""
    palette = QPalette()
    for role, colour in (DARK if dark else LIGHT).items():
        palette.setColor(role, QColor(colour))
    faint = QColor(FAINT["dark" if dark else "light"])
    for role in (Role.WindowText, Role.Text, Role.ButtonText):
        palette.setColor(Group.Disabled, role, faint)
    palette.setColor(Group.Disabled, Role.Highlight, palette.color(Role.Mid))
    return palette


def apply_theme(application: QApplication, theme: str) -> None:
    """The whole program in a theme: Qt's Fusion style looks the same everywhere and takes all of a palette."""
    if application.style().objectName().lower() != "fusion":
        application.setStyle("Fusion")
    application.setPalette(palette_of(is_dark(theme)))
    if application.styleSheet() != SHEET:
        application.setStyleSheet(SHEET)
