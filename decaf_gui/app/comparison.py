"""Two methods on one expression, as data: what each found, whether the project holds it, and where they differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from decaf_gui.app.palette import OBJECTS, Colour
from decaf_gui.core.entities import Grounding, Proposal, Tracklet
from decaf_gui.core.project.rows import (
    ClipRow,
    ExpressionRow,
    GroundingRow,
    Project,
    ProvenanceRow,
    TrackletRow,
    unpack_maps,
    unpack_masks,
)
from decaf_gui.pipeline.models import card_of
from decaf_gui.pipeline.settings import Method, Settings
from decaf_gui.pipeline.steering import prompts_digest

SAME = 0.7
"""Tracklets with at least this clip IoU are the same object."""
APART = {"frame_batch", "prefill_chunk", "vision_batch", "steering"}
"""Settings that only change how long it takes; and soft prompts, which count by what they are, wherever they lie."""


@dataclass(frozen=True, eq=False)
class Run:
    """What one method found for an expression; `details` are its provenance as JSON, `packed` masks by tracklet.

    `stored`: the project holds it already.
    """

    method: Method
    grounding: Grounding
    tracklets: tuple[Tracklet, ...]
    details: str = "{}"
    packed: Mapping[int, bytes] = field(default_factory=dict)
    stored: bool = False

    @property
    def selected(self) -> tuple[Tracklet, ...]:
        """The tracklets that the method selected, the best first."""
        return tuple(tracklet for tracklet in self.tracklets if tracklet.selected)

    @classmethod
    def of(cls, method: Method, proposal: Proposal, packed: Mapping[int, bytes]) -> Run:
        """What the engine found."""
        details = json.dumps(proposal.details, sort_keys=True, default=str)
        return cls(method, proposal.grounding, proposal.tracklets, details, packed)


def differing(one: Run, other: Run) -> frozenset[int]:
    """The selected tracklets of `one` that are none of those that `other` selected (clip IoU below `SAME` to each)."""
    return frozenset(t.id for t in one.selected if _partner(t, other.selected) is None)


def matched_colours(
    one: Run, other: Run, colours: Sequence[Colour] = OBJECTS
) -> tuple[dict[int, Colour], dict[int, Colour]]:
    """Colours of the selected tracklets of both by id: the same object has one colour on both sides."""
    own = {t.id: colours[place % len(colours)] for place, t in enumerate(one.selected)}
    found: dict[int, Colour] = {}
    for tracklet in other.selected:
        partner = _partner(tracklet, one.selected)
        fresh = colours[(len(own) + len(found)) % len(colours)]
        found[tracklet.id] = fresh if partner is None else own[partner.id]
    return own, found


def _partner(tracklet: Tracklet, others: Sequence[Tracklet]) -> Tracklet | None:
    """The tracklet that is the same object, the one that overlaps most."""
    best = max(others, key=lambda other: tracklet.masks.iou(other.masks), default=None)
    return best if best is not None and tracklet.masks.iou(best.masks) >= SAME else None


def stored_run(
    project: Project, clip: int, text: str, method: Method, settings: Settings, models: tuple[str, str]
) -> Run | None:
    """What the project holds for an expression, if that is all of what a method with these settings finds.

    `models` are the ids of the multimodal LLM and of SAM2 in use. Raises BadInput for soft prompts that cannot be read.
    """
    asked = next(project.where(ExpressionRow, clip=clip, text=text), None)
    grounding = None if asked is None else project.find(GroundingRow, asked.id)
    source = None if asked is None else _source(project, asked.id)
    if asked is None or grounding is None or source is None:
        return None
    details = json.loads(source.details)
    if not made_by(details, settings, models) or (method == "decaf" and details.get("attributes")):
        return None
    size = project.need(ClipRow, clip).size
    rows = project.where(TrackletRow, expression=asked.id, provenance=source.id)
    found = sorted((_tracklet(row, size) for row in rows), key=lambda t: (t.suppressed, -t.scores.total))
    return Run(method, _grounding(grounding), tuple(found), source.details, stored=True)


def given_attributes(project: Project, clip: int, text: str) -> tuple[str, ...] | None:
    """A person's attributes that an expression was asked with last; None where the model was asked, or nobody."""
    asked = next(project.where(ExpressionRow, clip=clip, text=text), None)
    source = None if asked is None else _source(project, asked.id)
    details = {} if source is None else json.loads(source.details)
    return tuple(details["attributes"]) if details.get("attributes_given") else None


def _source(project: Project, expression: int) -> ProvenanceRow | None:
    """Where the newest candidates of an expression come from."""
    rows = list(project.where(TrackletRow, expression=expression))
    return project.need(ProvenanceRow, max(rows, key=lambda row: row.id).provenance) if rows else None


def made_by(details: Mapping[str, Any], settings: Settings, models: tuple[str, str]) -> bool:
    """Whether a proposal's provenance tells of these settings and models; what was left open fits anything."""
    made = details.get("settings", {})
    if not made or tuple(details.get(kind, {}).get("id") for kind in ("mllm", "sam")) != models:
        return False
    steered_by = details.get("soft_prompts", {}).get("sha256", "")
    if steered_by != prompts_digest(settings.grounding.steering, card_of("mllm", models[0])):
        return False
    usual, wanted = Settings().as_dict(), settings.as_dict()
    return all(
        value is None or name in APART or made.get(room, {}).get(name, usual[room][name]) == value
        for room in ("grounding", "tracking")
        for name, value in wanted[room].items()
    )


def _grounding(row: GroundingRow) -> Grounding:
    maps = unpack_maps(row.maps)
    fused = maps.pop("fused")
    return Grounding(fused, row.frames, row.category, row.answers, maps, row.attributes, row.reasons)


def _tracklet(row: TrackletRow, size: tuple[int, int]) -> Tracklet:
    masks = unpack_masks(row.masks, size)
    return Tracklet(row.id, row.frame, (row.x, row.y), masks, row.scores, row.selected, row.suppressed)
