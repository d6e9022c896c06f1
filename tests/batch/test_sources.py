"""Sources: folders with tables, expressions for all, datasets; bad tables name their line."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quick_engine import write_clip

from decaf_gui.batch.sources import read_source, read_table
from decaf_gui.batch.worklist import Wanted
from decaf_gui.core.errors import BadInput
from decaf_gui.demo.write import write_clips
from decaf_gui.formats.rvos import DATASETS, dataset_named

sys.path.insert(0, str(Path(__file__).parents[1] / "evaluation"))
from rvos_layouts import BUILDERS


@pytest.fixture
def folder(tmp_path) -> Path:
    root = tmp_path / "clips"
    for name in ("park", "zoo"):
        write_clip(root / name)
    (video,) = write_clips(tmp_path / "made", 3, 1, "kind", 2, video=True)
    shutil.copy(video, root / "street.mp4")
    return root


def asked(source) -> dict[str, list[tuple[str, str]]]:
    return {clip.name: [(w.expression, w.label) for w in clip.wanted] for clip in source.clips}


def test_a_table_in_the_folder(folder):
    (folder / "expressions.csv").write_text(
        '﻿clip,label,expression\nzoo,animal,"the lion, asleep"\npark,,a dog\nzoo,,a bird\nstreet.mp4,,a car\n', "utf-8"
    )
    source = read_source(folder)
    assert asked(source) == {
        "zoo": [("the lion, asleep", "animal"), ("a bird", "")],
        "park": [("a dog", "")],
        "street": [("a car", "")],
    }
    assert [clip.media.name for clip in source.clips] == ["zoo", "park", "street.mp4"]
    assert source.identity == {"source": str(folder.resolve()), "dataset": "clips", "split": ""}


def test_json_lines_from_elsewhere_and_names_without_suffix(folder, tmp_path):
    table = tmp_path / "asked.jsonl"
    lines = [{"clip": "street", "expression": "der Käfer"}, {"clip": "street.mp4", "expression": "x", "label": "car"}]
    table.write_text("\n\n".join(json.dumps(line) for line in lines))
    assert asked(read_source(folder, table)) == {"street": [("der Käfer", ""), ("x", "car")]}


def test_a_repeated_line_counts_once_and_a_clip_that_is_missing_is_listed(folder):
    (folder / "expressions.csv").write_text("clip,expression\npark,a dog\nghost.mp4,a dog\npark,a dog\n")
    source = read_source(folder)
    assert asked(source) == {"park": [("a dog", "")], "ghost.mp4": [("a dog", "")]}
    assert source.clips[1].media == folder / "ghost.mp4"


def test_expressions_for_every_clip(folder):
    source = read_source(folder, expressions=("a dog", " a cat", "a dog"))
    assert asked(source) == {name: [("a dog", ""), ("a cat", "")] for name in ("park", "street", "zoo")}


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(
        st.tuples(*[st.text(st.characters(codec="utf-8", exclude_characters="/\\\0"), max_size=12)] * 3), max_size=6
    )
)
def test_any_table_comes_back_as_the_csv_module_wrote_it(rows, tmp_path_factory):
    wanted = [tuple(cell.strip() for cell in row) for row in rows]
    wanted = [row for row in wanted if row[0] not in ("", ".", "..") and row[1]]
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("clip", "expression", "label"), *wanted])
    assert [(line.clip, line.expression, line.label) for line in read_table(path)] == wanted


BAD_TABLES = {
    "no_column.csv": ("clip,text\na,b\n", 'line 1: there is no column "expression"'),
    "empty.csv": ("", 'line 1: there is no column "clip"'),
    "nothing.csv": ("clip,expression\n", "has no expressions"),
    "missing.csv": ("clip,expression\npark,\n", "line 2: the expression is missing"),
    "short.csv": ("clip,expression\npark\n", "line 2: the expression is missing"),
    "long.csv": ("clip,expression\npark,a dog, asleep\n", "line 2: there are more fields than columns"),
    "quote.csv": ('clip,expression\npark,"a dog\n', "this is no CSV"),
    "away.csv": ("clip,expression\n../park,a dog\n", 'line 2: the clip "../park" must be the name'),
    "labels.csv": (
        "clip,expression,label\npark,a dog,dog\npark,a dog,cat\n",
        'line 3: "a dog" of park has the label "cat" here and "dog" in line 2',
    ),
    "broken.jsonl": ('{"clip": "park", "expression": "a"}\n{"clip"\n', "line 2: this is no JSON"),
    "list.jsonl": ('["park", "a dog"]\n', "line 1: this is no object"),
    "number.jsonl": ('{"clip": "park", "expression": 7}\n', 'line 1: "expression" must be a text, not 7'),
    "bytes.csv": ("clip,expression\npark,a dog\n".encode("utf-16"), "cannot be read as a table"),
    "table.txt": ("clip,expression\npark,a dog\n", "give a .csv or a .jsonl"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_names_its_file_line_and_fault(folder, name):
    content, told = BAD_TABLES[name]
    table = folder / name
    table.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(BadInput) as raised:
        read_source(folder, table)
    assert told in str(raised.value)
    assert str(table) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_does_not_go_together_or_is_not_there(folder, tmp_path):
    with pytest.raises(BadInput, match="There is no folder"):
        read_source(tmp_path / "nothing")
    with pytest.raises(BadInput, match="--table and --expression do not go together"):
        read_source(folder, folder / "t.csv", ("a dog",))
    with pytest.raises(BadInput, match="An --expression is empty"):
        read_source(folder, expressions=(" ",))
    with pytest.raises(BadInput, match=r"give --table, --expression, or --format"):
        read_source(folder)
    with pytest.raises(BadInput, match="cannot be read as a table"):
        read_source(folder, folder / "none.csv")
    with pytest.raises(BadInput, match="Only datasets have splits"):
        read_source(folder, expressions=("a dog",), split="valid")


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_dataset_with_expressions(name, tmp_path):
    """Against the datasets' own reader, which the evaluation uses."""
    root = BUILDERS[name](tmp_path / name)
    split = "train" if name == "ref-youtube-vos" else ""
    source = read_source(root, dataset=name, split=split)
    videos = dataset_named(name).open(root, split).videos
    assert [clip.name for clip in source.clips] == [video.name for video in videos]
    for clip, video in zip(source.clips, videos, strict=True):
        assert [w.expression for w in clip.wanted] == list(dict.fromkeys(ask.text for ask in video.asks))
        assert all(Wanted(ask.text, "", ask.id) in clip.wanted for ask in video.asks)
        assert {file.parent for file in video.files} == {clip.media}
    assert source.identity["split"] == (split or DATASETS[name].splits[0])


def test_a_dataset_is_guessed_where_it_can_be(tmp_path):
    assert read_source(BUILDERS["mevis"](tmp_path / "m")).kind == "mevis"
    with pytest.raises(BadInput, match=r"may be ref-davis or ref-youtube-vos: say which one with --format"):
        read_source(BUILDERS["ref-youtube-vos"](tmp_path / "y"))


def test_a_listed_frame_that_is_missing_is_a_problem_of_its_clip(tmp_path):
    root = BUILDERS["mevis"](tmp_path / "m")
    gone, kept = (clip for clip in read_source(root).clips)
    next(gone.media.glob("00005*")).unlink()
    source = read_source(root)
    assert [clip.name for clip in source.clips] == [kept.name]
    assert [(p.clip, p.expression) for p in source.problems] == [(gone.name, "")]
    assert "00005.jpg is missing" in source.problems[0].reason
