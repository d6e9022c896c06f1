"""The frozen data that flows between the rooms: expression, prompt, grounding, tracklet, proposal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.attributes import joined_attributes, split_attributes
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, union_rle

Point = tuple[float, float, bool]
"""(x, y, positive) in pixels of the source frame; (0.5, 0.5) is the centre of its upper left pixel."""

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels of the source frame, x1 and y1 exclusive."""


Scoring = Literal["consistency", "pearson"]
"""How a tracklet is scored: DecAF's attention consistency, or SteerSeg's correlation with the rollout maps."""


@dataclass(frozen=True, slots=True)
class Expression:
    """What the annotator looks for. Raises BadInput when there is nothing in it.

    `attributes` of the object (SteerSeg) are a person's where they are given: the model is then not asked for them;
    none at all is a word, too. None leaves it to the settings whether the model is asked.
    """

    text: str
    attributes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        stripped = " ".join(self.text.split())
        if not stripped:
            raise BadInput('The expression is empty: write what to look for, such as "the dog that jumps".')
        object.__setattr__(self, "text", stripped)
        if self.attributes is not None:
            object.__setattr__(self, "attributes", split_attributes(joined_attributes(self.attributes)))

    @property
    def query(self) -> str:
        """Lower-cased and closed by a full stop unless it ends in "?" or "." (spec section 1)."""
        text = self.text if self.text.endswith(("?", ".")) else self.text + "."
        return text.lower()


@dataclass(frozen=True, eq=False)
class Prompt:
    """What SAM2 is told about one object on one frame: points (with or without a box), a box, or a mask.

    `base` is the mask that points and box correct, where there was one before them; bool (H, W), as `mask` is.
    """

    frame: int
    points: tuple[Point, ...] = ()
    box: Box | None = None
    mask: NDArray[np.bool_] | None = None
    base: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if not self.points and self.box is None and self.mask is None:
            raise BadInput("A prompt needs points, a box or a mask.")
        if self.mask is not None and (self.points or self.box is not None or self.base is not None):
            raise BadInput("A mask prompt stands alone: give either a mask, or points and a box.")


@dataclass(frozen=True, slots=True)
class Scores:
    """The parts of a tracklet's score: V at the point, SAM2's predicted IoU, and what `scoring` adds.

    "consistency" (DecAF 3.4): attention consistency (eq. 8), None for candidates that non-maximum suppression dropped
    before it was computed, and when the setting switches it off; `total` is the mean of the parts that there are.
    "pearson" (SteerSeg): the correlations with the video's and the frames' rollout maps, in [-1, 1], None where that
    input was not shown; `total` is `correlation`, their weighted sum, or 0 for suppressed candidates, which have none.
    """

    attention: float
    sam: float
    consistency: float | None = None
    scoring: Scoring = "consistency"
    video_correlation: float | None = None
    frame_correlation: float | None = None
    correlation: float | None = None

    @property
    def parts(self) -> dict[str, float | None]:
        """The parts that the total is made of, by name."""
        if self.scoring == "pearson":
            return {"video_correlation": self.video_correlation, "frame_correlation": self.frame_correlation}
        return {"attention": self.attention, "sam": self.sam, "consistency": self.consistency}

    @property
    def scored(self) -> bool:
        """Whether there is a total that can be compared with others."""
        return self.scoring == "consistency" or self.correlation is not None

    @property
    def total(self) -> float:
        """Mean of the known parts, or the weighted sum of the correlations."""
        if self.scoring == "pearson":
            return self.correlation or 0.0
        parts = [self.attention, self.sam] + ([] if self.consistency is None else [self.consistency])
        return float(sum(parts) / len(parts))


@dataclass(frozen=True, eq=False)
class Tracklet:
    """One candidate of one expression: where it was prompted, its masks, its scores. Never thrown away.

    `frame` is the source frame of its point; `point` (x, y) in source pixels. `suppressed` marks what
    non-maximum suppression dropped; `selected` what passed the scores.
    """

    id: int
    frame: int
    point: tuple[float, float]
    masks: Masks
    scores: Scores
    selected: bool = False
    suppressed: bool = False


@dataclass(frozen=True, eq=False)
class Grounding:
    """Where the model looked. `maps` float32 (Ts, Hp, Wp) in [0, 1] on the Ts sampled `frames` of the clip.

    `answers` are the object answers (video first, then one per frame); `category` the chosen one.
    `parts` holds named intermediate maps (`video_object`, `frame_contrast`...), each float32 (T', h, w). `attributes`
    are those that the object question was asked with, `reasons` why the model named them (SteerSeg).
    """

    maps: NDArray[np.float32]
    frames: tuple[int, ...]
    category: str
    answers: tuple[str, ...] = ()
    parts: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    reasons: str = ""


@dataclass(frozen=True, eq=False)
class Proposal:
    """Everything that the engine found for one expression: kept whole, also what was not selected."""

    expression: Expression
    size: tuple[int, int]
    frame_count: int
    grounding: Grounding
    tracklets: tuple[Tracklet, ...]
    counters: Mapping[str, int] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def selected(self) -> tuple[Tracklet, ...]:
        """The tracklets that passed the scores, best first."""
        return tuple(t for t in self.tracklets if t.selected)

    @property
    def reasoning(self) -> dict[str, Any]:
        """Attributes and reasons as plain data, and whether the attributes are a person's."""
        return {
            "attributes": list(self.grounding.attributes),
            "attributes_given": self.expression.attributes is not None,
            "reasons": self.grounding.reasons,
        }

    @property
    def details(self) -> dict[str, Any]:
        """What made it, as a project keeps it: with the reasoning, where there was some."""
        reasoned = self.grounding.attributes or self.expression.attributes is not None
        return {**self.provenance, **(self.reasoning if reasoned else {})}

    def mask(self, frame: int) -> NDArray[np.bool_]:
        """Union of the selected tracklets on `frame`: bool (H, W). Raises BadInput for an unknown frame."""
        if not 0 <= frame < self.frame_count:
            raise BadInput(f"There is no frame {frame}: the clip has {self.frame_count}.")
        if not self.selected:
            return np.zeros(self.size, bool)
        return union_rle([t.masks.rle(frame) for t in self.selected]).dense()


@dataclass(frozen=True, slots=True)
class Label:
    """A class of objects with the category id that it keeps in every export of the project."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Labels:
    """The one list of classes of a project. Ids start at 1 and are never given twice."""

    entries: tuple[Label, ...] = ()

    @classmethod
    def of(cls, names: Iterable[str]) -> Labels:
        """Labels for `names` in order, each once."""
        labels = cls()
        for name in names:
            labels = labels.add(name)
        return labels

    def add(self, name: str) -> Labels:
        """The list with `name` in it (unchanged when it already is)."""
        if self.find(name) is not None:
            return self
        new_id = max((entry.id for entry in self.entries), default=0) + 1
        return Labels((*self.entries, Label(new_id, name)))

    def find(self, name: str) -> Label | None:
        """The label called `name`, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def names(self) -> Sequence[str]:
        """All names in id order."""
        return [entry.name for entry in self.entries]
