"""kill -9 at random moments of a scripted review: what was said to be done is there."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from killed_review import digest, review
from made_project import started

from decaf_gui.core.project import edits
from decaf_gui.core.project.store import Store

MOMENTS = 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_nothing_that_was_reported_is_lost(tmp_path):
    path = tmp_path / "work.decaf"
    with Store.create(path) as made:
        for edit in started():
            made.do(edit)
    chance = random.Random(0)
    finished = journals = 0
    for moment in range(MOMENTS):
        said = killed_after(path, moment, chance.uniform(0.0, 0.08))
        reported = [line.split()[1] for line in said if line.startswith("edit")]
        with Store.open(path) as store:
            assert not store.read_only, "the dead process still holds the lock"
            assert store.project.dangling() == ""
            if not reported:  # killed before its first word
                continue
            finished += len(reported)
            begun = [line.split()[1] for line in said[last_edit(said) :] if line.startswith("next")]
            assert digest(store.project) in (reported[-1], *begun), "an edit that was reported is lost"
            waiting = [line.split() for line in said[last_edit(said) + 1 :] if line.startswith("pending")]
            check_journal(store, waiting, begun)
            journals += bool(store.pending())
            for pending in store.pending():
                recover(store, pending)
    assert finished > 2 * MOMENTS, "the review hardly ever got to work"
    assert journals > 5, "tracking was never broken off"


def killed_after(path, seed: int, seconds: float) -> list[str]:
    """Runs the review in a child for about so long, kills it: its complete lines."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        os.dup2(write, 1)
        try:
            review(str(path), seed)
        finally:
            os._exit(1)
    os.close(write)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(read) as stream:
        text = stream.read()
    return text[: text.rfind("\n") + 1].splitlines()


def last_edit(said: list[str]) -> int:
    return max(i for i, line in enumerate(said) if line.startswith("edit"))


def check_journal(store: Store, waiting: list[list[str]], begun: list[str]) -> None:
    """Every mask that was reported as kept is in the journal, unless its edit was stored right before the end."""
    kept = {(p.job, frame) for p in store.pending() for frames in p.masks.values() for frame in frames}
    missing = {(int(job), int(frame)) for _, job, frame in waiting} - kept
    if missing:
        assert not kept, "a part of the journal is gone"
        assert digest(store.project) in begun, "the journal went without its edit"


def recover(store: Store, pending) -> None:
    """The journal as one edit that can be undone."""
    before = store.project
    for owner, masks in pending.masks.items():
        free = {frame: m for frame, m in masks.items() if frame not in before.locked(owner)}
        edit = edits.replace_masks(store.project, owner, free, "tracked", pending.details)
        store.do(edit, finishes=pending.job)
        assert store.do(edit.undone).same(before)
    assert all(p.job != pending.job for p in store.pending())
