"""What every format reads, writes, keeps and loses: the table that the command line and docs/formats.md show."""

from __future__ import annotations

from collections.abc import Sequence

from decaf_gui.formats.registry import FORMATS

OPENING = """\
`decaf-gui export PROJECT --out DIR --format NAME` writes them, each into a folder of its name below DIR; so does File,
Export labels in the window. `decaf-gui import SOURCE --project PROJECT` reads them; File, Import labels does the same
for the clip that is open. `decaf-gui formats` lists them.

An export is made in `DIR/.partial` and renamed when it is whole. What is there is replaced only with `--overwrite`. In
formats with one file for all clips a clip joins those that are there; the file is written anew beside the old one, and
takes its place in one step. Clips and frames are called as their files are, where that name is possible on every
system and keeps the order; what was renamed is told.

For what a format has no field for there is a table of this program (a key `decaf_gui` in its JSON, or a file beside
the masks): object ids, labels, source names of the frames, provenance. Other programs skip it; read back here, it makes
the import the same as what was exported. Where they differ, the format's own fields decide.
"""
IMPORTING = """\
## Importing

```sh
decaf-gui import datasets/davis --name bear --project bear.decaf
decaf-gui import out/coco/annotations/instances_bear.json --project bear.decaf --clip videos/bear.mp4
```

The format is guessed from the layout; where it can be several, they are named and `--format` chooses. Of several clips
`--name` chooses, or the one that is called as the clip given with `--clip` (or `--frames`). Without `--clip` the frames
are the dataset's own.

Labels must have the clip's frame size. They lie on all its frames, or on the frames of the same names; on the others
the objects are not known. If the clip is new in the project, the frames that have labels are those to be worked on.
Objects are new ones, with the provenance "imported": format, files with their SHA-256, version of the program. Labels
keep their ids where these are free. Void pixels (255) belong to no object; what could not be read is told.
"""


def rows() -> list[tuple[str, str, str, str, str, str]]:
    """Name, title, whether it is read and written, what it keeps and what it loses."""
    words = {True: "yes", False: "no"}
    return [
        (f.name, f.title, words[f.reader is not None], words[f.writer is not None], f.keeps, f.loses)
        for f in FORMATS.values()
    ]


def formats_markdown() -> str:
    """docs/formats.md."""
    table = _table(["name", "format", "read", "written", "keeps", "loses"], rows())
    layouts = _table(["name", "files"], [(f.name, f"`{f.layout}`") for f in FORMATS.values()])
    return "\n".join(["# Formats", "", OPENING, *table, "", "## Files", "", *layouts, "", IMPORTING])


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    told = [columns, ["---"] * len(columns), *lines]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in told]
