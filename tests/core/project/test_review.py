"""Edits and streaming tracking side by side: nothing of a person's is overwritten, nothing shown is lost."""

from __future__ import annotations

import os

import pytest
from made_project import COUNT, mask, masks_of, started

from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.review import Review
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
    assert edit.frames == {1: frozenset({3, 4, 5}), 2: frozenset({3, 4, 5})}
    assert review.project.masks(2).rle(4) == found(4, 50)[1].rle
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
    review.do(edits.replace_masks(review.project, 1, masks_of({4: mask(999)}), "drawn", "{}"))
    job = review.begin([1], "{}")
    review.stream(job, {1: found(4)})
    assert review.finish(job).frames == {1: frozenset({4})}


def test_undoing_its_cause_ends_a_job(review):
    cause = edits.replace_masks(review.project, 2, masks_of({0: mask(5)}), "corrected", "{}")
    review.do(cause)
    job, other = review.begin([2], "{}", cause), review.begin([1], "{}")
    review.stream(job, {2: found(1)})
    assert review.do(cause.undone) == {job}
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
    assert review.do(edit(review.project)) == {job}
    assert review.store.pending() == []


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
        assert edit.frames == {1: frozenset({3, 4, 5, 6}), 2: frozenset({3, 4, 5, 6})}
        assert store.pending() == []
        review.do(edit.undone)
        assert review.project.same(before)
        assert review.begin([1], "{}") >= 1
