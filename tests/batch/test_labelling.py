"""What a worker does with a clip: one whole project, nothing done twice, nothing of a person's touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from quick_engine import FRAMES, QuickEngine, box, write_clip

from decaf_gui.batch.labelling import ClipLabelled, Plan, label_clip, reports_of
from decaf_gui.batch.reports import Failed, Labelled, Progressed, Started
from decaf_gui.batch.worklist import PROJECTS, ClipWork, Wanted, project_path
from decaf_gui.core.errors import OutOfMemory
from decaf_gui.core.project import edits
from decaf_gui.core.project.doubtful import object_doubts
from decaf_gui.core.project.rows import ClipRow, ExpressionRow, GroundingRow, ObjectRow, TrackletRow
from decaf_gui.core.project.store import Store


@pytest.fixture
def plan(tmp_path) -> Plan:
    (tmp_path / "out" / PROJECTS).mkdir(parents=True)
    return Plan(tmp_path / "out")


@pytest.fixture
def work(tmp_path) -> ClipWork:
    return ClipWork("zoo", write_clip(tmp_path / "zoo"), (Wanted("a lion", "animal"), Wanted("a tree")), 1)


def labelled(work: ClipWork, plan: Plan, engine=None) -> ClipLabelled:
    *_, last = label_clip(engine or QuickEngine(), work, plan)
    assert isinstance(last, ClipLabelled)
    return last


def files(plan: Plan) -> list[str]:
    return sorted(path.name for path in (plan.out / PROJECTS).iterdir())


def test_the_project_has_all_expressions_with_their_candidates(work, plan):
    found = labelled(work, plan)
    assert files(plan) == ["zoo.decaf"]
    with Store.open(project_path(plan.out, "zoo"), read_only=True) as store:
        (clip,) = store.project.where(ClipRow)
        assert store.media(clip) == work.media
        texts = {row.id: row.text for row in store.project.where(ExpressionRow)}
        assert list(texts.values()) == ["a lion", "a tree"]
        categories = [store.project.need(GroundingRow, row).category for row in texts]
        assert categories == ["animal", "a a tree"], "the table's label, else the model's word"
        for row in store.project.where(TrackletRow, selected=True):
            masks = edits.tracklet_masks(store.project, row.id)
            for frame in range(FRAMES):
                np.testing.assert_array_equal(masks[frame], box(texts[row.expression], 0, frame))
    assert [(r.clip, r.expression, r.label, r.candidates, r.selected) for r in found.results] == [
        ("zoo", "a lion", "animal", 2, 1),
        ("zoo", "a tree", "", 2, 1),
    ]
    assert all(r.score == pytest.approx((0.9 + 0.8 + 0.7) / 3) for r in found.results)


def test_the_doubt_is_what_a_person_who_accepts_it_sees(work, plan):
    """Against the doubts of the object that the candidate becomes."""
    (first, _) = labelled(work, plan).results
    with Store.open(project_path(plan.out, "zoo")) as store:
        store.do(edits.accept(store.project, 1))
        (thing,) = store.project.where(ObjectRow)
        totals = [doubt.total for doubt in object_doubts(store.project, thing.id).values()]
    assert 0 < first.doubt <= 1
    assert first.doubt == pytest.approx(max(totals))


class Breaking(QuickEngine):
    """Breaks off at an expression."""

    def __init__(self, text: str, error: Exception) -> None:
        super().__init__()
        self.text, self.error = text, error

    def propose(self, clip, text):
        for event in super().propose(clip, text):
            yield event
            if text == self.text:
                raise self.error


def test_a_clip_that_is_broken_off_has_no_project_and_goes_on_where_it_was(work, plan):
    with pytest.raises(OutOfMemory):
        labelled(work, plan, Breaking("a tree", OutOfMemory("none left")))
    assert files(plan) == [".zoo.making.decaf"]
    engine = QuickEngine()
    labelled(work, plan, engine)
    assert files(plan) == ["zoo.decaf"]
    assert engine.asked == [("zoo", "a tree")], "the lion was there already"


def test_closing_it_leaves_no_project_and_no_lock(work, plan):
    events = label_clip(QuickEngine(), work, plan)
    next(events)
    events.close()
    assert files(plan) == [".zoo.making.decaf"]
    assert len(labelled(work, plan).results) == 2


@pytest.mark.parametrize("left", ["damaged", "of other frames"])
def test_what_an_attempt_left_is_only_used_when_it_is_whole_and_of_this_clip(work, plan, tmp_path, left):
    with pytest.raises(OutOfMemory):
        labelled(work, plan, Breaking("a tree", OutOfMemory("none left")))
    making = plan.out / PROJECTS / ".zoo.making.decaf"
    if left == "damaged":
        making.write_bytes(making.read_bytes()[:5000])
        (making.parent / f"{making.name}-wal").write_bytes(b"the log of another file")
    else:
        next(work.media.iterdir()).unlink()
    engine = QuickEngine()
    labelled(work, plan, engine)
    assert files(plan) == ["zoo.decaf"]
    assert [text for _, text in engine.asked] == ["a lion", "a tree"]


def test_a_finished_clip_is_not_done_again(work, plan):
    before = labelled(work, plan).results
    engine = QuickEngine()
    after = labelled(work, plan, engine).results
    assert engine.asked == []
    assert [(r.candidates, r.selected, r.score, r.doubt) for r in after] == [
        (r.candidates, r.selected, r.score, r.doubt) for r in before
    ]


def test_new_expressions_join_a_reviewed_project_and_touch_nothing_in_it(work, plan):
    labelled(work, plan)
    path = project_path(plan.out, "zoo")
    with Store.open(path) as store:
        store.do(edits.accept(store.project, 1))
        store.do(edits.mark_absent(store.project, 1, [1]))
        before = store.project
    engine = QuickEngine()
    labelled(ClipWork("zoo", work.media, (Wanted("a bird"),), 1), plan, engine)
    assert engine.asked == [("zoo", "a bird")]
    with Store.open(path, read_only=True) as store:
        for kind, rows in before.tables.items():
            if kind.__name__ != "CounterRow":
                assert rows.items() <= store.project.rows(kind).items()
        assert len(store.project.rows(ExpressionRow)) == 3


def reports(work: ClipWork, plan: Plan, engine=None) -> list:
    return list(reports_of(engine or QuickEngine(), work, plan, "1"))


def test_reports_begin_and_end(work, plan):
    first, *between, last = reports(work, plan)
    assert first == Started("zoo", "1")
    assert between
    assert {type(report) for report in between} == {Progressed}
    assert isinstance(last, Labelled)
    assert len(last.results) == 2
    assert last.memory > 10 << 20


@pytest.mark.parametrize(
    ("error", "again", "told"),
    [
        (OutOfMemory("Out of memory on cpu"), True, "Out of memory on cpu"),
        (MemoryError(), True, "MemoryError"),
        (OSError(28, "No space left on device"), True, "No space left"),
        (ZeroDivisionError("a mistake\nof ours"), False, "ZeroDivisionError: a mistake of ours"),
    ],
)
def test_only_what_may_go_better_is_worth_another_attempt(work, plan, error, again, told):
    *_, last = reports(work, plan, Breaking("a lion", error))
    assert isinstance(last, Failed)
    assert last.again is again
    assert told in last.reason
    assert "\n" not in last.reason


def test_a_clip_that_is_not_there_fails_for_good(plan):
    *_, last = reports(ClipWork("ghost", Path("/nowhere/ghost.mp4"), (Wanted("x"),), 1), plan)
    assert last == Failed("ghost", "1", "There is no file or folder /nowhere/ghost.mp4.", again=False)
    assert files(plan) == []


def test_a_project_that_a_person_has_open_is_left_alone(work, plan):
    labelled(work, plan)
    more = ClipWork("zoo", work.media, (Wanted("a bird"),), 1)
    with Store.open(project_path(plan.out, "zoo")) as store:
        before = store.project
        *_, last = reports(more, plan)
        assert isinstance(last, Failed)
        assert not last.again
        assert "is working on it" in last.reason
    with Store.open(project_path(plan.out, "zoo"), read_only=True) as store:
        assert store.project.same(before)


def test_a_dead_worker_of_another_node_does_not_keep_its_clip(work, plan):
    lock = plan.out / PROJECTS / "..zoo.making.decaf.lock"
    lock.write_text('{"host": "a-node-that-is-gone", "process": 1}')
    assert labelled(work, plan).results
    assert files(plan) == ["zoo.decaf"]
