"""From points to masks: the SAM2 session, point queries, tracklet scoring and selection."""

from decaf_gui.tracking.checkpoints import load_sam
from decaf_gui.tracking.features import FeatureStore
from decaf_gui.tracking.propose import candidates, propagate, propose_tracklets
from decaf_gui.tracking.session import Session
from decaf_gui.tracking.settings import TrackingSettings

__all__ = ["FeatureStore", "Session", "TrackingSettings", "candidates", "load_sam", "propagate", "propose_tracklets"]
