"""From proposals to a label set: the selected tracklets of several expressions, each with a class of its own."""

from __future__ import annotations

from collections.abc import Sequence

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Labels, Proposal
from decaf_gui.formats.labelset import LabelledObject, LabelSet


def label_set_of(proposals: Sequence[Proposal], clip: Clip, notice: str = "") -> LabelSet:
    """All selected tracklets as objects (ids as in the proposals), labelled with their expression's category."""
    labels = Labels.of(proposal.grounding.category for proposal in proposals)
    objects = []
    for number, proposal in enumerate(proposals):
        label = labels.find(proposal.grounding.category)
        assert label is not None
        objects += [LabelledObject(t.id, label, t.masks, (number,)) for t in proposal.selected]
    provenance = dict(proposals[0].provenance) if proposals else {}
    reasoned = {p.expression.text: p.reasoning for p in proposals if p.grounding.attributes}
    provenance |= {"reasoning": reasoned} if reasoned else {}
    expressions = [proposal.expression.text for proposal in proposals]
    return LabelSet.of_clip(clip, objects, labels, expressions, provenance, notice)
