"""What is to be exported, where to, and what will be written and replaced."""

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
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.core.project.rows import ClipRow, Project
from decaf_gui.formats.base import safe_name
from decaf_gui.formats.projects import Which
from decaf_gui.formats.registry import FORMATS


@dataclass(frozen=True, slots=True)
class Wish:
    """What was chosen."""

    formats: tuple[str, ...]
    out: Path
    which: Which
    frames: bool
    overwrite: bool


class ExportDialog(QDialog):
    """Formats of the registry, a folder, which objects. It says what will be written before anything is."""

    def __init__(self, project: Project, folder: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export labels"))
        self._clips = [Path(row.path).stem for row in project.rows(ClipRow).values()]
        self.formats = {name: QCheckBox(form.title) for name, form in FORMATS.items() if form.writer is not None}
        next(iter(self.formats.values())).setChecked(True)
        self.folder = QLineEdit(str(folder))
        browse = QPushButton(self.tr("Browse..."))
        self.which = QComboBox()
        self.which.addItem(self.tr("accepted objects"), "accepted")
        self.which.addItem(self.tr("accepted objects and candidates that wait for a word"), "all")
        self.frames = QCheckBox(self.tr("the clips' frames, too"))
        self.overwrite = QCheckBox(self.tr("replace results that are there"))
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setMinimumWidth(460)
        kinds = QVBoxLayout()
        for box in self.formats.values():
            kinds.addWidget(box)
        place = QHBoxLayout()
        place.addWidget(self.folder, 1)
        place.addWidget(browse)
        form = QFormLayout()
        form.addRow(self.tr("Formats"), kinds)
        form.addRow(self.tr("Folder"), place)
        form.addRow(self.tr("Objects"), self.which)
        form.addRow("", self.frames)
        form.addRow("", self.overwrite)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Export"))
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.told)
        column.addWidget(self.buttons)
        browse.clicked.connect(self._browse)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.folder.textChanged.connect(self._tell)
        for box in (*self.formats.values(), self.overwrite):
            box.toggled.connect(self._tell)
        self._tell()

    def wish(self) -> Wish:
        """What is chosen now."""
        chosen = tuple(name for name, box in self.formats.items() if box.isChecked())
        which: Which = "all" if self.which.currentData() == "all" else "accepted"
        out = Path(self.folder.text()).expanduser()
        return Wish(chosen, out, which, self.frames.isChecked(), self.overwrite.isChecked())

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder for the labels"), self.folder.text())
        if chosen:
            self.folder.setText(chosen)

    def _tell(self) -> None:
        """What will be written, and whether something stands in the way."""
        wish = self.wish()
        there = [
            home / part
            for name in wish.formats
            for home in (FORMATS[name].home(wish.out),)
            for clip in self._clips
            for part in FORMATS[name].parts(safe_name(clip))
            if (home / part).exists()
        ]
        homes = ", ".join(str(FORMATS[name].home(wish.out)) for name in wish.formats)
        if not wish.formats:
            words = self.tr("Choose a format.")
        elif there and not wish.overwrite:
            words = self.tr("{0} is there already: choose another folder, or replace it.").format(there[0])
        elif there:
            words = self.tr("{0} clips go to {1}; what is there is replaced.").format(len(self._clips), homes)
        else:
            words = self.tr("{0} clips go to {1}.").format(len(self._clips), homes)
        self.told.setText(words)
        ready = bool(wish.formats) and bool(self.folder.text().strip()) and (wish.overwrite or not there)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(ready)
