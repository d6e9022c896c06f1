"""Ref-YouTube-VOS (formats spec, section 5): one object per expression, every fifth frame.

    {train,valid}/JPEGImages/<video>/<frame>.jpg   train/Annotations/<video>/<frame>.png
    meta_expressions/{train,valid,test}/meta_expressions.json
    predictions: <video>/<expression>/<frame>.png, zipped in a folder Annotations

The file of valid also lists the videos of test; to be submitted are those that are not in test's file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from decaf_gui.core.errors import BadInput
from decaf_gui.formats.rvos.base import Problem, RvosDataset, Video, videos_of
from decaf_gui.formats.rvos.labelled import read_labelled

HIDDEN = frozenset({"valid"})
TO_SUBMIT = 202
"""Videos of valid that the server wants."""


def read(root: Path, split: str) -> Iterator[Video | Problem]:
    """The split's videos; see SplitReader."""
    path = _expressions(root, split)
    videos = videos_of(path)
    if split in HIDDEN and len(videos) > TO_SUBMIT:
        others = _expressions(root, "test")
        if not others.exists():
            message = (
                f"{others} is missing: it tells which {TO_SUBMIT} of the {len(videos)} videos are to be submitted."
            )
            raise BadInput(message)
        elsewhere = videos_of(others).keys()
        videos = {name: entry for name, entry in videos.items() if name not in elsewhere}
    yield from read_labelled(videos, path, root / split, public=split not in HIDDEN)


def _expressions(root: Path, split: str) -> Path:
    return root / "meta_expressions" / split / "meta_expressions.json"


DATASET = RvosDataset(
    name="ref-youtube-vos",
    title="Ref-YouTube-VOS",
    splits=("valid", "train"),
    protocols=("rvos", "expressions"),
    read=read,
    layout="meta_expressions/<split>/meta_expressions.json, <split>/JPEGImages/<video>/, train/Annotations/<video>/",
    hidden=HIDDEN,
    zip_top="Annotations",
)
