"""What is written comes back: all of it, or all but what the format says that it loses."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from labelled import Dense, blank_clip, image_clip, label_set, two_objects
from odd_labels import ODD_NAMES, label_sets

from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks
from decaf_gui.formats.base import Format, safe_name
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.registry import FORMATS, guess, guessed

BOTH_WAYS = {name: form for name, form in FORMATS.items() if form.reader and form.writer}
ON_TOP = ("davis", "youtube-vos", "ref-davis", "ref-youtube-vos", "mots")
"""Formats in which the newer object hides the older one."""
BY_EXPRESSION = ("predictions", "predictions-01")
every_format = pytest.mark.parametrize("form", BOTH_WAYS.values(), ids=BOTH_WAYS)
thorough = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def dense(obj: LabelledObject, frames: int) -> list[Dense]:
    return [obj.masks[frame] for frame in range(frames)]


def encoded(
    obj: LabelledObject, masks: Sequence[Dense], size: tuple[int, int], answers: Sequence[int]
) -> LabelledObject:
    return replace(obj, masks=Masks.encode(dict(enumerate(masks)), size), expressions=tuple(answers))


def on_top(labels: LabelSet) -> LabelSet:
    """Every object without what higher ids cover."""
    objects = []
    covered = [np.zeros(labels.size, bool) for _ in range(labels.frame_count)]
    for obj in reversed(labels.objects):
        masks = dense(obj, labels.frame_count)
        visible = [mask & ~above for mask, above in zip(masks, covered, strict=True)]
        covered = [mask | above for mask, above in zip(masks, covered, strict=True)]
        objects.append(encoded(obj, visible, labels.size, obj.expressions))
    return replace(labels, objects=tuple(reversed(objects)))


def one_object(labels: LabelSet) -> LabelSet:
    """All objects as the first."""
    if not labels.objects:
        return labels
    covers = [np.any([obj.masks[f] for obj in labels.objects], axis=0) for f in range(labels.frame_count)]
    answers = sorted({i for obj in labels.objects for i in obj.expressions})
    return replace(labels, objects=(encoded(labels.objects[0], covers, labels.size, answers),))


def by_expression(labels: LabelSet) -> LabelSet:
    """An object for every expression of which anything is seen."""
    objects = []
    for i, _ in enumerate(labels.expressions):
        found = [obj for obj in labels.objects if i in obj.expressions]
        if not found:
            continue
        covers = [np.any([obj.masks[f] for obj in found], axis=0) for f in range(labels.frame_count)]
        if np.any(covers):
            objects.append(replace(encoded(found[0], covers, labels.size, [i]), id=i + 1))
    return replace(labels, objects=tuple(objects))


def held(form: Format, labels: LabelSet) -> LabelSet:
    """What a format can hold of a label set."""
    if form.name in ON_TOP:
        return on_top(labels)
    if form.name in BY_EXPRESSION:
        return by_expression(labels)
    return one_object(labels) if form.name == "davis-2016" else labels


def written(form: Format, labels: LabelSet, out: Path) -> Path:
    assert form.writer is not None
    list(form.writer(labels, blank_clip(labels.size, labels.frame_count), out, frames=False))
    return form.home(out)


@every_format
@thorough
@given(labels=label_sets())
def test_nothing_is_lost_that_the_format_can_hold(form: Format, labels: LabelSet) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = written(form, labels, Path(folder))
        read = form.read(home)
        expected = held(form, labels)
        assert read.objects == expected.objects
        assert read == expected
        assert read.source.files
        assert all(file.is_file() for file in read.source.files)
        assert list(form.clips(home)) == [safe_name(labels.name)]


@every_format
@thorough
@given(labels=label_sets(most=3))
def test_no_name_leads_out_of_the_format_s_folder(form: Format, labels: LabelSet) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "in/out")
        home = written(form, labels, out)
        everything = [path for path in Path(folder).rglob("*") if path.is_file()]
        assert everything
        assert all(path.is_relative_to(home) for path in everything)
        for path in home.rglob("*"):
            assert len(path.name.encode()) <= 255
            assert path.name == path.name.strip(". ")
            assert path.name.isprintable()
            assert not set(path.name) & set('\\:*?"<>|/')


@every_format
@pytest.mark.parametrize("name", ODD_NAMES)
def test_several_clips_share_a_dataset_and_each_comes_back(form: Format, name: str, tmp_path: Path) -> None:
    first, second = (two_objects(image_clip(tmp_path / clip)) for clip in ("bear", "deer"))
    odd = replace(second, name=name)
    written(form, first, tmp_path / "out")
    before = form.read(form.home(tmp_path / "out"))
    home = written(form, odd, tmp_path / "out")
    assert sorted(form.clips(home)) == sorted({"bear", safe_name(name)})
    assert form.read(home, "bear") == before == held(form, first)
    assert form.read(home, safe_name(name)) == held(form, odd)
    with pytest.raises(BadInput, match=r"Choose a clip of .*: there are .*bear"):
        form.read(home)
    with pytest.raises(BadInput, match=r"Choose a clip of .*: there are .*bear"):
        form.read(home, "nobody")


@every_format
def test_replacing_a_clip_leaves_the_others(form: Format, tmp_path: Path) -> None:
    labels = {name: two_objects(image_clip(tmp_path / name)) for name in ("ant", "bear", "cow")}
    for one in labels.values():
        written(form, one, tmp_path / "out")
    fewer = replace(labels["bear"], objects=labels["bear"].objects[:1])
    assert form.writer is not None
    clip = blank_clip(fewer.size, fewer.frame_count)
    list(form.writer(fewer, clip, tmp_path / "out", overwrite=True, frames=False))
    home = form.home(tmp_path / "out")
    assert form.read(home, "ant") == held(form, labels["ant"])
    assert form.read(home, "bear") == held(form, fewer)
    assert form.read(home, "cow") == held(form, labels["cow"])
    assert len(form.clips(home)) == 3


@every_format
def test_254_objects(form: Format, tmp_path: Path) -> None:
    size, label = (16, 17), Label(1, "dot")
    objects = []
    for number in range(254):
        mask = np.zeros(size, bool)
        mask.flat[number] = True
        objects.append(
            LabelledObject(number + 1, label, Masks.encode({0: mask, 1: mask & (number % 3 == 0)}, size), (0,))
        )
    labels = LabelSet("dots", size, 2, 24.0, ("00000", "00005"), tuple(objects), Labels((label,)), ("every dot",))
    assert form.read(written(form, labels, tmp_path)) == held(form, labels)


@every_format
def test_a_format_is_told_by_its_layout(form: Format, tmp_path: Path) -> None:
    home = written(form, two_objects(image_clip(tmp_path / "bear")), tmp_path / "out")
    twins = {"ytvis-compressed": "ytvis", "predictions-01": "predictions"}  # written otherwise, read alike
    assert guessed(home).name == twins.get(form.name, form.name)


def test_an_ambiguous_layout_is_answered_with_the_names(tmp_path: Path) -> None:
    home = written(FORMATS["ref-davis"], two_objects(image_clip(tmp_path / "bear")), tmp_path / "out")
    path = home / "meta_expressions/train/meta_expressions.json"
    path.write_text(path.read_text().replace('"decaf_gui"', '"somebody"'))
    assert [form.name for form in guess(home)] == ["ref-davis", "ref-youtube-vos"]
    with pytest.raises(BadInput, match="may be ref-davis or ref-youtube-vos: say which one with --format"):
        guessed(home)
    with pytest.raises(BadInput, match="looks like no format that is known here"):
        guessed(tmp_path / "bear/shot1.png")
    with pytest.raises(BadInput, match="There is no file or folder"):
        guessed(tmp_path / "nothing")


@every_format
def test_frames_lie_beside_the_labels(form: Format, tmp_path: Path) -> None:
    clip = image_clip(tmp_path / "bear")
    assert form.writer is not None
    list(form.writer(two_objects(clip), clip, tmp_path / "out"))
    media = form.read(form.home(tmp_path / "out")).source.media
    if form.name in {"predictions", "predictions-01", "png"}:
        assert media is None
        return
    assert media is not None
    with clip.open(media) as again:
        assert (len(again), again.size) == (len(clip), clip.size)
        assert all(np.abs(a.astype(int) - b).mean() < 4 for a, b in zip(again, clip, strict=True))


LOST = dict.fromkeys(ON_TOP, "overlap") | {"davis-2016": "one foreground"}


@pytest.mark.parametrize("name", LOST)
def test_what_is_lost_is_said(name: str, tmp_path: Path) -> None:
    form, clip = FORMATS[name], image_clip(tmp_path / "bear")
    assert form.writer is not None
    *_, last = form.writer(two_objects(clip), clip, tmp_path / "out")
    assert any(LOST[name] in warning for warning in last.warnings)
    assert form.loses


@pytest.mark.parametrize("name", ["mevis", "revos", "reason-vos", "ref-davis", "ref-youtube-vos", *BY_EXPRESSION])
def test_objects_without_expressions_are_told(name: str, tmp_path: Path) -> None:
    form, clip = FORMATS[name], image_clip(tmp_path / "bear")
    mask = [np.ones(clip.size, bool)] * 4
    assert form.writer is not None
    *_, last = form.writer(label_set(clip, {1: mask, 2: mask}, {1: (0,)}), clip, tmp_path / "out")
    assert any("1 objects answer to no expression" in warning for warning in last.warnings)
    if name in {"reason-vos", "ref-davis", "ref-youtube-vos"}:
        assert any("1 expressions have no object" in warning for warning in last.warnings)
