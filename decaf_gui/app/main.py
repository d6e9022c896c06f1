"""From a command to a window: whether one can be shown, what the person prefers, the event loop."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from decaf_gui.app.display import check_display
from decaf_gui.app.preferences import load_preferences
from decaf_gui.app.projects import demo_project, open_project
from decaf_gui.pipeline.engine import check_device_name
from decaf_gui.pipeline.models import card_of


def open_window(
    paths: Sequence[Path] = (), project: Path | None = None, *, demo: Path | None = None, **chosen: str | None
) -> int:
    """Shows the first page, the project of `paths`, or the demo's in a folder, until it is closed: the exit code.

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

    store = demo_project(demo) if demo is not None else open_project(paths, project) if paths or project else None
    application = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(application, QApplication)
    application.setApplicationName("DecAF GUI")
    install_translations(application)
    application.setDesktopFileName("decaf-gui")
    windows = Windows(application, preferences, given=given)
    if store is None:
        windows.start(notice)
    else:
        window = windows.show_project(store, demo=demo is not None)
        if notice:
            window.banner.tell(notice)
    try:
        return int(application.exec())
    finally:
        windows.close()
