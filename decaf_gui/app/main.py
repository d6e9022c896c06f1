"""From a path to a window: the project is opened or made, the worker started, the window shown."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from decaf_gui.app.tools import EngineChoice
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.core.project.keeping import keep_clip
from decaf_gui.core.project.store import SUFFIX, Store
from decaf_gui.pipeline.models import card_of


def check_display() -> None:
    """Raises DecafError when no window can be shown: Qt itself would end the program."""
    shown = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if sys.platform.startswith("linux") and not shown:
        raise DecafError("There is no display for a window: use `decaf-gui propose` and `decaf-gui export` here.")
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        raise DecafError(f"Qt cannot be loaded ({error}): install the libraries that the README names.") from None


def project_path(paths: Sequence[Path]) -> Path:
    """The project of what was given: itself, or the one beside the first clip."""
    first = paths[0]
    if first.suffix == SUFFIX:
        return first
    return first.resolve().with_name(f"{first.resolve().stem if first.is_file() else first.resolve().name}{SUFFIX}")


def open_project(paths: Sequence[Path], project: Path | None = None) -> Store:
    """The project that is named (or lies beside the first clip), made when it is new, with all clips of `paths` in it.

    Raises BadInput when something cannot be opened; then nothing is made.
    """
    clips = [path for path in paths if path.suffix != SUFFIX]
    if len(paths) - len(clips) + (project is not None) > 1:
        raise BadInput("Open one project at a time.")
    opened = [Clip.open(path) for path in clips]
    try:
        path = project or project_path(paths)
        store = Store.open(path) if path.exists() or not clips else Store.create(path)
        try:
            for clip in opened:
                if not store.read_only:
                    keep_clip(store, clip)
        except BaseException:
            store.close()
            raise
    finally:
        for clip in opened:
            clip.close()
    return store


def open_window(paths: Sequence[Path], project: Path | None = None, choice: EngineChoice | None = None) -> int:
    """Shows the window until it is closed: the exit code."""
    choice = choice or EngineChoice()
    cards = [card_of("mllm", choice.mllm), card_of("sam", choice.sam)]
    check_display()
    from PySide6.QtWidgets import QApplication

    from decaf_gui.app.desk import Desk
    from decaf_gui.app.view import View
    from decaf_gui.app.window import MainWindow
    from decaf_gui.app.worker import Worker

    store = open_project(paths, project)
    worker: Worker | None = None
    try:
        application = QApplication.instance() or QApplication(sys.argv[:1])
        application.setApplicationName("DecAF GUI")
        notes = " ".join(dict.fromkeys(card.note for card in cards if card.note))
        names = " + ".join(card.title for card in cards) + (" (shapes only)" if notes else "")
        worker = Worker(choice)
        view = View(Desk(store, worker))
        window = MainWindow(view, (f"{names} · {choice.device}", notes))
        window.show()
        return int(application.exec())
    finally:
        if worker is not None:
            worker.stop()  # where the window could not be made
        store.close()
