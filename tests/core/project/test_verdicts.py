"""What was said of candidates, and many accepted by their score: the same as one by one, and back again."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_project import COUNT, SIZE, applied, grounding, mask, started

from decaf_gui.core.calibration import Decision
from decaf_gui.core.entities import Scores, Tracklet
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks
from decaf_gui.core.project import edits, store
from decaf_gui.core.project.rows import ExpressionRow, ObjectRow, TrackletRow, VerdictRow
from decaf_gui.core.project.store import Store, glance
from decaf_gui.core.project.verdicts import accept_above, asked_of

SCORES = (0.95, 0.85, 0.75, 0.65, 0.55)


def candidates(seed: int = 7, scores=SCORES) -> tuple[Tracklet, ...]:
    def one(place: int, score: float) -> Tracklet:
        masks = Masks(SIZE, {frame: mask(1000 * seed + 20 * place + frame) for frame in range(COUNT)})
        return Tracklet(place + 1, 0, (1.5, 2.5), masks, Scores(score, score, score), selected=score > 0.6)

    return tuple(one(place, score) for place, score in enumerate(scores))


@pytest.fixture
def project():
    """Two expressions; the second one has five candidates (ids 4 to 8), of which four are selected."""
    made = applied(started())
    made = edits.add_expression(made, 1, "the cat").apply(made)
    return edits.add_proposal(made, 2, grounding(3), candidates(), "{}").apply(made)


def test_what_was_asked_is_reviewed_when_all_selected_are_judged(project):
    first, second = asked_of(project)
    assert (first.text, first.reviewed, first.waiting, first.answers) == ("the dog that jumps", True, 0, 1)
    assert [candidate.score for candidate in second.candidates] == pytest.approx(SCORES[:4])
    assert (second.reviewed, second.waiting) == (False, 4)
    for tracklet, say in ((4, edits.accept), (5, edits.reject), (6, edits.reject)):
        project = say(project, tracklet).apply(project)
    assert (asked_of(project)[1].reviewed, asked_of(project)[1].waiting) == (False, 1)
    project = edits.reject(project, 7).apply(project)
    assert asked_of(project)[1].reviewed, "the fifth was not selected"
    assert asked_of(project)[1].decisions("consistency") == [
        Decision(pytest.approx(score), accepted)
        for score, accepted in zip(SCORES, (True, False, False, False), strict=False)
    ]
    assert asked_of(project)[1].decisions("pearson") == []


def test_without_a_selected_candidate_somebody_has_to_say_what_there_is(project):
    project = edits.add_expression(project, 1, "the bird").apply(project)
    project = edits.add_proposal(project, 3, grounding(4), candidates(5, (0.3,)), "{}").apply(project)
    assert not asked_of(project)[2].reviewed
    assert asked_of(edits.set_no_target(project, 3).apply(project))[2].reviewed
    bird = max(key[0] for key in project.rows(TrackletRow))
    assert asked_of(edits.accept(project, bird).apply(project))[2].reviewed, "a candidate under the threshold was it"


def test_no_target_refuses_all_candidates(project):
    said = edits.set_no_target(project, 2).apply(project)
    asked = asked_of(said)[1]
    assert (asked.reviewed, asked.waiting) == (True, 0)
    assert [decision.accepted for decision in asked.decisions("consistency")] == [False] * 4
    with pytest.raises(BadInput, match="None of these"):
        accept_above(said, [4, 5, 6, 7], 0.0)


def test_accepting_above_is_one_edit_that_does_what_accepting_one_by_one_does(project):
    edit = accept_above(project, [4, 5, 6, 7], 0.8)
    after = edit.apply(project)
    one_by_one = edits.accept(project, 4).apply(project)
    one_by_one = edits.accept(one_by_one, 5).apply(one_by_one)
    marked = {key: replace(row, above=None) for key, row in after.rows(VerdictRow).items()}
    assert marked == one_by_one.rows(VerdictRow)
    for kind in set(after.tables) - {VerdictRow}:
        assert after.rows(kind) == one_by_one.rows(kind), kind
    assert after.need(VerdictRow, 5).above == 0.8
    assert asked_of(after)[1].decisions("consistency") == [], "nobody looked at them"
    assert edit.revert(after).same(project)


def test_what_a_person_said_stays_and_is_no_vote_of_the_score(project):
    project = edits.reject(project, 4).apply(project)
    after = accept_above(project, [4, 5, 99], 0.0).apply(project)
    assert after.need(VerdictRow, 4).state == "rejected"
    assert [d.accepted for d in asked_of(after)[1].decisions("consistency")] == [False]
    refused = edits.reject(after, 5).apply(after)
    assert refused.need(VerdictRow, 5).above is None
    assert [d.accepted for d in asked_of(refused)[1].decisions("consistency")] == [False, False]
    with pytest.raises(BadInput, match="None of these"):
        accept_above(project, [4, 8], 0.6)


def test_one_that_covers_an_object_is_linked_to_it(project):
    twin = replace(candidates()[0], masks=project.masks(1))
    project = edits.add_expression(project, 1, "the dog once more").apply(project)
    project = edits.add_proposal(project, 3, grounding(5), [twin, replace(twin, id=2)], "{}").apply(project)
    after = accept_above(project, [9, 10], 0.5).apply(project)
    assert [after.need(VerdictRow, thing).object for thing in (9, 10)] == [1, 1]
    assert after.rows(ObjectRow) == project.rows(ObjectRow)


@given(said=st.lists(st.sampled_from("arn-"), min_size=4, max_size=4), threshold=st.sampled_from([0.0, 0.7, 0.8, 0.9]))
@settings(max_examples=25, deadline=None)
def test_a_glance_at_the_file_tells_the_same(said, threshold, tmp_path_factory):
    path = tmp_path_factory.mktemp("glance") / "p.decaf"
    with Store.create(path) as made:
        for edit in started():
            made.do(edit)
        made.do(edits.add_expression(made.project, 1, "the cat"))
        made.do(edits.add_proposal(made.project, 2, grounding(3), candidates(), "{}"))
        for tracklet, word in zip(range(4, 8), said, strict=True):
            if word in "ar":
                made.do((edits.accept if word == "a" else edits.reject)(made.project, tracklet))
        if said.count("-") > 1:
            made.do(accept_above(made.project, [4, 5, 6, 7], 0.0))
        elif "a" not in said:
            made.do(edits.set_no_target(made.project, 2, True))
        assert asked_of(glance(path)) == asked_of(made.project), "while it is being written"
        expected = asked_of(made.project)
    before = path.read_bytes()
    assert asked_of(glance(path)) == expected
    assert path.read_bytes() == before
    assert not glance(path).find(TrackletRow, 4).masks


def test_a_glance_at_what_is_no_project_says_so(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        glance(tmp_path / "none.decaf")
    (tmp_path / "text.decaf").write_text("nothing of the kind")
    with pytest.raises(BadInput, match="cannot be read"):
        glance(tmp_path / "text.decaf")
    with Store.create(tmp_path / "old.decaf"):
        pass
    with sqlite3.connect(tmp_path / "old.decaf") as connection:
        connection.execute("PRAGMA user_version = 2")
    with pytest.raises(BadInput, match="version 2"):
        glance(tmp_path / "old.decaf")


def test_a_project_of_version_3_is_migrated_and_its_verdicts_are_persons(tmp_path):
    path = tmp_path / "p.decaf"
    with Store.create(path) as made:
        for edit in started():
            made.do(edit)
    with sqlite3.connect(path) as connection:
        connection.execute('ALTER TABLE "verdict" DROP COLUMN "above"')
        connection.execute("PRAGMA user_version = 3")
    with Store.open(path) as opened:
        assert opened.project.need(VerdictRow, 1) == VerdictRow(1, "accepted", 1, None)
        assert opened.project.need(ExpressionRow, 1).text == "the dog that jumps"
    assert (tmp_path / "p.version3.decaf").exists()
    assert store.VERSION >= 4
