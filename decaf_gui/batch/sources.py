"""What is to be pre-labelled: a folder of clips with a table of expressions, or a dataset that has its own.

A table is CSV with the columns clip, expression and (optional) label, or JSON lines with these keys.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from decaf_gui.batch.worklist import Problem, SourceClip, Wanted
from decaf_gui.core.clip import clips_in
from decaf_gui.core.errors import BadInput

if TYPE_CHECKING:
    from decaf_gui.formats.rvos.base import Video

TABLES = ("expressions.csv", "expressions.jsonl")
"""What a table is called in a folder of clips."""
COLUMNS = ("clip", "expression", "label")


@dataclass(frozen=True, slots=True)
class Source:
    """All clips of a source with what is wanted of them, and what could not be read.

    `kind` is the dataset's name, or "clips"; `split` the dataset's.
    """

    root: Path
    kind: str
    clips: tuple[SourceClip, ...]
    problems: tuple[Problem, ...] = ()
    split: str = ""

    @property
    def identity(self) -> dict[str, Any]:
        """What tells it from other sources; its table may grow."""
        return {"source": str(self.root.resolve()), "dataset": self.kind, "split": self.split}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table; `number` counts from 1."""

    number: int
    clip: str
    expression: str
    label: str


def read_source(
    root: Path, table: Path | None = None, expressions: Sequence[str] = (), dataset: str = "", split: str = ""
) -> Source:
    """What is wanted of the clips at `root`.

    The clips are asked for `expressions`, or for what a `table` says (else one that lies in the folder); without
    either it is a `dataset` with expressions, guessed where it is not said. Raises BadInput, for a table with its line.
    """
    if not root.is_dir():
        raise BadInput(f"There is no folder {root}: give a folder of clips, or of a dataset with expressions.")
    _check_choices(table, expressions, dataset, split)
    if dataset:
        return _of_dataset(root, dataset, split)
    if expressions:
        return _of_expressions(root, expressions)
    found = table or next((root / name for name in TABLES if (root / name).is_file()), None)
    return _of_table(root, found) if found is not None else _of_dataset(root, _guessed(root), split)


def _check_choices(table: Path | None, expressions: Sequence[str], dataset: str, split: str) -> None:
    """Raises BadInput for what does not go together."""
    given = [
        name for name, value in (("--table", table), ("--expression", expressions), ("--format", dataset)) if value
    ]
    if len(given) > 1:
        raise BadInput(f"{given[0]} and {given[1]} do not go together: give one of them.")
    if split and given and not dataset:
        raise BadInput(f"Only datasets have splits: leave --split or {given[0]} out.")


# --- a folder of clips -----------------------------------------------------------------------------------------


def _of_expressions(root: Path, expressions: Sequence[str]) -> Source:
    """Every clip of the folder, asked for all expressions."""
    for text in expressions:
        if not text.strip():
            raise BadInput("An --expression is empty: say what to look for.")
    wanted = tuple(Wanted(text.strip()) for text in dict.fromkeys(expressions))
    return Source(root, "clips", tuple(SourceClip(_name(path), path, wanted) for path in clips_in(root)))


def _of_table(root: Path, table: Path) -> Source:
    """The clips that a table names, in its order. One that is not there is still listed: its work will say so."""
    lines = list(read_table(table))
    if not lines:
        raise BadInput(f"{table} has no expressions: give a line for each, with clip and expression.")
    entries = _entries(root)
    media = {line.number: entries.get(line.clip, root / line.clip) for line in lines}
    _check_repeats(table, lines, media)
    clips: dict[Path, dict[Wanted, None]] = {}
    for line in lines:
        clips.setdefault(media[line.number], {})[Wanted(line.expression, line.label)] = None
    return Source(root, "clips", tuple(SourceClip(_name(path), path, tuple(wanted)) for path, wanted in clips.items()))


def _check_repeats(table: Path, lines: Iterable[Line], media: dict[int, Path]) -> None:
    """Raises BadInput when an expression of a clip has two labels."""
    known: dict[tuple[Path, str], Line] = {}
    for line in lines:
        first = known.setdefault((media[line.number], line.expression), line)
        if first.label != line.label:
            raise BadInput(
                f'{table}, line {line.number}: "{line.expression}" of {line.clip} has the label "{line.label}" here and'
                f' "{first.label}" in line {first.number}: give it one.'
            )


def _entries(root: Path) -> dict[str, Path]:
    """The clips of a folder by what a table may call them: the file's name, with or without its suffix."""
    try:
        found = clips_in(root)
    except BadInput:  # then every line of the table fails by itself
        return {}
    stems = [path.stem for path in found if path.is_file()]
    short = {path.stem: path for path in found if path.is_file() and stems.count(path.stem) == 1}
    return {**short, **{path.name: path for path in found}}


def _name(path: Path) -> str:
    """As `Clip.name`; also of what is not there."""
    return path.stem if path.is_file() else path.name


def read_table(path: Path) -> Iterator[Line]:
    """The lines of a table. Raises BadInput that names the file, the line and what is wrong with it."""
    try:
        text = path.read_bytes().decode("utf-8-sig")  # ends of lines as they are: cells may have some
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as a table ({error}).") from None
    if path.suffix.lower() not in (".csv", ".jsonl"):
        raise BadInput(f"{path} is no table that is known here: give a .csv or a .jsonl file.")
    entries = _csv_lines(path, text) if path.suffix.lower() == ".csv" else _json_lines(path, text)
    for number, entry in entries:
        yield _line(path, number, entry)


def _csv_lines(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [(name or "").strip() for name in reader.fieldnames or ()]
        if missing := [name for name in COLUMNS[:2] if name not in columns]:
            raise BadInput(
                f'{path}, line 1: there is no column "{missing[0]}": begin with the line clip,expression,label.'
            )
        reader.fieldnames = columns
        for row in reader:
            if None in row:
                told = "an expression with a comma stands in quotes."
                raise BadInput(f"{path}, line {reader.line_num}: there are more fields than columns: {told}")
            yield reader.line_num, row
    except csv.Error as error:
        raise BadInput(f"{path}, line {reader.line_num}: this is no CSV ({error}).") from None


def _json_lines(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}, line {number}: this is no JSON ({error}).") from None
        if not isinstance(entry, dict):
            told = 'give lines such as {"clip": "a", "expression": "the dog"}.'
            raise BadInput(f"{path}, line {number}: this is no object: {told}")
        yield number, entry


def _line(path: Path, number: int, entry: dict[str, Any]) -> Line:
    values = {}
    for key in COLUMNS:
        value = entry.get(key)
        if value is not None and not isinstance(value, str):
            raise BadInput(f'{path}, line {number}: "{key}" must be a text, not {json.dumps(value)}.')
        values[key] = (value or "").strip()
    for key in COLUMNS[:2]:
        if not values[key]:
            raise BadInput(f"{path}, line {number}: the {key} is missing.")
    if Path(values["clip"]).name != values["clip"] or values["clip"] == "..":
        raise BadInput(f'{path}, line {number}: the clip "{values["clip"]}" must be the name of a file or folder.')
    return Line(number, **values)


# --- a dataset --------------------------------------------------------------------------------------------------


def _guessed(root: Path) -> str:
    """The dataset that lies at `root`. Raises BadInput when it may be several, or none."""
    from decaf_gui.formats.registry import guess
    from decaf_gui.formats.rvos import DATASETS

    found = [form.name for form in guess(root) if form.name in DATASETS]
    if not found:
        raise BadInput(
            f"{root} has no {' or '.join(TABLES)} and is no dataset with expressions that is known here: give --table,"
            f" --expression, or --format ({', '.join(DATASETS)})."
        )
    if len(found) > 1:
        raise BadInput(f"{root} may be {' or '.join(found)}: say which one with --format.")
    return found[0]


def _of_dataset(root: Path, name: str, split: str) -> Source:
    """A split of a dataset, the first one by default. A clip is the folder of its frames, with all that lies there."""
    from decaf_gui.formats.rvos import dataset_named

    found = dataset_named(name).open(root, split)
    problems = [Problem(problem.video, problem.expression, problem.reason) for problem in found.problems]
    names: dict[Path, str] = {}
    wanted: dict[Path, dict[str, Wanted]] = {}
    for video in found.videos:
        if missing := _missing(video):
            problems.append(Problem(video.name, "", f"{missing} is missing: the dataset lists this frame."))
            continue
        media = video.files[0].parent
        names.setdefault(media, video.name)
        for ask in video.asks:
            wanted.setdefault(media, {}).setdefault(ask.text.strip(), Wanted(ask.text.strip(), "", ask.id))
    clips = [SourceClip(names[media], media, tuple(asked.values())) for media, asked in wanted.items()]
    return Source(root, name, tuple(clips), tuple(problems), found.name)


def _missing(video: Video) -> str:
    """The first listed frame that is not in the video's folder; "" when all are there, or when there is no folder."""
    folder = video.files[0].parent
    there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else {file.name for file in video.files}
    return next((str(file) for file in video.files if file.name not in there), "")
