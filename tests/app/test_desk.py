"""Edits and the worker together: clicks, undo, reject and close while tracking runs. The models are the demo's."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from decaf_gui.app.desk import Desk, TrackWork
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.app.worker import Worker
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, FrameTracked, Prompted, TrackletsReady
from decaf_gui.core.project import edits
from decaf_gui.core.project.review import Review
from decaf_gui.core.project.rows import (
    AnswerRow,
    ExpressionRow,
    GroundingRow,
    MaskRow,
    ObjectRow,
    PromptRow,
    ProvenanceRow,
    TrackletRow,
    VerdictRow,
)
from decaf_gui.core.project.store import Store

LONG = 60_000
EVERYWHERE = frozenset(range(30))


def middle(shapes, thing: int, frame: int) -> tuple[float, float, bool]:
    """A pixel of a shape, for a positive click."""
    pixels = np.argwhere(shapes.masks[thing, frame])
    y, x = pixels[len(pixels) // 2]
    return float(x) + 0.5, float(y) + 0.5, True


def tracking(desk) -> list[int]:
    return [job for job, work in desk.work.items() if isinstance(work, TrackWork)]


def rest(desk, qtbot) -> None:
    qtbot.waitUntil(lambda: not desk.work, timeout=LONG)


def some_frames(seen, qtbot, job: int, count: int) -> None:
    qtbot.waitUntil(lambda: len(seen.of(job, FrameTracked)) >= count, timeout=LONG)


def test_a_click_is_stored_when_its_mask_comes_and_tracked_from_there(desk, seen, qtbot, shapes, path):
    point = middle(shapes, 0, 10)
    job = desk.click(1, 10, [point])
    assert desk.project.find(PromptRow, 1, 10) is None, "stored before there was a mask"
    rest(desk, qtbot)
    (answer,) = seen.of(job, Prompted)
    row = desk.project.need(MaskRow, 1, 10)
    assert row.counts == answer.rle.counts
    assert desk.project.need(PromptRow, 1, 10).points == (point,)
    assert desk.project.need(ProvenanceRow, row.provenance).origin == "corrected"
    assert set(desk.project.masks(1).frames) == EVERYWHERE
    assert desk.project.masks(2).frames == (10,), "another object was touched"
    assert [command.edit.frames for command in history(desk)] == [
        {1: frozenset({10})},
        {1: EVERYWHERE - {10}},
    ]
    assert [bool(receipt.effects) for receipt in seen.receipts] == [True, True]
    desk.undo()
    desk.undo()
    assert desk.project.masks(1).frames == (10,)
    with Store.open(path, read_only=True) as reader:
        assert reader.project.same(desk.project)
    desk.redo()
    desk.redo()
    assert set(desk.project.masks(1).frames) == EVERYWHERE


def history(desk):
    return [desk.history.command(place) for place in range(desk.history.count())]


def test_the_same_click_gives_the_same_mask_after_undo_and_in_a_reopened_project(
    desk, seen, qtbot, shapes, path, engine
):
    point = middle(shapes, 0, 12)
    desk.track({1: 10})
    rest(desk, qtbot)
    jobs = [desk.click(1, 12, [point])]
    rest(desk, qtbot)
    tracked = desk.project.masks(1)
    desk.undo()
    desk.undo()
    jobs.append(desk.click(1, 12, [point]))
    rest(desk, qtbot)
    assert seen.of(jobs[0], Prompted) == seen.of(jobs[1], Prompted)
    assert desk.project.masks(1) == tracked
    desk.undo()
    desk.undo()
    before = desk.project
    assert desk.close()
    engine.free()
    worker = Worker(make=lambda _: engine)
    again = Desk(Store.open(path), worker)
    assert again.project.same(before)
    again.click(1, 12, [point])
    rest(again, qtbot)
    assert again.project.masks(1) == tracked
    assert again.close()


def test_a_second_click_corrects_the_same_base(desk, qtbot, shapes):
    first, second = middle(shapes, 0, 10), (5.0, 5.0, False)
    base = desk.project.need(MaskRow, 1, 10).counts
    desk.click(1, 10, [first])
    rest(desk, qtbot)
    desk.click(1, 10, [first, second])
    rest(desk, qtbot)
    row = desk.project.need(PromptRow, 1, 10)
    assert (row.points, row.base) == ((first, second), base)
    desk.do(edits.remove_prompt(desk.project, 1, 10))
    assert desk.project.need(MaskRow, 1, 10).counts == base


def test_clicking_during_tracking_restarts_that_object_alone(desk, seen, qtbot, shapes, engine):
    engine.pause = 0.03
    both = desk.track({1: 10, 2: 10})
    some_frames(seen, qtbot, both, 4)
    click = desk.click(1, 10, [middle(shapes, 0, 10)])
    qtbot.waitUntil(lambda: seen.ended(click), timeout=LONG)
    assert not seen.ended(both)
    (second,) = set(tracking(desk)) - {both}
    rest(desk, qtbot)
    things = [set(event.masks) for event in seen.of(both, FrameTracked)]
    left = things.index({2})  # a step may have been under way when it left
    assert things[:left] == [{1, 2}] * left
    assert things[left:] == [{2}] * (len(things) - left), "the clicked object went on in the old tracking"
    assert all(set(event.masks) == {1} for event in seen.of(second, FrameTracked))
    for thing in (1, 2):
        assert set(desk.project.masks(thing).frames) == EVERYWHERE
    texts = [command.edit.text for command in history(desk)]
    kept, clicked, *tracked = texts
    assert kept.startswith("track shape0")
    assert clicked.startswith("corrected")
    assert len(tracked) == 2


def test_clicks_in_a_row_leave_one_tracking(desk, seen, qtbot, shapes, engine):
    engine.pause = 0.03
    first, second = middle(shapes, 0, 10), (5.0, 5.0, False)
    desk.click(1, 10, [first])
    qtbot.waitUntil(lambda: bool(tracking(desk)), timeout=LONG)
    (job,) = tracking(desk)
    some_frames(seen, qtbot, job, 3)
    desk.click(1, 10, [first, second])
    rest(desk, qtbot)
    assert isinstance(seen.of(job, (Finished, Cancelled))[-1], Cancelled)
    assert [command.edit.text.split()[0] for command in history(desk)] == ["corrected", "corrected", "track"]


def test_undoing_the_click_ends_its_tracking_and_stores_nothing_of_it(desk, seen, qtbot, shapes, engine):
    before = desk.project
    engine.pause = 0.03
    desk.click(1, 10, [middle(shapes, 0, 10)])
    qtbot.waitUntil(lambda: bool(tracking(desk)), timeout=LONG)
    (job,) = tracking(desk)
    some_frames(seen, qtbot, job, 3)
    desk.undo()
    assert desk.project.same(before)
    qtbot.waitUntil(lambda: seen.ended(job), timeout=LONG)
    assert isinstance(seen.of(job, (Finished, Cancelled))[-1], Cancelled)
    assert desk.project.same(before)
    assert desk.store.pending() == []


def test_undoing_something_else_lets_tracking_go_on(desk, seen, qtbot, engine):
    engine.pause = 0.03
    desk.do(edits.rename(desk.project, 1, "other name"))
    job = desk.track({1: 10})
    some_frames(seen, qtbot, job, 3)
    desk.undo()
    assert desk.project.need(ObjectRow, 1).name == "shape0 1"
    rest(desk, qtbot)
    assert isinstance(seen.of(job, (Finished, Cancelled))[-1], Finished)
    assert set(desk.project.masks(1).frames) == EVERYWHERE


def test_undo_withdraws_a_click_that_waits_for_its_mask(desk, seen, qtbot, shapes):
    desk.do(edits.rename(desk.project, 1, "other name"))
    before = desk.project
    job = desk.click(1, 10, [middle(shapes, 0, 10)])
    desk.undo()
    qtbot.waitUntil(lambda: seen.ended(job), timeout=LONG)
    rest(desk, qtbot)
    assert desk.project.same(before), "the click was stored, or something else was undone"


def test_removing_an_object_during_tracking(desk, seen, qtbot, engine):
    engine.pause = 0.03
    job = desk.track({1: 10, 2: 10})
    some_frames(seen, qtbot, job, 3)
    desk.do(edits.remove_object(desk.project, 1))
    rest(desk, qtbot)
    assert isinstance(seen.of(job, (Finished, Cancelled))[-1], Finished)
    assert set(desk.project.masks(2).frames) == EVERYWHERE
    assert not list(desk.project.where(MaskRow, object=1))
    desk.undo()
    desk.undo()
    assert desk.project.masks(1).frames == (10,)


def test_rejecting_during_tracking_ends_it(desk, seen, qtbot, engine):
    propose(desk, qtbot)
    ghost = next(row for row in desk.project.rows(TrackletRow).values() if not row.selected)
    engine.pause = 0.03
    desk.accept(ghost.id)
    (job,) = tracking(desk)
    some_frames(seen, qtbot, job, 3)
    desk.do(edits.reject(desk.project, ghost.id))
    qtbot.waitUntil(lambda: seen.ended(job), timeout=LONG)
    assert isinstance(seen.of(job, (Finished, Cancelled))[-1], Cancelled)
    assert not desk.work
    assert desk.project.need(VerdictRow, ghost.id).state == "rejected"
    assert desk.store.pending() == []


def test_closing_during_tracking_keeps_what_was_found(desk, seen, qtbot, path, engine):
    engine.pause = 0.03
    job = desk.track({1: 10})
    some_frames(seen, qtbot, job, 5)
    assert desk.close()
    shown = {event.frame for event in seen.of(job, FrameTracked)}
    with Store.open(path) as again:
        assert again.pending() == []
        assert set(again.project.masks(1).frames) == shown | {10}
        assert len(shown) < 30


def test_cancelling_tracking_keeps_what_was_found_as_one_edit(desk, seen, qtbot, engine):
    engine.pause = 0.03
    before = desk.project
    job = desk.track({1: 10})
    some_frames(seen, qtbot, job, 5)
    desk.cancel(job)
    rest(desk, qtbot)
    assert set(desk.project.masks(1).frames) == {event.frame for event in seen.of(job, FrameTracked)} | {10}
    desk.undo()
    assert desk.project.same(before)


def test_tracking_stops_at_locked_frames_which_join_the_prompts(desk, seen, qtbot, shapes):
    masks = {4: edits.NewMask(mask_of(shapes, 0, 4))}
    desk.do(edits.replace_masks(desk.project, 1, masks, "tracked", "{}"))
    desk.do(edits.set_locked(desk.project, 1, [4, 20]))
    job = desk.track({1: 10})
    work = desk.work[job]
    assert [prompt.frame for prompt in work.plan.prompts[1]] == [4, 10]
    rest(desk, qtbot)
    assert set(desk.project.masks(1).frames) == set(range(4, 20))
    assert desk.project.masks(1).rle(4) == masks[4].rle
    with pytest.raises(BadInput, match="locked"):
        desk.click(1, 20, [(5.0, 5.0, True)])
    with pytest.raises(BadInput, match="locked"):
        desk.track({1: 20})


def mask_of(shapes, thing, frame):
    from decaf_gui.core.masks import Rle

    return Rle.encode(shapes.masks[thing, frame])


def propose(desk, qtbot, text="the red cross") -> int:
    job = desk.propose(1, text)
    qtbot.waitUntil(lambda: job not in desk.work, timeout=LONG)
    return job


def test_a_proposal_is_one_edit_and_accepting_makes_an_object(desk, seen, qtbot):
    job = propose(desk, qtbot)
    assert seen.of(job, AttentionReady)
    assert seen.of(job, TrackletsReady)
    (asked,) = desk.project.rows(ExpressionRow).values()
    assert desk.project.find(GroundingRow, asked.id)
    chosen = next(row for row in desk.project.rows(TrackletRow).values() if row.selected)
    desk.accept(chosen.id)
    assert not tracking(desk), "every frame is known already"
    made = desk.project.need(VerdictRow, chosen.id).object
    assert desk.project.find(AnswerRow, made, asked.id)
    assert set(desk.project.masks(made).frames) == EVERYWHERE
    propose(desk, qtbot)
    assert len(desk.project.rows(ExpressionRow)) == 1, "the same expression was added twice"


def test_a_promoted_ghost_is_tracked_over_the_whole_clip(desk, seen, qtbot):
    propose(desk, qtbot)
    ghost = next(row for row in desk.project.rows(TrackletRow).values() if not row.selected)
    known = set(edits.tracklet_masks(desk.project, ghost.id).frames)
    assert known < EVERYWHERE
    desk.accept(ghost.id)
    made = desk.project.need(VerdictRow, ghost.id).object
    assert set(desk.project.masks(made).frames) == known, "its sampled frames are shown at once"
    rest(desk, qtbot)
    assert set(desk.project.masks(made).frames) == EVERYWHERE


def test_a_cancelled_proposal_keeps_what_has_come(desk, seen, qtbot):
    job = desk.propose(1, "the red cross")
    qtbot.waitUntil(lambda: bool(seen.of(job, AttentionReady)), timeout=LONG)
    desk.cancel(job)
    qtbot.waitUntil(lambda: seen.ended(job), timeout=LONG)
    assert desk.project.find(GroundingRow, 1) is not None
    count = len(seen.of(job, TrackletsReady)[0].tracklets) if seen.of(job, TrackletsReady) else 0
    assert len(desk.project.rows(TrackletRow)) == count


def test_removing_the_expression_ends_its_proposal(desk, seen, qtbot):
    job = desk.propose(1, "the red cross")
    desk.do(edits.remove_expression(desk.project, 1))
    qtbot.waitUntil(lambda: seen.ended(job), timeout=LONG)
    assert not desk.project.rows(ExpressionRow)
    assert not desk.project.rows(TrackletRow)


def test_a_preview_shows_what_the_click_will_give_and_stores_nothing(desk, seen, qtbot, shapes):
    before, point = desk.project, middle(shapes, 0, 10)
    preview = desk.preview(1, 10, [point])
    qtbot.waitUntil(lambda: seen.ended(preview), timeout=LONG)
    assert desk.project.same(before)
    click = desk.click(1, 10, [point], follow=False)
    rest(desk, qtbot)
    assert seen.of(preview, Prompted) == seen.of(click, Prompted)
    assert not tracking(desk)


def test_media_that_moved_are_told(desk, seen, qtbot, media, tmp_path):
    desk.do(edits.relink_clip(desk.project, 1, "gone.mp4", fingerprint(desk), (240, 320)))
    for ask in (lambda: desk.propose(1, "the red cross"), lambda: desk.track({1: 10})):
        with pytest.raises(BadInput, match="where the clip lies now"):
            ask()
    assert not desk.work


def fingerprint(desk):
    from decaf_gui.core.clip import Fingerprint
    from decaf_gui.core.project.rows import ClipRow

    row = desk.project.need(ClipRow, 1)
    return Fingerprint(row.bytes, row.frames, row.sha256)


def test_a_job_that_fails_keeps_what_it_had_found(desk, seen, qtbot, engine, monkeypatch):
    real = type(engine).tracking

    def breaks(self, clip, prompts, sweeps):
        tracking = real(self, clip, prompts, sweeps)
        events = tracking._events

        def some():
            for count, event in enumerate(events):
                if count == 8:
                    raise RuntimeError("the model broke")
                yield event

        tracking._events = some()
        return tracking

    monkeypatch.setattr(type(engine), "tracking", breaks)
    job = desk.track({1: 10})
    rest(desk, qtbot)
    (failed,) = seen.of(job, Failed)
    assert "the model broke" in failed.what
    assert set(desk.project.masks(1).frames) == {event.frame for event in seen.of(job, FrameTracked)} | {10}


def test_a_read_only_project_refuses_edits(path, qtbot, engine):
    with Store.open(path):
        worker = Worker(make=lambda _: engine)
        desk = Desk(Store.open(path), worker)
        assert desk.store.read_only
        with pytest.raises(BadInput, match="read-only"):
            desk.do(edits.rename(desk.project, 1, "other"))
        assert desk.history.count() == 0
        assert desk.pending() == []
        assert desk.close()


@pytest.mark.parametrize("keep", [True, False])
def test_what_a_killed_program_left_is_offered(path, worker, keep):
    with Store.open(path) as store:
        review = Review(store, clock=iter(range(0, 999, 5)).__next__)
        job = review.begin([1], "{}")
        for frame in range(11, 15):
            review.stream(job, {1: (frame, edits.NewMask(store.project.masks(1).rle(10)))})
    desk = Desk(Store.open(path), worker)
    before = desk.project
    (left,) = desk.pending()
    assert set(left.masks[1]) == {11, 12, 13, 14}
    if keep:
        desk.recover(left)
        assert desk.project.masks(1).frames == (10, 11, 12, 13, 14)
        desk.undo()
    else:
        desk.discard(left)
    assert desk.project.same(before)
    assert desk.pending() == []
    assert desk.close()


def test_what_tracks_now_is_not_offered(desk, seen, qtbot, engine):
    engine.pause = 0.05
    job = desk.track({1: 10})
    qtbot.waitUntil(lambda: bool(desk.store.pending()), timeout=LONG)
    assert desk.pending() == []
    desk.cancel(job)
    rest(desk, qtbot)


def test_an_undo_that_does_not_fit_is_refused_and_the_history_stays(desk, seen):
    desk.do(edits.rename(desk.project, 1, "mine"))
    desk.store.do(edits.rename(desk.project, 1, "somebody else's"))  # past the desk
    desk.undo()
    assert "does not fit" in seen.refused[0]
    assert desk.history.canUndo()
    assert desk.project.need(ObjectRow, 1).name == "somebody else's"


def test_a_hanging_model_does_not_keep_the_desk_open(path, qtbot, engine, monkeypatch):
    """Everything is stored and the file is closed; in the program, the process then ends without the thread."""
    started, released = threading.Event(), threading.Event()

    def hangs(self, clip, prompts, sweeps):
        def events():
            started.set()
            released.wait(30)
            yield from ()

        return events()

    monkeypatch.setattr(type(engine), "tracking", hangs)
    monkeypatch.setattr("decaf_gui.app.worker.atexit.register", lambda _: None)
    worker = Worker(make=lambda _: engine)
    desk = Desk(Store.open(path), worker)
    desk.track({1: 10})
    qtbot.waitUntil(started.is_set, timeout=LONG)
    desk.do(edits.rename(desk.project, 1, "kept"))
    assert desk.close(0.2) is False
    with Store.open(path) as again:
        assert not again.read_only
        assert again.project.need(ObjectRow, 1).name == "kept"
    released.set()
    qtbot.waitUntil(lambda: not worker.running, timeout=LONG)
