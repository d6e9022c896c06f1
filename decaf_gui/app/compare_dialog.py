"""Two methods side by side on one expression: where each looked, what each selected, where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.bars import WorkBar
from decaf_gui.app.canvas import Canvas, Tool
from decaf_gui.app.comparing import TITLES, Comparing
from decaf_gui.app.comparison import Run, differing, matched_colours
from decaf_gui.app.frames import FrameReader
from decaf_gui.app.look import Look
from decaf_gui.app.news import News
from decaf_gui.app.painting import Frame, Layer, Scene, heat_at
from decaf_gui.app.palette import Colour
from decaf_gui.app.tool_strip import FUSED, map_title
from decaf_gui.core.attributes import joined_attributes
from decaf_gui.core.entities import Tracklet
from decaf_gui.core.project.rows import ClipRow
from decaf_gui.pipeline.settings import Method

PICTURE = (380, 220)
"""The least width and height of a side's picture."""


class Side(QWidget):
    """What one method found, on the frame that is looked at. `taken`: it is to be kept."""

    taken = Signal()

    def __init__(self, method: Method, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.method = method
        self.title, self.said, self.listed = QLabel(f"<b>{TITLES[method]}</b>"), _lines(), _lines()
        self.said.setProperty("role", "quiet")
        self.canvas = Canvas()
        self.canvas.set_tool(Tool.SELECT)
        self.canvas.setMinimumSize(*PICTURE)
        self.take = QPushButton(self.tr("Take {0}").format(TITLES[method]))
        self.take.setToolTip(self.tr("Its candidates become those of the expression; undo takes that back"))
        self.take.setEnabled(False)
        self.take.setAutoDefault(False)  # Return must not take what nobody looked at
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch(1)
        head.addWidget(self.take)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self.said)
        column.addWidget(self.canvas, 1)
        column.addWidget(self.listed)
        self.take.clicked.connect(self.taken)
        self.show_waiting(self.tr("waiting for the models"))

    def show_waiting(self, words: str) -> None:
        """Nothing was found yet, or nothing will be."""
        self.said.setText(escape(words))
        self.listed.setText("")

    def show_run(self, run: Run, colours: dict[int, Colour], alone: frozenset[int] | None) -> None:
        """What was found in words; `alone` are the tracklets that the other method has not, None: nobody knows yet."""
        words = [self.tr("answers {0}").format(f"<b>{escape(run.grounding.category[:60])}</b>")]
        if run.grounding.attributes:
            words.append(escape(joined_attributes(run.grounding.attributes)))
        if run.stored:
            words.append(self.tr("as it is in the project"))
        self.said.setText(" · ".join(words))
        self.said.setToolTip(escape(run.grounding.reasons))
        lines = [self._line(t, colours[t.id], alone) for t in run.selected]
        self.listed.setText("<br>".join(lines) or self.tr("nothing was selected"))
        self.take.setEnabled(not run.stored)

    def _line(self, tracklet: Tracklet, colour: Colour, alone: frozenset[int] | None) -> str:
        """A selected tracklet: its colour, its score, its first frame, whether the other method has it."""
        words = self.tr("score {0:.2f}, from frame {1}").format(tracklet.scores.total, tracklet.frame)
        if alone is not None:
            here = self.tr("<b>not among the other's</b>") if tracklet.id in alone else self.tr("the other has it, too")
            words = f"{words}, {here}"
        return f'<span style="color: {QColor(*colour).name()}">■</span> {words}'


class CompareDialog(QDialog):
    """DecAF and SteerSeg on one expression. `taken` (run): it is to be kept; until then the project stays as it is.

    Frames are read by `reader`, which belongs to somebody else, and shown as `look` shows them.
    """

    taken = Signal(object)

    def __init__(self, comparing: Comparing, reader: FrameReader, look: Look, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Compare methods"))
        self.comparing, self._reader = comparing, reader
        comparing.setParent(self)
        self._opacity, self._heat = look.opacity, look.attention_opacity
        self._colours = look.colours
        self._row = comparing.desk.project.need(ClipRow, comparing.clip)
        self._picture: tuple[int, Frame] | None = None
        self.sides = {method: Side(method) for method in TITLES}
        self.verdict, self.place = _lines(), QLabel()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, self._row.frames - 1)
        self.slider.setAccessibleName(self.tr("Frame"))
        self.masks, self.maps = QCheckBox(self.tr("Masks")), QComboBox()
        self.masks.setChecked(True)
        self.maps.setToolTip(self.tr("Where the model looked: all of it, or one of the maps that were fused"))
        self.maps.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.work, self.news = WorkBar(), News(comparing.desk, self)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self._arrange()
        self._connect()
        self._show_runs()
        self.slider.setValue(min(look.frame, self._row.frames - 1))
        self._ask(self.slider.value())

    def _arrange(self) -> None:
        asked = _lines()
        asked.setText(self.tr('What is found for "{0}"').format(f"<b>{escape(self.comparing.text)}</b>"))
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(asked, 1)
        head.addWidget(self.verdict, 1)
        beside = QHBoxLayout()
        beside.setSpacing(12)
        for side in self.sides.values():
            beside.addWidget(side, 1)
        below = QHBoxLayout()
        below.setSpacing(10)
        self.place.setMinimumWidth(self.fontMetrics().horizontalAdvance("frame 00000 of 00000  "))
        attention = QLabel(self.tr("Attention"))
        for widget in (self.place, self.slider, self.masks, attention, self.maps):
            below.addWidget(widget, int(widget is self.slider))
        foot = QHBoxLayout()
        foot.addWidget(self.work, 1)
        foot.addWidget(self.buttons)
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addLayout(head)
        column.addLayout(beside, 1)
        column.addLayout(below)
        column.addLayout(foot)
        self.resize(1080, 640)

    def _connect(self) -> None:
        self.comparing.changed.connect(self._show_runs)
        self.comparing.ended.connect(self._on_ended)
        self._reader.ready.connect(self._on_picture)
        self.slider.valueChanged.connect(self._ask)
        self.masks.toggled.connect(self._show_pictures)
        self.maps.activated.connect(self._show_pictures)
        self.news.working.connect(self.work.tell)
        self.news.rested.connect(self.work.rest)
        self.work.cancelled.connect(self.comparing.cancel)
        self.buttons.rejected.connect(self.reject)
        for side in self.sides.values():
            side.taken.connect(lambda method=side.method: self._take(method))

    def done(self, result: int) -> None:
        """Whatever is still in work is broken off."""
        self._reader.ready.disconnect(self._on_picture)
        self.comparing.cancel()
        super().done(result)

    # --- what was found --------------------------------------------------------------------------------------

    def _take(self, method: Method) -> None:
        run = self.comparing.runs[method]
        self.accept()
        self.taken.emit(run)

    def _show_runs(self) -> None:
        runs = self.comparing.runs
        both = len(runs) == len(self.sides)
        self._tints = self._matched()
        for method, run in runs.items():
            others = [other for name, other in runs.items() if name != method]
            alone = differing(run, others[0]) if both else None
            self.sides[method].show_run(run, self._tints[method], alone)
        self.verdict.setText(self._judged() if both else "")
        self._show_maps()
        self._show_pictures()

    def _matched(self) -> dict[Method, dict[int, Colour]]:
        """Colours of the selected tracklets: the same object has the same on both sides."""
        runs = self.comparing.runs
        if not runs:
            return {}
        (first, one), *others = runs.items()
        own, found = matched_colours(one, others[0][1] if others else one, self._colours)
        return {first: own, **({others[0][0]: found} if others else {})}

    def _judged(self) -> str:
        """Whether both selected the same."""
        one, other = (self.comparing.runs[method] for method in self.sides)
        alone = len(differing(one, other)) + len(differing(other, one))
        if not one.selected and not other.selected:
            return self.tr("Neither of them selected anything.")
        if not alone:
            return self.tr("Both selected the same.")
        return self.tr("They differ: {0} of {1} selected candidates are not among the other's.").format(
            alone, len(one.selected) + len(other.selected)
        )

    def _on_ended(self, method: Method, text: str) -> None:
        self.sides[method].show_waiting(text)

    # --- pictures --------------------------------------------------------------------------------------------

    def _show_maps(self) -> None:
        """The maps that both have, as far as they are known."""
        names = [run.grounding.parts.keys() | {FUSED} for run in self.comparing.runs.values()]
        shared = sorted(frozenset.intersection(*map(frozenset, names))) if names else []
        wanted: Sequence[str | None] = [None, FUSED, *(name for name in shared if name != FUSED)]
        if [self.maps.itemData(i) for i in range(self.maps.count())] != wanted:
            chosen = self.maps.currentData() if self.maps.count() else FUSED
            self.maps.clear()
            for name in wanted:
                self.maps.addItem(self.tr("off") if name is None else map_title(name), name)
            self.maps.setCurrentIndex(max(0, self.maps.findData(chosen)) if chosen else 0)

    def _ask(self, frame: int) -> None:
        self.place.setText(self.tr("frame {0} of {1}").format(frame, self._row.frames))
        self._reader.ask(self.comparing.path, frame)

    def _on_picture(self, path: Path, frame: int, picture: Frame) -> None:
        if path == self.comparing.path and frame == self.slider.value():
            self._picture = (frame, picture)
            self._show_pictures()

    def _show_pictures(self, *_: object) -> None:
        if self._picture is not None:
            frame, picture = self._picture
            for method, side in self.sides.items():
                side.canvas.show_scene(self._scene(method, frame, picture))

    def _scene(self, method: Method, frame: int, picture: Frame) -> Scene:
        run = self.comparing.runs.get(method)
        if run is None:
            return Scene(picture)
        name, grounding = self.maps.currentData(), run.grounding
        maps = {**grounding.parts, FUSED: grounding.maps}.get(name) if name else None
        heat = None if maps is None else heat_at(maps, grounding.frames, frame)
        shown = [t for t in run.selected if frame in t.masks] if self.masks.isChecked() else []
        layers = tuple(Layer(t.masks.rle(frame), self._tints[method][t.id]) for t in shown)
        return Scene(picture, layers, heat, opacity=self._opacity, attention_opacity=self._heat)


def _lines() -> QLabel:
    """Words that may be long."""
    label = QLabel()
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.RichText)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
