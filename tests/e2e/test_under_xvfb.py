"""The installed program on a real X server, with keys and mouse of the server: ask, accept, correct, undo, quit."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from real_display import clean_environment, need, x_server

from decaf_gui.core.project.rows import ExpressionRow, MaskRow, ObjectRow, Project, PromptRow, TrackletRow, VerdictRow
from decaf_gui.core.project.store import Store
from decaf_gui.demo.shapes import make_clip

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Xvfb is a server for Linux")
FRAMES, TITLE = 12, "DecAF GUI"
WANTED = "the yellow star"
FIELD, MIDDLE = (306, 36), (640, 400)
"""Places of the window: where an expression is written, and somewhere on the canvas."""
MINUTE = 60.0


class Desktop:
    """The program in a window of 1280x800, and a hand on the server's keyboard and mouse."""

    def __init__(self, process: subprocess.Popen[str], environment: dict[str, str], project: Path) -> None:
        self.process, self.project = process, project
        self._environment = environment
        self.window = self._xdotool("search", "--sync", "--onlyvisible", "--name", TITLE).splitlines()[0]
        self._xdotool("windowfocus", "--sync", self.window)

    def _xdotool(self, *words: str) -> str:
        command = ["xdotool", *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=MINUTE)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    def press(self, *keys: str) -> None:
        """As on a keyboard: to the window that has the focus."""
        self._xdotool("key", *keys)

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "10", text)

    def click(self, x: int, y: int) -> None:
        """The left button at a place of the window."""
        self._xdotool("mousemove", "--window", self.window, str(x), str(y), "click", "1")

    def read(self) -> Project:
        """The project as it is in the file now."""
        with Store.open(self.project, read_only=True) as store:
            return store.project

    def until(self, what: str, holds: Callable[[Project], object], again: Callable[[], None] = lambda: None) -> Project:
        """Waits until something holds in the file; does `again` every two seconds for what may have come too early."""
        deadline, next_try = time.monotonic() + MINUTE, time.monotonic() + 2
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the program ended before {what}"
            if self.project.exists() and holds(project := self.read()):
                return project
            if time.monotonic() > next_try:
                again()
                next_try = time.monotonic() + 2
            time.sleep(0.1)
        pytest.fail(f"within {MINUTE:.0f} s it was not so that {what}")


@pytest.fixture
def media(tmp_path) -> Path:
    folder = tmp_path / "shapes"
    folder.mkdir()
    for index, frame in enumerate(make_clip(3, frames=FRAMES).frames):
        Image.fromarray(frame).save(folder / f"{index:05d}.png", compress_level=1)
    return folder


@pytest.fixture
def desktop(tmp_path, media) -> Iterator[Desktop]:
    need("Xvfb", "xdotool")
    with x_server() as display:
        environment = clean_environment(tmp_path, DISPLAY=display, PYTHONUNBUFFERED="1")
        command = [sys.executable, "-m", "decaf_gui.cli", "open", str(media), "--device", "cpu"]
        with (tmp_path / "stderr.txt").open("w") as errors:
            process = subprocess.Popen(command, env=environment, stdout=errors, stderr=errors, text=True)
            try:
                yield Desktop(process, environment, tmp_path / "shapes.decaf")
            finally:
                process.kill()
                process.wait(10)


def objects(project: Project) -> list[int]:
    return [row.id for row in project.where(ObjectRow)]


def asked(project: Project) -> list[str]:
    return [row.text for row in project.where(ExpressionRow)]


def masks(project: Project) -> list[MaskRow]:
    return [row for thing in objects(project) for row in project.where(MaskRow, object=thing)]


def corrected(project: Project, origins: set[int]) -> set[int]:
    """The objects that a click has given a mask, and tracking the rest of the clip: none is of these `origins`."""
    clicked = {row.object for row in project.where(PromptRow)}
    stale = {row.object for row in masks(project) if row.provenance in origins}
    return {thing for thing in clicked - stale if len(project.masks(thing)) == FRAMES}


def test_a_session_by_keys_and_mouse(desktop, tmp_path):
    def ask() -> None:
        desktop.click(*FIELD)
        desktop.press("ctrl+a")
        desktop.type(WANTED)
        desktop.press("ctrl+Return")

    ask()
    desktop.until("the expression was asked for", lambda project: WANTED in asked(project), again=ask)
    proposed = desktop.until("candidates came", lambda project: project.rows(TrackletRow))
    assert asked(proposed) == [WANTED]
    assert not objects(proposed)

    def accept() -> None:
        desktop.press("Down", "Up", "Return")

    accept()
    accepted = desktop.until("a candidate was accepted", objects, again=accept)
    assert "accepted" in {row.state for row in accepted.where(VerdictRow)}
    assert len(accepted.masks(objects(accepted)[0])) == FRAMES

    desktop.click(*MIDDLE)
    origins = {row.provenance for row in masks(accepted)}
    clicked = desktop.until("the click was tracked through the clip", lambda p: corrected(p, origins))
    (prompt,) = clicked.where(PromptRow)
    assert [positive for _, _, positive in prompt.points] == [True]
    assert prompt.frame == 0

    desktop.press("ctrl+z")
    undone = desktop.until("the last step was undone", lambda p: not p.same(clicked))
    assert len(undone.rows(MaskRow)) <= len(clicked.rows(MaskRow))
    assert set(accepted.rows(TrackletRow)) == set(undone.rows(TrackletRow))

    desktop.press("ctrl+q")
    assert desktop.process.wait(MINUTE) == 0
    assert (tmp_path / "stderr.txt").read_text() == ""
    assert sorted(path.name for path in tmp_path.glob("*.decaf*")) == ["shapes.decaf"]
    assert desktop.read().same(undone)
