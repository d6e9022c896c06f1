"""Edits of clips, labels and expressions."""

from __future__ import annotations

from dataclasses import replace

from decaf_gui.core.clip import Fingerprint
from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project.edits.draft import Draft, Edit
from decaf_gui.core.project.edits.parts import drop_expression, drop_object, label_id, named
from decaf_gui.core.project.rows import AnswerRow, ClipRow, ExpressionRow, ObjectRow, Project


def add_clip(project: Project, path: str, fingerprint: Fingerprint, size: tuple[int, int], fps: float) -> Edit:
    """A clip by its path relative to the project; all frames are to be worked on."""
    for row in project.rows(ClipRow).values():
        if row.path == path:
            raise BadInput(f"The clip {path} is in this project already.")
    draft = Draft(project)
    last = fingerprint.frames - 1
    numbers = (fingerprint.frames, *size, float(fps), 0, last, 1)
    draft.put(ClipRow(draft.next_id(ClipRow), path, fingerprint.bytes, fingerprint.sha256, *numbers))
    return draft.edit(f"add clip {path}")


def remove_clip(project: Project, clip: int) -> Edit:
    """A clip with everything that was made on it."""
    row, draft = project.need(ClipRow, clip), Draft(project)
    for expression in project.where(ExpressionRow, clip=clip):
        drop_expression(draft, expression.id)
    for thing in project.where(ObjectRow, clip=clip):
        drop_object(draft, thing.id)
    draft.drop(ClipRow, clip)
    return draft.edit(f"remove clip {row.path}")


def relink_clip(project: Project, clip: int, path: str, fingerprint: Fingerprint, size: tuple[int, int]) -> Edit:
    """The clip lies elsewhere now. Raises BadInput when frames or size differ: masks would not fit."""
    row, draft = project.need(ClipRow, clip), Draft(project)
    if (fingerprint.frames, size) != (row.frames, row.size):
        raise BadInput(
            f"{path} has {fingerprint.frames} frames of {size[1]}x{size[0]}, the clip of this project "
            f"{row.frames} of {row.width}x{row.height}: masks would not fit."
        )
    draft.put(replace(row, path=path, bytes=fingerprint.bytes, sha256=fingerprint.sha256))
    return draft.edit(f"relink clip to {path}")


def set_work_range(project: Project, clip: int, first: int, last: int, step: int = 1) -> Edit:
    """The frames to be worked on: first to last, both included, every `step`th."""
    row, draft = project.need(ClipRow, clip), Draft(project)
    if not 0 <= first <= last < row.frames or step < 1:
        raise BadInput(f"Frames {first} to {last} by {step} are no range of a clip of {row.frames} frames.")
    draft.put(replace(row, first=first, last=last, step=step))
    return draft.edit(f"work on frames {first} to {last}")


def add_label(project: Project, name: str) -> Edit:
    """A class of objects, at the end of the list."""
    draft = Draft(project)
    label_id(draft, named(name, "label"))
    return draft.edit(f"add label {name}")


def add_expression(project: Project, clip: int, text: str) -> Edit:
    """An expression on a clip."""
    project.need(ClipRow, clip)
    draft, wanted = Draft(project), Expression(text).text
    if any(row.text == wanted for row in project.where(ExpressionRow, clip=clip)):
        raise BadInput(f'"{wanted}" is asked of this clip already.')
    draft.put(ExpressionRow(draft.next_id(ExpressionRow), clip, wanted))
    return draft.edit(f'add expression "{wanted}"')


def remove_expression(project: Project, expression: int) -> Edit:
    """An expression with its grounding and candidates; objects that were accepted stay."""
    row, draft = project.need(ExpressionRow, expression), Draft(project)
    drop_expression(draft, expression)
    return draft.edit(f'remove expression "{row.text}"')


def set_no_target(project: Project, expression: int, no_target: bool = True) -> Edit:
    """A person's word that nothing in the clip answers to the expression (or that this was wrong)."""
    row, draft = project.need(ExpressionRow, expression), Draft(project)
    if no_target and any(project.where(AnswerRow, expression=expression)):
        raise BadInput(f'"{row.text}" has accepted objects: reject them before you say that there is no target.')
    draft.put(replace(row, no_target=no_target))
    return draft.edit(f'"{row.text}" has {"no target" if no_target else "a target"}')
