"""What is looked at and worked on: the deeds behind keys and buttons, on a real project with the demo models."""

from __future__ import annotations

import numpy as np
import pytest

from decaf_gui.app.desk import Desk
from decaf_gui.app.view import View
from decaf_gui.core.events import FrameTracked, Prompted
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.planning import Span
from decaf_gui.core.project.rows import (
    AnswerRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    PromptRow,
    ProvenanceRow,
    TrackletRow,
    VerdictRow,
)

LONG = 60_000
FRAME = np.zeros((240, 320, 3), np.uint8)


@pytest.fixture
def view(desk: Desk):
    made = View(desk)
    made.open_clip(1)
    made.said, made.banners = [], []
    made.told.connect(made.said.append)
    made.refused.connect(made.banners.append)
    return made


def rest(view, qtbot):
    qtbot.waitUntil(lambda: not view.desk.work, timeout=LONG)


@pytest.fixture
def proposed(view, qtbot):
    """The red cross was asked for: one candidate is selected, others are ghosts; the objects have no masks."""
    for thing in (1, 2):
        view.do(lambda project, thing=thing: edits.delete_masks(project, thing, [10]))
    view.propose("the red cross")
    rest(view, qtbot)
    view.pick_first()
    return view


def middle(shapes, thing, frame):
    pixels = np.argwhere(shapes.masks[thing, frame])
    y, x = pixels[len(pixels) // 2]
    return float(x) + 0.5, float(y) + 0.5


def test_a_clip_opens_at_its_start_with_its_first_object(view):
    assert (view.clip, view.frame, view.picked) == (1, 0, ("object", 1))
    assert [lane.key for lane in view.lanes()] == [("object", 1), ("object", 2)]
    assert view.scene(FRAME).layers == ()
    view.look_at(10)
    assert [layer.selected for layer in view.scene(FRAME).layers] == [True, False]
    view.look_at(999)
    assert view.frame == 29


def test_a_click_shows_its_point_at_once_its_mask_soon_and_tracks(view, qtbot, shapes):
    view.look_at(10)
    x, y = middle(shapes, 0, 10)
    view.click(x, y, True)
    assert view.points() == ((x, y, True),), "the point is shown when its mask has come only"
    assert view.project.find(PromptRow, 1, 10) is None
    view.click(5.0, 5.0, False)
    assert len(view.points()) == 2, "the second click forgot the first"
    rest(view, qtbot)
    assert view.project.need(PromptRow, 1, 10).points == ((x, y, True), (5.0, 5.0, False))
    assert len(view.project.masks(1)) == 30
    assert any(text.startswith("Changed:") for text in view.said)
    assert {effect.object for effect in view.receipt.effects} == {1}
    assert [lane.changed for lane in view.lanes()][1] == frozenset()


def test_points_are_moved_and_taken_away(view, qtbot, shapes):
    view.look_at(10)
    base = view.project.need(MaskRow, 1, 10).counts
    view.click(*middle(shapes, 0, 10), True)
    rest(view, qtbot)
    view.move_point(0, 30.0, 40.0)
    rest(view, qtbot)
    assert view.points() == ((30.0, 40.0, True),)
    view.remove_point(0)
    rest(view, qtbot)
    assert view.points() == ()
    assert view.project.need(MaskRow, 1, 10).counts == base
    view.remove_point(4)
    assert not view.banners


def test_without_an_object_a_positive_click_begins_one(view, qtbot, shapes):
    view.pick(None)
    view.look_at(5)
    view.click(*middle(shapes, 1, 5), False)
    assert "Choose an object first" in view.banners[0]
    view.click(*middle(shapes, 1, 5), True)
    rest(view, qtbot)
    assert view.picked == ("object", 3)
    assert len(view.project.masks(3)) == 30
    assert view.project.masks(1).frames == (10,), "another object was touched"


def test_a_box_and_a_stroke(view, qtbot, shapes):
    y, x = np.nonzero(shapes.masks[1, 20])
    view.pick(("object", 2))
    view.look_at(20)
    view.draw_box((float(x.min()), float(y.min()), float(x.max()), float(y.max())))
    rest(view, qtbot)
    found = view.project.masks(2)[20]
    assert (found & shapes.masks[1, 20]).sum() > 0.6 * shapes.masks[1, 20].sum()
    stroke = np.zeros((240, 320), bool)
    stroke[:20, :30] = True
    view.draw(stroke, erases=False)
    assert np.array_equal(view.project.masks(2)[20], found | stroke)
    view.draw(stroke, erases=True)
    row = view.project.need(MaskRow, 2, 20)
    assert np.array_equal(view.project.masks(2)[20], found & ~stroke)
    assert view.project.need(ProvenanceRow, row.provenance).origin == "drawn"
    assert view.points() == (), "the prompt stayed although the mask was drawn"


def test_a_preview_is_a_layer_until_it_ends(view, qtbot, shapes):
    view.look_at(10)
    before = view.project
    view.preview(*middle(shapes, 0, 10), True)
    rest(view, qtbot)
    assert [layer.style for layer in view.scene(FRAME).layers] == ["accepted", "accepted", "preview"]
    view.end_preview()
    assert [layer.style for layer in view.scene(FRAME).layers] == ["accepted", "accepted"]
    assert view.project.same(before)


def test_candidates_are_judged_one_after_the_other(proposed, qtbot):
    view = proposed
    chosen = view.candidate_id
    assert chosen is not None
    assert not next(lane for lane in view.lanes() if lane.id == chosen and lane.kind == "candidate").ghost
    view.accept()
    made = view.project.need(VerdictRow, chosen).object
    assert view.project.find(AnswerRow, made, view.expression)
    ghosts = [lane.id for lane in view.lanes() if lane.kind == "candidate"]
    assert chosen not in ghosts
    view.pick(None)
    view.next_candidate()
    assert view.candidate_id == ghosts[0]
    view.next_candidate(-1)
    assert view.candidate_id == ghosts[-1]
    asked = []
    view.overlaps.connect(lambda *values: asked.append(values))
    view.accept()
    candidate, thing, iou = asked[0]
    assert (candidate, thing) == (ghosts[-1], 3)
    assert iou > 0.7
    assert view.project.find(VerdictRow, candidate) is None
    view.accept_as(candidate, None)
    rest(view, qtbot)
    assert len(view.project.rows(ObjectRow)) == 4, "accepting two does not keep two objects"
    assert len(view.project.masks(4)) == 30, "a promoted ghost was not tracked"
    view.pick(("object", 4))
    view.reject()
    assert view.project.find(ObjectRow, 4) is None
    view.undo()
    assert view.project.find(ObjectRow, 4) is not None


def test_the_threshold_makes_ghosts_without_a_model(proposed):
    view, before = proposed, proposed.project
    alive = [lane for lane in view.lanes() if lane.kind == "candidate" and not lane.ghost]
    view.set_threshold(1.0)
    assert all(lane.ghost for lane in view.lanes() if lane.kind == "candidate")
    view.set_threshold(0.0)
    unsuppressed = {row.id for row in view.project.rows(TrackletRow).values() if not row.suppressed}
    assert {lane.id for lane in view.lanes() if lane.kind == "candidate" and not lane.ghost} == unsuppressed
    view.set_threshold(None)
    assert [lane for lane in view.lanes() if lane.kind == "candidate" and not lane.ghost] == alive
    assert view.project is before
    assert not view.desk.work


def test_a_ghost_is_seen_on_the_canvas_while_it_is_judged(proposed):
    view = proposed
    view.accept()
    view.next_candidate()
    ghost = view.project.need(TrackletRow, view.candidate_id)
    view.look_at(ghost.frame)
    assert "ghost" in [layer.style for layer in view.scene(FRAME).layers]
    view.pick(("object", 1))
    assert "ghost" not in [layer.style for layer in view.scene(FRAME).layers]


def test_attention_is_shown_by_name(proposed):
    view = proposed
    assert "fused" in view.attention_names()
    assert view.scene(FRAME).attention is None
    for name in view.attention_names():
        view.show_attention(name)
        heat = view.scene(FRAME).attention
        assert heat.ndim == 2
        assert heat.max() <= 1.0
    view.show_attention("fused")
    maps, sampled = view.project.attention(view.expression)
    view.look_at(sampled[3])
    assert np.allclose(view.scene(FRAME).attention, maps[3] / maps.max())
    view.show_attention(None)
    assert view.scene(FRAME).attention is None


def test_marks_go_on_the_range_or_the_frame_and_off_again(view, qtbot):
    view.look_at(10)
    view.track()
    rest(view, qtbot)
    view.range = Span(3, 6)
    view.lock()
    assert view.project.locked(1) == {3, 4, 5, 6}
    view.delete()
    assert "locked" in view.banners[-1]
    view.lock()
    assert view.project.locked(1) == frozenset()
    view.range = None
    view.look_at(8)
    view.mark_absent()
    assert view.project.masks(1).absent(8)
    view.review()
    assert view.project.need(MarkRow, 1, 8).reviewed
    view.look_at(9)
    view.delete()
    assert 9 not in view.project.masks(1)
    view.look_at(10)
    view.copy_to_next()
    assert view.frame == 11
    assert view.project.masks(1).rle(11) == view.project.masks(1).rle(10)


def test_pending_masks_are_shown_and_kept_when_tracking_is_stopped(view, qtbot, engine):
    engine.pause = 0.03
    streamed = []
    view.desk.happened.connect(lambda _, event: streamed.append(event) if isinstance(event, FrameTracked) else None)
    view.look_at(10)
    view.track("forward")
    qtbot.waitUntil(lambda: len(streamed) > 4, timeout=LONG)
    assert any(stretch.state == "pending" for lane in view.lanes() for stretch in lane.stretches)
    view.look_at(streamed[2].frame)
    assert view.scene(FRAME).layers[0].rle == streamed[2].masks[1]
    assert view.project.masks(1).frames == (10,)
    view.stop()
    rest(view, qtbot)
    assert set(view.project.masks(1).frames) == {10} | {event.frame for event in streamed}
    assert not any(stretch.state == "pending" for lane in view.lanes() for stretch in lane.stretches)


def test_doubtful_frames_come_one_after_the_other(view, qtbot):
    view.look_at(10)
    view.track()
    rest(view, qtbot)
    empty = {f: edits.NewMask(Rle.empty((240, 320)), 0.2, 0.1) for f in (15, 25)}
    view.do(lambda project: edits.replace_masks(project, 1, empty, "tracked", "{}"))
    queue = view.doubtful()
    first = view.next_doubtful()
    assert (first.object, first.frame) == (queue[0].object, queue[0].frame)
    assert (view.picked, view.frame) == (("object", first.object), first.frame)
    assert f"Frame {first.frame}: " in view.said[-1]
    seen = {first.frame}
    for _ in range(60):
        entry = view.next_doubtful()
        if entry is None:
            break
        assert entry.frame not in seen or entry.object != first.object
        seen.add(entry.frame)
    assert view.said[-1] == "Nothing is doubtful any more."
    assert not view.project.rows(MarkRow), "going on was taken for a person's word"
    view.open_clip(1)
    assert view.next_doubtful() is not None


def test_masks_of_a_tracking_that_was_replaced_are_shown_no_more(view, qtbot, shapes, engine):
    engine.pause = 0.05
    view.look_at(10)
    view.click(*middle(shapes, 0, 10), True)
    qtbot.waitUntil(lambda: len(view.pending(1)) > 4, timeout=LONG)
    shown = set(view.pending(1))
    view.click(5.0, 5.0, False)
    qtbot.waitUntil(lambda: len(view.points()) == 2 and not shown <= set(view.pending(1)), timeout=LONG)
    view.undo()
    assert view.pending(1) == {}
    view.stop()
    rest(view, qtbot)


def test_prompts_are_gone_through_in_order(view, qtbot, shapes):
    for frame in (20, 6, 13):
        view.do(lambda p, frame=frame: edits.set_prompt(p, 1, frame, ((5.0, 5.0, True),)))
    visited = []
    for step in (1, 1, 1, 1, -1, -1, -1):
        view.next_prompt(step)
        visited.append(view.frame)
    assert visited == [6, 13, 20, 20, 13, 6, 6]


def test_what_lies_under_the_pointer_is_picked(view, shapes):
    view.look_at(10)
    view.pick_at(*middle(shapes, 1, 10))
    assert view.picked == ("object", 2)
    background = np.argwhere(~shapes.masks[:2, 10].any(axis=0))[0]
    view.pick_at(float(background[1]), float(background[0]))
    assert view.picked == ("object", 2), "beside all objects nothing is chosen"
    view.next_object()
    assert view.picked == ("object", 1)


def test_hidden_objects_are_not_drawn(view):
    view.look_at(10)
    view.set_hidden(("object", 1), True)
    assert len(view.scene(FRAME).layers) == 1
    view.set_hidden(("object", 1), False)
    assert len(view.scene(FRAME).layers) == 2


def test_an_object_that_goes_is_worked_on_no_more(view):
    view.do(lambda project: edits.remove_object(project, 1))
    assert view.picked is None
    view.undo()
    assert view.project.find(ObjectRow, 1) is not None


@pytest.mark.parametrize("deed", ["accept", "reject", "track", "lock", "next_candidate"])
def test_what_needs_something_chosen_says_so(view, deed):
    view.pick(None)
    getattr(view, deed)()
    assert len(view.banners) == 1


def test_a_late_preview_of_another_frame_is_not_shown(view, qtbot, shapes):
    view.look_at(10)
    answers = []
    view.desk.happened.connect(lambda _, event: answers.append(event) if isinstance(event, Prompted) else None)
    view.preview(*middle(shapes, 0, 10), True)
    view.look_at(11)
    qtbot.waitUntil(lambda: bool(answers), timeout=LONG)
    assert all(layer.style != "preview" for layer in view.scene(FRAME).layers)
