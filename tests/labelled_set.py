"""A made pre-labelled set: real clips of shapes, projects with known candidates, a work list that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from decaf_gui.batch.worklist import Result, SourceClip, Wanted, WorkList, project_path
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Grounding, Scores, Tracklet
from decaf_gui.core.masks import Masks, Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.keeping import keep_clip
from decaf_gui.core.project.store import Store

FRAMES, SIZE = 6, (48, 64)
Asked = Mapping[str, tuple[float, Sequence[float]]]
"""By expression: its doubt, and the scores of the candidates selected for it."""
SET: Mapping[str, Asked] = {
    "alpha": {"the red disc": (0.30, (0.90,)), "the small one": (0.60, (0.70, 0.65))},
    "beta": {"the blue square": (0.80, (0.55,)), "the green one": (0.10, (0.95,))},
    "gamma": {"the star": (0.45, (0.85,)), "the bird": (0.0, ())},
}


def masks(seed: int) -> Masks:
    """A square that goes to the right and, on one frame, jumps: where doubt is greatest."""
    found = {}
    for frame in range(FRAMES):
        mask = np.zeros(SIZE, bool)
        x, y = 4 + 3 * frame + seed % 7 * 4, 4 + seed % 4 * 8 + (20 if frame == 4 else 0)
        mask[y % 40 : y % 40 + 8, x % 52 : x % 52 + 10] = True
        found[frame] = Rle.encode(mask)
    return Masks(SIZE, found)


def make_media(folder: Path, name: str) -> Path:
    """A clip of noise: nothing is looked for in it."""
    place = folder / name
    place.mkdir(parents=True)
    rng = np.random.default_rng(len(name))
    for frame in range(FRAMES):
        Image.fromarray(rng.integers(0, 255, (*SIZE, 3), np.uint8)).save(place / f"{frame:05d}.png")
    return place


def make_project(path: Path, media: Path, asked: Asked) -> None:
    """A clip's project as pre-labelling leaves it."""
    with Store.create(path) as store, Clip.open(media) as clip:
        number = keep_clip(store, clip)
        for place, (text, (_, scores)) in enumerate(asked.items()):
            store.do(edits.add_expression(store.project, number, text))
            maps = np.full((2, 6, 8), 0.5, np.float32)
            found = [
                Tracklet(i + 1, 0, (3.0, 3.0), masks(10 * place + i), Scores(score, score, score), selected=True)
                for i, score in enumerate(scores)
            ]
            ghost = Tracklet(99, 0, (3.0, 3.0), masks(50 + place), Scores(0.2, 0.2, 0.2))
            grounding = Grounding(maps, (0, 3), text.split()[-1])
            store.do(edits.add_proposal(store.project, place + 1, grounding, [*found, ghost], "{}"))


def make_list(folder: Path, wanted: Mapping[str, Asked], media: Path) -> WorkList:
    """An open work list of clips that all wait; their media lie in a folder."""
    made = WorkList.begin(folder, {"source": "made"})
    clips = [SourceClip(clip, media / clip, tuple(Wanted(text) for text in asked)) for clip, asked in wanted.items()]
    made.add(clips)
    return made


def label(worklist: WorkList, asked: Asked) -> None:
    """Labels the next clip of the list."""
    work = worklist.take()
    assert work is not None
    make_project(project_path(worklist.folder, work.clip), work.media, asked)
    worklist.finished(work.clip, [result(work.clip, text, *asked[text]) for text in asked])


def result(clip: str, text: str, doubt: float, scores: Sequence[float]) -> Result:
    best = max(scores, default=None)
    return Result(clip, text, "", len(scores) + 1, len(scores), best, doubt if scores else None, 1.0)


def make_set(folder: Path, wanted: Mapping[str, Asked] = SET) -> Path:
    """A set whose last clip failed; the others are labelled."""
    media = folder / "media"
    for clip in wanted:
        make_media(media, clip)
    out = folder / "set"
    with make_list(out, {**wanted, "delta": {"the car": (0.0, ())}}, media) as worklist:
        for asked in wanted.values():
            label(worklist, asked)
        work = worklist.take()
        assert work is not None
        worklist.failed(work.clip, "its video is empty.", again=False)
    return out
