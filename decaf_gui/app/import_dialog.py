"""Which labels are to be imported: a dataset's folder or file, its format, and which of its clips."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import (
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

from decaf_gui.core.errors import DecafError
from decaf_gui.formats.base import Format
from decaf_gui.formats.importing import Import, clips_of
from decaf_gui.formats.registry import FORMATS, format_named, guessed


class ImportDialog(QDialog):
    """A folder or file, the format (as it looks, unless chosen), and the clip of it: the one called `like` at first."""

    def __init__(self, folder: Path, like: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Import labels"))
        self._start, self._like = folder, like
        self.source = QLineEdit()
        self.browse_folder, self.browse_file = QPushButton(self.tr("Folder...")), QPushButton(self.tr("File..."))
        self.format, self.clip = QComboBox(), QComboBox()
        self.format.addItem(self.tr("as it looks"), "")
        for name, form in FORMATS.items():
            if form.reader is not None:
                self.format.addItem(form.title, name)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setMinimumWidth(480)
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setText(self.tr("Import"))
        self._arrange()
        self._connect()
        self._look()

    def _arrange(self) -> None:
        place = QHBoxLayout()
        place.addWidget(self.source, 1)
        place.addWidget(self.browse_folder)
        place.addWidget(self.browse_file)
        form = QFormLayout()
        form.addRow(self.tr("Dataset"), place)
        form.addRow(self.tr("Format"), self.format)
        form.addRow(self.tr("Clip of it"), self.clip)
        column = QVBoxLayout(self)
        column.setSpacing(12)
        column.addLayout(form)
        column.addWidget(self.told)
        column.addStretch(1)
        column.addWidget(self.buttons)

    def _connect(self) -> None:
        self.browse_folder.clicked.connect(self._browse_folder)
        self.browse_file.clicked.connect(self._browse_file)
        self.source.editingFinished.connect(self._look)
        self.format.currentIndexChanged.connect(self._look)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)

    def wish(self) -> Import:
        """What is chosen now."""
        source = Path(self.source.text().strip()).expanduser()
        return Import(source, self.format.currentData(), self.clip.currentData() or "", self._like)

    def choose(self, source: Path) -> None:
        """Looks at another folder or file."""
        self.source.setText(str(source))
        self._look()

    def _browse_folder(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Folder of a dataset"), str(self._start))
        if chosen:
            self.choose(Path(chosen))

    def _browse_file(self) -> None:
        kinds = self.tr("Labels (*.json *.txt);;All files (*)")
        chosen, _ = QFileDialog.getOpenFileName(self, self.tr("File of a dataset"), str(self._start), kinds)
        if chosen:
            self.choose(Path(chosen))

    def _look(self) -> None:
        """What the source looks like, which clips it has, or what stands in the way."""
        self.clip.clear()
        problem, words = "", ""
        if not self.source.text().strip():
            problem = self.tr("Choose the folder or the file of a dataset.")
        else:
            try:
                form = self._form()
                words = self.tr("{0}. Keeps {1}.").format(form.title, form.keeps)
                problem = self._list_clips(form)
            except DecafError as error:
                problem = str(error)
        self.told.setText(problem or words)
        self.buttons.button(QDialogButtonBox.StandardButton.Ok).setEnabled(not problem)

    def _form(self) -> Format:
        chosen = self.format.currentData()
        return format_named(chosen) if chosen else guessed(self.wish().source)

    def _list_clips(self, form: Format) -> str:
        """Fills the list of clips; what is wrong when there is none."""
        names = clips_of(form, self.wish().source)
        for name in names:
            self.clip.addItem(name, name)
        if self._like in names:
            self.clip.setCurrentIndex(list(names).index(self._like))
        self.clip.setEnabled(len(names) > 1)
        return "" if names else self.tr("There are no labels of this format: {0}.").format(form.title)
