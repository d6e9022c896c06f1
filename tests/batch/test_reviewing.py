"""A pre-labelled folder as its reviewers see it: queue, decisions, and what is accepted by score."""

from __future__ import annotations

import random
import sqlite3
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_set import SET, label, make_list, make_media, make_set, result

from decaf_gui.batch.reviewing import (
    RANKS,
    Changed,
    Entry,
    LabelledSet,
    LeftAlone,
    accept_waiting,
    in_order,
    matching,
    next_to_review,
    set_folder,
    take_back,
)
from decaf_gui.batch.worklist import WorkList, project_path
from decaf_gui.core.calibration import Decision
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import ObjectRow, VerdictRow
from decaf_gui.core.project.store import Store

states = st.sampled_from(tuple(RANKS))
number = st.none() | st.floats(0, 1)
entries = st.lists(
    st.builds(Entry, st.sampled_from("abcd"), st.sampled_from("wxyz"), states, number, number),
    max_size=12,
    unique_by=lambda entry: entry.key,
)


@pytest.fixture
def folder(tmp_path):
    return make_set(tmp_path)


def look(labelled):
    return list(labelled.look())[-1]


def judge(folder, clip, *deeds):
    """What a person says of a clip's candidates: (deed, tracklet)."""
    with Store.open(project_path(folder, clip)) as store:
        for deed, number in deeds:
            store.do(deed(store.project, number))


def test_the_queue_has_every_pair_most_doubtful_first(folder):
    picture = look(LabelledSet(folder))
    found = [(e.expression, e.state, e.doubt, e.score) for e in in_order(picture.entries(), "doubt")]
    assert found == [
        ("the blue square", "to review", 0.80, 0.55),
        ("the small one", "to review", 0.60, 0.70),
        ("the star", "to review", 0.45, 0.85),
        ("the red disc", "to review", 0.30, 0.90),
        ("the green one", "to review", 0.10, 0.95),
        ("the bird", "to review", None, None),
        ("the car", "failed", None, None),
    ]
    by_score = [entry.expression for entry in in_order(picture.entries(), "score")]
    assert by_score[:2] == ["the blue square", "the small one"]
    assert [entry.clip for entry in in_order(picture.entries(), "clip")] == [*sorted([*SET, *SET]), "delta"]
    assert picture.entries()[-1].reason == "its video is empty."
    assert picture.entries()[1].open == 2


def test_what_persons_decide_is_seen_and_nothing_is_written(folder):
    labelled = LabelledSet(folder)
    look(labelled)
    judge(folder, "alpha", (edits.accept, 1), (edits.accept, 3), (edits.reject, 4))
    judge(folder, "gamma", (edits.set_no_target, 2))
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    picture = look(labelled)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    reviewed = [entry.expression for entry in picture.entries() if entry.state == "reviewed"]
    assert reviewed == ["the red disc", "the small one", "the bird"]
    assert picture.decisions() == [
        Decision(pytest.approx(0.9), True),
        Decision(pytest.approx(0.7), True),
        Decision(pytest.approx(0.65), False),
    ]


def test_only_projects_that_changed_are_read_again(folder, monkeypatch):
    from decaf_gui.batch import reviewing

    read = []
    glance = reviewing.glance
    monkeypatch.setattr(reviewing, "glance", lambda path: (read.append(path.stem), glance(path))[1])
    labelled = LabelledSet(folder)
    look(labelled)
    assert read == ["alpha", "beta", "gamma"]
    judge(folder, "beta", (edits.accept, 1))
    look(labelled)
    assert read == ["alpha", "beta", "gamma", "beta"]
    with Store.open(project_path(folder, "gamma")) as store:  # still open: what is new lies in its log
        store.do(edits.accept(store.project, 1))
        assert [e.state for e in look(labelled).entries() if e.expression == "the star"] == ["reviewed"]


def test_a_set_that_is_still_being_made(tmp_path):
    for clip in SET:
        make_media(tmp_path / "media", clip)
    with make_list(tmp_path / "set", SET, tmp_path / "media") as worklist:
        labelled = LabelledSet(tmp_path / "set")
        assert {entry.state for entry in look(labelled).entries()} == {"waiting"}
        worklist.take()
        assert [entry.state for entry in look(labelled).entries()] == ["running"] * 2 + ["waiting"] * 4
        label(worklist, SET["beta"])
        assert [entry.state for entry in look(labelled).entries()] == ["running"] * 2 + ["to review"] * 2 + [
            "waiting"
        ] * 2
        worklist.failed("alpha", "the worker died.", again=True)
        first = look(labelled).entries()[0]
        assert (first.state, first.reason) == ("waiting", "the worker died.")


def test_what_is_no_set_is_refused(tmp_path, folder):
    with pytest.raises(BadInput, match="no work list"):
        LabelledSet(tmp_path)
    (tmp_path / "worklist.sqlite").write_text("nothing")
    with pytest.raises(BadInput, match=r"worklist\.sqlite"):
        LabelledSet(tmp_path)
    assert set_folder(folder) == set_folder(folder / "worklist.sqlite") == folder
    assert set_folder(folder / "projects") is None


def test_a_project_that_cannot_be_read_is_to_be_reviewed_all_the_same(folder):
    project_path(folder, "alpha").write_bytes(b"nothing")
    project_path(folder, "beta").unlink()
    picture = look(LabelledSet(folder))
    assert [entry.state for entry in picture.entries()] == ["to review"] * 6 + ["failed"]
    assert [part.clip for part in picture.waiting(0.0)] == ["gamma"], "what is not known is not accepted"


# --- the queue as data -------------------------------------------------------------------------------------------


@given(entries=entries, order=st.sampled_from(["doubt", "score", "clip"]))
def test_any_order_keeps_all_and_puts_first_what_is_to_be_done(entries, order):
    found = in_order(entries, order)
    assert sorted(entry.key for entry in found) == sorted(entry.key for entry in entries)
    if order == "clip":
        assert found == entries
        return
    ranks = [RANKS[entry.state] for entry in found]
    assert ranks == sorted(ranks)
    for state in RANKS:
        values = [getattr(entry, order) for entry in found if entry.state == state]
        known = [value for value in values if value is not None]
        assert values == known + [None] * (len(values) - len(known))
        assert known == sorted(known, reverse=order == "doubt")


@given(entries=entries, step=st.sampled_from([1, -1]))
def test_going_on_comes_to_every_entry_to_review_once(entries, step):
    wanted = [entry for entry in entries if entry.state == "to review"]
    current, seen = None, []
    for _ in wanted:
        found = next_to_review(entries, current, step)
        assert found is not None
        seen.append(found)
        current = found.key
    assert sorted(entry.key for entry in seen) == sorted(entry.key for entry in wanted)
    if len(wanted) > 1:
        assert next_to_review(entries, current, step) == seen[0]
        assert seen == (wanted if step > 0 else wanted[::-1])
    elif wanted:
        assert next_to_review(entries, current, step) is None


def test_filtering_by_words_of_clip_expression_and_reason(folder):
    found = look(LabelledSet(folder)).entries()
    everything = tuple(RANKS)
    assert [e.expression for e in matching(found, "THE one beta", everything)] == ["the green one"]
    assert [e.clip for e in matching(found, "empty", everything)] == ["delta"]
    assert matching(found, "", ("failed",)) == [found[-1]]
    assert matching(found, "zebra", everything) == []


# --- accepting by score ------------------------------------------------------------------------------------------


def test_accepting_what_waits_above_a_score_and_taking_it_back(folder):
    labelled = LabelledSet(folder)
    judge(folder, "beta", (edits.reject, 1))
    waiting = look(labelled).waiting(0.69)
    assert [(part.clip, part.tracklets) for part in waiting] == [("alpha", (1, 3)), ("beta", (3,)), ("gamma", (1,))]
    before = {clip: Store.open(project_path(folder, clip), read_only=True) for clip in SET}
    done = list(accept_waiting(waiting, 0.69))
    assert [(one.clip, one.candidates) for one in done] == [("alpha", 2), ("beta", 1), ("gamma", 1)]
    picture = look(labelled)
    assert [part.tracklets for part in picture.waiting(0.0)] == [(4,)]
    assert picture.decisions() == [Decision(pytest.approx(0.55), False)], "by score is no decision"
    with Store.open(project_path(folder, "alpha"), read_only=True) as store:
        assert store.project.need(VerdictRow, 3).above == 0.69
        assert len(store.project.rows(ObjectRow)) == 2
    back = list(take_back(done))
    assert [(type(one), one.candidates) for one in back] == [(Changed, 2), (Changed, 1), (Changed, 1)]
    for clip, was in before.items():
        with Store.open(project_path(folder, clip), read_only=True) as store, was:
            assert store.project.same(was.project)


def test_a_project_that_somebody_works_on_is_left_alone(folder):
    waiting = look(LabelledSet(folder)).waiting(0.0)
    with Store.open(project_path(folder, "beta")) as held:
        done = list(accept_waiting(waiting, 0.0))
        assert isinstance(done[1], LeftAlone)
        assert "is working on it" in done[1].reason
        assert not held.project.rows(VerdictRow)
    assert [isinstance(one, Changed) for one in done] == [True, False, True]


def test_what_was_worked_on_since_is_not_taken_back(folder):
    done = list(accept_waiting(look(LabelledSet(folder)).waiting(0.0), 0.0))
    judge(folder, "alpha", (edits.reject, 1))
    with Store.open(project_path(folder, "gamma")) as store:
        store.do(edits.rename(store.project, 1, "my star"))
    back = list(take_back(done))
    assert [isinstance(one, Changed) for one in back] == [False, True, False]
    with Store.open(project_path(folder, "gamma"), read_only=True) as store:
        assert store.project.need(ObjectRow, 1).name == "my star"


def test_stopping_accepts_no_further_project(folder):
    work = accept_waiting(look(LabelledSet(folder)).waiting(0.0), 0.0)
    next(work)
    work.close()
    assert [entry.open for entry in look(LabelledSet(folder)).entries()] == [0, 0, 1, 1, 1, 0, 0]


# --- size --------------------------------------------------------------------------------------------------------


def test_a_thousand_clips_are_there_at_once(tmp_path):
    """From the work list alone; their projects, missing here, would be read after that."""
    wanted = {f"clip{n:04d}": {"one": (0.5, (0.9,)), "two": (0.5, (0.9,))} for n in range(1000)}
    with make_list(tmp_path / "set", wanted, tmp_path / "media") as worklist:
        with sqlite3.connect(worklist.folder / "worklist.sqlite") as connection:
            connection.execute("UPDATE pair SET state = 'running'")
        chance = random.Random(0)
        for clip in wanted:
            worklist.finished(clip, [result(clip, text, chance.random(), (0.9,)) for text in ("one", "two")])
    began = time.process_time()  # not the time that others take of the processor
    first = next(LabelledSet(tmp_path / "set").look())
    ordered = in_order(first.entries(), "doubt")
    assert time.process_time() - began < 1.0
    assert len(ordered) == 2000
    assert ordered[0].doubt == max(entry.doubt for entry in ordered)


def test_the_work_list_is_only_read(folder):
    before = (folder / "worklist.sqlite").read_bytes()
    with WorkList.open(folder, read_only=True):
        look(LabelledSet(folder))
    assert (folder / "worklist.sqlite").read_bytes() == before
