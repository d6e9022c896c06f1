"""What can be done to one object, candidate, expression or clip, as menus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from decaf_gui.app import asks
from decaf_gui.app.translation import tr
from decaf_gui.app.view import View
from decaf_gui.core.project.rows import AnswerRow, ClipRow, ExpressionRow, LabelRow, ObjectRow, VerdictRow


def object_menu(parent: QWidget, view: View, thing: int) -> QMenu:
    """An object: name, label, colour, what it answers to, merge, swap, split, lock, remove."""
    menu, row = QMenu(parent), view.project.need(ObjectRow, thing)
    others = [other for other in view.project.where(ObjectRow, clip=row.clip) if other.id != thing]
    _add(menu, tr("Rename..."), lambda: rename(parent, view, thing))
    _add(menu, tr("Label..."), lambda: relabel(parent, view, thing))
    _add(menu, tr("Colour..."), lambda: recolour(parent, view, thing))
    if row.colour:
        _add(menu, tr("Colour as at first"), lambda: view.recolour(thing, ""))
    _opacities(menu.addMenu(tr("Opacity")), view, thing)
    _answers(menu.addMenu(tr("Answers to")), view, row)
    menu.addSeparator()
    _each(menu.addMenu(tr("Merge into")), others, lambda other: view.merge(other, thing))
    swapped = menu.addMenu(tr("Swap from frame {0} on with").format(view.frame))
    _each(swapped, others, lambda other: view.swap(thing, other))
    _add(menu, tr("Another object from frame {0} on").format(view.frame), lambda: view.split(thing))
    menu.addSeparator()
    if view.project.locked(thing):
        _add(menu, tr("Unlock all frames"), lambda: view.lock_all(thing, False))
    _add(menu, tr("Lock all frames"), lambda: view.lock_all(thing, True))
    _add(menu, tr("Remove"), lambda: view.remove_object(thing))
    return menu


def candidate_menu(parent: QWidget, view: View, candidate: int) -> QMenu:
    """A candidate: accept (as a new object, or as one that is there), reject, take a verdict back."""
    menu, verdict = QMenu(parent), view.project.find(VerdictRow, candidate)
    _add(menu, tr("Accept as a new object"), lambda: view.accept_as(candidate, None))
    objects = list(view.project.where(ObjectRow, clip=view.clip))
    _each(menu.addMenu(tr("It is")), objects, lambda thing: view.accept_as(candidate, thing))
    if verdict is None or verdict.state != "rejected":
        _add(menu, tr("Reject"), partial(view.reject, candidate))
    if verdict is not None:
        _add(menu, tr("Take the verdict back"), lambda: view.reopen(candidate))
    return menu


def expression_menu(parent: QWidget, view: View, expression: int) -> QMenu:
    """An expression: propose again, no target, remove."""
    menu, row = QMenu(parent), view.project.need(ExpressionRow, expression)
    _add(menu, tr("Propose again"), lambda: view.propose(row.text))
    _add(menu, tr("It has a target") if row.no_target else tr("No target in this clip"), view.set_no_target)
    menu.addSeparator()
    _add(menu, tr("Remove with its candidates"), lambda: view.remove_expression(expression))
    return menu


def clip_menu(parent: QWidget, view: View, clip: int) -> QMenu:
    """A clip: where it lies, which frames are to be worked on, remove."""
    menu, row = QMenu(parent), view.project.need(ClipRow, clip)
    _add(menu, tr("Say where it lies now..."), lambda: relink(parent, view, clip))
    menu.addSeparator()
    if view.range is not None and view.clip == clip:
        span = view.range
        text = tr("Work on frames {0} to {1} alone").format(span.first, span.last)
        _add(menu, text, lambda: view.set_work_range(clip, span.first, span.last, row.step))
    if (row.first, row.last, row.step) != (0, row.frames - 1, 1):
        _add(menu, tr("Work on all frames"), lambda: view.set_work_range(clip, 0, row.frames - 1))
    steps = menu.addMenu(tr("Work on every"))
    for step in (1, 2, 3, 5, 10):
        words = tr("frame") if step == 1 else tr("{0}th frame").format(step)
        act = _add(steps, words, partial(view.set_work_range, clip, row.first, row.last, step))
        act.setCheckable(True)
        act.setChecked(step == row.step)
        act.setEnabled(step != row.step)
    menu.addSeparator()
    _add(menu, tr("Remove from the project"), lambda: view.remove_clip(clip))
    return menu


def rename(parent: QWidget, view: View, thing: int) -> None:
    """Asks for an object's name."""
    row = view.project.need(ObjectRow, thing)
    asks.text(parent, tr("Rename"), tr("Name of the object"), row.name, lambda name: view.rename(thing, name))


def relabel(parent: QWidget, view: View, thing: int) -> None:
    """Asks for an object's class."""
    row = view.project.need(ObjectRow, thing)
    labels = [label.name for label in view.project.where(LabelRow)]
    present = view.project.need(LabelRow, row.label).name
    words = tr("Label, from the project's list or a new one")
    asks.choice(parent, tr("Label"), words, labels, present, lambda label: view.relabel(thing, label))


def recolour(parent: QWidget, view: View, thing: int) -> None:
    """Asks for an object's colour."""
    asks.colour(parent, view.colour(thing), lambda colour: view.recolour(thing, colour))


def relink(parent: QWidget, view: View, clip: int) -> None:
    """Asks where a clip lies now."""
    row = view.project.need(ClipRow, clip)
    was = view.desk.store.media(row)
    folder = next((place for place in was.parents if place.is_dir()), Path.home())
    found = asks.new_place(parent, was.name, folder, not was.suffix or was.is_dir())
    if found is not None:
        view.relink(clip, found)


def _opacities(menu: QMenu, view: View, thing: int) -> None:
    options: dict[str, float | None] = {tr("as the others"): None, tr("contour alone"): 0.0}
    options |= {f"{share} %": share / 100 for share in (25, 50, 75, 100)}
    for words, opacity in options.items():
        act = _add(menu, words, partial(view.set_opacity, thing, opacity))
        act.setCheckable(True)
        act.setChecked(view.opacities.get(thing) == opacity)


def _answers(menu: QMenu, view: View, row: ObjectRow) -> None:
    for asked in view.project.where(ExpressionRow, clip=row.clip):
        there = view.project.find(AnswerRow, row.id, asked.id) is not None
        act = _add(menu, asked.text, partial(view.set_answer, row.id, asked.id, not there))
        act.setCheckable(True)
        act.setChecked(there)
    menu.setEnabled(not menu.isEmpty())


def _each(menu: QMenu, objects: Iterable[ObjectRow], deed: Callable[[int], object]) -> None:
    for row in objects:
        _add(menu, row.name, partial(deed, row.id))
    menu.setEnabled(not menu.isEmpty())


def _add(menu: QMenu, text: str, deed: Callable[[], object]) -> QAction:
    action = menu.addAction(text.replace("&", "&&"))
    action.triggered.connect(lambda *_: deed())
    return action
