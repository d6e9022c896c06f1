"""What a project keeps for those who ask again is what a walk through its tables finds, after any edits."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_project import SIZE, applied, mask, masks_of, random_edit, started

from decaf_gui.core.clip import Fingerprint
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import PERSONAL, MarkRow, MaskRow, ObjectRow, Project, PromptRow, ProvenanceRow


def check(project: Project) -> None:
    own = {row.id for row in project.rows(ProvenanceRow).values() if row.origin in PERSONAL}
    for thing in [row.id for row in project.rows(ObjectRow).values()]:
        for kind in (MaskRow, MarkRow, PromptRow):
            walked = [row for key, row in sorted(project.rows(kind).items()) if key[0] == thing]
            assert list(project.of_object(kind, thing).values()) == walked
            assert list(project.of_object(kind, thing)) == [row.frame for row in walked]
            assert list(project.where(kind, object=thing)) == walked
        rows = [row for row in project.rows(MaskRow).values() if row.object == thing]
        assert project.masks(thing) == Masks(SIZE, {row.frame: Rle(SIZE, row.counts) for row in rows})
        said = {row.frame for row in rows if row.provenance in own}
        said |= {f for kind in (MarkRow, PromptRow) for owner, f in project.rows(kind) if owner == thing}
        assert project.spoken(thing) == said
        locked = {row.frame for row in project.rows(MarkRow).values() if row.object == thing and row.locked}
        assert project.locked(thing) == locked


@given(seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_what_is_kept_is_what_a_walk_finds(seed):
    rng = np.random.default_rng(seed)
    project, done = applied(started()), []
    check(project)
    for _ in range(20):
        edit = random_edit(project, rng)
        if edit is not None:
            before, project = project, edit.apply(project)
            done.append(edit)
            check(project)
            check(before)
    for edit in reversed(done):
        project = edit.undone.apply(project)
        check(project)


def test_masks_are_the_same_ones_until_they_change():
    before = applied(started())
    first, second = before.masks(1), before.masks(2)
    after = edits.replace_masks(before, 2, masks_of({3: mask(7)}), "drawn", "{}").apply(before)
    assert after.masks(1) is first
    assert after.masks(2) is not second
    assert before.masks(2) is second
    assert edits.rename(after, 2, "cow").apply(after).masks(2) is after.masks(2)
    with pytest.raises(BadInput):
        edits.remove_object(after, 1).apply(after).masks(1)


def test_an_edit_of_many_masks_does_not_copy_the_table_for_each():
    """Minutes of video are tracked as one edit, and the window waits for it: it took 16 s among ten objects."""
    frames = 12000
    project = edits.add_clip(Project(), "long.mp4", Fingerprint(1, frames, "0" * 64), SIZE, 25.0).apply(Project())
    project = edits.add_object(project, 1, "dog").apply(project)
    for seed in (1, 2):  # the second time there is a table to be copied
        edit = edits.replace_masks(project, 1, masks_of(dict.fromkeys(range(frames), mask(seed))), "tracked", "{}")
        start = time.perf_counter()
        project = edit.apply(project)
        taken = time.perf_counter() - start
    assert len(project.masks(1)) == frames
    assert taken < 0.4, "measured: 0.03 s, and 1.5 s with a copy for each mask"
