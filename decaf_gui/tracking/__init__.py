"""From points to masks: the SAM2 session, point queries, tracklet scoring and selection.

The names below are imported when first asked for: settings can be read without torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decaf_gui.tracking.checkpoints import load_sam
    from decaf_gui.tracking.features import FeatureStore
    from decaf_gui.tracking.planned import Tracking
    from decaf_gui.tracking.propose import candidates, propagate, propose_tracklets
    from decaf_gui.tracking.session import Session
    from decaf_gui.tracking.settings import TrackingSettings

__all__ = [
    "FeatureStore",
    "Session",
    "Tracking",
    "TrackingSettings",
    "candidates",
    "load_sam",
    "propagate",
    "propose_tracklets",
]

_HOMES = {
    "FeatureStore": "features",
    "Session": "session",
    "Tracking": "planned",
    "TrackingSettings": "settings",
    "candidates": "propose",
    "load_sam": "checkpoints",
    "propagate": "propose",
    "propose_tracklets": "propose",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
