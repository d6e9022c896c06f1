"""A whole session of an annotator in the real window, offscreen, with keys and mouse: from the first page to labels."""

from __future__ import annotations

import json

import pytest
from pycocotools import mask as coco_mask
from PySide6.QtCore import QPoint, Qt

from decaf_gui.app.export_dialog import Wish
from decaf_gui.app.start import StartPage
from decaf_gui.app.window import MainWindow
from decaf_gui.core.project.rows import AnswerRow, ClipRow, ExpressionRow, ObjectRow, PromptRow, TrackletRow, VerdictRow
from decaf_gui.formats.registry import format_named

LONG = 90_000
Key, Control, Shift, Alt = (
    Qt.Key,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)


class Annotator:
    """Somebody who presses keys and clicks, and waits until the window rests."""

    def __init__(self, window: MainWindow, qtbot) -> None:
        self.window, self.qtbot = window, qtbot

    @property
    def project(self):
        return self.window.view.project

    def press(self, key, modifier=Qt.KeyboardModifier.NoModifier) -> None:
        self.qtbot.keyClick(self.window.canvas, key, modifier)

    def click(self, x, y, button=Qt.MouseButton.LeftButton) -> None:
        at = QPoint(*(round(value) for value in self.window.canvas.view.to_widget(x, y)))
        self.qtbot.mouseClick(self.window.canvas, button, pos=at)

    def rest(self) -> None:
        self.qtbot.waitUntil(lambda: not self.window.view.desk.work, timeout=LONG)

    def look_at(self, frame) -> None:
        self.window.view.look_at(frame)
        self.qtbot.waitUntil(lambda: self.window.picture is not None and self.window.picture[0] == frame, timeout=LONG)

    def inside(self, thing, frame):
        """A point well inside of an object's mask."""
        dense = self.project.masks(thing)[frame]
        ys, xs = dense.nonzero()
        middle = len(ys) // 2
        return float(xs[middle]) + 0.5, float(ys[middle]) + 0.5


@pytest.fixture
def annotator(windows, qtbot):
    windows.start()
    page = windows.window
    assert isinstance(page, StartPage)
    qtbot.mouseClick(page.demo_button, Qt.MouseButton.LeftButton)
    window = windows.window
    assert isinstance(window, MainWindow)
    qtbot.waitUntil(lambda: window.picture is not None, timeout=LONG)
    return Annotator(window, qtbot)


def test_from_the_first_page_to_labels_and_back(annotator, windows, qtbot, tmp_path):
    who, view = annotator, annotator.window.view
    assert [row.frames for row in view.project.where(ClipRow)] == [48, 48, 60, 48]
    assert annotator.window.expressions.line.text() == "the purple heart", "the first expression is ready"

    who.press(Key.Key_Return, Control)  # propose, judge
    who.rest()
    first = view.candidate_id
    assert first is not None, "the best candidate waits for a word"
    proposed, counts = view.project, annotator.window.candidates.counts  # threshold: no model, no edit
    qtbot.waitUntil(lambda: "candidates: 1" in counts.text())
    for key, words in ((Key.Key_Up, "candidates: 0"), (Key.Key_Down, "candidates: 1")):
        for _ in range(20):
            who.press(key, Control)
        qtbot.waitUntil(lambda words=words: words in counts.text())
    assert view.project is proposed
    who.press(Key.Key_Return)
    who.rest()
    heart = view.object_id
    assert len(view.project.masks(heart)) == 48

    who.press(Key.Key_Down, Alt)  # the next expression: reject the best, promote a ghost
    assert view.project.need(ExpressionRow, view.expression).text == "the red cross"
    assert annotator.window.expressions.line.text() == "the red cross"
    who.press(Key.Key_Return, Control)
    who.rest()
    refused = view.candidate_id
    who.press(Key.Key_X)
    assert view.project.need(VerdictRow, refused).state == "rejected"
    while view.candidate_id in (None, refused):
        who.press(Key.Key_Down)
    ghost = view.candidate_id
    assert not view.project.need(TrackletRow, ghost).selected
    who.press(Key.Key_Return)
    who.rest()
    cross = view.object_id
    assert view.project.need(VerdictRow, ghost).state == "accepted"
    assert view.project.find(AnswerRow, cross, view.expression) is not None

    who.press(Key.Key_1)  # positive and negative points; each is tracked
    assert view.object_id == heart
    who.look_at(4)
    before = dict(view.project.rows(PromptRow))
    who.click(*who.inside(heart, 4))
    who.rest()
    who.click(2.5, 2.5, Qt.MouseButton.RightButton)
    who.rest()
    (row,) = [row for key, row in view.project.rows(PromptRow).items() if key not in before]
    assert [point[2] for point in row.points] == [True, False]
    assert len(view.project.masks(heart)) == 48

    undone = view.project
    who.press(Key.Key_Z, Control)  # undo, redo
    assert view.project.masks(heart) != undone.masks(heart) or not view.project.same(undone)
    who.press(Key.Key_Y, Control)
    assert view.project.same(undone)

    who.look_at(46)  # a span on which it is absent
    who.press(Key.Key_BracketLeft)
    who.press(Key.Key_End)
    who.press(Key.Key_BracketRight)
    who.press(Key.Key_O)
    assert [view.project.masks(heart).absent(frame) for frame in (45, 46, 47)][1:] == [True, True]

    out = tmp_path / "labels"  # export, and read back with other readers
    clip = view.clip
    annotator.window.export(Wish(("davis", "coco"), out, "accepted", False, False, clips=(clip,)))
    who.rest()
    assert not annotator.window.banner.isVisible(), annotator.window.banner.text.text()
    read = format_named("davis").reader(out / "davis")
    masks = {thing: view.project.masks(thing) for thing in (heart, cross)}
    top = masks[cross][10]
    assert (read.objects[1].masks[10] == top).all(), "the newer object is on top"
    assert (read.objects[0].masks[10] == (masks[heart][10] & ~top)).all()
    (table,) = (out / "coco/annotations").glob("*.json")
    labels = json.loads(table.read_text())
    found = [a for a in labels["annotations"] if a["image_id"] == 11 and a["track_id"] == 1]
    assert (coco_mask.decode(found[0]["segmentation"]).astype(bool) == masks[heart][10]).all()

    last, path = view.project, view.desk.store.path  # close, open again: the same
    windows.start()
    assert isinstance(windows.window, StartPage)
    assert windows.window.recent.item(0).text().startswith("demo.decaf")
    windows.open([path])
    assert isinstance(windows.window, MainWindow)
    assert windows.window.view.project.same(last)


def test_cancel_in_the_middle_keeps_what_has_come(annotator, engine, qtbot):
    who, view = annotator, annotator.window.view
    engine.pause = 0.05
    who.press(Key.Key_N, Shift)
    thing = view.object_id
    who.look_at(10)
    x, y = 160.5, 120.5
    who.click(x, y)
    qtbot.waitUntil(lambda: len(view.pending(thing)) > 3, timeout=LONG)
    qtbot.mouseClick(annotator.window.work_bar.button, Qt.MouseButton.LeftButton)
    who.rest()
    assert 3 < len(view.project.masks(thing)) < 48
    assert "cancelled, what had come is kept" in annotator.window.work_bar.text.text()
    assert len(view.project.rows(ObjectRow)) == 1
    who.press(Key.Key_Z, Control)
    who.press(Key.Key_Z, Control)
    who.press(Key.Key_Z, Control)
    assert not view.project.rows(ObjectRow)


def test_cancelling_a_proposal_shows_and_keeps_what_it_found(annotator, qtbot):
    who, window, view = annotator, annotator.window, annotator.window.view
    who.press(Key.Key_Return, Control)
    qtbot.waitUntil(lambda: view.proposing() is not None, timeout=LONG)
    assert view.attended(), "the attention is shown while the proposal goes on"
    assert view.grounding()[0] == "heart"
    who.press(Key.Key_Escape)
    who.rest()
    assert view.grounding()[0] == "heart"
    qtbot.waitUntil(lambda: not window.work_bar.bar.isVisible())


@pytest.mark.parametrize("of", ["an object", "nothing"])
def test_a_preview_shows_a_mask_and_stores_nothing(annotator, qtbot, of):
    who, view = annotator, annotator.window.view
    if of == "an object":
        who.press(Key.Key_N, Shift)
    before = view.project
    canvas = annotator.window.canvas

    def previewed():
        return any(layer.style == "preview" for layer in canvas.scene.layers)

    view.preview(160.5, 120.5, True)
    qtbot.waitUntil(previewed, timeout=LONG)
    view.end_preview()
    assert not previewed()
    assert view.project is before
