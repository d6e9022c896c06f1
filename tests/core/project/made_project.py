"""Small projects for tests, and everything that can be asked of them at random."""

from __future__ import annotations

import numpy as np

from decaf_gui.core.clip import Fingerprint
from decaf_gui.core.entities import Grounding, Scores, Tracklet
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import ClipRow, ExpressionRow, ObjectRow, Project, PromptRow, TrackletRow

SIZE, COUNT = (6, 9), 8


def mask(seed: int) -> Rle:
    return Rle.encode(np.random.default_rng(seed).random(SIZE) < 0.4)


def masks_of(rles: dict[int, Rle]) -> dict[int, edits.NewMask]:
    return {frame: edits.NewMask(rle) for frame, rle in rles.items()}


def grounding(seed: int = 0) -> Grounding:
    maps = np.random.default_rng(seed).random((2, 3, 4)).astype(np.float32)
    return Grounding(maps, (0, 5), "dog", ("a dog", "dog"), {"video_object": maps[:1]})


def tracklets(seed: int = 0, count: int = 3) -> tuple[Tracklet, ...]:
    def one(i: int) -> Tracklet:
        frames = range(COUNT) if i == 0 else (0, 5)
        masks = Masks(SIZE, {f: mask(seed * 100 + i * 10 + f) for f in frames})
        return Tracklet(i + 1, 0, (2.5, 3.5), masks, Scores(0.9, 0.8, 0.7 if i else None), selected=i == 0)

    return tuple(one(i) for i in range(count))


def fingerprint(seed: int = 0) -> Fingerprint:
    return Fingerprint(1000 + seed, COUNT, f"{seed:064x}")


def started() -> list[edits.Edit]:
    """The edits of a project with a clip, an expression, a proposal, and two objects."""
    made: list[edits.Edit] = []
    project = Project()

    def do(edit: edits.Edit) -> None:
        nonlocal project
        made.append(edit)
        project = edit.apply(project)

    do(edits.add_clip(project, "clips/dog.mp4", fingerprint(), SIZE, 25.0))
    do(edits.add_expression(project, 1, "the dog that jumps"))
    do(edits.add_proposal(project, 1, grounding(), tracklets(), '{"model": "demo"}'))
    do(edits.accept(project, 1))
    do(edits.add_object(project, 1, "cat"))
    do(edits.replace_masks(project, 2, masks_of({f: mask(500 + f) for f in (1, 2, 5)}), "drawn", "{}"))
    return made


def applied(made: list[edits.Edit]) -> Project:
    project = Project()
    for edit in made:
        project = edit.apply(project)
    return project


def random_edit(project: Project, rng: np.random.Generator) -> edits.Edit | None:
    """Any edit with any arguments, most of them possible; None when this one is not."""

    def some(kind, default=1):
        keys = sorted(project.rows(kind))
        return int(keys[rng.integers(len(keys))][0]) if keys and rng.random() < 0.95 else default

    def frames(most=4):
        return sorted(int(f) for f in rng.choice(COUNT, rng.integers(1, most), replace=False))

    thing, other, clip, asked = (some(k) for k in (ObjectRow, ObjectRow, ClipRow, ExpressionRow))
    candidate, frame, seed = some(TrackletRow), int(rng.integers(COUNT)), int(rng.integers(1000))
    flag, name = bool(rng.random() < 0.5), str(rng.choice(["dog", "cat", "Käfer", "x'; DROP TABLE mask; --"]))
    prompt = PromptRow(thing, frame, ((1.0, 2.0, flag),), (0.0, 0.0, 3.0, 4.0) if flag else None)
    choices = [
        lambda: edits.add_clip(project, f"clip{seed}.mp4", fingerprint(seed), SIZE, 24.0),
        lambda: edits.remove_clip(project, clip),
        lambda: edits.relink_clip(project, clip, f"moved{seed}.mp4", fingerprint(seed), SIZE),
        lambda: edits.set_work_range(project, clip, frame, COUNT - 1, 1 + seed % 3),
        lambda: edits.add_label(project, name),
        lambda: edits.add_expression(project, clip, f"thing {seed}"),
        lambda: edits.remove_expression(project, asked),
        lambda: edits.set_no_target(project, asked, flag),
        lambda: edits.add_proposal(project, asked, grounding(seed), tracklets(seed), "{}"),
        lambda: edits.accept(project, candidate),
        lambda: edits.accept(project, candidate, thing),
        lambda: edits.reject(project, candidate),
        lambda: edits.reopen(project, candidate),
        lambda: edits.add_object(project, clip, name, asked if flag else None),
        lambda: edits.remove_object(project, thing),
        lambda: edits.rename(project, thing, name),
        lambda: edits.relabel(project, thing, name),
        lambda: edits.recolour(project, thing, f"#{seed:06d}"),
        lambda: edits.set_answer(project, thing, asked, flag),
        lambda: edits.merge(project, thing, other),
        lambda: edits.split(project, thing, frame),
        lambda: edits.swap(project, thing, other, frame),
        lambda: edits.set_prompt(project, thing, frame, prompt.points if flag else (), prompt.box),
        lambda: edits.replace_masks(
            project,
            thing,
            {f: edits.NewMask(mask(seed + f), 0.5, 1.0 if flag else None) for f in frames()},
            "tracked",
            f'{{"seed": {seed}}}',
            prompt if flag else None,
        ),
        lambda: edits.remove_prompt(project, thing, frame),
        lambda: edits.delete_masks(project, thing, frames()),
        lambda: edits.copy_mask(project, thing, frame, (frame + 1) % COUNT),
        lambda: edits.mark_absent(project, thing, frames()),
        lambda: edits.set_locked(project, thing, frames(3), flag),
        lambda: edits.set_reviewed(project, thing, frames(), flag),
    ]
    try:
        return choices[rng.integers(len(choices))]()
    except BadInput:
        return None
