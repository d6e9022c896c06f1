"""Receipts: which frames an edit changed, and by how much."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_project import applied, mask, masks_of, random_edit, started

from decaf_gui.core.project import edits
from decaf_gui.core.project.receipts import receipt
from decaf_gui.core.project.rows import MaskRow, ObjectRow


@pytest.fixture
def project():
    return applied(started())


def test_only_frames_whose_pixels_changed_are_named(project):
    old = project.masks(2)
    new = {1: old.rle(1), 2: mask(900), 6: mask(901)}
    told = receipt(project, edits.replace_masks(project, 2, masks_of(new), "tracked", "{}"))
    assert [(e.object, e.frame) for e in told.effects] == [(2, 2), (2, 6)]
    changed, fresh = told.effects
    assert changed.differing == int((old[2] ^ new[2].dense()).sum())
    assert changed.iou == pytest.approx(old.rle(2).iou(new[2]))
    assert (fresh.before, fresh.after, fresh.iou) == (0, new[6].area, 0.0)
    assert "2 frames, 2 to 6" in str(told)


def test_an_edit_without_effect_says_so(project):
    same = masks_of({1: project.masks(2).rle(1)})
    told = receipt(project, edits.replace_masks(project, 2, same, "tracked", '{"again": true}'))
    assert told.effects == ()
    assert str(told) == "No mask changed."


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_any_edit_has_a_receipt_that_the_masks_bear_out(seed):
    project = applied(started())
    edit = random_edit(project, np.random.default_rng(seed))
    if edit is None:
        return
    after = edit.apply(project)
    told = receipt(project, edit)
    assert receipt(after, edit) == told
    expected = set()
    for state in (project, after):
        for owner, frame in state.rows(MaskRow):
            pair = [s.find(MaskRow, owner, frame) if s.find(ObjectRow, owner) else None for s in (project, after)]
            shown = [None if row is None else row.counts for row in pair]
            if shown[0] != shown[1]:
                expected.add((owner, frame))
    named = {(e.object, e.frame) for e in told.effects}
    assert named <= expected
    assert all(e.differing > 0 for e in told.effects)
    empty_ones = expected - named  # a mask that comes or goes without a pixel
    assert all(
        all(
            s.find(MaskRow, *key) is None or s.masks(key[0]).absent(key[1])
            for s in (project, after)
            if s.find(ObjectRow, key[0])
        )
        for key in empty_ones
    )
