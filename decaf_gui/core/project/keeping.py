"""From the engine's results to a project: clips and expressions join when they are not there yet."""

from __future__ import annotations

import json

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Expression, Proposal
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import ClipRow, ExpressionRow
from decaf_gui.core.project.store import Store


def add_clip_edit(store: Store, clip: Clip) -> edits.Edit:
    """The edit that adds a clip to a project."""
    return edits.add_clip(store.project, store.relative(clip.path), clip.fingerprint, clip.size, clip.fps)


def keep_clip(store: Store, clip: Clip) -> int:
    """The id of a clip, added when the project does not have it. Raises BadInput when other media took its place."""
    known = known_clip(store, clip)
    if known is None:
        project = store.do(add_clip_edit(store, clip))
        known = max(row.id for row in project.rows(ClipRow).values())
    return known


def known_clip(store: Store, clip: Clip) -> int | None:
    """The id of a clip in the project, or None. Raises BadInput when other media took its place."""
    path = store.relative(clip.path)
    row = next((row for row in store.project.rows(ClipRow).values() if row.path == path), None)
    if row is None:
        return None
    if (row.frames, row.size, row.sha256) != (len(clip), clip.size, clip.fingerprint.sha256):
        raise BadInput(f"{clip.path} is not the clip that {store.path} was made with: it changed, or was replaced.")
    return row.id


def keep_expression(store: Store, clip: int, expression: Expression) -> int:
    """The id of an expression on a clip, added when it is not there."""
    for row in store.project.where(ExpressionRow, clip=clip, text=expression.text):
        return row.id
    project = store.do(edits.add_expression(store.project, clip, expression.text))
    return max(row.id for row in project.rows(ExpressionRow).values())


def keep_proposal(store: Store, clip: Clip, proposal: Proposal) -> int:
    """Stores grounding and all candidates of a proposal: the expression's id. Earlier open candidates of it go."""
    expression = keep_expression(store, keep_clip(store, clip), proposal.expression)
    details = json.dumps(proposal.details, sort_keys=True, default=str)
    store.do(edits.add_proposal(store.project, expression, proposal.grounding, proposal.tracklets, details))
    return expression
