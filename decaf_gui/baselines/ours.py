"""DecAF itself through the baselines' signature: with SAM2 (table 2), and its attention alone (table 1)."""

from __future__ import annotations

from collections.abc import Iterator

from decaf_gui.baselines.settings import MethodSettings
from decaf_gui.baselines.stages import Found, Notes, each, empty_masks, without_sam
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression
from decaf_gui.core.events import AttentionReady, Event, Proposed, Stage
from decaf_gui.core.masks import union
from decaf_gui.pipeline.engine import Engine


def _propose(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Found:
    """The union of the selected tracklets of `Engine.propose`, which are forgotten by the engine afterwards."""
    masks = empty_masks(clip)
    notes: Notes = ("no point reached tau_pq: empty masks",)
    for event in engine.propose(clip, wanted, settings.pipeline):
        if isinstance(event, Stage | AttentionReady):
            yield event
        elif isinstance(event, Proposed) and event.proposal.selected:
            masks, notes = union([t.masks for t in event.proposal.selected]), ()
            for tracklet in event.proposal.selected:
                engine.forget(clip, tracklet.id)
    return masks, notes


def ground_decaf(engine: Engine, clip: Clip, wanted: Expression, settings: MethodSettings) -> Iterator[Event]:
    """DecAF's fused maps."""
    return engine.attend(clip, wanted, settings.pipeline)


decaf = each(_propose)
attention_mask = without_sam(ground_decaf)
