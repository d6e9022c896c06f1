"""A scripted review, run in a process that is to be killed: `killed_review.py PROJECT SEED`.

Says on standard output, line by line, "next <rows>" with a hash of all rows as an edit will leave them, "edit <rows>"
once it is stored, and "pending <job> <frame>" once a mask of running tracking is in the journal.
"""

from __future__ import annotations

import os
import sys

import numpy as np
from made_project import COUNT, mask, random_edit

from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import TABLES, ObjectRow, Project
from decaf_gui.core.project.store import Store


def digest(project: Project) -> str:
    """One word for all rows."""
    import hashlib

    rows = [repr(row) for kind in TABLES.values() for _, row in sorted(project.rows(kind).items())]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


def review(path: str, seed: int) -> None:
    """Edits, undos and tracking until somebody stops it."""
    rng = np.random.default_rng(seed)
    store = Store.open(path)
    say(f"edit {digest(store.project)}")
    done: list[edits.Edit] = []
    while True:
        things = sorted(store.project.rows(ObjectRow))
        if things and rng.random() < 0.4:
            done += track(store, int(things[0][0]), rng)
        elif done and rng.random() < 0.3:
            do(store, done.pop().undone)
        else:
            edit = random_edit(store.project, rng)
            if edit is not None:
                do(store, edit)
                done.append(edit)


def do(store: Store, edit: edits.Edit, job: int | None = None) -> None:
    """Stores an edit, saying before what will be and after that it is."""
    say(f"next {digest(edit.apply(store.project))}")
    store.do(edit, finishes=job)
    say(f"edit {digest(store.project)}")


def track(store: Store, thing: int, rng: np.random.Generator) -> list[edits.Edit]:
    """Masks come one by one into the journal, then all of them as one edit."""
    free = sorted(set(range(COUNT)) - store.project.locked(thing))
    job, found = store.new_job(), {}
    for frame in free:
        found[frame] = edits.NewMask(mask(int(rng.integers(10**6))))
        store.note_pending(job, "{}", {thing: {frame: found[frame]}})
        say(f"pending {job} {frame}")
    if not found:
        return []
    edit = edits.replace_masks(store.project, thing, found, "tracked", "{}")
    do(store, edit, job)
    return [edit]


def say(line: str) -> None:
    """At once, past all buffers: what was said was done before."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    review(sys.argv[1], int(sys.argv[2]))
