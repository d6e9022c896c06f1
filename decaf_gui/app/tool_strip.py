"""The strip below the canvas: tools on the left, what lies over the frame on the right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSlider, QToolButton, QWidget

from decaf_gui.app.canvas import Tool
from decaf_gui.app.icons import dress
from decaf_gui.app.painting import MODES, Mode

FUSED = "fused"


class ToolStrip(QWidget):
    """`mode`, `attention` (a map's name, or None), `opacity` and `attention_opacity` (0 to 1), `brush` (pixels)."""

    mode = Signal(str)
    attention = Signal(object)
    opacity = Signal(float)
    attention_opacity = Signal(float)
    brush = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QActionGroup(self)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(8, 3, 8, 3)
        self._row.setSpacing(4)
        self.modes, self.maps = _combo(), _combo()
        self._mode_names: Mapping[Mode, str] = {
            "masks": self.tr("masks"),
            "contours": self.tr("contours"),
            "masks only": self.tr("masks only"),
            "none": self.tr("frame only"),
        }
        for name in MODES:
            self.modes.addItem(self._mode_names[name], name)
        self.modes.setToolTip(self.tr("How masks are shown (M)"))
        self.maps.setToolTip(self.tr("Where the model looked: all of it, or one of the maps that were fused (T)"))
        self.opacity_slider = _slider(self.tr("Opacity of masks"))
        self.heat_slider = _slider(self.tr("Opacity of the attention"))
        self.brush_slider = _slider(self.tr("Radius of the brush in pixels of the frame (Ctrl+wheel)"), 1, 200)
        self.brush_label = QLabel(self.tr("Brush"))
        self.show_maps([], None)
        self.modes.activated.connect(lambda _: self.mode.emit(self.modes.currentData()))
        self.maps.activated.connect(lambda _: self.attention.emit(self.maps.currentData()))
        self.opacity_slider.valueChanged.connect(lambda value: self.opacity.emit(value / 100))
        self.heat_slider.valueChanged.connect(lambda value: self.attention_opacity.emit(value / 100))
        self.brush_slider.valueChanged.connect(lambda value: self.brush.emit(float(value)))

    def fill(self, tools: Sequence[tuple[Tool, QAction]], fit: QAction) -> None:
        """Puts a button for each tool's action, and the other controls."""
        for tool, action in tools:
            action.setCheckable(True)
            dress(action, tool.value)
            self._group.addAction(action)
            self._row.addWidget(_button(action))
        self._row.addWidget(self.brush_label)
        self._row.addWidget(self.brush_slider)
        self._row.addStretch(1)
        for text, *widgets in (
            (self.tr("Overlay"), self.modes, self.opacity_slider),
            (self.tr("Attention"), self.maps, self.heat_slider),
        ):
            label = QLabel(text)
            label.setProperty("role", "quiet")
            for widget in (label, *widgets):
                self._row.addWidget(widget)
            self._row.addSpacing(8)
        dress(fit, "fit")
        self._row.addWidget(_button(fit))

    def show_tool(self, tool: Tool, action: QAction) -> None:
        """The tool in use; the brush's size is there for brush and eraser."""
        action.setChecked(True)
        for widget in (self.brush_label, self.brush_slider):
            widget.setVisible(tool in (Tool.BRUSH, Tool.ERASER))

    def show_brush(self, radius: float) -> None:
        """The brush's radius; nothing is emitted."""
        with QSignalBlocker(self.brush_slider):
            self.brush_slider.setValue(round(radius))

    def show_mode(self, mode: Mode, opacity: float) -> None:
        """How masks are shown; nothing is emitted."""
        self.modes.setCurrentIndex(self.modes.findData(mode))
        with QSignalBlocker(self.opacity_slider):
            self.opacity_slider.setValue(round(100 * opacity))

    def show_maps(self, names: Sequence[str], chosen: str | None, opacity: float = 0.75) -> None:
        """The maps that there are, and the one that is shown; nothing is emitted."""
        wanted: list[str | None] = [None, *names]
        if [self.maps.itemData(i) for i in range(self.maps.count())] != wanted:
            self.maps.clear()
            for name in wanted:
                self.maps.addItem(self.tr("off") if name is None else map_title(name), name)
        self.maps.setCurrentIndex(max(0, self.maps.findData(chosen) if chosen else 0))
        self.maps.setEnabled(bool(names))
        with QSignalBlocker(self.heat_slider):
            self.heat_slider.setValue(round(100 * opacity))


def map_title(name: str) -> str:
    """A map's name for people: "video_object" is "video, object"."""
    return name.replace("_", ", ")


def _combo() -> QComboBox:
    made = QComboBox()
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    return made


def _slider(tip: str, least: int = 0, most: int = 100) -> QSlider:
    made = QSlider(Qt.Orientation.Horizontal)
    made.setRange(least, most)
    made.setFixedWidth(72)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setToolTip(tip)
    return made


def _button(action: QAction) -> QToolButton:
    made = QToolButton()
    made.setDefaultAction(action)
    made.setAutoRaise(True)
    made.setIconSize(QSize(20, 20))
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    return made
