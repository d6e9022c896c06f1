"""A project on a clip of shapes, a worker with the demo models, and a desk; every thread must end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QThread

from decaf_gui.app.desk import Desk
from decaf_gui.app.preferences import Preferences
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.app.windows import Windows
from decaf_gui.app.worker import Worker
from decaf_gui.core.clip import Clip
from decaf_gui.core.masks import Rle
from decaf_gui.core.project import edits
from decaf_gui.core.project.keeping import keep_clip
from decaf_gui.core.project.store import Store
from decaf_gui.demo.shapes import make_clip
from decaf_gui.pipeline.engine import Engine

FRAMES = 30


class PacedEngine(Engine):
    """The demo models, slow on demand, so that a test is quicker than tracking."""

    pause = 0.0

    def tracking(self, clip, prompts, sweeps):
        tracking = super().tracking(clip, prompts, sweeps)
        tracking._events = self._paced(tracking._events)
        return tracking

    def _paced(self, events):
        for event in events:
            time.sleep(self.pause)
            yield event


@pytest.fixture(autouse=True)
def no_leaked_qthreads(monkeypatch):
    started = []
    start = QThread.start

    def recorded(thread, *args):
        started.append(thread)
        start(thread, *args)

    monkeypatch.setattr(QThread, "start", recorded)
    yield
    assert not [thread for thread in started if thread.isRunning()], "a QThread was leaked"


@pytest.fixture(autouse=True)
def own_config(tmp_path, monkeypatch):
    """Nobody's settings are read or written."""
    monkeypatch.setenv("DECAF_GUI_CONFIG", str(tmp_path / "config"))


@pytest.fixture(scope="session")
def shapes():
    return make_clip(3, frames=FRAMES)


@pytest.fixture(scope="session")
def media(tmp_path_factory, shapes) -> Path:
    folder = tmp_path_factory.mktemp("media") / "shapes"
    folder.mkdir()
    for index, frame in enumerate(shapes.frames):
        Image.fromarray(frame).save(folder / f"{index:05d}.png", compress_level=1)
    return folder


@pytest.fixture(scope="session")
def loaded_engine():
    return PacedEngine()


@pytest.fixture
def engine(loaded_engine):
    loaded_engine.pause = 0.0
    if loaded_engine._sparing:  # memory ran out in the test before
        loaded_engine._sparing = False
        loaded_engine.free()
    return loaded_engine


@pytest.fixture
def worker(engine, qapp):
    made = Worker(make=lambda _: engine)
    yield made
    assert made.stop()


@pytest.fixture
def path(tmp_path, media, shapes) -> Path:
    """A project with the clip and two objects, known on frame 10 alone."""
    with Store.create(tmp_path / "work.decaf") as store, Clip.open(media) as clip:
        number = keep_clip(store, clip)
        for thing in (0, 1):
            store.do(edits.add_object(store.project, number, f"shape{thing}"))
            mask = {10: edits.NewMask(Rle.encode(shapes.masks[thing, 10]))}
            store.do(edits.replace_masks(store.project, thing + 1, mask, "tracked", "{}"))
    return tmp_path / "work.decaf"


class Seen:
    """Everything that a desk says."""

    def __init__(self, desk: Desk) -> None:
        self.events, self.receipts, self.refused = [], [], []
        desk.happened.connect(lambda job, event: self.events.append((job, event)))
        desk.changed.connect(lambda _, receipt: self.receipts.append(receipt))
        desk.refused.connect(self.refused.append)

    def of(self, job, kind):
        return [event for number, event in self.events if number == job and isinstance(event, kind)]

    def ended(self, job):
        return bool(self.of(job, (Finished, Cancelled, Failed)))


@pytest.fixture
def desk(path, worker):
    made = Desk(Store.open(path), worker)
    yield made
    assert made.close()


@pytest.fixture
def seen(desk):
    return Seen(desk)


@pytest.fixture
def windows(qapp, engine, tmp_path):
    """The program with its first page not shown yet; everything that it shows is closed in the end."""
    look = (qapp.palette(), qapp.styleSheet(), qapp.style().objectName())
    made = Windows(
        qapp, Preferences(), lambda preferences: Worker(make=lambda _: engine, choice=None), demo=tmp_path / "demo"
    )
    yield made
    made.close()
    if made.window is not None:
        made.window.deleteLater()
    made.deleteLater()
    qapp.setStyleSheet(look[1])
    qapp.setStyle(look[2])
    qapp.setPalette(look[0])
