"""Doubt from its thread is the doubt that is worked out at once; what did not change is not looked at again."""

from __future__ import annotations

import pytest

from decaf_gui.app import doubting
from decaf_gui.app.doubting import DoubtReader
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.doubtful import object_doubts


@pytest.fixture
def reader(qapp):
    made = DoubtReader()
    yield made
    made.stop()


@pytest.fixture
def looked(monkeypatch):
    """The objects that were looked at."""
    seen = []

    def recorded(project, thing):
        seen.append(thing)
        return object_doubts(project, thing)

    monkeypatch.setattr(doubting, "object_doubts", recorded)
    return seen


def answer(reader, project, qtbot):
    with qtbot.waitSignal(reader.ready, timeout=10_000) as heard:
        reader.ask(project, 1)
    return heard.args


def test_only_what_changed_is_looked_at_again(desk, reader, looked, shapes, qtbot):
    first = desk.project
    assert answer(reader, first, qtbot) == [first, 1, {thing: object_doubts(first, thing) for thing in (1, 2)}]
    mask = {11: edits.NewMask(Rle.encode(shapes.masks[0, 20]), 0.1, -3.0)}
    desk.do(edits.replace_masks(first, 1, mask, "tracked", "{}"))
    project, clip, found = answer(reader, desk.project, qtbot)
    assert (project, clip) == (desk.project, 1)
    assert found == {thing: object_doubts(desk.project, thing) for thing in (1, 2)}
    assert found[1] != object_doubts(first, 1)
    assert looked == [1, 2, 1]


def test_an_object_that_cannot_be_judged_does_not_hide_the_others(desk, reader, qtbot, monkeypatch, caplog):
    def broken(project, thing):
        if thing == 1:
            raise ArithmeticError("no")
        return object_doubts(project, thing)

    monkeypatch.setattr(doubting, "object_doubts", broken)
    assert set(answer(reader, desk.project, qtbot)[2]) == {1, 2}
    assert "no doubt about object 1" in caplog.text
