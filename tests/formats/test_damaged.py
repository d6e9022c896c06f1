"""Files of any content are BadInput with one line, never another error; crashes leave what was there before."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelled import blank_clip, image_clip, two_objects

from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.formats.base import Format
from decaf_gui.formats.labelset import LabelSet
from decaf_gui.formats.registry import FORMATS, guess
from decaf_gui.formats.runs import rle_of, segmentation

READ = {name: form for name, form in FORMATS.items() if form.reader is not None}
every_format = pytest.mark.parametrize("form", READ.values(), ids=READ)
SHARED = {
    "youtube-vos": ["train/meta.json"],
    "ytvis": ["train/instances.json"],
    "ref-davis": ["train/meta.json", "meta_expressions/train/meta_expressions.json"],
    "mevis": ["train/meta_expressions.json", "train/mask_dict.json"],
    "revos": ["meta_expressions_train_.json", "mask_dict.json", "mask_dict_foreground.json"],
    "reason-vos": ["meta_expressions.json"],
    "predictions": ["meta_expressions.json"],
}
"""Files that all clips of a dataset share."""
junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip in every format."""
    out = tmp_path_factory.mktemp("datasets")
    clip = image_clip(out / "frames/bear")
    for form in READ.values():
        list(form.writer(two_objects(clip), clip, out))
    return out


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places in a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in inside for place in places(inner, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = dict(value) if isinstance(value, dict) else list(value)
    copied[path[0]] = changed(value[path[0]], path[1:], new)
    return copied


def refusal(deed: Callable[[], object]) -> str:
    """What a refused deed says; empty when it was done."""
    try:
        deed()
    except DecafError as error:
        return str(error)
    return ""


@every_format
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json_is_read_or_refused(form: Format, datasets: Path, data: st.DataObject) -> None:
    """One value of one JSON file is anything else."""
    home = form.home(datasets)
    file = data.draw(st.sampled_from(sorted(home.rglob("*.json"))))
    before = file.read_bytes()
    whole = json.loads(before)
    where = data.draw(st.sampled_from(places(whole)))
    file.write_text(json.dumps(changed(whole, where, data.draw(junk))))
    try:
        assert "\n" not in refusal(lambda: (guess(home), form.read(home)))
    finally:
        file.write_bytes(before)


@every_format
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe\x00", b"7 7", b"null"])
def test_files_of_other_content_are_refused_in_one_line(
    form: Format, content: bytes, datasets: Path, tmp_path: Path
) -> None:
    for file in sorted(p for p in form.home(datasets).rglob("*") if p.suffix in (".json", ".txt", ".png", ".ini")):
        if "ImageSets" in file.parts or "foreground" in file.name or "images" in file.parts:  # not needed for reading
            continue
        shutil.copytree(form.home(datasets), tmp_path / "copy", dirs_exist_ok=True)
        copied = tmp_path / "copy" / file.relative_to(form.home(datasets))
        copied.write_bytes(content)
        told = refusal(lambda: form.read(tmp_path / "copy"))
        assert "\n" not in told
        assert told or file.name in ("gt.txt", "seqinfo.ini"), f"{file} was read as if nothing were wrong"
        guess(tmp_path / "copy")
        if file.suffix == ".png":
            break


@every_format
def test_what_is_not_there_is_named(form: Format, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"There is no|There are no|is missing"):
        form.read(tmp_path)
    with pytest.raises(BadInput):
        form.read(tmp_path / "nothing")
    assert form not in guess(tmp_path)


WRONG_RUNS: list[Any] = [None, 7, [], "text", {"size": [30, 41]}, {"size": [3.0, 4], "counts": "41202"}]
WRONG_RUNS += [{"size": [30, 41], "counts": counts} for counts in ([1], [-1, 1231], "41202", [True], [1 << 40], None)]
WRONG_RUNS += [{"size": size, "counts": "0"} for size in ([1 << 20, 1 << 20], [3], ["3", 4], [0, 0])]
NO_POLYGONS: list[Any] = [
    [[1, 2, 3]],
    [[1, 2, 3, 4, 5]],
    [["a"] * 6],
    [[0, 0, 1e9, 0, 0, 1e9]],
    [7],
    [[float("nan")] * 6],
]


@pytest.mark.parametrize("entry", WRONG_RUNS)
def test_runs_that_do_not_fit_are_refused(entry: Any) -> None:
    with pytest.raises(BadInput, match="a mask must be"):
        rle_of(entry, "here")


@pytest.mark.parametrize("corners", NO_POLYGONS)
def test_polygons_that_are_none_are_refused(corners: Any) -> None:
    with pytest.raises((BadInput, ValueError)):
        segmentation(corners, (30, 41), "here")


def clip_called(name: str, tmp_path: Path) -> LabelSet:
    return replace(two_objects(image_clip(tmp_path / "frames" / name)), name=name)


def write(form: Format, labels: LabelSet, out: Path, *, overwrite: bool = False) -> None:
    clip = blank_clip(labels.size, labels.frame_count)
    list(form.writer(labels, clip, out, frames=False, overwrite=overwrite))


@pytest.mark.parametrize("name", SHARED)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_crash_at_any_renaming_leaves_a_dataset_that_can_be_read(
    name: str, overwrite: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there stays; the new clip is there wholly or not at all."""
    form = FORMATS[name]
    old, new = clip_called("ant", tmp_path), clip_called("bear", tmp_path)
    fewer = replace(new, objects=new.objects[1:])
    rename = Path.replace
    for survived in range(20):
        out = tmp_path / f"out{survived}"
        write(form, old, out)
        if overwrite:
            write(form, fewer, out)
        before, calls = form.read(form.home(out), "ant"), 0

        def failing(self: Path, target: Path, survived: int = survived) -> Path:
            nonlocal calls
            calls += 1
            if calls > survived:
                raise OSError(5, "the machine lost power")
            return rename(self, target)

        monkeypatch.setattr(Path, "replace", failing)
        told = refusal(lambda out=out: write(form, new, out, overwrite=overwrite))
        assert not told or "lost power" in told
        monkeypatch.setattr(Path, "replace", rename)
        assert form.read(form.home(out), "ant") == before
        if "bear" in form.clips(form.home(out)) and not overwrite:
            assert form.read(form.home(out), "bear").objects
        if calls <= survived:
            return
        write(form, new, out, overwrite=True)
        assert form.read(form.home(out), "ant") == before
        assert form.read(form.home(out), "bear").objects
    raise AssertionError("writing never ended")


@pytest.mark.parametrize(("name", "files"), SHARED.items())
def test_what_nobody_here_knows_stays_in_shared_files(name: str, files: list[str], tmp_path: Path) -> None:
    form = FORMATS[name]
    write(form, clip_called("ant", tmp_path), tmp_path / "out")
    for file in files:
        path = form.home(tmp_path / "out") / file
        path.write_text(json.dumps({**json.loads(path.read_text()), "somebody": {"else": [1, "é"]}}))
    write(form, clip_called("bear", tmp_path), tmp_path / "out")
    for file in files:
        assert json.loads((form.home(tmp_path / "out") / file).read_text())["somebody"] == {"else": [1, "é"]}


@pytest.mark.parametrize(("name", "files"), SHARED.items())
def test_a_shared_file_that_cannot_be_read_is_not_replaced(name: str, files: list[str], tmp_path: Path) -> None:
    form = FORMATS[name]
    for file in files:
        out = tmp_path / file.replace("/", "_")
        write(form, replace(clip_called("ant", out), name="ant"), out)
        path = form.home(out) / file
        path.write_text("{ half")
        with pytest.raises(BadInput, match="cannot be read as JSON"):
            write(form, clip_called("bear", out), out)
        assert path.read_text() == "{ half"
        assert not [p for p in form.home(out).rglob("*") if "bear" in p.name]


def test_annotations_of_a_replaced_clip_go_and_no_number_is_given_twice(tmp_path: Path) -> None:
    form, labels = FORMATS["mevis"], clip_called("bear", tmp_path)
    write(form, labels, tmp_path / "out")
    write(form, clip_called("cow", tmp_path), tmp_path / "out")
    write(form, labels, tmp_path / "out", overwrite=True)
    masks = json.loads((form.home(tmp_path / "out") / "train/mask_dict.json").read_text())
    assert sorted(masks) == ["2", "3", "4", "5"]
