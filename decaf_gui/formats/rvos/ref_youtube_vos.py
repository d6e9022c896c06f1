"""Ref-YouTube-VOS (formats spec, section 5): one object per expression, every fifth frame.

    {train,valid}/JPEGImages/<video>/<frame>.jpg   train/Annotations/<video>/<frame>.png
    meta_expressions/{train,valid,test}/meta_expressions.json
    predictions: <video>/<expression>/<frame>.png, zipped in a folder Annotations

The file of valid also lists the videos of test; to be submitted are those that are not in test's file. Written into
train, frames under their source names; an expression of several objects is written once for each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.formats.base import Format
from decaf_gui.formats.frames import kept_names
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.maps import OVERLAPS
from decaf_gui.formats.rvos import labelled
from decaf_gui.formats.rvos.base import Problem, RvosDataset, Video, videos_of
from decaf_gui.formats.rvos.labelled import read_labelled, read_labels_of, write_labelled
from decaf_gui.formats.rvos.writing import single

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


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/ref-youtube-vos`; see Writer. At most 254 objects, each known on every frame."""
    stems, pairs = kept_names(labelset.names), list(single(labelset))
    yield from write_labelled(FORMAT, labelset, clip, folder, stems, pairs, overwrite, frames)


def read_labels(folder: Path, name: str = "") -> LabelSet:
    """The labels of one video; see Reader."""
    return read_labels_of(DATASET, folder, name)


def clips(folder: Path) -> Sequence[str]:
    """The videos of the splits whose masks are there."""
    return labelled.clips(DATASET, folder)


def looks(folder: Path) -> bool:
    """Splits with expressions and label maps: Ref-DAVIS looks alike."""
    return labelled.looks(DATASET, folder)


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
FORMAT = Format(
    "ref-youtube-vos",
    "Ref-YouTube-VOS, expressions and indexed PNG",
    labelled.parts,
    write,
    read_labels,
    keeps="masks as object numbers, categories, expressions, the frames' own names",
    loses=f"{OVERLAPS}, scores, prompts and review marks; its readers see one object per expression",
    layout=f"train/Annotations/<clip>/<frame>.png, train/JPEGImages/<clip>/, train/meta.json, {labelled.EXPRESSIONS}",
    clips=clips,
    looks=looks,
    shared=labelled.shared,
)
