"""What is to be exported, where to, what will be written and replaced, and what is lost on the way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.core.project.rows import ClipRow, Project
from decaf_gui.formats.projects import Which, clip_names, incomplete
from decaf_gui.formats.registry import FORMATS

MOST = 3
"""Sentences of one kind that are told; of the others only how many there are."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What was chosen; `show`: the folder is to be opened when all is written. `clips` None: all."""

    formats: tuple[str, ...]
    out: Path
    which: Which
    frames: bool
    overwrite: bool
    clips: tuple[int, ...] | None = None
    show: bool = False


class ExportDialog(QDialog):
    """Formats of the registry, a folder, which clips and objects. It says what will be written before anything is."""

    def __init__(self, project: Project, folder: Path, parent: QWidget | None = None, *, clip: int = 0) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export labels"))
        self._project = project
        self._rows = list(project.where(ClipRow))
        self.formats = {name: QCheckBox(form.title) for name, form in FORMATS.items() if form.writer is not None}
        next(iter(self.formats.values())).setChecked(True)
        self.folder = QLineEdit(str(folder))
        self.browse = QPushButton(self.tr("Browse..."))
        self.clips, self.which = QComboBox(), QComboBox()
        self.clips.addItem(self.tr("all {0} clips").format(len(self._rows)), None)
        if len(self._rows) > 1 and any(row.id == clip for row in self._rows):
            self.clips.addItem(self.tr("this clip alone"), clip)
        self.which.addItem(self.tr("accepted objects"), "accepted")
        self.which.addItem(self.tr("accepted objects, and candidates that wait for a word"), "all")
        self.frames = QCheckBox(self.tr("the clips' frames, too"))
        self.overwrite = QCheckBox(self.tr("replace results that are there"))
        self.show_folder = QCheckBox(self.tr("open the folder when all is written"))
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setMinimumWidth(520)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Export"))
        self._arrange()
        self._connect()
        self._tell()

    def _arrange(self) -> None:
        kinds = QGridLayout()
        rows = -(-len(self.formats) // 2)
        for number, (name, box) in enumerate(self.formats.items()):
            told = (FORMATS[name].layout, FORMATS[name].keeps, FORMATS[name].loses)
            box.setToolTip(self.tr("{0}\nKeeps {1}\nLoses {2}").format(*told))
            kinds.addWidget(box, number % rows, number // rows)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(self.browse)
        form = QFormLayout()
        form.addRow(self.tr("Formats"), kinds)
        form.addRow(self.tr("Folder"), place)
        form.addRow(self.tr("Clips"), self.clips)
        form.addRow(self.tr("Objects"), self.which)
        for box in (self.frames, self.overwrite, self.show_folder):
            form.addRow("", box)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(self.told)
        column.addStretch(1)
        column.addWidget(self.buttons)

    def _connect(self) -> None:
        self.browse.clicked.connect(self._browse)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.folder.textChanged.connect(self._tell)
        for box in (*self.formats.values(), self.overwrite, self.frames):
            box.toggled.connect(self._tell)
        for combo in (self.clips, self.which):
            combo.currentIndexChanged.connect(self._tell)

    def wish(self) -> Wish:
        """What is chosen now."""
        chosen = tuple(name for name, box in self.formats.items() if box.isChecked())
        which: Which = "all" if self.which.currentData() == "all" else "accepted"
        only = self.clips.currentData()
        return Wish(
            chosen,
            Path(self.folder.text()).expanduser(),
            which,
            self.frames.isChecked(),
            self.overwrite.isChecked(),
            None if only is None else (int(only),),
            self.show_folder.isChecked(),
        )

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder for the labels"), self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def _tell(self) -> None:
        """What will be written, what it loses, and whether something stands in the way."""
        wish = self.wish()
        rows = [row for row in self._rows if wish.clips is None or row.id in wish.clips]
        there = self._there(wish, rows)
        lines = []
        problem = ""
        if not wish.formats:
            problem = self.tr("Choose a format.")
        elif not self.folder.text().strip():
            problem = self.tr("Choose a folder.")
        elif there and not wish.overwrite:
            problem = self.tr("{0} is there already: choose another folder, or replace it.").format(there[0])
        else:
            frames = sum(len(row.work_frames) for row in rows)
            homes = ", ".join(str(FORMATS[name].home(wish.out)) for name in wish.formats)
            lines.append(self.tr("{0} clips with {1} frames go to {2}.").format(len(rows), frames, homes))
        if there and wish.overwrite:
            lines.append(self.tr("Replaced: {0}").format(_few([str(path) for path in there])))
        lines += [self.tr("{0} loses {1}.").format(FORMATS[name].title, FORMATS[name].loses) for name in wish.formats]
        open_ends = incomplete(self._project, [row.id for row in rows])
        if open_ends:
            lines.append(self.tr("Not ready: {0}").format(_few(open_ends)))
        self.told.setText("\n".join(filter(None, [problem, *lines])))
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not problem)

    def _there(self, wish: Wish, rows: list[ClipRow]) -> list[Path]:
        """Results that are there already."""
        names = clip_names(self._project)
        found = (FORMATS[name].existing(wish.out, names[row.id]) for name in wish.formats for row in rows)
        return list(dict.fromkeys(path for paths in found for path in paths))


def _few(texts: list[str]) -> str:
    """The first ones, and how many more there are."""
    more = f" (and {len(texts) - MOST} more)" if len(texts) > MOST else ""
    return " ".join(texts[:MOST]) + more
