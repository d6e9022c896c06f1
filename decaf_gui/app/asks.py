"""What the window asks people: files, names, labels, colours, whose a candidate is. Answers come back by call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtGui import QColor
from PySide6.QtWidgets import QColorDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

from decaf_gui.app.translation import tr
from decaf_gui.core.clip import VIDEO_SUFFIXES
from decaf_gui.core.project.store import SUFFIX


def clips_or_project(parent: QWidget, folder: Path) -> list[Path]:
    """Videos, images or a project to be opened; none when it was cancelled."""
    videos = " ".join(f"*.{suffix}" for suffix in VIDEO_SUFFIXES)
    both = tr("Clips and projects ({0} *{1})").format(videos, SUFFIX)
    kinds = ";;".join([both, tr("Projects (*{0})").format(SUFFIX), tr("All files (*)")])
    paths, _ = QFileDialog.getOpenFileNames(parent, tr("Open clips or a project"), str(folder), kinds)
    return [Path(path) for path in paths]


def folder_of_images(parent: QWidget, folder: Path) -> list[Path]:
    """A clip that is a folder of images."""
    path = QFileDialog.getExistingDirectory(parent, tr("A folder of images"), str(folder))
    return [Path(path)] if path else []


def labelled_set(parent: QWidget) -> Path | None:
    """A folder that `decaf-gui prelabel` made."""
    path = QFileDialog.getExistingDirectory(parent, tr("A pre-labelled set"), str(Path.home()))
    return Path(path) if path else None


def new_place(parent: QWidget, clip: str, folder: Path, is_folder: bool) -> Path | None:
    """Where a clip lies now."""
    title = tr("Where is {0} now?").format(clip)
    if is_folder:
        path = QFileDialog.getExistingDirectory(parent, title, str(folder))
    else:
        path, _ = QFileDialog.getOpenFileName(parent, title, str(folder))
    return Path(path) if path else None


def copy_name(parent: QWidget, suggested: Path) -> Path | None:
    """Where a copy of the project goes."""
    path, _ = QFileDialog.getSaveFileName(parent, tr("Save a copy"), str(suggested), f"DecAF (*{SUFFIX})")
    return Path(path) if path else None


def text(parent: QWidget, title: str, label: str, present: str, answer: Callable[[str], None]) -> None:
    """A line of text; `answer` is called with it unless it was cancelled or stayed as it was."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setTextValue(present)
    _open(dialog, present, answer)


def choice(
    parent: QWidget, title: str, label: str, options: Sequence[str], present: str, answer: Callable[[str], None]
) -> None:
    """One of some texts, or another one."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(title)
    dialog.setLabelText(label)
    dialog.setComboBoxEditable(True)
    dialog.setComboBoxItems(list(options))
    dialog.setTextValue(present)
    _open(dialog, present, answer)


def colour(parent: QWidget, present: tuple[int, int, int], answer: Callable[[str], None]) -> None:
    """A colour as "#rrggbb"."""
    dialog = QColorDialog(QColor(*present), parent)
    dialog.setWindowTitle(tr("Colour"))
    dialog.colorSelected.connect(lambda chosen: answer(chosen.name()))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def whose(parent: QWidget, candidate: int, name: str, iou: float, answer: Callable[[bool], None]) -> None:
    """Whether a candidate is an object that lies at the same place (True), or another one."""
    box = QMessageBox(parent)
    box.setWindowTitle(tr("Accept"))
    box.setText(tr("Candidate {0} covers what {1} covers (IoU {2:.2f}). Is it {1}?").format(candidate, name, iou))
    same = box.addButton(tr("It is {0}").format(name), QMessageBox.ButtonRole.AcceptRole)
    new = box.addButton(tr("A new object"), QMessageBox.ButtonRole.ActionRole)
    box.addButton(QMessageBox.StandardButton.Cancel)
    box.setDefaultButton(same)
    same.clicked.connect(lambda: answer(True))
    new.clicked.connect(lambda: answer(False))
    box.finished.connect(box.deleteLater)
    box.open()


def accept_all(parent: QWidget, question: str, number: int, answer: Callable[[], None]) -> None:
    """Whether candidates that nobody looked at are to be accepted; `answer` is called when they are."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.Question)
    box.setWindowTitle(tr("Accept all"))
    box.setText(question)
    yes = box.addButton(tr("Accept {0}").format(number), QMessageBox.ButtonRole.AcceptRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    yes.clicked.connect(lambda: answer())
    box.finished.connect(box.deleteLater)
    box.open()


def _open(dialog: QInputDialog, present: str, answer: Callable[[str], None]) -> None:
    dialog.textValueSelected.connect(lambda said: answer(said) if said != present else None)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
