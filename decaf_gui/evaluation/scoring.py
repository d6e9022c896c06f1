"""The masks of one expression against the true ones: J, F, and for ReVOS accuracy and robustness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from decaf_gui.core.errors import BadInput
from decaf_gui.core.images import natural_key
from decaf_gui.evaluation.metrics import LabelMaps, boundary_f, evaluate_sequence, region_similarity
from decaf_gui.evaluation.metrics import Protocol as Task
from decaf_gui.formats.pngs import Mask, Size, read_labels, read_mask, require_size
from decaf_gui.formats.rvos.base import Ask, LabelTruth, Layers, RleTruth, Truth

Fault = Literal["", "video", "expression", "frame", "dataset"]
"""What is missing or unreadable: all predictions of a video, those of an expression, a frame's; or the truth."""
WORDS = {
    "": "",
    "video": "no predictions of the video",
    "expression": "no predictions",
    "frame": "prediction unusable",
    "dataset": "dataset unusable",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expression: its measures in [0, 1], means over its scored frames; or none, and what was wrong.

    Measures are "J" and "F", and for ReVOS "A" and "R" (accuracy and robustness on masks of 0 and 1) and "A255" and
    "R255" (the same on masks of 0 and 255, as its script reads what most programs write).
    """

    video: str
    id: str
    text: str = ""
    kind: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    fault: Fault = ""
    problem: str = ""
    folder: str = ""

    @property
    def scored(self) -> bool:
        """Whether there are measures."""
        return "J" in self.measures

    @property
    def jf(self) -> float:
        """J&F; raises KeyError where nothing was scored."""
        return (self.measures["J"] + self.measures["F"]) / 2


@dataclass(frozen=True, slots=True)
class ObjectOutcome:
    """One object of one label map (`turn`: an annotator's) under DAVIS' rules (`task`): means over the frames."""

    video: str
    turn: str
    label: int
    j: float
    f: float
    task: Task = "davis-unsup"


def score(ask: Ask, root: Path) -> Outcome:
    """Reads the predictions of an expression under `root` and compares. Never raises BadInput: it is the outcome."""
    assert ask.truth is not None
    fault, problem = absent(ask, root)
    if fault:
        return _failed(ask, fault, problem)
    if not ask.frames:
        return _failed(ask, "dataset", "There is no frame with a true mask.")
    try:
        known = ask.truth.size
    except BadInput as error:
        return _failed(ask, "dataset", str(error))
    frames: list[dict[str, float]] = []
    for index, frame in enumerate(ask.frames):
        try:
            mask = read_prediction(ask, root, frame, known)
        except BadInput as error:
            return _failed(ask, "frame", str(error))
        known = known or (mask.shape[0], mask.shape[1])
        try:
            frames.append(measures(mask, ask.truth, index))
        except BadInput as error:
            return _failed(ask, "dataset", str(error))
    # NumPy's sums, as in the scripts: an exact one rounds to another hundredth of a percent now and then (ReVOS).
    means = {name: float(np.mean([values[name] for values in frames])) for name in frames[0]}
    return Outcome(ask.video, ask.id, ask.text, ask.kind, means, folder=ask.folder)


def absent(ask: Ask, root: Path) -> tuple[Fault, str]:
    """Whether a folder of predictions is not there at all, and which one was looked for."""
    folder = masks_folder(ask, root)
    if not folder.parent.is_dir():
        return "video", f"{folder.parent} is missing: a folder of this video's predictions was expected."
    if not folder.is_dir():
        return "expression", f"{folder} is missing: a folder with {len(ask.frames)} PNG masks was expected."
    return "", ""


def masks_folder(ask: Ask, root: Path) -> Path:
    """Where an expression's predictions lie: in a folder of its own, or in its turn's label maps if there are such.

    Label maps (`anno_0/<video>/<frame>.png`) are what ReferFormer writes for Ref-DAVIS17.
    """
    return root / ask.turn / ask.video if _drawn(ask, root) else root / ask.folder


def _drawn(ask: Ask, root: Path) -> bool:
    return bool(ask.turn) and (root / ask.turn).is_dir()


def read_prediction(ask: Ask, root: Path, frame: str, size: Size | None) -> Mask:
    """The predicted mask (H, W). Raises BadInput when it is missing, no mask, or not of `size`."""
    path = masks_folder(ask, root) / f"{frame}.png"
    if not path.is_file():
        raise BadInput(f"{path} is missing: one PNG mask per frame was expected, empty ones too.")
    mask = np.asarray(read_labels(path) == ask.label) if _drawn(ask, root) else read_mask(path)
    require_size(mask.shape, size or (mask.shape[0], mask.shape[1]), path)
    return mask


def measures(mask: Mask, truth: Truth, index: int) -> dict[str, float]:
    """All measures of one frame. Raises BadInput when the truth cannot be read."""
    size = (mask.shape[0], mask.shape[1])
    layers = truth.layers(index, size)
    true = layers > 0
    found = {"J": region_similarity(mask, true), "F": boundary_f(mask, true)}
    if isinstance(truth, RleTruth) and truth.foreground:
        around = truth.surroundings(index, size)
        for suffix, ink in (("", 1), ("255", 255)):
            painted = mask.astype(np.uint8) * np.uint8(ink)
            found[f"A{suffix}"], found[f"R{suffix}"] = accuracy(painted, layers), robustness(painted, layers, around)
    return found


def accuracy(pred: Layers, truth: Layers) -> float:
    """ReVOS' A of one frame: the share of pixels whose values, as they are in the files, are equal."""
    return float(np.mean(pred == truth))


def robustness(pred: Layers, truth: Layers, around: Layers) -> float:
    """ReVOS' R of one frame: 1 minus false pixels per foreground pixel, at least 0; in uint8, which wraps.

    `truth` is a sum of objects: where two overlap, 1 - 2 becomes 255. That is how the official script counts.
    """
    false = (np.uint8(1) - truth) * pred
    return max(1 - float(false.sum()) / (float(around.sum()) + 1e-6), 0.0)


def score_turn(asks: Sequence[Ask], root: Path, task: Task) -> list[ObjectOutcome]:
    """The objects of one annotator on one video, by davis2017-evaluation's rules.

    Their predictions are drawn into one label map; where they overlap the first object stays on top, as in
    ReferFormer, whose argmax keeps the first of equal scores. Raises BadInput when a mask is missing or unusable.
    """
    first = asks[0]
    if not isinstance(first.truth, LabelTruth):
        raise BadInput(f"{first.video} has no label maps: this way of averaging needs them.")
    size = image_size_of(first.truth)
    true = np.stack([first.truth.labels(i, size) for i in range(len(first.frames))])
    drawn: LabelMaps = np.zeros_like(true)
    for ask in sorted(asks, key=lambda ask: (natural_key(ask.id), ask.label), reverse=True):
        for i, frame in enumerate(ask.frames):
            drawn[i][read_prediction(ask, root, frame, size)] = ask.label
    scores = evaluate_sequence(drawn, true, task, name=first.video)
    return [ObjectOutcome(first.video, first.turn, s.label, s.j.mean, s.f.mean, task) for s in scores]


def image_size_of(truth: LabelTruth) -> Size:
    """(H, W) of the label maps."""
    labels = read_labels(truth.files[0])
    return labels.shape[0], labels.shape[1]


def _failed(ask: Ask, fault: Fault, problem: str) -> Outcome:
    return Outcome(ask.video, ask.id, ask.text, ask.kind, {}, fault, problem, ask.folder)
