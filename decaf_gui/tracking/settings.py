"""The choices of the tracking half, with the paper's names and the released code's values as defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from decaf_gui.core.choices import about
from decaf_gui.core.entities import Scoring
from decaf_gui.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """How attention maps become tracklets (DecAF 3.4; spec section 6).

    Each field says what it is, and where in the paper. Where paper and released code differ, the code is the default:
    `normalise`, `strict` and `both_ways`. `scoring`, `choose`, `frame_weight` and `tau_corr` are SteerSeg's.
    """

    tau_pq: float = field(
        default=0.8,
        metadata=about(
            "Point query threshold",
            "Tokens whose attention is at least this become point queries; lower gives more candidates.",
            low=0,
            high=1,
            step=0.05,
            source="eq. 5, table 6",
        ),
    )
    tau_trk: float = field(
        default=0.8,
        metadata=about(
            "Tracklet threshold",
            "Tracklets that score above it are selected; when none does, the best one is.",
            low=0,
            high=1,
            step=0.05,
            source="3.4, table 6",
        ),
    )
    nms_iou: float = field(
        default=0.7,
        metadata=about(
            "Overlap of duplicates",
            "A candidate whose IoU with a better one is above this is taken for the same object and dropped.",
            low=0,
            high=1,
            step=0.05,
            source="3.4",
        ),
    )
    scoring: Scoring = field(
        default="consistency",
        metadata=about(
            "Scoring",
            "Ranks tracklets by attention consistency (DecAF), or by correlation with the rollout maps (pearson).",
            source="eq. 8; SteerSeg",
        ),
    )
    choose: Literal["above", "best"] = field(
        default="above",
        metadata=about(
            "Which tracklets are selected",
            "All that score above their threshold (and the best when none does), or the best one alone.",
            source="3.4; SteerSeg",
        ),
    )
    frame_weight: float = field(
        default=0.3,
        metadata=about(
            "Weight of the frames",
            "The share of the frame maps' correlation in the score of pearson; the rest is the video map's.",
            low=0,
            high=1,
            step=0.05,
            source="SteerSeg",
        ),
    )
    tau_corr: float = field(
        default=0.5,
        metadata=about(
            "Correlation threshold",
            "The tracklet threshold of pearson, where all above it are selected.",
            low=0,
            high=1,
            step=0.05,
        ),
    )
    threshold: Literal["mean", "otsu"] = field(
        default="mean",
        metadata=about(
            "What counts as attended",
            "mu_t, the value above which a cell of a frame's map is attended: the map's mean, or Otsu's threshold.",
            source="eqs. 6 and 7, table 7",
        ),
    )
    penalty: bool = field(
        default=True,
        metadata=about(
            "Penalty outside",
            "Cells that are not attended count minus the frame's largest attention, instead of 0.",
            source="eq. 7, table 7",
        ),
    )
    consistency: bool = field(
        default=True,
        metadata=about(
            "Attention consistency",
            "Score how well a tracklet stays on attended regions; off, a score is the mean of the other two parts.",
            source="eq. 8, table 7",
        ),
    )
    normalise: bool = field(
        default=True,
        metadata=about(
            "Normalise consistency",
            "Divide positive consistencies by the best tracklet's (released code; the paper's text does not).",
            source="eq. 8",
        ),
    )
    strict: bool = field(
        default=True,
        metadata=about(
            "Strict comparisons",
            "Compare with > (released code) instead of >= (the paper's text) for mu_t and the tracklet threshold.",
            source="eqs. 6 and 7",
        ),
    )
    both_ways: bool = field(
        default=True,
        metadata=about(
            "Track candidates both ways",
            "Follow candidates backward too (released code), instead of forward only (the paper's text).",
            source="3.4",
        ),
    )

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, float) and not 0 <= value <= 1:
                raise BadInput(f"{entry.name} must lie between 0 and 1, not {value}.")

    @classmethod
    def paper_text(cls) -> TrackingSettings:
        """The equations and sentences as printed, where the released code does something else."""
        return cls(normalise=False, strict=False, both_ways=False)

    @classmethod
    def steerseg(cls) -> TrackingSettings:
        """SteerSeg's ranking: correlation with the rollout maps, 0.3 of it the frames'; the best tracklet wins."""
        return cls(scoring="pearson", choose="best", frame_weight=0.3)
