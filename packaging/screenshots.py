"""Pictures of the whole window in its main states, for the README: made offscreen, from the real window on the demo.

    uv run python packaging/screenshots.py              # those that the README shows, into resources/pictures
    uv run python packaging/screenshots.py --out DIR    # all of them

With --clip CLIP there is a picture of that clip, too (never one that is committed).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from decaf_gui.app.window import MainWindow
    from decaf_gui.app.windows import Windows

SIZES = {"window": (1440, 900), "small": (1280, 720), "large": (3840, 2160)}
PATIENCE = 120.0
README = Path("resources/pictures")
SHOWN = {"start-light", "proposing-dark", "proposed-light", "corrected-dark", "corrected-dark-small", "export-light"}
SHOWN |= {"settings-models-dark", "settings-method-light", "settings-keys-light"}
SHOWN |= {"review-light", "review-calibration-dark"}
"""The pictures in the README and in docs/review.md."""


@dataclass(frozen=True)
class Shot:
    """Where pictures go, and in which theme and size they are taken."""

    out: Path
    theme: str
    size: str


def main() -> None:
    """Takes the pictures in processes of their own: a 4K screen has another scale."""
    parser = argparse.ArgumentParser(description="Pictures of the window in its main states.")
    parser.add_argument("--out", type=Path, default=README)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--theme", choices=("light", "dark"), default="")
    parser.add_argument("--size", choices=tuple(SIZES), default="window")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    if given.theme:
        folder = Path(tempfile.gettempdir()) / "clips"  # seen in the pictures
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        os.environ |= {"QT_QPA_PLATFORM": "offscreen", "DECAF_GUI_CONFIG": f"{folder}/config"}
        os.environ["HF_HUB_CACHE"] = f"{folder}/models"
        try:
            take(Shot(given.out, given.theme, given.size), folder, given.clip)
        finally:
            shutil.rmtree(folder)
        return
    for theme, size in (("dark", "window"), ("light", "window"), ("dark", "small"), ("dark", "large")):
        command = [sys.executable, __file__, "--out", given.out, "--theme", theme, "--size", size]
        command += ["--clip", given.clip] if given.clip and size == "window" else []
        scale = {"QT_SCALE_FACTOR": "2" if size == "large" else "1"}
        subprocess.run(command, env=os.environ | scale, check=True)


def take(shot: Shot, folder: Path, clip: Path | None) -> None:
    """All states of one theme and size."""
    from PySide6.QtWidgets import QApplication

    from decaf_gui.app.preferences import Preferences
    from decaf_gui.app.projects import demo_project, open_project
    from decaf_gui.app.windows import Windows

    windows = Windows(QApplication(sys.argv[:1]), Preferences(theme=shot.theme))
    try:
        if shot.size == "window":
            windows.start()
            assert windows.window is not None
            pause(0.2)
            save(windows.window, shot, "start")
        window = windows.show_project(demo_project(folder / "demo"), demo=True)
        fit(window, shot)
        for name in tour(window):
            if shot.size == "window" or name == "corrected":
                save(window, shot, name)
        if shot.size == "window":
            dialogs(window, windows, shot)
        if shot.size == "window":
            review(windows, labelled(folder), shot)
        if clip is not None:
            window = windows.show_project(open_project([shutil.copy(clip, folder / clip.name)]))
            fit(window, shot)
            look_at_clip(window)
            save(window, shot, "clip")
    finally:
        windows.close()


def fit(window: MainWindow, shot: Shot) -> None:
    """The window in its size, with a frame in it."""
    scale = window.devicePixelRatioF()
    width, height = SIZES[shot.size]
    window.resize(round(width / scale), round(height / scale))
    wait(lambda: window.picture is not None)


def tour(window: MainWindow) -> Iterator[str]:
    """Goes through the work of an annotator; stops at each state that is worth a picture."""
    from decaf_gui.demo.scores import inner_point

    view = window.view
    pause(0.6)
    yield "opened"
    window.expressions.line.setText("the purple heart")
    window.expressions.propose()
    wait(lambda: view.proposing() is not None or not view.desk.work)
    view.show_attention("fused")
    wait(lambda: any(len(t.masks) > 24 for t in work.found()) if (work := view.proposing()) else True)
    pause(0.1)
    yield "proposing"
    rest(window)
    view.look_at(6)
    rest(window)
    yield "proposed"
    view.accept()
    rest(window)
    view.show_attention(None)
    for text in ("the red cross", "the blue star"):
        view.propose(text)
        rest(window)
        view.accept()
        rest(window)
    view.pick(("object", 1))
    view.look_at(38)
    rest(window)
    view.click(*inner_point(view.project.masks(1)[38]), True)
    rest(window)
    pause(1.5)
    yield "corrected"


def labelled(folder: Path) -> Path:
    """A pre-labelled set of the demo's scenes and of clips of the shapes world; one has failed, two still wait."""
    from decaf_gui.batch.labelling import ClipLabelled, Plan, label_clip, new_engine
    from decaf_gui.batch.worklist import SourceClip, Wanted, WorkList
    from decaf_gui.demo.scenes import SCENES, write_scenes
    from decaf_gui.demo.shapes import make_clip
    from decaf_gui.demo.write import write_named

    texts = {scene.name: [*scene.ready, "the yellow ring"] for scene in SCENES}
    shapes = {f"shapes-{seed:03d}": make_clip(seed) for seed in range(41, 51)}
    texts |= {name: list(dict.fromkeys(e.text for e in clip.expressions))[:2] for name, clip in shapes.items()}
    media = [*write_scenes(folder / "videos", video=True), *write_named(folder / "videos", shapes.items(), video=True)]
    plan, out = Plan(folder / "street scenes"), folder / "street scenes"
    with WorkList.begin(out, {}) as worklist:
        worklist.add(SourceClip(p.stem, p, tuple(Wanted(text) for text in texts[p.stem])) for p in media)
        engine = new_engine(plan)
        for _ in range(len(media) - 3):
            work = worklist.take()
            for event in label_clip(engine, work, plan):
                if isinstance(event, ClipLabelled):
                    worklist.finished(work.clip, event.results)
        worklist.failed(worklist.take().clip, "its video ends after 3 of 24 frames.", again=False)
    return out


def review(windows: Windows, folder: Path, shot: Shot) -> None:
    """The review of a pre-labelled set, half-way through, and what its scores are worth."""
    from decaf_gui.app.calibration_dialog import CalibrationDialog
    from decaf_gui.batch.reviewing import LabelledSet

    desk = windows.show_set(LabelledSet(folder))
    desk.resize(*SIZES["window"])
    wait(lambda: desk.main is not None and desk.main.picture is not None)
    desk.panel.goes_on.setChecked(False)
    for place in range(20):
        view = desk.main.view
        if view.candidate_id is not None and place % 5 == 1:
            view.reject()
        elif view.candidate_id is not None:
            view.accept_as(view.candidate_id, None)
        desk.step(1)
        wait(lambda: desk.main is not None and desk.main.picture is not None)
    rest(desk.main)
    pause(1.5)
    save(desk, shot, "review")
    desk.calibrate()
    pause(0.3)
    dialog = next(found for found in desk.findChildren(CalibrationDialog) if found.isVisible())
    save(dialog, shot, "review-calibration")
    dialog.reject()


def look_at_clip(window: MainWindow) -> None:
    """A click in the middle of a frame of any clip."""
    row = window.view.clip_row
    assert row is not None
    window.view.look_at(row.frames // 3)
    window.view.click(row.width / 2, row.height / 2, True)
    rest(window)


def dialogs(window: MainWindow, windows: Windows, shot: Shot) -> None:
    """The dialogs over the window."""
    from PySide6.QtWidgets import QDialog

    from decaf_gui.app.settings_dialog import SettingsDialog

    window.acts["export"].trigger()
    pause(0.3)
    for dialog in window.findChildren(QDialog):
        save(dialog, shot, "export")
        dialog.reject()
    for page in ("models", "method", "look", "keys"):
        windows.settings()
        settings = next(found for found in window.findChildren(SettingsDialog) if found.isVisible())
        settings.show_page(getattr(settings, page))
        pause(0.3)
        save(settings, shot, f"settings-{page}")
        settings.reject()
        pause(0.1)


def save(widget: QWidget, shot: Shot, name: str) -> None:
    """A picture of a widget."""
    size = "" if shot.size == "window" else f"-{shot.size}"
    path = shot.out / f"{name}-{shot.theme}{size}.png"
    if shot.out != README or path.stem in SHOWN:
        widget.grab().save(str(path), "PNG", 0)  # type: ignore[call-overload]
        print(path)  # noqa: T201


def rest(window: MainWindow) -> None:
    """Until all work is done and everything is shown."""
    wait(lambda: not window.view.desk.work)
    pause(0.5)
    wait(lambda: not window.view.desk.work)


def pause(seconds: float) -> None:
    """Lets the window live for a while."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


def wait(done: Callable[[], bool]) -> None:
    """Runs the event loop until something holds."""
    from PySide6.QtCore import QEventLoop, QTimer

    loop, timer, end = QEventLoop(), QTimer(), time.monotonic() + PATIENCE
    timer.timeout.connect(lambda: loop.quit() if done() or time.monotonic() > end else None)
    timer.start(20)
    loop.exec()
    timer.stop()
    if time.monotonic() > end:
        raise SystemExit("the window did not come to rest")


if __name__ == "__main__":
    main()
