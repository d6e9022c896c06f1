"""Ref-DAVIS17 in ReferFormer's conversion (formats spec, section 3): four expressions per object, two annotators.

    {valid,train}/JPEGImages/<video>/<frame>.jpg   {valid,train}/Annotations/<video>/<frame>.png
    meta_expressions/{valid,train}/meta_expressions.json
    predictions: <video>/<expression>/<frame>.png

Expression 4 * object + a is annotator a's (0 and 1: the first one, by the first frame and by the full video; 2 and 3:
the second one); ReferFormer scores the four by themselves, as label maps, and averages. Written are four per object:
an object with fewer has them over again, one with more takes two rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event
from decaf_gui.formats.base import Format
from decaf_gui.formats.frames import numbered
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.maps import OVERLAPS
from decaf_gui.formats.rvos import labelled
from decaf_gui.formats.rvos.base import Problem, RvosDataset, Video, videos_of
from decaf_gui.formats.rvos.labelled import read_labelled, read_labels_of, write_labelled

ANNOTATORS = 4


def read(root: Path, split: str) -> Iterator[Video | Problem]:
    """The split's videos; see SplitReader."""
    path = root / "meta_expressions" / split / "meta_expressions.json"
    yield from read_labelled(videos_of(path), path, root / split, turn=annotator)


def annotator(id: str) -> str:
    """Whose words an expression is: "anno_0" to "anno_3"; nobody's when its id is no number."""
    return f"anno_{int(id) % ANNOTATORS}" if id.isdecimal() else ""


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/ref-davis`; see Writer. At most 254 objects, each known on every frame."""
    stems = numbered(labelset.frame_count)
    yield from write_labelled(FORMAT, labelset, clip, folder, stems, fours(labelset), overwrite, frames)


def fours(labelset: LabelSet) -> list[tuple[str, LabelledObject]]:
    """Each object's expressions in rounds of four, one for every annotator."""
    numbers = labelset.numbers
    pairs = []
    for obj in sorted(labelset.objects, key=lambda obj: numbers[obj.id]):
        texts = [labelset.expressions[i] for i in obj.expressions]
        rounds = -(-len(texts) // ANNOTATORS)
        pairs += [(text, obj) for text in islice(cycle(texts), rounds * ANNOTATORS)]
    return pairs


def read_labels(folder: Path, name: str = "") -> LabelSet:
    """The labels of one video; see Reader."""
    return read_labels_of(DATASET, folder, name)


def clips(folder: Path) -> Sequence[str]:
    """The videos of the splits whose masks are there."""
    return labelled.clips(DATASET, folder)


def looks(folder: Path) -> bool:
    """Splits with expressions and label maps: Ref-YouTube-VOS looks alike."""
    return labelled.looks(DATASET, folder)


DATASET = RvosDataset(
    name="ref-davis",
    title="Ref-DAVIS17",
    splits=("valid", "train"),
    protocols=("ref-davis", "rvos", "expressions"),
    read=read,
    layout="meta_expressions/<split>/meta_expressions.json, <split>/Annotations and <split>/JPEGImages/<video>/",
)
FORMAT = Format(
    "ref-davis",
    "Ref-DAVIS17, expressions and indexed PNG",
    labelled.parts,
    write,
    read_labels,
    keeps="masks as object numbers, categories, expressions; source names beside its keys",
    loses=f"{OVERLAPS}, scores, prompts and review marks; its readers see one object per expression",
    layout=f"train/Annotations/<clip>/00000.png, train/JPEGImages/<clip>/, train/meta.json, {labelled.EXPRESSIONS}",
    clips=clips,
    looks=looks,
    shared=labelled.shared,
)
