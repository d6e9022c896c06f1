"""Whose turn it is, without Qt: priorities, coalescing, cancelling, errors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decaf_gui.app.requests import Priority
from decaf_gui.app.tools import EngineChoice, Tools
from decaf_gui.app.turns import Cancelled, Failed, Finished, Started, Turns
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Stage


@dataclass
class Steps:
    """A request of `count` stages; `log` sees each one, and its end."""

    priority: ClassVar[Priority] = Priority.PROPOSE
    coalesces: ClassVar[bool] = False
    name: str
    count: int = 3
    log: list[str] = field(default_factory=list)
    breaks: Exception | None = None

    def run(self, tools):
        try:
            for step in range(self.count):
                self.log.append(f"{self.name}{step}")
                yield Stage(self.name, step, self.count)
            if self.breaks is not None:
                raise self.breaks
        finally:
            self.log.append(f"{self.name} closed")


class Clicked(Steps):
    priority = Priority.CLICK


class Hover(Steps):
    priority = Priority.PREVIEW
    coalesces = True


@pytest.fixture
def turns():
    return Turns(Tools(EngineChoice()))


def run_out(turns):
    told = []
    while turns.busy:
        told += turns.step()
    return told


def names(told):
    return [(job, type(event)) for job, event in told]


def test_a_click_comes_between_two_steps_of_long_work(turns):
    log = []
    turns.submit(1, Steps("long", 3, log))
    turns.step()
    turns.submit(2, Clicked("click", 1, log))
    run_out(turns)
    assert log == ["long0", "click0", "click closed", "long1", "long2", "long closed"]


def test_jobs_of_one_kind_keep_their_order(turns):
    log = []
    for job in (1, 2):
        turns.submit(job, Steps(f"job{job} ", 2, log))
    run_out(turns)
    assert log == ["job1 0", "job1 1", "job1  closed", "job2 0", "job2 1", "job2  closed"]


def test_only_the_latest_waiting_preview_is_done(turns):
    log = []
    assert turns.submit(1, Hover("a", 1, log)) == []
    turns.step()
    assert turns.submit(2, Hover("b", 1, log)) == [], "one that runs goes on"
    assert turns.submit(3, Hover("c", 1, log)) == [(2, Cancelled())]
    run_out(turns)
    assert log == ["a0", "a closed", "c0", "c closed"]


def test_cancel_closes_the_generator_and_is_the_last_word(turns):
    log = []
    turns.submit(1, Steps("long", 9, log))
    turns.step()
    assert turns.cancel(1) == [(1, Cancelled())]
    assert log[-1] == "long closed"
    assert not turns.busy
    assert turns.step() == []
    assert turns.cancel(1) == []


@pytest.mark.parametrize(
    ("error", "said", "retry"),
    [
        (BadInput("No such clip: choose another."), "No such clip: choose another.", False),
        (ValueError("odd"), "ValueError: odd. This is a defect", True),
    ],
)
def test_an_error_is_an_event_and_the_next_job_runs(turns, error, said, retry):
    turns.submit(1, Steps("broken", 1, breaks=error))
    turns.submit(2, Steps("whole", 1))
    told = run_out(turns)
    (failed,) = [event for job, event in told if isinstance(event, Failed)]
    assert failed.what.startswith(said)
    assert failed.retry is retry
    assert "Traceback" in failed.detail
    assert (2, Finished()) in told


def test_closing_ends_everything(turns):
    log = []
    for job in (1, 2):
        turns.submit(job, Steps(f"job{job} ", 3, log))
    turns.step()
    assert turns.close() == [(1, Cancelled()), (2, Cancelled())]
    assert log == ["job1 0", "job1  closed"]


@given(st.lists(st.tuples(st.sampled_from([Steps, Clicked, Hover]), st.integers(0, 3), st.integers(0, 2)), max_size=12))
def test_every_job_has_one_last_word_and_nothing_after_it(script):
    turns, told = Turns(Tools(EngineChoice())), []
    for job, (kind, count, steps) in enumerate(script):
        told += turns.submit(job, kind(str(job), count))
        for _ in range(steps):
            told += turns.step()
    told += run_out(turns)
    for job in range(len(script)):
        said = [event for number, event in told if number == job]
        assert [isinstance(event, (Finished, Cancelled)) for event in said].count(True) == 1
        assert isinstance(said[-1], (Finished, Cancelled))
        assert isinstance(said[-1], Cancelled) or isinstance(said[0], Started)
