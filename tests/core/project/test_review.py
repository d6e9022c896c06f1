"""Edits and streaming tracking side by side: nothing of a person's is overwritten, nothing shown is lost."""

from __future__ import annotations

import os

import pytest
from made_project import COUNT, mask, masks_of, started

from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.review import Ended, Review
from decaf_gui.core.project.store import Store


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path):
    with Store.create(tmp_path / "work.decaf") as made:
        for edit in started():
            made.do(edit)
    return tmp_path / "work.decaf"


@pytest.fixture
def store(path):
    with Store.open(path) as opened:
        yield opened


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def review(store, clock):
    return Review(store, clock)


def found(frame: int, seed: int = 0) -> tuple[int, edits.NewMask]:
    return frame, edits.NewMask(mask(700 + seed + frame), 0.9, 4.0)


def test_streamed_masks_become_one_edit_at_the_end(review):
    before = review.project
    job = review.begin([1, 2], '{"model": "demo"}')
    for frame in range(3, 6):
        review.stream(job, {1: found(frame), 2: found(frame, 50)})
        assert review.project.same(before), "tracking wrote before it ended"
    edit = review.finish(job)
    drawn = 5  # on object 2
    assert edit.frames == {1: frozenset({3, 4, 5}), 2: frozenset({3, 4, 5}) - {drawn}}
    assert review.project.masks(2).rle(4) == found(4, 50)[1].rle
    assert review.project.masks(2).rle(drawn) == before.masks(2).rle(drawn)
    review.do(edit.undone)
    assert review.project.same(before)
    assert review.store.pending() == []
    assert review.finish(job) is None


def test_the_journal_is_written_at_most_a_second_apart_and_survives(review, clock, path):
    job = review.begin([2], "{}")
    for step in range(7):
        clock.now = 0.4 * step
        review.stream(job, {2: found(step)})
    kept = {frame for p in review.store.pending() for frame in p.masks[2]}
    assert kept == set(range(7)), "masks of the last second were written with the second before"
    clock.now += 0.4
    review.stream(job, {2: found(7)})
    assert {f for p in review.store.pending() for f in p.masks[2]} == set(range(7))


def test_what_a_person_did_meanwhile_stays(review):
    review.do(edits.set_locked(review.project, 1, [6]))
    locked = review.project.masks(1).rle(6)
    job = review.begin([1], "{}")
    review.stream(job, {1: found(3)})
    drawn = masks_of({4: mask(999)})
    review.do(edits.replace_masks(review.project, 1, drawn, "drawn", "{}"))
    removed = edits.delete_masks(review.project, 1, [5])
    review.do(removed)
    review.do(removed.undone)
    for frame in (4, 5, 6, 7):
        review.stream(job, {1: found(frame)})
    edit = review.finish(job)
    assert edit.frames == {1: frozenset({3, 7})}
    assert review.project.masks(1).rle(4) == mask(999)
    assert review.project.masks(1).rle(6) == locked


def test_edits_from_before_the_job_do_not_count(review):
    review.do(edits.replace_masks(review.project, 1, masks_of({4: mask(999)}), "tracked", "{}"))
    job = review.begin([1], "{}")
    review.stream(job, {1: found(4)})
    assert review.finish(job).frames == {1: frozenset({4})}


def test_undoing_its_cause_ends_a_job(review):
    cause = edits.replace_masks(review.project, 2, masks_of({0: mask(5)}), "corrected", "{}")
    review.do(cause)
    job, other = review.begin([2], "{}", cause), review.begin([1], "{}")
    review.stream(job, {2: found(1)})
    assert review.do(cause.undone) == Ended(frozenset({job}))
    assert set(review.jobs) == {other}
    review.stream(job, {2: found(3)})
    assert review.finish(job) is None


@pytest.mark.parametrize(
    "edit",
    [
        lambda p: edits.reject(p, 1),
        lambda p: edits.remove_object(p, 1),
        lambda p: edits.merge(p, 2, 1),
        lambda p: edits.remove_clip(p, 1),
    ],
)
def test_losing_its_object_ends_a_job(review, edit):
    job = review.begin([1], "{}")
    review.stream(job, {1: found(3)})
    assert review.do(edit(review.project)) == Ended(frozenset({job}))
    assert review.store.pending() == []


def test_an_object_that_goes_takes_nothing_from_the_others_of_its_job(review, clock):
    job = review.begin([1, 2], "{}")
    clock.now = 2.0
    review.stream(job, {1: found(3), 2: found(3, 50)})
    assert review.do(edits.reject(review.project, 1)) == Ended(left=frozenset({(job, 1)}))
    review.stream(job, {1: found(4), 2: found(4, 50)})
    assert set(review.store.pending()[0].masks) == {2}
    assert review.finish(job).frames == {2: frozenset({3, 4})}


def test_an_object_that_leaves_keeps_what_was_found_of_it(review, clock):
    before = review.project
    job = review.begin([1, 2], "{}")
    clock.now = 2.0
    review.stream(job, {1: found(3), 2: found(3, 50)})
    left = review.leave(job, 1)
    assert left.frames == {1: frozenset({3})}
    assert review.leave(job, 1) is None
    assert [set(pending.masks) for pending in review.store.pending()] == [{2}]
    review.stream(job, {1: found(4), 2: found(4, 50)})
    other = review.finish(job)
    assert other.frames == {2: frozenset({3, 4})}
    assert review.store.pending() == []
    review.do(other.undone)
    review.do(left.undone)
    assert review.project.same(before)


@pytest.mark.parametrize(
    "spoken",
    [
        lambda p: edits.set_locked(p, 1, [4]),
        lambda p: edits.mark_absent(p, 1, [4]),
        lambda p: edits.set_reviewed(p, 1, [4]),
        lambda p: edits.replace_masks(p, 1, masks_of({4: mask(999)}), "drawn", "{}"),
        lambda p: edits.set_prompt(p, 1, 4, ((1.0, 1.0, True),)),
    ],
)
def test_tracking_leaves_what_a_person_said(review, spoken):
    review.do(spoken(review.project))
    before = review.project.masks(1).rle(4)
    job = review.begin([1], "{}")
    for frame in range(3, 6):
        review.stream(job, {1: found(frame)})
    assert review.finish(job).frames == {1: frozenset({3, 5})}
    assert review.project.masks(1).rle(4) == before


def test_a_job_without_news_is_no_edit(review):
    job = review.begin([2], "{}")
    assert review.finish(job) is None
    review.do(edits.set_locked(review.project, 2, range(COUNT)))
    job = review.begin([2], "{}")
    review.stream(job, {2: found(3)})
    assert review.finish(job) is None
    assert review.store.pending() == []
    with pytest.raises(BadInput):
        review.begin([77], "{}")


def test_what_a_killed_program_left_is_offered_as_one_edit(path, tmp_path):
    child = os.fork()
    if child == 0:
        store = Store.open(path)
        clock = Clock()
        review = Review(store, clock)
        job = review.begin([1, 2], "{}")
        for frame in range(3, 7):
            clock.now += 1.0
            review.stream(job, {1: found(frame), 2: found(frame, 50)})
        os._exit(9)
    os.waitpid(child, 0)
    with Store.open(path) as store:
        review = Review(store)
        (pending,) = store.pending()
        before = review.project
        edit = review.recover(pending)
        assert edit.frames == {1: frozenset({3, 4, 5, 6}), 2: frozenset({3, 4, 6})}, "5 was drawn"
        assert store.pending() == []
        review.do(edit.undone)
        assert review.project.same(before)
        assert review.begin([1], "{}") >= 1
