"""What every writer takes and every reader gives: the labelled objects of one clip."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Label, Labels
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, union


@dataclass(frozen=True)
class LabelledObject:
    """One object: its id in the project, its class, its masks, and the expressions it answers to.

    `expressions` are positions in the label set's list of expressions.
    """

    id: int
    label: Label
    masks: Masks
    expressions: tuple[int, ...] = ()


@dataclass(frozen=True)
class Source:
    """Where a label set was read: the files of the labels, and the clip's frames where the dataset has them.

    `warnings` say what was left out, for people.
    """

    files: tuple[Path, ...] = ()
    media: Path | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class LabelSet:
    """All objects of one clip, and a table of expressions; frames as in the clip, (H, W) in pixels.

    `names` are the source names of the frames, `notice` a warning that pictures made from it must show, `source` is
    known of what was read.
    Raises BadInput when ids repeat, masks differ in size from the clip, or a label or an
    expression is not in its list.
    """

    name: str
    size: tuple[int, int]
    frame_count: int
    fps: float
    names: tuple[str, ...]
    objects: tuple[LabelledObject, ...]
    labels: Labels
    expressions: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notice: str = ""
    source: Source = field(default_factory=Source, compare=False)

    def __post_init__(self) -> None:
        twice = [id_ for id_, times in Counter(obj.id for obj in self.objects).items() if times > 1]
        if twice:
            raise BadInput(f"Object {twice[0]} is there twice: give every object its own id.")
        for obj in self.objects:
            self._check(obj)

    @classmethod
    def of_clip(
        cls,
        clip: Clip,
        objects: Iterable[LabelledObject],
        labels: Labels,
        expressions: Sequence[str] = (),
        provenance: Mapping[str, Any] | None = None,
        notice: str = "",
    ) -> LabelSet:
        """A label set of `clip`, which gives the name, the size and the frames."""
        return cls(
            name=clip.name,
            size=clip.size,
            frame_count=len(clip),
            fps=clip.fps,
            names=tuple(clip.names),
            objects=tuple(objects),
            labels=labels,
            expressions=tuple(expressions),
            provenance=provenance or {},
            notice=notice,
        )

    @property
    def numbers(self) -> Mapping[int, int]:
        """Object id -> number in an export, 1..N without gaps.

        Objects seen on frame 0 come first: the semi-supervised DAVIS evaluator counts only those, and takes
        the highest number on frame 0 for how many there are (formats spec, section 1, trap 1).
        """
        ordered = sorted(self.objects, key=lambda obj: (starts_late(obj), obj.id))
        return {obj.id: number for number, obj in enumerate(ordered, start=1)}

    def answers(self, expression: int) -> tuple[LabelledObject, ...]:
        """The objects that expression number `expression` refers to."""
        return tuple(obj for obj in self.objects if expression in obj.expressions)

    def _check(self, obj: LabelledObject) -> None:
        if obj.masks.size != self.size:
            raise BadInput(f"The masks of object {obj.id} are {obj.masks.size}, the clip {self.name} is {self.size}.")
        beyond = [frame for frame in obj.masks if not 0 <= frame < self.frame_count]
        if beyond:
            raise BadInput(f"Object {obj.id} has a mask on frame {beyond[0]}: the clip has {self.frame_count} frames.")
        if obj.label not in self.labels.entries:
            raise BadInput(f'Object {obj.id} is labelled "{obj.label.name}", which is not in the list of labels.')
        if any(not 0 <= expression < len(self.expressions) for expression in obj.expressions):
            raise BadInput(f"Object {obj.id} answers to an expression that is not in the list.")


def as_one(labelset: LabelSet) -> LabelSet:
    """All objects as one, which has the id and label of the first: what formats of one object keep."""
    if not labelset.objects:
        return labelset
    first = min(labelset.objects, key=lambda obj: obj.id)
    answers = tuple(sorted({expression for obj in labelset.objects for expression in obj.expressions}))
    masks = union([obj.masks for obj in labelset.objects])
    return replace(labelset, objects=(replace(first, masks=masks, expressions=answers),))


def as_answers(labelset: LabelSet) -> LabelSet:
    """Each expression's objects as one: what formats of a mask per expression keep.

    Object i + 1 answers to expression i alone; where one object answered it has that one's label. An expression whose
    objects are never seen has none.
    """
    objects = []
    for i, _ in enumerate(labelset.expressions):
        found = labelset.answers(i)
        masks = union([obj.masks for obj in found]) if found else None
        if masks is not None and any(not masks.absent(frame) for frame in masks):
            objects.append(LabelledObject(i + 1, found[0].label, masks, (i,)))
    return replace(labelset, objects=tuple(objects))


def seen(objects: Iterable[LabelledObject], frame: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    """bool (H, W): what any of the objects covers on a frame."""
    covered = np.zeros(size, bool)
    for obj in objects:
        covered |= obj.masks[frame]
    return covered


def starts_late(obj: LabelledObject) -> bool:
    """Whether the object is not seen on frame 0."""
    return 0 not in obj.masks or obj.masks.absent(0)


def require_match(labelset: LabelSet, clip: Clip) -> None:
    """Raise BadInput unless the label set has the clip's size and number of frames."""
    if (labelset.size, labelset.frame_count) != (clip.size, len(clip)):
        raise BadInput(
            f"The labels are for {labelset.frame_count} frames of {labelset.size[1]}x{labelset.size[0]}, "
            f"{clip.path} has {len(clip)} of {clip.width}x{clip.height}."
        )


def require_complete(labelset: LabelSet) -> None:
    """Raise BadInput unless every object is known on every frame: datasets cannot say "not labelled" (section 14)."""
    for obj in labelset.objects:
        unknown = next((frame for frame in range(labelset.frame_count) if frame not in obj.masks), None)
        if unknown is not None:
            raise BadInput(
                f"Object {obj.id} is not labelled on frame {unknown}: track it over all frames, "
                "or mark it absent there, before writing a dataset."
            )
