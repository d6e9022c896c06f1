"""DAVIS 2016: one object, white on black (formats spec, section 1).

    JPEGImages/480p/<clip>/00000.jpg    Annotations/480p/<clip>/00000.png (0/255)    Tables/<clip>/
    ImageSets/480p/val.txt              "/JPEGImages/480p/<clip>/00000.jpg /Annotations/480p/<clip>/00000.png" lines

All objects of a clip become the one foreground. The evaluator of 2017 takes 255 for void: it wants `davis`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event
from decaf_gui.formats.base import Draft, Ending, Format, write_clip
from decaf_gui.formats.davis import (
    ANNOTATIONS,
    IMAGES,
    TABLES,
    add_lines,
    inks,
    parts,
    read_tables,
    sequence,
    sequences,
    write_tables,
)
from decaf_gui.formats.frames import save_jpeg
from decaf_gui.formats.labelset import LabelSet, Source, as_one, require_complete, seen
from decaf_gui.formats.maps import VOID, late_words, nothing_words, png_files, read_single
from decaf_gui.formats.pngs import image_size, save_mask
from decaf_gui.formats.tables import Found, label_set, table_of

IMAGE_SET = "ImageSets/480p/val.txt"


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/davis-2016`; see Writer. Every object must be known on every frame."""
    require_complete(labelset)
    one = as_one(labelset)

    def each(draft: Draft, frame: int) -> None:
        if frames:
            save_jpeg(clip, frame, draft.path(f"{IMAGES}/{draft.name}/{frame:05d}.jpg"))
        save_mask(seen(one.objects, frame, one.size), draft.path(f"{ANNOTATIONS}/{draft.name}/{frame:05d}.png"))

    def end(draft: Draft) -> Ending:
        write_tables(draft, one, table_of(one, one.numbers))
        stems = (f"{draft.name}/{frame:05d}" for frame in range(one.frame_count))
        pairs = [f"/{IMAGES}/{stem}.jpg /{ANNOTATIONS}/{stem}.png" for stem in stems]
        return _warnings(labelset, one), [add_lines(draft, IMAGE_SET, pairs)]

    yield from write_clip(FORMAT, labelset, clip, folder, overwrite, each, end)


def read(folder: Path, name: str = "") -> LabelSet:
    """The labels of one sequence; see Reader. Whatever is not 0 is the one object."""
    files = png_files(sequence(folder, name))
    found, size = files[0].parent.name, image_size(files[0])
    masks = read_single(files, size)
    table = read_tables(folder, found)
    there = {} if "objects" in table and not table["objects"] else {1: masks}
    media = folder / IMAGES / found
    source = Source(files, media if media.is_dir() else None)
    return label_set(Found(found, size, tuple(file.stem for file in files), there, source=source), table)


def looks(folder: Path) -> bool:
    """DAVIS folders with one object in white."""
    return bool(sequences(folder)) and inks(folder) <= {VOID}


def _warnings(labelset: LabelSet, one: LabelSet) -> list[str]:
    told = f"All {len(labelset.objects)} objects are one foreground in DAVIS 2016."
    return [*([told] if len(labelset.objects) > 1 else []), *late_words(one), *nothing_words(one)]


FORMAT = Format(
    "davis-2016",
    "DAVIS 2016, one object in white",
    parts,
    write,
    read,
    keeps="the union of all objects; in Tables/ beside it one label, expressions, source names, provenance",
    loses="which object is which, scores, prompts and review marks",
    layout=f"{ANNOTATIONS}/<clip>/00000.png (0/255), {IMAGES}/<clip>/00000.jpg, {IMAGE_SET}, {TABLES}/<clip>/",
    clips=sequences,
    looks=looks,
)
