"""Predictions of referring video segmentation: a PNG per expression and frame, as the benchmarks' scripts take them.

    masks/<clip>/<expression>/<frame>.png    meta_expressions.json

Every expression has a folder and every frame a file, all 0 where nothing answers. `predictions` are 0/255 (MeViS,
Ref-YouTube-VOS, Ref-DAVIS by expression), `predictions-01` are 0/1: accuracy and robustness of ReVOS' script mean
something only then. `decaf-gui evaluate --predictions <folder>/masks` scores them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.formats.base import Draft, Ending, Format, choose, write_clip
from decaf_gui.formats.frames import kept_names, renamed_words
from decaf_gui.formats.jsons import has_key, part, read_json
from decaf_gui.formats.labelset import LabelSet, Source, as_answers, require_complete, seen
from decaf_gui.formats.maps import png_files, read_single
from decaf_gui.formats.pngs import image_size, save_mask
from decaf_gui.formats.tables import KEY, Found, label_set, table_in, table_of
from decaf_gui.formats.youtube_vos import add_video

MASKS, META = "masks", "meta_expressions.json"
EXPECTED = 'expressions by video, {"videos": {...}}'


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/predictions`, 0/255; see Writer. Frames are not written."""
    yield from _write(FORMAT, 255, labelset, clip, folder, overwrite)


def write_ones(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write into `<folder>/predictions-01`, 0/1; see Writer. Frames are not written."""
    yield from _write(ONES, 1, labelset, clip, folder, overwrite)


def _write(form: Format, ink: int, labelset: LabelSet, clip: Clip, folder: Path, overwrite: bool) -> Iterator[Event]:
    require_complete(labelset)
    kept, stems = as_answers(labelset), kept_names(labelset.names)

    def each(draft: Draft, frame: int) -> None:
        for i, _ in enumerate(kept.expressions):
            path = draft.path(f"{MASKS}/{draft.name}/{i}/{stems[frame]}.png")
            save_mask(seen(kept.answers(i), frame, kept.size), path, ink)

    def end(draft: Draft) -> Ending:
        asked = {str(i): {"exp": text} for i, text in enumerate(kept.expressions)}
        table = table_of(kept, {obj.id: obj.id for obj in kept.objects})
        entry = {"frames": list(stems), "expressions": asked, KEY: table}
        return _warnings(labelset, stems), [add_video(draft, META, entry)]

    yield from write_clip(form, labelset, clip, folder, overwrite, each, end)


def _warnings(labelset: LabelSet, stems: Sequence[str]) -> list[str]:
    told = renamed_words(labelset.names, stems)
    silent = sum(not obj.expressions for obj in labelset.objects)
    if silent:
        told.append(f"{silent} objects answer to no expression: they are not written.")
    if not labelset.expressions:
        told.append("There are no expressions: no masks were written.")
    return told


def read(folder: Path, name: str = "") -> LabelSet:
    """The masks of one video, an object for each expression; see Reader."""
    path = folder / META
    videos = part(read_json(path, EXPECTED), "videos", dict, path)
    chosen = choose(name, list(videos), folder)
    entry, home = videos[chosen], folder / MASKS / chosen
    table, asked = table_in(entry), part(entry, "expressions", dict, path)
    stems = tuple(str(stem) for stem in part(entry, "frames", list, path))
    files, masks, answers = [path], {}, []
    size = _size(home, table)
    for number, (id_, told) in enumerate(asked.items(), start=1):
        found = png_files(home / id_)
        if [file.stem for file in found] != list(stems):
            raise BadInput(f"{home / id_} should have one PNG for each of the {len(stems)} frames that {path} lists.")
        track = read_single(found, size)
        files += found
        there = any(not track.absent(frame) for frame in track)
        if there:
            masks[number] = track
        answers.append((part(told, "exp", str, path), frozenset([number] if there else [])))
    return label_set(Found(chosen, size, stems, masks, asked=answers, source=Source(tuple(files))), table)


def _size(home: Path, table: Any) -> tuple[int, int]:
    first = next(iter(sorted(home.glob("*/*.png"))), None)
    if first is not None:
        return image_size(first)
    height, width = table["size"]
    return int(height), int(width)


def clips(folder: Path) -> Sequence[str]:
    """The videos."""
    return list(part(read_json(folder / META, EXPECTED), "videos", dict, folder / META))


def looks(folder: Path) -> bool:
    """Expressions, and masks beside them."""
    return (folder / META).is_file() and (folder / MASKS).is_dir()


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`, beside its entry in meta_expressions.json."""
    return (f"{MASKS}/{name}",)


def _shared(home: Path, name: str) -> list[str]:
    return [META] if has_key(home / META, "videos", name) else []


KEEPS = "expressions, the union of the objects that answer to each, the frames' own names"
LOSES = "which object is which, objects without an expression, scores, prompts and review marks"
FORMAT = Format(
    "predictions",
    "Predictions by expression, PNG 0/255",
    parts,
    write,
    read,
    keeps=KEEPS,
    loses=LOSES,
    layout=f"{MASKS}/<clip>/<expression>/<frame>.png (0/255), {META}",
    clips=clips,
    looks=looks,
    shared=_shared,
)
ONES = Format(
    "predictions-01",
    "Predictions by expression, PNG 0/1 (ReVOS)",
    parts,
    write_ones,
    read,
    keeps=KEEPS,
    loses=LOSES,
    layout=f"{MASKS}/<clip>/<expression>/<frame>.png (0/1), {META}",
    clips=clips,
    shared=_shared,
)
