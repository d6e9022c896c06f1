"""How far the work is, against what was done to the project."""

from __future__ import annotations

from decaf_gui.app.overview import clip_states, expressions_of
from decaf_gui.core.project import edits
from decaf_gui.core.project.rows import ExpressionRow, TrackletRow


def progress(project):
    return [(asked.progress, asked.waiting, asked.answers) for asked in expressions_of(project, 1)]


def test_an_expression_goes_from_new_to_judged(desk, qtbot):
    assert clip_states(desk.project)[0].objects == 2
    assert clip_states(desk.project)[0].done, "objects and no question: nothing is left to do"
    desk.do(edits.add_expression(desk.project, 1, "the red cross"))
    assert progress(desk.project) == [("new", 0, 0)]
    assert not clip_states(desk.project)[0].done
    desk.propose(1, "the red cross")
    qtbot.waitUntil(lambda: not desk.work, timeout=60_000)
    selected = [row.id for row in desk.project.where(TrackletRow, selected=True, suppressed=False)]
    assert progress(desk.project) == [("to judge", len(selected), 0)]
    assert clip_states(desk.project)[0].waiting == len(selected)
    for number in selected[1:]:
        desk.do(edits.reject(desk.project, number))
    desk.do(edits.accept(desk.project, selected[0]))
    assert progress(desk.project) == [("judged", 0, 1)]
    assert clip_states(desk.project)[0].done
    desk.do(edits.reject(desk.project, selected[0]))
    asked = next(desk.project.where(ExpressionRow))
    desk.do(edits.set_no_target(desk.project, asked.id))
    assert progress(desk.project) == [("no target", 0, 0)]
