"""Icons as lines in the colour of the text: drawn from a few strokes each, sharp at any density, dark or light."""

from __future__ import annotations

from PySide6.QtCore import QByteArray, QObject, QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton

SIDES = (18, 36, 54, 72)
"""Pixels: Qt takes the one that fits the size and the screen's density."""
DRAWN = "drawn"
"""The property that names an icon."""

STROKES: dict[str, str] = {
    "select": '<path d="M6 3l13 9-6 1.5L10 20z"/>',
    "point": '<circle cx="12" cy="12" r="8"/><path d="M12 8v8M8 12h8"/>',
    "box": '<rect x="4" y="6" width="16" height="12" stroke-dasharray="3 2"/>',
    "brush": '<path d="M20 4l-9 9M11 13l-3-1c-3 0-2 4-5 6 4 2 8 1 9-2z"/>',
    "eraser": '<path d="M9 19h11M4.5 14.5l9-9 6 6-7.500 7.500H9z"/>',
    "fit": '<path d="M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5"/>',
    "settings": '<circle cx="12" cy="12" r="3"/><path d="M12 3v3M12 18v3M3 12h3M18 12h3M5.600 5.600l2.100 2.100'
    'M16.300 16.300l2.100 2.100M5.600 18.400l2.100-2.100M16.300 7.700l2.100-2.100"/>',
    "play": '<path d="M7 4l13 8-13 8z" fill="currentColor"/>',
    "pause": '<path d="M8 5v14M16 5v14" stroke-width="3.500"/>',
    "first": '<path d="M6 5v14M18 5l-9 7 9 7z"/>',
    "previous": '<path d="M16 5l-9 7 9 7z"/>',
    "next": '<path d="M8 5l9 7-9 7z"/>',
    "last": '<path d="M18 5v14M6 5l9 7-9 7z"/>',
    "eye": '<path d="M2 12c5-8 15-8 20 0-5 8-15 8-20 0z"/><circle cx="12" cy="12" r="3"/>',
    "hidden": '<path d="M3 12c5 6 13 6 18 0M6 16l-2 2M12 17v3M18 16l2 2"/>',
    "lock": '<rect x="5" y="11" width="14" height="9" rx="1.500"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>',
    "unlock": '<rect x="5" y="11" width="14" height="9" rx="1.500"/><path d="M8 11V8a4 4 0 0 1 7.500-2"/>',
    "accept": '<path d="M4 13l5 5L20 6"/>',
    "reject": '<path d="M5 5l14 14M19 5L5 19"/>',
    "track_forward": '<path d="M3 12h14M12 6l6 6-6 6"/>',
    "track_backward": '<path d="M21 12H7M12 6l-6 6 6 6"/>',
    "track_both": '<path d="M3 12h18M7 8l-4 4 4 4M17 8l4 4-4 4"/>',
    "doubt": '<path d="M12 3L2 20h20zM12 10v5M12 17.500v.5"/>',
    "add": '<path d="M12 4v16M4 12h16"/>',
    "open": '<path d="M3 19V5h6l2 2h10v12z"/>',
    "video": '<rect x="3" y="5" width="18" height="14" rx="1.500"/><path d="M10 9l5 3-5 3z" fill="currentColor"/>',
    "demo": '<circle cx="8" cy="15" r="5"/><rect x="12" y="4" width="8" height="8"/>',
    "undo": '<path d="M4 9h10a5 5 0 0 1 0 10H8M8 5L4 9l4 4"/>',
    "waiting": '<circle cx="12" cy="12" r="8"/><path d="M12 7v5l3 2"/>',
    "chart": '<path d="M4 4v16h16M7 16l4-5 3 2 5-7"/>',
    "up": '<path d="M5 15l7-7 7 7"/>',
    "down": '<path d="M5 9l7 7 7-7"/>',
    "close": '<path d="M6 6l12 12M18 6L6 18"/>',
}
"""The insides of an SVG of 24 by 24, by name."""
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="{0}" '
    'stroke-width="1.800" stroke-linecap="round" stroke-linejoin="round">{1}</svg>'
)


def draw(painter: QPainter, name: str, box: QRectF, colour: QColor) -> None:
    """Draws an icon into a square."""
    inside = STROKES[name].replace("currentColor", colour.name())
    renderer = QSvgRenderer(QByteArray(SVG.format(colour.name(), inside).encode()))
    painter.save()
    painter.setOpacity(painter.opacity() * colour.alphaF())
    renderer.render(painter, box)
    painter.restore()


def icon(name: str) -> QIcon:
    """The icon called `name`, in the colour that buttons' text has now; fainter where it cannot be pressed."""
    made, palette = QIcon(), QGuiApplication.palette()
    for mode, group in (
        (QIcon.Mode.Normal, QPalette.ColorGroup.Active),
        (QIcon.Mode.Disabled, QPalette.ColorGroup.Disabled),
    ):
        colour = palette.color(group, QPalette.ColorRole.ButtonText)
        for side in SIDES:
            made.addPixmap(_pixmap(name, side, colour), mode)
    return made


def dress(target: QAction | QAbstractButton, name: str) -> None:
    """Gives an action or a button an icon; `redraw` draws it anew in other colours."""
    target.setProperty(DRAWN, name)
    target.setIcon(icon(name))


def undress(target: QAction | QAbstractButton) -> None:
    """Takes the icon away."""
    target.setProperty(DRAWN, "")
    target.setIcon(QIcon())


def redraw(root: QObject) -> None:
    """Draws all icons of a window anew: its colours have changed."""
    targets: list[QAction | QAbstractButton] = [*root.findChildren(QAction), *root.findChildren(QAbstractButton)]
    for target in targets:
        name = target.property(DRAWN)
        if name:
            target.setIcon(icon(name))


def _pixmap(name: str, side: int, colour: QColor) -> QPixmap:
    picture = QPixmap(QSize(side, side))
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    draw(painter, name, QRectF(0, 0, side, side), colour)
    painter.end()
    return picture
