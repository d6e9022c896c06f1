"""The choices of the tracking half, with the paper's names and the released code's values as defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from decaf_gui.core.errors import BadInput


@dataclass(frozen=True, slots=True)
class TrackingSettings:
    """How attention maps become tracklets (DecAF 3.4; spec section 6).

    `tau_pq`: tokens with V at least this become point queries (table 7). `tau_trk`: tracklets scoring above it are
    selected (table 6). `nms_iou`: candidates that overlap a better one by more are suppressed. `threshold`: mu_t of
    eqs. 6 and 7, the mean of a frame's map or Otsu's threshold. `penalty`: cells below mu_t count -max_t(V)
    (eq. 7), or 0. `consistency`: use the score of eq. 8 at all. Where paper and released code differ, the code is
    the default: `normalise` divides positive consistencies by the best tracklet's; `strict` compares with > instead
    of >= (eqs. 6, 7 and tau_trk); `both_ways` propagates candidates backward too.
    """

    tau_pq: float = 0.8
    tau_trk: float = 0.8
    nms_iou: float = 0.7
    threshold: Literal["mean", "otsu"] = "mean"
    penalty: bool = True
    consistency: bool = True
    normalise: bool = True
    strict: bool = True
    both_ways: bool = True

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, float) and not 0 <= value <= 1:
                raise BadInput(f"{entry.name} must lie between 0 and 1, not {value}.")

    @classmethod
    def paper_text(cls) -> TrackingSettings:
        """The equations and sentences as printed, where the released code does something else."""
        return cls(normalise=False, strict=False, both_ways=False)
