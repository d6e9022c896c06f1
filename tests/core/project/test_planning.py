"""What tracking is planned to do: spans between locks, sweeps that cover them, prompts from a person's words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_project import COUNT, SIZE, applied, mask, masks_of, started

from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.planning import Span, plan_tracking, prompts_of, start_of
from decaf_gui.core.project.rows import ObjectRow


@pytest.fixture
def project():
    return applied(started())


def after(project, *made):
    for make in made:
        project = make(project).apply(project)
    return project


def test_without_locks_the_whole_clip_is_tracked_from_the_start(project):
    plan = plan_tracking(project, {1: 3})
    assert plan.spans == {1: Span(0, COUNT - 1)}
    assert plan.sweeps == ((3, COUNT - 1), (3, 0))
    assert plan.steps == COUNT + 1


@pytest.mark.parametrize(
    ("direction", "span", "sweeps"),
    [("forward", Span(3, 7), ((3, 7),)), ("backward", Span(0, 3), ((3, 0),))],
)
def test_one_direction(project, direction, span, sweeps):
    plan = plan_tracking(project, {1: 3}, direction)
    assert (plan.spans[1], plan.sweeps) == (span, sweeps)


@pytest.mark.parametrize(("start", "direction"), [(7, "forward"), (0, "backward")])
def test_at_the_end_of_the_clip_one_frame_is_left(project, start, direction):
    assert plan_tracking(project, {1: start}, direction).sweeps == ((start, start),)


def test_objects_share_their_sweeps(project):
    project = after(project, lambda p: edits.set_locked(p, 2, [6]))
    plan = plan_tracking(project, {1: 2, 2: 5})
    assert plan.spans == {1: Span(0, 7), 2: Span(0, 5)}
    assert plan.sweeps == ((2, 7), (5, 0))


def test_the_work_range_bounds_tracking(project):
    project = after(project, lambda p: edits.set_work_range(p, 1, 2, 5))
    assert plan_tracking(project, {1: 3}).spans == {1: Span(2, 5)}
    assert plan_tracking(project, {1: 7}).spans == {1: Span(2, 7)}, "a start outside of the range is a person's wish"


@given(
    st.sets(st.integers(0, COUNT - 1), max_size=COUNT - 1),
    st.integers(0, COUNT - 1),
    st.sampled_from(["both", "forward", "backward"]),
)
def test_no_plan_passes_a_lock(locked, start, direction):
    project = applied(started())
    if locked:
        project = after(project, lambda p: edits.set_locked(p, 1, locked))
    if start in locked:
        with pytest.raises(BadInput, match="is locked on frame"):
            plan_tracking(project, {1: start}, direction)
        return
    plan = plan_tracking(project, {1: start}, direction)
    span = set(plan.spans[1])
    assert start in span
    assert not span & locked
    passed = {frame for a, b in plan.sweeps for frame in range(min(a, b), max(a, b) + 1)}
    assert passed == span
    if direction == "both":  # the span is as long as it can be
        assert {min(span) - 1, max(span) + 1} <= locked | {-1, COUNT}
    told = {prompt.frame for prompt in plan.prompts[1]}
    assert {min(span) - 1, max(span) + 1} & locked <= told, "a barrier does not join the prompts"


def test_an_object_is_told_by_what_a_person_said(project):
    # object 2 was drawn on 1, 2 and 5
    project = after(
        project,
        lambda p: edits.replace_masks(p, 2, masks_of({f: mask(f) for f in (0, 6)}), "tracked", "{}"),
        lambda p: edits.set_prompt(p, 2, 3, ((2.0, 2.0, True),)),
        lambda p: edits.mark_absent(p, 2, [7]),
    )
    prompts = prompts_of(project, 2, 6)
    assert [prompt.frame for prompt in prompts] == [1, 2, 3, 5, 6]
    assert prompts[2].points == ((2.0, 2.0, True),)
    assert np.array_equal(prompts[4].mask, project.masks(2)[6])
    assert [prompt.frame for prompt in prompts_of(project, 2, 0)] == [0, 1, 2, 3, 5]


def test_reviewed_frames_are_a_persons_word(project):
    project = after(project, lambda p: edits.set_reviewed(p, 1, [1, 6]))
    assert [prompt.frame for prompt in prompts_of(project, 1, 3)] == [1, 3, 6]


def test_points_correct_what_was_there_before_the_first(project):
    base = project.masks(1)[2]
    project = after(
        project,
        lambda p: edits.set_prompt(p, 1, 2, ((1.0, 1.0, True),)),
        lambda p: edits.replace_masks(p, 1, masks_of({2: mask(77)}), "corrected", "{}", row(p, 1, 2, 1)),
        lambda p: edits.replace_masks(p, 1, masks_of({2: mask(78)}), "corrected", "{}", row(p, 1, 2, 2)),
    )
    (prompt,) = (given for given in prompts_of(project, 1, 2) if given.frame == 2)
    assert len(prompt.points) == 2
    assert np.array_equal(prompt.base, base)
    boxed = edits.prompt_row(project, 1, 2, (), (0.0, 0.0, 4.0, 4.0))
    assert boxed.base is None, "a box says anew what the object is"


def row(project, thing, frame, count):
    return edits.prompt_row(project, thing, frame, [(float(i), 1.0, True) for i in range(count)])


def test_points_on_an_absent_frame_correct_nothing(project):
    project = after(project, lambda p: edits.mark_absent(p, 1, [3]))
    assert row(project, 1, 3, 1).base is None


def test_taking_a_prompt_back(project):
    base = project.masks(1).rle(2)
    project = after(
        project,
        lambda p: edits.replace_masks(p, 1, masks_of({2: mask(77)}), "corrected", "{}", row(p, 1, 2, 1)),
        lambda p: edits.remove_prompt(p, 1, 2),
    )
    assert project.masks(1).rle(2) == base
    made = after(project, lambda p: edits.add_object(p, 1, "new"))
    new = max(key[0] for key in made.rows(ObjectRow))
    clicked = after(
        made,
        lambda p: edits.replace_masks(p, new, masks_of({2: mask(77)}), "corrected", "{}", row(p, new, 2, 1)),
        lambda p: edits.remove_prompt(p, new, 2),
    )
    assert len(clicked.masks(new)) == 0
    with pytest.raises(BadInput, match="no prompt"):
        edits.remove_prompt(clicked, new, 2)


@pytest.mark.parametrize("draw", [lambda p: edits.copy_mask(p, 1, 1, 2), lambda p: edits.mark_absent(p, 1, [2])])
def test_a_mask_that_is_drawn_takes_the_place_of_the_prompt(project, draw):
    project = after(project, lambda p: edits.set_prompt(p, 1, 2, ((1.0, 1.0, True),)), draw)
    assert all(not given.points for given in prompts_of(project, 1, 2))


def test_an_accepted_candidate_is_tracked_from_its_own_frame(project):
    assert start_of(project, 1) == 0
    areas = {frame: project.masks(2).area(frame) for frame in (1, 2, 5)}
    assert start_of(project, 2) == max(areas, key=areas.get)


def test_nothing_to_start_from(project):
    project = after(project, lambda p: edits.add_object(p, 1, "new"))
    new = max(key[0] for key in project.rows(ObjectRow))
    with pytest.raises(BadInput, match="has no mask yet: click on it first"):
        plan_tracking(project, {new: 3})
    with pytest.raises(BadInput, match="choose one"):
        plan_tracking(project, {})
    with pytest.raises(BadInput, match="no frame 99"):
        plan_tracking(project, {1: 99})


def test_far_prompts_are_left_out_when_there_are_too_many():
    from decaf_gui.core.clip import Fingerprint
    from decaf_gui.core.project.rows import Project

    project = after(
        Project(),
        lambda p: edits.add_clip(p, "long.mp4", Fingerprint(1, 100, "0" * 64), SIZE, 25.0),
        lambda p: edits.add_object(p, 1, "dog"),
        lambda p: edits.replace_masks(p, 1, masks_of({f: mask(f) for f in range(0, 100, 2)}), "drawn", "{}"),
    )
    frames = [prompt.frame for prompt in prompts_of(project, 1, 50)]
    assert frames == list(range(34, 66, 2))


@given(
    start=st.integers(0, COUNT - 1),
    ends=st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1)),
    direction=st.sampled_from(["both", "forward", "backward"]),
)
def test_a_range_bounds_tracking_on_both_sides(start, ends, direction):
    within = Span(min(ends), max(ends))
    if start not in within:
        return
    free = plan_tracking(applied(started()), {1: start}, direction)
    plan = plan_tracking(applied(started()), {1: start}, direction, within)
    assert set(plan.spans[1]) == set(free.spans[1]) & set(within)
    passed = {frame for a, b in plan.sweeps for frame in range(min(a, b), max(a, b) + 1)}
    assert passed == set(plan.spans[1])
