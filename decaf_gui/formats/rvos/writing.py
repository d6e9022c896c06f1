"""What the writers of referring datasets share: expressions with their objects, and entries in the dataset's files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from decaf_gui.formats.base import Draft
from decaf_gui.formats.jsons import merge, section
from decaf_gui.formats.labelset import LabelledObject, LabelSet


def single(labelset: LabelSet) -> Iterator[tuple[str, LabelledObject]]:
    """Every expression with every object that answers: for datasets in which an expression has one object."""
    for i, text in enumerate(labelset.expressions):
        for obj in sorted(labelset.answers(i), key=lambda obj: labelset.numbers[obj.id]):
            yield text, obj


def silent_words(labelset: LabelSet, told: str) -> list[str]:
    """Warnings of objects without an expression (`told` says what comes of them), and of no expressions at all."""
    silent = sum(not obj.expressions for obj in labelset.objects)
    words = [f"{silent} objects answer to no expression: {told}"] if silent else []
    return [*words, *([] if labelset.expressions else ["There are no expressions: nothing is asked of this clip."])]


def unanswered_words(labelset: LabelSet) -> list[str]:
    """The warning that expressions without objects are lost to other readers."""
    empty = sum(not labelset.answers(i) for i, _ in enumerate(labelset.expressions))
    return [f"{empty} expressions have no object: the format has no place for them."] if empty else []


def enter_video(draft: Draft, name: str, entry: Mapping[str, Any], *, numbered: bool = False) -> str:
    """Enters the draft's clip into an expressions file; with a "vid_id" of its own where videos are `numbered`."""

    def change(data: dict[str, Any]) -> None:
        videos = section(data, "videos", dict, draft.home / name)
        given = dict(entry)
        if numbered:
            there = [int(video.get("vid_id", -1)) for video in videos.values()]
            given = {"vid_id": int(videos.get(draft.name, {}).get("vid_id", max(there, default=-1) + 1)), **given}
        videos[draft.name] = given

    return merge(draft, name, 'expressions by video, {"videos": {...}}', change)
