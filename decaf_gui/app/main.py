"""From a command to a window: whether one can be shown, what the person prefers, the event loop."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from decaf_gui.app.display import check_display
from decaf_gui.app.preferences import load_preferences
from decaf_gui.app.projects import demo_project, open_project
from decaf_gui.batch.reviewing import LabelledSet, set_folder
from decaf_gui.core.project.store import Store
from decaf_gui.pipeline.engine import check_device_name
from decaf_gui.pipeline.models import card_of


def open_window(
    paths: Sequence[Path] = (), project: Path | None = None, *, demo: Path | None = None, **chosen: str | None
) -> int:
    """Shows the first page, a pre-labelled set or the project of `paths`, or the demo's, until it is closed: the code.

    `chosen` are preferences (mllm, sam, device) for this time. Raises BadInput when something cannot be opened,
    DecafError when no window can be shown; then nothing is made.
    """
    preferences, notice = load_preferences()
    given = {name: value for name, value in chosen.items() if value is not None}
    for kind in ("mllm", "sam"):
        if kind in given:
            card_of(kind, given[kind])
    check_device_name(given.get("device", "auto"))
    check_display()
    from PySide6.QtWidgets import QApplication

    from decaf_gui.app.translation import install_translations
    from decaf_gui.app.windows import Windows

    opened = what_opens(paths, project, demo)
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("DecAF GUI")
    install_translations(application)
    application.setDesktopFileName("decaf-gui")
    windows = Windows(application, preferences, given=given)
    if opened is None:
        windows.start(notice)
    else:
        shown = (
            windows.show_set(opened)
            if isinstance(opened, LabelledSet)
            else windows.show_project(opened, demo=demo is not None)
        )
        if notice:
            shown.banner.tell(notice)
    try:
        return int(application.exec())
    finally:
        windows.close()


def what_opens(paths: Sequence[Path], project: Path | None, demo: Path | None) -> Store | LabelledSet | None:
    """What is to be shown; None: the first page. Raises BadInput when it cannot be opened."""
    if demo is not None:
        return demo_project(demo)
    folder = set_folder(paths[0]) if len(paths) == 1 and project is None else None
    if folder is not None:
        return LabelledSet(folder)
    return open_project(paths, project) if paths or project else None
