"""Localization heads as data: measures of a head's map, the ranking, and the file that keeps the result.

From Kang et al. (CVPR 2025), "Your Large Vision-Language Model Only Needs A Few Attention Heads For Visual Grounding":
the attention sum with a threshold at the knee of the sorted sums, spatial entropy over connected regions, and counting
how often a head is among the lowest. Ours: the exact rule of the edges, ties, and what happens where nothing passes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from decaf_gui.baselines.settings import Edge, LocHeadSettings
from decaf_gui.core.errors import BadInput

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Head = tuple[int, int]
"""(layer, head), both counted from 0."""
FORMAT = "decaf-gui localization heads 1"


@dataclass(frozen=True, slots=True)
class Heads:
    """The localization heads of one model, the best first, and how often each was chosen in `pairs` pairs.

    `model` is its id, `weights` the hash that names its weights (`pipeline.models.weights_hash`), `layers` x
    `per_layer` all the heads that it has.
    """

    model: str
    weights: str
    layers: int
    per_layer: int
    heads: tuple[Head, ...]
    counts: tuple[int, ...]
    pairs: int

    def __post_init__(self) -> None:
        if not self.heads or len(self.heads) != len(self.counts):
            raise BadInput("There are no heads, or not one count for each of them: discover them again.")
        outside = [h for h in self.heads if not (0 <= h[0] < self.layers and 0 <= h[1] < self.per_layer)]
        if outside:
            raise BadInput(f"The model has no head {outside[0]}: discover the heads again.")

    def save(self, path: Path) -> Path:
        """As JSON, written beside its place and renamed into it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(json.dumps({"format": FORMAT, **asdict(self)}, indent=1) + "\n", encoding="utf-8")
        return beside.replace(path)

    @classmethod
    def load(cls, path: Path) -> Heads:
        """What `save` wrote. Raises BadInput when the file is missing or something else."""
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadInput(f"The heads {path} cannot be read: {error.strerror or error}.") from None
        except ValueError:
            given = None
        if not isinstance(given, dict) or given.get("format") != FORMAT:
            raise BadInput(f"{path} is no file of localization heads: discover them on this model first.")
        return _heads_of(given, path)

    def check(self, model: str, weights: str) -> None:
        """Raises BadInput when these are the heads of other weights."""
        if weights != self.weights:
            raise BadInput(
                f"These heads were found in {self.model} ({self.weights[:8]}), the model is {model} ({weights[:8]}): "
                "discover its own."
            )


def _heads_of(given: dict[str, Any], path: Path) -> Heads:
    try:
        heads = tuple((int(layer), int(head)) for layer, head in given["heads"])
        counts = tuple(int(count) for count in given["counts"])
        layers, per_layer, pairs = int(given["layers"]), int(given["per_layer"]), int(given["pairs"])
        return Heads(str(given["model"]), str(given["weights"]), layers, per_layer, heads, counts, pairs)
    except (KeyError, TypeError, ValueError):
        raise BadInput(f"{path} is damaged: discover the heads again.") from None


def spatial_entropy(map_thw: NDArray[np.floating], excess: float = 0.001) -> float:
    """How scattered a map (t, h, w) is, in nats: 0 for one region, log n for n equal ones, inf for none.

    A cell belongs to a region when it lies above the map's mean by more than `excess`; cells that touch, also at
    corners, are one region; each region's share of what lies above the mean is its probability.
    """
    above = np.maximum(map_thw.astype(np.float64) - map_thw.mean(dtype=np.float64), 0)
    above[above <= excess] = 0
    masses = np.concatenate([_region_masses(frame) for frame in above])
    if not masses.size:
        return float("inf")
    shares = masses / masses.sum()
    return float(max(0.0, -(shares * np.log(shares)).sum()))


def _region_masses(above: Floats) -> Floats:
    """The sum over each connected region of positive cells."""
    count, labels = cv2.connectedComponents((above > 0).astype(np.uint8), connectivity=8)
    return np.asarray(np.bincount(labels.ravel(), weights=above.ravel(), minlength=count)[1:], dtype=np.float64)


def edge_shares(map_thw: NDArray[np.floating], edges: Sequence[Edge]) -> Floats:
    """The share of a map's attention on the outermost row or column at each of `edges`; 0 for a map of zeros."""
    total = float(map_thw.sum(dtype=np.float64))
    lines = {
        "bottom": map_thw[:, -1],
        "top": map_thw[:, 0],
        "right": map_thw[:, :, -1],
        "left": map_thw[:, :, 0],
    }
    return np.array([float(lines[edge].sum(dtype=np.float64)) / total if total else 0.0 for edge in edges])


def knee(values: NDArray[np.floating]) -> float:
    """The value at which a sorted curve leaves its chord farthest: what lies at it or above is kept."""
    ordered = np.sort(values.ravel().astype(np.float64))
    span = ordered[-1] - ordered[0]
    if len(ordered) < 3 or span <= 0:
        return float(ordered[0])
    across = np.linspace(0, 1, len(ordered))
    return float(ordered[int(np.argmax(across - (ordered - ordered[0]) / span))])


@dataclass(frozen=True, eq=False)
class Measured:
    """One pair: the attention sum, the spatial entropy, and whether an edge has most of it, of all heads (L, heads)."""

    sums: Floats
    entropies: Floats
    at_edge: Flags


def measure(maps: NDArray[np.floating], edges: Sequence[Edge], settings: LocHeadSettings) -> Measured:
    """The measures of all heads' maps (L, heads, t, h, w) for one pair."""
    layers, heads = maps.shape[:2]
    flat = maps.reshape(layers * heads, *maps.shape[2:])
    entropies = np.array([spatial_entropy(m, settings.excess) for m in flat])
    shares = [edge_shares(m, edges).max(initial=0.0) for m in flat]
    sums = flat.reshape(len(flat), -1).sum(axis=1, dtype=np.float64)
    shape = (layers, heads)
    return Measured(
        sums.reshape(shape), entropies.reshape(shape), np.array(shares).reshape(shape) > settings.edge_share
    )


def rank(measured: Sequence[Measured], settings: LocHeadSettings) -> list[tuple[Head, int]]:
    """Heads with how often they were chosen, the most often chosen first; ties: the lower mean entropy.

    A head is a candidate when its attention sum, the mean over all pairs, reaches the threshold. Each pair then chooses
    its `lowest` candidates of lowest spatial entropy, leaving out those that look mostly at an edge in this pair.
    """
    sums = np.mean([m.sums for m in measured], axis=0)
    enough = sums >= (knee(sums) if settings.min_sum is None else settings.min_sum)
    counts = np.zeros(sums.shape, np.int64)
    for pair in measured:
        allowed = enough & ~pair.at_edge & np.isfinite(pair.entropies)
        order = np.argsort(np.where(allowed, pair.entropies, np.inf), axis=None, kind="stable")
        chosen = order[: min(settings.lowest, int(allowed.sum()))]
        counts.reshape(-1)[chosen] += 1
    finite = [np.where(np.isfinite(m.entropies), m.entropies, 1e9) for m in measured]
    mean = np.mean(finite, axis=0)
    order = np.lexsort((mean.ravel(), -counts.ravel()))
    found = [(divmod(int(i), sums.shape[1]), int(counts.ravel()[i])) for i in order]
    return [(head, count) for head, count in found if count]
