"""The thread: what comes back, in which order, and that it always ends."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest
import torch
from PySide6.QtCore import QThread

from decaf_gui.app.requests import (
    ClickRequest,
    LoadRequest,
    LookRequest,
    MadeWith,
    PreviewRequest,
    Priority,
    TrackRequest,
)
from decaf_gui.app.tools import EngineChoice
from decaf_gui.app.turns import Cancelled, Failed, Finished, Started
from decaf_gui.app.worker import Worker
from decaf_gui.core.entities import Prompt
from decaf_gui.core.events import FrameTracked, Prompted, Stage


@dataclass
class Waits:
    """Steps that go on when they are allowed to."""

    priority: ClassVar[Priority] = Priority.PROPOSE
    coalesces: ClassVar[bool] = False
    allowed: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    thread: list[object] = field(default_factory=list)

    def run(self, tools):
        while True:
            self.thread.append(QThread.currentThread())
            assert self.allowed.acquire(timeout=20)
            yield Stage("waits")


class Told:
    def __init__(self, worker):
        self.events = []
        worker.happened.connect(lambda job, event: self.events.append((job, event)))

    def of(self, job):
        return [event for number, event in self.events if number == job]

    def ended(self, job):
        return any(isinstance(event, (Finished, Cancelled, Failed)) for event in self.of(job))


@pytest.fixture
def told(worker):
    return Told(worker)


def test_work_is_done_in_another_thread(worker, told, qtbot):
    request = Waits()
    job = worker.submit(request)
    request.allowed.release()
    qtbot.waitUntil(lambda: len(told.of(job)) == 2)
    assert told.of(job) == [Started(), Stage("waits")]
    assert request.thread[0] is not QThread.currentThread()
    worker.cancel(job)
    request.allowed.release()  # the step that runs ends first
    qtbot.waitUntil(lambda: told.ended(job))
    assert told.of(job)[-1] == Cancelled()
    count = len(told.events)
    qtbot.wait(50)
    assert len(told.events) == count, "something came after the last word"


def test_a_click_is_answered_while_long_work_goes_on(worker, told, qtbot, media, shapes):
    long = Waits()
    first = worker.submit(long)
    long.allowed.release()
    y, x = np.argwhere(shapes.masks[0, 0]).mean(0)
    click = worker.submit(ClickRequest(media, 7, Prompt(0, ((float(x), float(y), True),))))
    long.allowed.release()
    qtbot.waitUntil(lambda: told.ended(click), timeout=30_000)
    (answer,) = [event for event in told.of(click) if isinstance(event, Prompted)]
    assert answer.object_id == 7
    assert np.logical_and(answer.mask, shapes.masks[0, 0]).sum() > 0.5 * shapes.masks[0, 0].sum()
    assert not told.ended(first)
    worker.cancel(first)
    long.allowed.release(3)
    qtbot.waitUntil(lambda: told.ended(first))


def test_a_click_gives_what_the_engine_gives(worker, told, qtbot, media, engine):
    from decaf_gui.core.clip import Clip

    prompt = Prompt(4, ((100.0, 100.0, True), (10.0, 10.0, False)))
    job = worker.submit(ClickRequest(media, 1, prompt))
    qtbot.waitUntil(lambda: told.ended(job), timeout=30_000)
    (answer,) = [event for event in told.of(job) if isinstance(event, Prompted)]
    with Clip.open(media) as clip:
        assert answer == engine.decode(clip, 1, prompt)


def test_an_object_that_leaves_is_tracked_no_further(worker, told, qtbot, media, shapes, engine):
    engine.pause = 0.02
    prompts = {thing: (Prompt(0, mask=shapes.masks[thing, 0]),) for thing in (0, 1)}
    job = worker.submit(TrackRequest(media, prompts, ((0, 29),)))
    tracked = lambda: [event for event in told.of(job) if isinstance(event, FrameTracked)]  # noqa: E731
    qtbot.waitUntil(lambda: len(tracked()) > 3, timeout=30_000)
    worker.leave(job, 0)
    qtbot.waitUntil(lambda: told.ended(job), timeout=30_000)
    assert set(tracked()[0].masks) == {0, 1}
    assert set(tracked()[-1].masks) == {1}
    assert [event.frame for event in tracked()] == list(range(30))
    assert any(isinstance(event, MadeWith) for event in told.of(job))


def test_an_object_can_leave_before_its_tracking_has_begun(worker, told, qtbot, media, shapes):
    long = Waits()
    first = worker.submit(long)
    qtbot.waitUntil(lambda: bool(long.thread))
    prompts = {thing: (Prompt(0, mask=shapes.masks[thing, 0]),) for thing in (0, 1)}
    job = worker.submit(TrackRequest(media, prompts, ((0, 3),)))
    worker.leave(job, 1)
    worker.cancel(first)
    long.allowed.release(3)
    qtbot.waitUntil(lambda: told.ended(job), timeout=30_000)
    tracked = [event for event in told.of(job) if isinstance(event, FrameTracked)]
    assert [set(event.masks) for event in tracked] == [{0}] * 4


def test_previews_are_answered_with_the_latest_only(worker, told, qtbot, media):
    long = Waits()
    first = worker.submit(long)
    qtbot.waitUntil(lambda: bool(long.thread))
    previews = [worker.submit(PreviewRequest(media, 1, Prompt(0, ((x, 50.0, True),)))) for x in (10.0, 20.0, 30.0)]
    worker.cancel(first)
    long.allowed.release(3)
    qtbot.waitUntil(lambda: all(told.ended(job) for job in previews), timeout=30_000)
    assert [type(told.of(job)[-1]) for job in previews] == [Cancelled, Cancelled, Finished]


def test_looking_at_a_frame_encodes_it(worker, told, qtbot, media, engine):
    engine.free()
    job = worker.submit(LookRequest(media, 5))
    qtbot.waitUntil(lambda: told.ended(job), timeout=30_000)
    assert isinstance(told.of(job)[-1], Finished)
    from decaf_gui.core.clip import Clip

    with Clip.open(media) as clip:
        assert engine.state(clip).features.encoded == 1
        engine.decode(clip, 1, Prompt(5, ((100.0, 100.0, True),)))
        assert engine.state(clip).features.encoded == 1


def test_what_cannot_be_done_is_told_and_the_thread_lives(worker, told, qtbot, tmp_path, media):
    prompt = Prompt(99, ((5.0, 5.0, True),))
    missing = worker.submit(ClickRequest(tmp_path / "none.mp4", 1, prompt))
    beyond = worker.submit(ClickRequest(media, 1, prompt))
    job = worker.submit(LookRequest(media, 0))
    qtbot.waitUntil(lambda: told.ended(job), timeout=30_000)
    assert "There is no file" in told.of(missing)[-1].what
    assert "There is no frame 99" in told.of(beyond)[-1].what
    assert isinstance(told.of(job)[-1], Finished)


def test_running_out_of_memory_is_told_and_nothing_is_lost(worker, told, qtbot, media, engine, shapes, monkeypatch):
    def exhausted(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    engine.free()
    request = TrackRequest(media, {1: (Prompt(0, mask=shapes.masks[0, 0]),)}, ((0, 29),))
    with monkeypatch.context() as broken:
        broken.setattr(engine.sam, "forward_image", exhausted)
        job = worker.submit(request)
        qtbot.waitUntil(lambda: told.ended(job), timeout=30_000)
    failed = told.of(job)[-1]
    assert failed.what.startswith("Out of memory on cpu, even with small batches: choose a smaller model")
    assert failed.retry is False
    assert [event.name for event in told.of(job) if isinstance(event, Stage)].count("memory") == 1
    again = worker.submit(request)
    qtbot.waitUntil(lambda: told.ended(again), timeout=30_000)
    assert len([event for event in told.of(again) if isinstance(event, FrameTracked)]) == 30


def test_stopping_breaks_work_off(worker, told, qtbot):
    request = Waits()
    job = worker.submit(request)
    request.allowed.release(2)
    threading.Timer(0.2, request.allowed.release).start()
    assert worker.stop()
    assert not worker.running
    assert worker.stop(), "stopping twice is no error"
    qtbot.waitUntil(lambda: told.ended(job))
    assert told.of(job)[-1] == Cancelled()


def test_models_are_loaded_in_the_thread_when_they_are_first_needed(qapp, qtbot, media):
    worker = Worker()
    told = Told(worker)
    job = worker.submit(ClickRequest(media, 1, Prompt(0, ((100.0, 100.0, True),))))
    again = worker.submit(LoadRequest())
    qtbot.waitUntil(lambda: told.ended(again), timeout=60_000)
    steps = [(event.done, event.total, event.note) for event in told.of(job) if isinstance(event, Stage)]
    assert steps == [(0, 0, "torch"), (0, 1, "demo SAM2"), (1, 1, "")], "a click needs no multimodal LLM"
    notes = [event.note for event in told.of(again) if isinstance(event, Stage)]
    assert notes == ["transformers", "demo MLLM", "demo SAM2", ""]
    assert worker.stop()


def test_other_models_are_used_from_the_next_job_on(qapp, qtbot, media, engine):
    asked = []
    worker = Worker(EngineChoice(device="cpu"), make=lambda choice: asked.append(choice) or engine)
    told = Told(worker)
    other = EngineChoice(device="cpu", mllm="another")
    for choice in (None, EngineChoice(device="cpu"), other):
        if choice is not None:
            worker.use(choice)
        job = worker.submit(LookRequest(media, 0))
        qtbot.waitUntil(lambda job=job: told.ended(job), timeout=30_000)
    assert asked == [EngineChoice(device="cpu"), other]
    assert worker.stop()


HANGS = """
import time
from decaf_gui.app.requests import LookRequest
from decaf_gui.app.worker import Worker
from PySide6.QtCore import QCoreApplication, QTimer

class Model:
    device = "cpu"

    def load(self, *, mllm):
        print("in the model", flush=True)
        time.sleep(3600)
        yield

app = QCoreApplication([])
worker = Worker(make=lambda choice: Model())
worker.submit(LookRequest(".", 0))
QTimer.singleShot(500, app.quit)
app.exec()
print("stopped:", worker.stop(0.3), flush=True)
"""


def test_the_program_ends_although_a_model_hangs():
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["in the model", "stopped: False"]
    assert done.returncode == 0
    assert done.stderr == "the worker hangs in a step; the program will end without it\n"
    assert time.monotonic() - start < 30
