"""The choices of the baselines; what the papers leave open is ours, and said so in docs/baselines.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from decaf_gui.core.choices import about
from decaf_gui.core.errors import BadInput
from decaf_gui.pipeline.settings import Settings

Shown = Literal["video", "image"]
Edge = Literal["bottom", "right", "left", "top"]
Asked = Literal["expression", "object"]
Word = Literal["mean", "first", "last"]
Coordinates = Literal["auto", "pixels", "thousandths", "percent", "fraction"]

EDGES: Mapping[str, tuple[Edge, ...]] = MappingProxyType(
    {"qwen2_vl": ("right",), "llava_onevision": ("bottom", "left")},
)
"""Where attention sinks lie, by the configuration's `model_type` (DecAF, appendix C); elsewhere at the bottom."""


def edges_of(model_type: str) -> tuple[Edge, ...]:
    """The edges that Loc-Head's heads must not look at mostly."""
    return EDGES.get(model_type, ("bottom",))


@dataclass(frozen=True, slots=True)
class LocHeadSettings:
    """Localization heads (Kang et al., CVPR 2025): how they are found, and how their maps are put together."""

    heads_file: Path | None = field(
        default=None,
        metadata=about(
            "Heads", "The file that a discovery of heads on this model has written.", unset="none found yet"
        ),
    )
    heads: int = field(
        default=3, metadata=about("Heads that are kept", "How many of the most often chosen heads are summed.", low=1)
    )
    lowest: int = field(
        default=10,
        metadata=about("Heads counted per pair", "How many heads of lowest spatial entropy each pair counts.", low=1),
    )
    min_sum: float | None = field(
        default=None,
        metadata=about(
            "Least attention to the picture",
            "Heads whose mean attention to visual tokens is below it are no candidates.",
            low=0,
            high=1,
            unset="at the knee of the sorted sums",
        ),
    )
    excess: float = field(
        default=0.001,
        metadata=about(
            "Attention that counts",
            "A cell is part of a region when it lies above its map's mean by more than this (spatial entropy).",
            low=0,
            step=0.001,
        ),
    )
    edges: tuple[Edge, ...] | None = field(
        default=None,
        metadata=about(
            "Edges of attention sinks",
            "Heads that look mostly at the outermost row or column there are not counted.",
            unset="as the model's family asks",
            source="appendix C",
        ),
    )
    edge_share: float = field(
        default=0.5,
        metadata=about(
            "Share that is mostly",
            "A head with more of its attention than this on an edge is not counted.",
            low=0,
            high=1,
        ),
    )
    asked: Asked = field(
        default="expression",
        metadata=about("Question", "What the picture is shown with: the bare expression, or DecAF's object question."),
    )
    shown: Shown = field(
        default="image",
        metadata=about("Input", "Each sampled frame by itself (the method is one for images), or the video."),
    )
    sigma: float = field(
        default=1.0,
        metadata=about("Smoothing", "Standard deviation of the Gaussian on each map, in tokens.", low=0.001),
    )
    kernel: int = field(default=7, metadata=about("Smoothing window", "Its width in tokens; odd.", low=1, step=2))

    def __post_init__(self) -> None:
        _at_least_one(self, "heads", "lowest")
        _odd(self, "kernel")
        if not self.sigma > 0:
            raise BadInput(f"sigma must be above 0, not {self.sigma}.")
        if not 0 <= self.edge_share <= 1:
            raise BadInput(f"edge_share must lie between 0 and 1, not {self.edge_share}.")


@dataclass(frozen=True, slots=True)
class TamSettings:
    """Token activation map (Li et al., ICCV 2025)."""

    shown: Shown = field(
        default="video", metadata=about("Input", "The sampled frames as one video, or each frame by itself.")
    )
    word: Word = field(
        default="mean",
        metadata=about(
            "Token of the object word",
            "Which token's map counts when the word is several tokens: the first, the last, or the mean of all.",
            source="appendix C",
        ),
    )
    causal: bool = field(
        default=True,
        metadata=about("Causal inference", "Take away what earlier tokens explain of a token's activation."),
    )
    window: int = field(
        default=3,
        metadata=about("Window of the rank filter", "Its width in tokens, odd; 1 leaves it out.", low=1, step=2),
    )

    def __post_init__(self) -> None:
        _odd(self, "window")


@dataclass(frozen=True, slots=True)
class NativeSettings:
    """Key points that the model itself names (DecAF, appendix E)."""

    coordinates: Coordinates = field(
        default="auto",
        metadata=about(
            "Coordinates",
            "What named numbers are: pixels of the resized input (Qwen2.5-VL), thousandths of the picture's sides "
            "(Qwen2-VL, InternVL), percent or fractions of them.",
        ),
    )
    max_new_tokens: int = field(
        default=256, metadata=about("Longest answer", "The most tokens that an answer with points may have.", low=1)
    )

    def __post_init__(self) -> None:
        _at_least_one(self, "max_new_tokens")


@dataclass(frozen=True, slots=True)
class MethodSettings:
    """What every method is given: the pipeline's settings, and each baseline's own."""

    pipeline: Settings = field(default_factory=Settings)
    loc_head: LocHeadSettings = field(default_factory=LocHeadSettings)
    tam: TamSettings = field(default_factory=TamSettings)
    native: NativeSettings = field(default_factory=NativeSettings)


def _at_least_one(settings: object, *names: str) -> None:
    for name in names:
        if getattr(settings, name) < 1:
            raise BadInput(f"{name} must be at least 1, not {getattr(settings, name)}.")


def _odd(settings: object, name: str) -> None:
    value = getattr(settings, name)
    if value < 1 or value % 2 == 0:
        raise BadInput(f"{name} must be an odd number, not {value}.")
