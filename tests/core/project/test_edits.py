"""Every edit against what it says, and undo of any sequence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_project import COUNT, SIZE, applied, fingerprint, grounding, mask, masks_of, random_edit, started, tracklets

from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import (
    AnswerRow,
    CounterRow,
    ExpressionRow,
    LabelRow,
    MarkRow,
    MaskRow,
    ObjectRow,
    Project,
    PromptRow,
    ProvenanceRow,
    TrackletRow,
    VerdictRow,
)


@pytest.fixture
def project() -> Project:
    """Objects 1 (the accepted candidate, all frames) and 2 (frames 1, 2, 5) on one clip."""
    return applied(started())


@given(seed=st.integers(0, 10**6), steps=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_any_sequence_can_be_undone_and_done_again(seed, steps):
    rng = np.random.default_rng(seed)
    project, done, states = Project(), [], []
    for edit in started():
        project = edit.apply(project)
    for _ in range(steps):
        edit = random_edit(project, rng)
        if edit is not None:
            states.append(project)
            done.append(edit)
            project = edit.apply(project)
            assert project.dangling() == "", edit.text
    last = project
    for edit, state in zip(reversed(done), reversed(states), strict=True):
        project = edit.revert(project)
        assert project.same(state), edit.text
    for edit in done:
        project = edit.apply(project)
    assert project.same(last)


@given(seed=st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_only_the_object_that_is_named_changes_and_locked_frames_never(seed):
    rng = np.random.default_rng(seed)
    project = applied(started())
    project = edits.set_locked(project, 1, [2, 3]).apply(project)
    locked = {f: project.masks(1).rle(f) for f in (2, 3)}
    for _ in range(25):
        edit = random_edit(project, rng)
        if edit is None or any(c.kind is MarkRow and c.key[0] == 1 and c.key[1] in (2, 3) for c in edit.changes):
            continue
        after = edit.apply(project)
        if after.find(ObjectRow, 1) is None:
            assert edit.text.startswith(("remove clip", "merge"))
            return
        assert {f: after.masks(1).rle(f) for f in (2, 3)} == locked, edit.text
        project = after


def test_ids_are_never_given_twice(project):
    project = edits.remove_object(project, 2).apply(project)
    project = edits.add_object(project, 1, "cat").apply(project)
    assert sorted(key[0] for key in project.rows(ObjectRow)) == [1, 3]
    assert project.need(CounterRow, "object").next == 4


def test_accepting_makes_an_object_of_the_candidate(project):
    thing = project.need(ObjectRow, 1)
    assert (thing.name, project.need(LabelRow, thing.label).name) == ("dog 1", "dog")
    assert project.find(AnswerRow, 1, 1) is not None
    assert project.need(VerdictRow, 1) == VerdictRow(1, "accepted", 1)
    assert project.masks(1) == tracklets()[0].masks
    assert edits.likely_objects(project, 1) == [(1, 1.0)]
    with pytest.raises(BadInput, match="accepted already"):
        edits.accept(project, 1)


def test_two_accepted_candidates_are_two_objects_or_one_that_is_linked(project):
    two = edits.accept(project, 2).apply(project)
    assert len(two.rows(ObjectRow)) == 3
    linked = edits.accept(project, 2, 1).apply(project)
    assert len(linked.rows(ObjectRow)) == 2
    assert linked.masks(1) == project.masks(1)
    kept = edits.reject(linked, 1).apply(linked)
    assert kept.find(ObjectRow, 1) is not None, "another candidate still is this object"
    assert kept.find(AnswerRow, 1, 1) is not None
    gone = edits.reject(kept, 2).apply(kept)
    assert gone.find(ObjectRow, 1) is None


def test_rejecting_and_reopening(project):
    rejected = edits.reject(project, 1).apply(project)
    assert rejected.find(ObjectRow, 1) is None
    assert rejected.need(VerdictRow, 1).state == "rejected"
    reopened = edits.reopen(rejected, 1).apply(rejected)
    assert reopened.find(VerdictRow, 1) is None
    locked = edits.set_locked(project, 1, [4]).apply(project)
    with pytest.raises(BadInput, match="locked"):
        edits.reject(locked, 1)


def test_a_new_proposal_keeps_what_was_accepted(project):
    after = edits.add_proposal(project, 1, grounding(7), tracklets(7, 2), "{}").apply(project)
    assert sorted(key[0] for key in after.rows(TrackletRow)) == [1, 4, 5]
    assert after.need(VerdictRow, 1).state == "accepted"


def test_no_target_is_a_result_that_accepting_takes_back(project):
    with pytest.raises(BadInput, match="accepted objects"):
        edits.set_no_target(project, 1)
    empty = edits.reject(project, 1).apply(project)
    said = edits.set_no_target(empty, 1).apply(empty)
    assert said.need(ExpressionRow, 1).no_target
    assert not edits.accept(said, 2).apply(said).need(ExpressionRow, 1).no_target


def test_masks_carry_where_they_come_from(project):
    prompt = PromptRow(2, 5, ((3.0, 2.0, True),))
    new = {5: edits.NewMask(mask(77), 0.8, 3.0)}
    after = edits.replace_masks(project, 2, new, "corrected", '{"model": "demo"}', prompt).apply(project)
    row = after.need(MaskRow, 2, 5)
    assert (row.counts, row.iou, row.present) == (mask(77).counts, 0.8, 3.0)
    assert after.need(ProvenanceRow, row.provenance) == ProvenanceRow(row.provenance, "corrected", '{"model": "demo"}')
    assert after.need(PromptRow, 2, 5) == prompt
    assert after.masks(1) == project.masks(1)
    with pytest.raises(BadInput, match="the clip is"):
        edits.replace_masks(project, 2, masks_of({5: Rle.empty((3, 3))}), "drawn", "{}")
    with pytest.raises(BadInput, match="no frame 8"):
        edits.replace_masks(project, 2, masks_of({COUNT: mask(1)}), "drawn", "{}")


def test_a_changed_mask_is_no_longer_reviewed(project):
    seen = edits.set_reviewed(project, 2, [1, 2]).apply(project)
    after = edits.replace_masks(seen, 2, masks_of({2: mask(50)}), "tracked", "{}").apply(seen)
    assert {key: row.reviewed for key, row in after.rows(MarkRow).items()} == {(2, 1): True}


def test_absent_is_a_persons_word_and_an_empty_mask(project):
    after = edits.mark_absent(project, 2, [5, 6]).apply(project)
    assert after.masks(2).absent(5)
    assert after.masks(2).absent(6)
    assert after.need(MarkRow, 2, 6).absent
    back = edits.replace_masks(after, 2, masks_of({6: mask(3)}), "drawn", "{}").apply(after)
    assert back.find(MarkRow, 2, 6) is None


def test_deleted_masks_are_unknown_again(project):
    after = edits.delete_masks(project, 2, [1, 5]).apply(project)
    assert after.masks(2).frames == (2,)


def test_copy_puts_one_frames_mask_on_another(project):
    after = edits.copy_mask(project, 2, 2, 3).apply(project)
    assert after.masks(2).rle(3) == project.masks(2).rle(2)


def test_merge_fills_what_is_missing(project):
    partly = edits.delete_masks(project, 1, [1, 5]).apply(project)
    partly = edits.mark_absent(partly, 1, [2]).apply(partly)
    merged = edits.merge(partly, 1, 2).apply(partly)
    assert {f: merged.masks(1).rle(f) for f in (1, 2, 5)} == {f: partly.masks(2).rle(f) for f in (1, 2, 5)}
    assert merged.masks(1).rle(0) == partly.masks(1).rle(0)
    assert merged.find(ObjectRow, 2) is None


def test_split_and_swap_take_effect_from_a_frame_on(project):
    parted = edits.split(project, 1, 5).apply(project)
    assert parted.masks(1).frames == (0, 1, 2, 3, 4)
    assert parted.masks(3).frames == (5, 6, 7)
    assert parted.find(AnswerRow, 3, 1) is not None
    swapped = edits.swap(project, 1, 2, 2).apply(project)
    assert swapped.masks(1).frames == (0, 1, 2, 5)
    assert swapped.masks(2).frames == (1, 2, 3, 4, 5, 6, 7)
    assert swapped.masks(2).rle(2) == project.masks(1).rle(2)
    assert edits.swap(swapped, 1, 2, 2).apply(swapped).masks(1) == project.masks(1)


def test_an_edit_that_changes_nothing_is_refused(project):
    with pytest.raises(BadInput, match="Nothing to do"):
        edits.rename(project, 1, "dog 1")


def test_an_edit_that_does_not_fit_any_more_is_refused(project):
    stale = edits.rename(project, 1, "first")
    moved = edits.rename(project, 1, "second").apply(project)
    with pytest.raises(BadInput, match="does not fit"):
        stale.apply(moved)


def test_an_edit_says_what_it_touched(project):
    edit = edits.delete_masks(project, 2, [1, 5])
    assert edit.frames == {2: frozenset({1, 5})}
    assert (MaskRow, (2, 1)) in edit.touched


@pytest.mark.parametrize(
    "wrong",
    [
        lambda p: edits.add_clip(p, "clips/dog.mp4", fingerprint(), SIZE, 25.0),
        lambda p: edits.add_expression(p, 1, " "),
        lambda p: edits.add_expression(p, 1, "the dog that jumps"),
        lambda p: edits.set_work_range(p, 1, 3, 99),
        lambda p: edits.set_work_range(p, 1, 3, 5, 0),
        lambda p: edits.relink_clip(p, 1, "x.mp4", fingerprint(), (7, 9)),
        lambda p: edits.rename(p, 1, "  "),
        lambda p: edits.recolour(p, 1, "red"),
        lambda p: edits.merge(p, 1, 1),
        lambda p: edits.split(p, 1, 0),
        lambda p: edits.swap(p, 1, 9, 0),
        lambda p: edits.copy_mask(p, 2, 0, 1),
        lambda p: edits.accept(p, 99),
    ],
)
def test_what_cannot_be_is_refused(project, wrong):
    with pytest.raises(BadInput):
        wrong(project)


@given(seed=st.integers(0, 10**6), chosen=st.sets(st.integers(0, COUNT - 1)))
@settings(max_examples=60, deadline=None)
def test_a_correction_is_reverted_frame_by_frame(seed, chosen):
    """What is reverted is as before, what is not stays as it became: masks, prompts and marks alike."""
    rng = np.random.default_rng(seed)
    before = applied(started())
    frames = sorted({int(f) for f in rng.integers(0, COUNT, 5)})
    masks = {f: edits.NewMask(Rle.encode(rng.random(SIZE) > 0.5)) for f in frames}
    prompt = edits.prompt_row(before, 1, frames[0], [(3.0, 4.0, True)])
    done = edits.replace_masks(before, 1, masks, "corrected", "{}", prompt)
    after = done.apply(before)
    if not chosen & set(frames):
        with pytest.raises(BadInput, match="Nothing to do"):
            edits.revert_frames(after, done, 1, chosen)
        return
    reverted = edits.revert_frames(after, done, 1, chosen).apply(after)
    for kind in (MaskRow, PromptRow, MarkRow):
        for frame in range(COUNT):
            expected = before if frame in chosen else after
            assert reverted.find(kind, 1, frame) == expected.find(kind, 1, frame)
    assert reverted.masks(2) == before.masks(2)


def test_a_frame_that_changed_again_or_is_locked_is_not_reverted(project):
    done = edits.replace_masks(project, 1, {2: edits.NewMask(mask(9)), 3: edits.NewMask(mask(9))}, "tracked", "{}")
    after = done.apply(project)
    again = edits.replace_masks(after, 1, {2: edits.NewMask(mask(5))}, "tracked", "{}").apply(after)
    with pytest.raises(BadInput, match=r"Frame 2 of .* was changed again since"):
        edits.revert_frames(again, done, 1, [2, 3])
    assert edits.revert_frames(again, done, 1, [3]).apply(again).masks(1).rle(3) == project.masks(1).rle(3)
    locked = edits.set_locked(after, 1, [3]).apply(after)
    with pytest.raises(BadInput, match="locked"):
        edits.revert_frames(locked, done, 1, [3])
