"""Ref-DAVIS17 in ReferFormer's conversion (formats spec, section 3): four expressions per object, two annotators.

    {valid,train}/JPEGImages/<video>/<frame>.jpg   {valid,train}/Annotations/<video>/<frame>.png
    meta_expressions/{valid,train}/meta_expressions.json
    predictions: <video>/<expression>/<frame>.png

Expression 4 * object + a is annotator a's (0 and 1: the first one, by the first frame and by the full video; 2 and 3:
the second one); ReferFormer scores the four by themselves, as label maps, and averages.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from decaf_gui.formats.rvos.base import Problem, RvosDataset, Video, videos_of
from decaf_gui.formats.rvos.labelled import read_labelled

ANNOTATORS = 4


def read(root: Path, split: str) -> Iterator[Video | Problem]:
    """The split's videos; see SplitReader."""
    path = root / "meta_expressions" / split / "meta_expressions.json"
    yield from read_labelled(videos_of(path), path, root / split, turn=annotator)


def annotator(id: str) -> str:
    """Whose words an expression is: "anno_0" to "anno_3"; nobody's when its id is no number."""
    return f"anno_{int(id) % ANNOTATORS}" if id.isdecimal() else ""


DATASET = RvosDataset(
    name="ref-davis",
    title="Ref-DAVIS17",
    splits=("valid", "train"),
    protocols=("ref-davis", "rvos", "expressions"),
    read=read,
    layout="meta_expressions/<split>/meta_expressions.json, <split>/Annotations and <split>/JPEGImages/<video>/",
)
