"""File, Import labels: the dialog sees what a folder holds, the objects are there, and what does not fit is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QDialogButtonBox, QFileDialog

from decaf_gui.app.desk import Desk
from decaf_gui.app.import_dialog import ImportDialog
from decaf_gui.app.view import View
from decaf_gui.app.window import MainWindow
from decaf_gui.app.worker import Worker
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Labels
from decaf_gui.core.masks import Masks
from decaf_gui.core.project.rows import AnswerRow, ClipRow, ExpressionRow, ObjectRow, ProvenanceRow
from decaf_gui.core.project.store import Store
from decaf_gui.formats.importing import Import
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.registry import FORMATS

LONG = 60_000
OK = QDialogButtonBox.StandardButton.Ok


@pytest.fixture
def labels(media, shapes) -> LabelSet:
    """Both shapes on all frames."""
    names = Labels.of(["heart", "cross"])
    with Clip.open(media) as clip:
        objects = [
            LabelledObject(
                k + 1, label, Masks.encode({t: shapes.masks[k, t] for t in range(len(clip))}, clip.size), (k,)
            )
            for k, label in enumerate(names.entries)
        ]
        return LabelSet.of_clip(clip, objects, names, ("the heart", "the cross"))


@pytest.fixture
def datasets(labels, media, tmp_path) -> Path:
    for name in ("mevis", "coco", "ref-davis"):
        with Clip.open(media) as clip:
            list(FORMATS[name].writer(labels, clip, tmp_path / "sets", frames=False))
    return tmp_path / "sets"


@pytest.fixture
def window(path, engine, qtbot):
    made = MainWindow(View(Desk(Store.open(path), Worker(make=lambda _: engine))))
    made.resize(1280, 800)
    made.show()
    qtbot.waitUntil(lambda: made.picture is not None, timeout=LONG)
    yield made
    made.close()
    made.deleteLater()


def rest(window, qtbot):
    qtbot.waitUntil(lambda: not window.view.desk.work, timeout=LONG)


def dialog_of(window) -> ImportDialog:
    window.acts["import_labels"].trigger()
    return window.findChild(ImportDialog)


def test_labels_are_imported_for_the_clip_that_is_open(window, qtbot, datasets, labels):
    view = window.view
    before = view.project
    dialog = dialog_of(window)
    assert not dialog.buttons.button(OK).isEnabled()
    dialog.choose(datasets / "mevis")
    assert dialog.told.text().startswith("MeViS")
    assert dialog.clip.currentData() == "shapes"
    dialog.buttons.button(OK).click()
    rest(window, qtbot)
    assert not window.banner.isVisible(), window.banner.text.text()
    assert "2 objects on 30 frames were imported (mevis)" in window.work_bar.said.text()
    objects = list(view.project.where(ObjectRow, clip=view.clip))
    assert [row.name for row in objects[2:]] == ["heart 3", "cross 4"]
    assert [view.project.masks(row.id) for row in objects[2:]] == [obj.masks for obj in labels.objects]
    assert [row.text for row in view.project.where(ExpressionRow)] == ["the heart", "the cross"]
    assert {(row.object, row.expression) for row in view.project.where(AnswerRow)} == {(3, 1), (4, 2)}
    assert "imported" in [row.origin for row in view.project.where(ProvenanceRow)]
    view.undo()
    assert view.project.same(before)


def test_what_cannot_be_imported_is_in_the_banner(window, qtbot, datasets, tmp_path):
    window.import_labels(1, Import(datasets / "coco"))
    rest(window, qtbot)
    window.import_labels(1, Import(datasets / "coco"))
    rest(window, qtbot)
    assert "in the project already" in window.banner.text.text()
    window.import_labels(1, Import(tmp_path / "nothing"))
    rest(window, qtbot)
    assert "There is no file or folder" in window.banner.text.text()
    window.view.remove_clip(1)
    window.import_labels(1, Import(datasets / "coco"))
    assert "no clip 1" in window.banner.text.text()
    window.acts["import_labels"].trigger()
    assert window.banner.text.text() == "Open a clip first."
    assert not list(window.view.project.where(ClipRow))


def test_the_dialog_says_what_stands_in_the_way(window, qtbot, datasets, tmp_path, monkeypatch):
    dialog = dialog_of(window)
    (tmp_path / "empty").mkdir()
    for place, says in ((tmp_path / "none", "There is no file"), (tmp_path / "empty", "looks like no format")):
        dialog.choose(place)
        assert says in dialog.told.text()
        assert not dialog.buttons.button(OK).isEnabled()
    dialog.choose(datasets / "mevis")
    dialog.format.setCurrentIndex(dialog.format.findData("coco"))
    assert "There are no labels of this format" in dialog.told.text()
    dialog.format.setCurrentIndex(dialog.format.findData("mevis"))
    assert dialog.buttons.button(OK).isEnabled()
    assert dialog.wish() == Import(datasets / "mevis", "mevis", "shapes", "shapes")
    file = datasets / "coco/annotations/instances_shapes.json"
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(file), ""))
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(datasets / "ref-davis"))
    dialog.format.setCurrentIndex(0)
    dialog.browse_file.click()
    assert dialog.told.text().startswith("COCO")
    dialog.browse_folder.click()
    assert dialog.told.text().startswith("Ref-DAVIS17")
    assert {dialog.format.itemData(i) for i in range(dialog.format.count())} == {""} | FORMATS.keys() - {"overlay"}
    dialog.reject()
