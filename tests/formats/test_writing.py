"""What all writers promise: nothing half-done under a final name, nothing replaced unasked, leftovers named."""

from __future__ import annotations

import pickle
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from labelled import box, image_clip, label_set, two_objects

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks
from decaf_gui.formats.base import Format, partial_folder, safe_name
from decaf_gui.formats.labelset import LabelledObject, LabelSet
from decaf_gui.formats.registry import FORMATS, format_named

every_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
WITHOUT_FRAMES = {"predictions", "predictions-01", "png"}
WITH_FRAMES = [fmt for name, fmt in FORMATS.items() if name not in WITHOUT_FRAMES]
every_format_with_frames = pytest.mark.parametrize("fmt", WITH_FRAMES, ids=lambda fmt: fmt.name)


def files(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return image_clip(tmp_path / "bear")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "deep/out"


@every_format
def test_a_closed_writer_leaves_its_draft_and_no_final_name(fmt: Format, clip: Clip, out: Path) -> None:
    writing = fmt.writer(two_objects(clip), clip, out)
    first = next(writing)
    next(writing)
    next(writing)
    writing.close()
    draft = partial_folder(out, fmt.name, clip.name)
    assert str(draft) in first.note
    assert files(draft)
    assert not fmt.home(out).exists()
    list(fmt.writer(two_objects(clip), clip, out))  # starting again is possible, and cleans up
    assert fmt.home(out).exists()
    assert not (out / ".partial").exists()


@every_format_with_frames
def test_a_failure_names_the_draft(fmt: Format, tmp_path: Path, out: Path) -> None:
    clip = image_clip(tmp_path / "deer")
    labels = two_objects(clip)
    (tmp_path / "deer/shot3.png").write_bytes(b"gone bad")
    with pytest.raises(BadInput, match="shot3") as caught:
        list(fmt.writer(labels, clip, out))
    assert str(partial_folder(out, fmt.name, "deer")) in str(caught.value)
    assert not fmt.home(out).exists()


@every_format
def test_an_existing_result_is_replaced_only_when_asked(fmt: Format, clip: Clip, out: Path) -> None:
    list(fmt.writer(two_objects(clip), clip, out))
    before = files(out)
    other = label_set(clip, {1: [box(0, 0, 9, 9)] * 4})
    with pytest.raises(BadInput, match=rf"{out / fmt.name}.* exists?.*--overwrite"):
        list(fmt.writer(other, clip, out))
    with pytest.raises(BadInput, match="--overwrite"):
        fmt.check_output(clip, out)
    assert files(out) == before
    list(fmt.writer(other, clip, out, overwrite=True))
    after = files(out)
    list(fmt.writer(other, clip, out.parent / "fresh"))
    assert after.keys() == files(out.parent / "fresh").keys(), "nothing of the old result is left"
    assert after != before


@every_format
def test_writing_twice_gives_the_same_bytes(fmt: Format, clip: Clip, out: Path) -> None:
    list(fmt.writer(two_objects(clip), clip, out / "a"))
    list(fmt.writer(two_objects(clip), clip, out / "b"))
    assert files(out / "a") == files(out / "b")


@every_format
def test_overwriting_with_a_shorter_clip_leaves_no_old_frames(fmt: Format, clip: Clip, out: Path) -> None:
    list(fmt.writer(two_objects(clip), clip, out))
    short = image_clip(out.parent / "elsewhere/bear", 2)
    list(fmt.writer(two_objects(short), short, out, overwrite=True))
    list(fmt.writer(two_objects(short), short, out.parent / "fresh"))
    assert files(out).keys() == files(out.parent / "fresh").keys()


@every_format
def test_a_full_disk_is_told_before_anything_is_written(
    fmt: Format, clip: Clip, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(1, 1, 0))
    with pytest.raises(BadInput, match="not enough disk"):
        list(fmt.writer(two_objects(clip), clip, out))
    assert not out.exists()


@every_format
def test_labels_of_another_clip_are_refused(fmt: Format, clip: Clip, tmp_path: Path, out: Path) -> None:
    longer = image_clip(tmp_path / "long", 5)
    with pytest.raises(BadInput, match=r"4 frames of 41x30.*has 5 of 41x30"):
        list(fmt.writer(two_objects(clip), longer, out))


@every_format
def test_the_last_event_can_be_sent_to_another_process(fmt: Format, clip: Clip, out: Path) -> None:
    *_, last = fmt.writer(two_objects(clip), clip, out)
    assert pickle.loads(pickle.dumps(last)) == last
    assert last.path == fmt.home(out)


def test_an_unknown_format_is_answered_with_the_known_ones() -> None:
    assert format_named("coco").name == "coco"
    with pytest.raises(BadInput, match=r'no format "voc".*davis, davis-2016, .*overlay'):
        format_named("voc")


@pytest.mark.parametrize(
    ("name", "safe"), [("bear", "bear"), ("my clip (2)", "my_clip_2_"), ("../../etc", "_.._etc"), ("..", "clip")]
)
def test_clip_names_become_harmless_folder_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_label_sets_that_contradict_themselves_are_refused(clip: Clip) -> None:
    label = Label(1, "dog")
    good = Masks.encode({0: np.ones(clip.size, bool)}, clip.size)
    wrong = [
        ([LabelledObject(1, label, good), LabelledObject(1, label, good)], "twice"),
        ([LabelledObject(1, label, Masks((9, 9)))], "the clip bear is"),
        ([LabelledObject(1, label, Masks.encode({4: good[0]}, clip.size))], "mask on frame 4"),
        ([LabelledObject(1, label, good, (0,))], "expression that is not in the list"),
        ([LabelledObject(1, Label(2, "cat"), good)], '"cat", which is not in the list'),
    ]
    for objects, says in wrong:
        with pytest.raises(BadInput, match=says):
            LabelSet.of_clip(clip, objects, Labels((label,)))
