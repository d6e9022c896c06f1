"""Label sets as nobody would draw them, for hypothesis: come and go, single pixels, holes, odd names and words."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.masks import Masks
from decaf_gui.formats.labelset import LabelledObject, LabelSet

ODD_NAMES = [
    "../x",
    "/abs",
    "a/b/c",
    "con",
    "NUL.txt",
    "x.",
    "..",
    ".hidden",
    "é",
    "e\u0301",
    "名前",
    "n" * 300,
    "名" * 99,
]
ODD_NAMES += [
    "meta.json",
    "a\\b",
    "C:x",
    "tab\tnew\nline",
    "\udcff",
    " ",
    "*?<>|\"'",
    "x\x00y",
    "masks",
    "train",
    "-rf",
]
odd_names = st.one_of(st.sampled_from(ODD_NAMES), st.text(min_size=1, max_size=40))
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
frame_names = st.sampled_from(["{:05d}", "{:05d}.jpg", "shot{}.png", "a b {}.tif", "f.{:03d}.jpg.png", "{:02d}é.webp"])


def tracks(size: tuple[int, int], count: int) -> st.SearchStrategy[list[Any]]:
    """One object's masks: anything, nothing, everything, one pixel, a ring."""
    empty, pixel, ring = np.zeros(size, bool), np.zeros(size, bool), np.ones(size, bool)
    pixel[-1, 0] = True
    ring[size[0] // 2, size[1] // 2] = False
    frames = st.one_of(arrays(np.bool_, size), st.sampled_from([empty, pixel, ring, ~empty]))
    return st.lists(frames, min_size=count, max_size=count)


@st.composite
def label_sets(draw: Any, names: Any = odd_names, most: int = 5) -> LabelSet:
    """Anything that a project could hold."""
    size, count = draw(st.tuples(st.integers(1, 9), st.integers(1, 12))), draw(st.integers(1, 4))
    label_names = draw(st.lists(words, min_size=1, max_size=3, unique=True))
    ids = draw(st.lists(st.integers(1, 99), min_size=len(label_names), max_size=len(label_names), unique=True))
    labels = Labels(tuple(Label(id_, name) for id_, name in zip(ids, label_names, strict=True)))
    texts = draw(st.lists(words, max_size=4, unique=True))
    objects = [
        LabelledObject(
            id_,
            draw(st.sampled_from(labels.entries)),
            Masks.encode(dict(enumerate(draw(tracks(size, count)))), size),
            tuple(sorted(draw(st.sets(st.integers(0, len(texts) - 1)) if texts else st.just(set())))),
        )
        for id_ in sorted(draw(st.sets(st.integers(1, 900), max_size=most)))
    ]
    pattern, first, step = draw(frame_names), draw(st.integers(0, 7)), draw(st.sampled_from([1, 5]))
    return LabelSet(
        name=draw(names),
        size=size,
        frame_count=count,
        fps=draw(st.sampled_from([24.0, 30000 / 1001, 6.0])),
        names=tuple(pattern.format(first + step * t) for t in range(count)),
        objects=tuple(objects),
        labels=labels,
        expressions=tuple(texts),
        provenance={"models": {"sam": "demo"}},
        notice=draw(st.sampled_from(["", "demo models: masks mean nothing"])),
    )
