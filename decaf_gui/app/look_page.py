"""The page of how things look: theme, opacities, the objects' colours, and a picture of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QLinearGradient, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import (
    QColorDialog,
    QComboBox,
    QFormLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.pages import Page, calm, quiet, scrolled, tip
from decaf_gui.app.palette import OBJECTS, attention_colours
from decaf_gui.app.preferences import PREFERENCES, Preferences
from decaf_gui.app.translation import tr

OWN = tuple("#{:02x}{:02x}{:02x}".format(*colour) for colour in OBJECTS)
"""The program's own colours, as they are written."""
SWATCH = 34


class Share(QWidget):
    """An opacity: a slider from 0 to 100 and its number. The value stays exactly as given until it is moved."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.value = 0.0
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setPageStep(5)
        self.slider.setToolTip(tip(tr(PREFERENCES[name].about.help)))
        self.slider.setAccessibleName(tr(PREFERENCES[name].about.title))
        self.number = QLabel()
        self.number.setMinimumWidth(44)
        self.number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.slider, 1)
        row.addWidget(self.number)
        self.slider.valueChanged.connect(self._on_move)

    def show_value(self, value: float) -> None:
        """Shows an opacity of 0 to 1."""
        self.slider.setValue(round(100 * value))
        self.value = value
        self.number.setText(f"{self.slider.value()} %")

    def _on_move(self, place: int) -> None:
        self.value = place / 100
        self.number.setText(f"{place} %")


class Preview(QWidget):
    """A frame with three masks, and the same frame under attention."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(120)
        self.masks, self.attention, self.colours = 0.0, 0.0, OWN

    def show_look(self, masks: float, attention: float, colours: tuple[str, ...]) -> None:
        """Paints it with these."""
        self.masks, self.attention, self.colours = masks, attention, colours or OWN
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Both halves."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        half = (self.width() - 12) / 2
        left, right = QRectF(0, 0, half, self.height()), QRectF(half + 12, 0, half, self.height())
        for box in (left, right):
            ground = QLinearGradient(box.topLeft(), box.bottomRight())
            ground.setColorAt(0, QColor("#d8dcd2"))
            ground.setColorAt(1, QColor("#4b5a52"))
            painter.fillRect(box, ground)
        self._paint_masks(painter, left)
        painter.setOpacity(self.attention)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.drawImage(right, self._attention())
        painter.end()

    def _paint_masks(self, painter: QPainter, box: QRectF) -> None:
        radius = box.height() * 0.34
        for index in range(3):
            colour = QColor(self.colours[index % len(self.colours)])
            middle = QPointF(box.left() + box.width() * (0.24 + 0.26 * index), box.center().y())
            painter.setPen(colour)
            painter.setOpacity(1)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(middle, radius, radius)
            painter.setOpacity(self.masks)
            painter.setBrush(colour)
            painter.drawEllipse(middle, radius, radius)

    @staticmethod
    def _attention() -> QImage:
        y, x = np.mgrid[0:18, 0:48]
        values = np.exp(-((x - 17) ** 2) / 40 - ((y - 9) ** 2) / 14)
        levels = (255 * values).astype(np.uint8)
        coloured = np.dstack([attention_colours()[levels, 0], levels])  # as on the canvas: opaque where it is large
        height, width, _ = coloured.shape
        return QImage(coloured.tobytes(), width, height, 4 * width, QImage.Format.Format_RGBA8888).copy()


class LookPage(Page):
    """Theme, opacities and colours."""

    names = ("theme", "mask_opacity", "attention_opacity", "colours")

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = QComboBox()
        self.themes = list(PREFERENCES["theme"].choices)
        self.theme.addItems([tr(words) for words in PREFERENCES["theme"].choices.values()])
        self.masks, self.attention = Share("mask_opacity"), Share("attention_opacity")
        self.preview = Preview()
        self.swatches = self._make_swatches()
        self.change, self.add = QPushButton(self.tr("Change...")), QPushButton(self.tr("Add..."))
        self.remove, self.back = QPushButton(self.tr("Remove")), QPushButton(self.tr("Restore colours"))
        inside = QWidget()
        column = QVBoxLayout(inside)
        form = QFormLayout()
        for name, field in (("theme", self.theme), ("mask_opacity", self.masks), ("attention_opacity", self.attention)):
            form.addRow(tr(PREFERENCES[name].about.title), field)
        column.addLayout(form)
        column.addWidget(self.preview)
        column.addWidget(self._colour_group())
        column.addStretch(1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scrolled(inside))
        calm(self)
        self._connect()

    def show_preferences(self, preferences: Preferences) -> None:
        """Fills the page."""
        self.theme.setCurrentIndex(self.themes.index(preferences.theme))
        self.masks.show_value(preferences.mask_opacity)
        self.attention.show_value(preferences.attention_opacity)
        self._fill(preferences.colours or OWN)

    def chosen(self, preferences: Preferences) -> Preferences:
        """`preferences` with this look."""
        colours = self.colours()
        return replace(
            preferences,
            theme=self.themes[self.theme.currentIndex()],
            mask_opacity=self.masks.value,
            attention_opacity=self.attention.value,
            colours=() if colours == OWN else colours,
        )

    def colours(self) -> tuple[str, ...]:
        """The colours as they stand."""
        return tuple(self.swatches.item(i).data(Qt.ItemDataRole.UserRole) for i in range(self.swatches.count()))

    def _make_swatches(self) -> QListWidget:
        swatches = QListWidget()
        swatches.setViewMode(QListWidget.ViewMode.IconMode)
        swatches.setMovement(QListWidget.Movement.Static)
        swatches.setResizeMode(QListWidget.ResizeMode.Adjust)
        swatches.setIconSize(QSize(SWATCH, SWATCH))
        swatches.setGridSize(QSize(SWATCH + 22, SWATCH + 28))
        swatches.setFixedHeight(2 * (SWATCH + 28) + 8)
        swatches.setAccessibleName(tr(PREFERENCES["colours"].about.title))
        return swatches

    def _colour_group(self) -> QGroupBox:
        about = PREFERENCES["colours"].about
        group = QGroupBox(tr(about.title))
        column = QVBoxLayout(group)
        column.addWidget(quiet(tr(about.help)))
        column.addWidget(self.swatches)
        row = QHBoxLayout()
        for button in (self.change, self.add, self.remove):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.back)
        column.addLayout(row)
        return group

    def _connect(self) -> None:
        self.theme.currentIndexChanged.connect(self.changed)
        for share in (self.masks, self.attention):
            share.slider.valueChanged.connect(self._on_change)
        self.swatches.itemClicked.connect(self._change)
        self.change.clicked.connect(self._change)
        self.add.clicked.connect(self._add)
        self.remove.clicked.connect(self._remove)
        self.back.clicked.connect(self._restore)

    def _fill(self, colours: tuple[str, ...], current: int = 0) -> None:
        self.swatches.clear()
        for index, colour in enumerate(colours):
            drawn = QPixmap(SWATCH, SWATCH)
            drawn.fill(QColor(colour))
            icon = QIcon(drawn)
            icon.addPixmap(drawn, QIcon.Mode.Selected)  # not tinted: it shows the colour itself
            item = QListWidgetItem(icon, str(index + 1))
            item.setData(Qt.ItemDataRole.UserRole, colour)
            item.setToolTip(colour)
            self.swatches.addItem(item)
        self.swatches.setCurrentRow(min(current, len(colours) - 1))
        self.remove.setEnabled(len(colours) > 1)
        self.back.setEnabled(colours != OWN)
        self._on_change()

    def _on_change(self) -> None:
        self.preview.show_look(self.masks.value, self.attention.value, self.colours())
        self.changed.emit()

    def _ask(self, colour: str) -> str:
        chosen = QColorDialog.getColor(QColor(colour), self, self.tr("Colour of an object"))
        return chosen.name() if chosen.isValid() else ""

    def _change(self) -> None:
        place, colours = self.swatches.currentRow(), list(self.colours())
        chosen = self._ask(colours[place])
        if chosen:
            colours[place] = chosen
            self._fill(tuple(colours), place)

    def _add(self) -> None:
        chosen = self._ask(self.colours()[self.swatches.currentRow()])
        if chosen:
            self._fill((*self.colours(), chosen), self.swatches.count())

    def _remove(self) -> None:
        place, colours = self.swatches.currentRow(), self.colours()
        self._fill(colours[:place] + colours[place + 1 :], place)

    def _restore(self) -> None:
        self._fill(OWN)
