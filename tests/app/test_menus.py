"""Menus do what they say, on a real project."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtWidgets import QInputDialog, QWidget

from decaf_gui.app import menus
from decaf_gui.app.view import View
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.planning import Span
from decaf_gui.core.project.rows import AnswerRow, ClipRow, ExpressionRow, LabelRow, ObjectRow, TrackletRow, VerdictRow

LONG = 60_000


@pytest.fixture
def view(desk):
    made = View(desk)
    made.open_clip(1)
    return made


@pytest.fixture
def parent(qtbot):
    made = QWidget()
    qtbot.addWidget(made)
    return made


def trigger(menu, *words):
    """Chooses an entry, through its submenus."""
    for word in words[:-1]:
        menu = next(action.menu() for action in menu.actions() if action.text() == word)
    action = next(action for action in menu.actions() if action.text() == words[-1])
    assert action.isEnabled()
    action.trigger()


def masks(view, thing):
    return view.project.masks(thing).frames


def test_an_object_is_merged_split_and_swapped(view, parent, shapes):
    for frame in (11, 12, 13):
        mask = {frame: edits.NewMask(Rle.encode(shapes.masks[0, frame]))}
        view.do(lambda project, mask=mask: edits.replace_masks(project, 1, mask, "tracked", "{}"))
    view.look_at(12)
    first, second = view.project.masks(1), view.project.masks(2)
    trigger(menus.object_menu(parent, view, 1), "Swap from frame 12 on with", "shape1 2")
    assert (masks(view, 1), masks(view, 2)) == ((10, 11), (10, 12, 13))
    assert view.project.masks(2).rle(12) == first.rle(12)
    view.undo()
    trigger(menus.object_menu(parent, view, 1), "Another object from frame 12 on")
    assert (masks(view, 1), masks(view, 3), view.object_id) == ((10, 11), (12, 13), 3)
    trigger(menus.object_menu(parent, view, 3), "Merge into", "shape1 2")
    assert view.project.find(ObjectRow, 3) is None
    assert masks(view, 2) == (10, 12, 13)
    assert view.project.masks(2).rle(10) == second.rle(10)


def test_an_object_is_locked_removed_and_shown_in_its_own_way(view, parent):
    trigger(menus.object_menu(parent, view, 1), "Lock all frames")
    assert view.project.locked(1) == {10}
    trigger(menus.object_menu(parent, view, 1), "Unlock all frames")
    trigger(menus.object_menu(parent, view, 1), "Opacity", "contour alone")
    view.look_at(10)
    frame = np.zeros((240, 320, 3), np.uint8)
    assert [layer.opacity for layer in view.scene(frame).layers] == [0.0, None]
    view.recolour(1, "#112233")
    trigger(menus.object_menu(parent, view, 1), "Colour as at first")
    assert view.project.need(ObjectRow, 1).colour == ""
    trigger(menus.object_menu(parent, view, 1), "Remove")
    assert view.project.find(ObjectRow, 1) is None
    assert view.object_id == 2


def test_names_and_labels_are_asked_for(view, parent):
    trigger(menus.object_menu(parent, view, 1), "Rename...")
    dialog = parent.findChild(QInputDialog)
    assert dialog.textValue() == "shape0 1"
    dialog.setTextValue("the big one")
    dialog.accept()
    assert view.project.need(ObjectRow, 1).name == "the big one"
    trigger(menus.object_menu(parent, view, 1), "Label...")
    dialog = next(found for found in parent.findChildren(QInputDialog) if found.isVisible())
    assert dialog.comboBoxItems() == ["shape0", "shape1"]
    dialog.setTextValue("shape1")
    dialog.accept()
    row = view.project.need(ObjectRow, 1)
    assert view.project.need(LabelRow, row.label).name == "shape1"


def test_what_an_object_answers_to_is_set_and_taken_back(view, parent):
    view.do(lambda project: edits.add_expression(project, 1, "both & all"))
    trigger(menus.object_menu(parent, view, 1), "Answers to", "both && all")
    assert view.project.find(AnswerRow, 1, 1) is not None
    trigger(menus.object_menu(parent, view, 1), "Answers to", "both && all")
    assert view.project.find(AnswerRow, 1, 1) is None


def test_candidates_become_objects_and_verdicts_are_taken_back(view, parent, qtbot):
    view.propose("the red cross")
    qtbot.waitUntil(lambda: not view.desk.work, timeout=LONG)
    best = next(row.id for row in view.project.where(TrackletRow, selected=True))
    trigger(menus.candidate_menu(parent, view, best), "Reject")
    assert view.project.need(VerdictRow, best).state == "rejected"
    trigger(menus.candidate_menu(parent, view, best), "Take the verdict back")
    assert view.project.find(VerdictRow, best) is None
    trigger(menus.candidate_menu(parent, view, best), "It is", "shape1 2")
    assert view.project.need(VerdictRow, best).object == 2
    trigger(menus.expression_menu(parent, view, 1), "Remove with its candidates")
    assert not view.project.rows(ExpressionRow)
    assert view.expression == 0
    assert view.project.find(ObjectRow, 2) is not None


def test_the_work_range_is_set_and_the_clip_removed(view, parent):
    view.range = Span(5, 20)
    trigger(menus.clip_menu(parent, view, 1), "Work on frames 5 to 20 alone")
    trigger(menus.clip_menu(parent, view, 1), "Work on every", "5th frame")
    assert list(view.project.need(ClipRow, 1).work_frames) == [5, 10, 15, 20]
    trigger(menus.clip_menu(parent, view, 1), "Work on all frames")
    assert list(view.project.need(ClipRow, 1).work_frames) == list(range(30))
    trigger(menus.clip_menu(parent, view, 1), "Remove from the project")
    assert not view.project.rows(ClipRow)
    assert view.clip == 0


def test_a_correction_is_reverted_span_by_span(view, shapes):
    found = {frame: edits.NewMask(Rle.encode(shapes.masks[0, 20])) for frame in (3, 4, 5, 9, 10)}
    before = view.project.masks(1)
    view.do(lambda project: edits.replace_masks(project, 1, found, "tracked", "{}"))
    assert view.changed_spans() == [(1, "shape0 1", Span(3, 5)), (1, "shape0 1", Span(9, 10))]
    view.revert(1, Span(9, 10))
    assert view.changed_spans() == [(1, "shape0 1", Span(3, 5))]
    assert view.project.masks(1).frames == (3, 4, 5, 10)
    assert view.project.masks(1).rle(10) == before.rle(10)
    view.revert(1, Span(3, 5))
    assert view.project.masks(1) == before
    assert view.receipt is None
    view.undo()
    view.undo()
    view.undo()
    assert view.project.masks(1) == before
