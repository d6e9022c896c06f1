"""One program, one window at a time: the first page or a project, with the preferences and what is remembered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QWidget

from decaf_gui.app.desk import Desk
from decaf_gui.app.downloads import Downloads
from decaf_gui.app.icons import redraw
from decaf_gui.app.preferences import Preferences, save_preferences
from decaf_gui.app.projects import demo_project, open_project
from decaf_gui.app.recent import Recent, load_recent, save_recent
from decaf_gui.app.review_window import ReviewWindow
from decaf_gui.app.settings_dialog import SettingsDialog
from decaf_gui.app.start import StartPage
from decaf_gui.app.theme import apply_theme
from decaf_gui.app.view import View
from decaf_gui.app.window import MainWindow
from decaf_gui.app.worker import Worker
from decaf_gui.batch.reviewing import LabelledSet, set_folder
from decaf_gui.core.errors import DecafError
from decaf_gui.core.project.store import Store

log = logging.getLogger(__name__)
MakeWorker = Callable[[Preferences], Worker]


def make_worker(preferences: Preferences) -> Worker:
    """A worker with the models that are preferred. Raises BadInput for settings that do not fit."""
    return Worker(preferences.engine_choice())


class Windows(QObject):
    """What is on the screen. A project is opened before the window before it closes: nothing is lost when it cannot."""

    def __init__(
        self,
        application: QApplication,
        preferences: Preferences,
        make: MakeWorker = make_worker,
        demo: Path | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(application)
        self._application, self._make, self._demo = application, make, demo
        self._given: dict[str, Any] = dict(given or {})
        """Preferences for this time, which are not kept."""
        self._here: dict[str, Any] = {}
        """Those of the present window: the demo has its own models."""
        self.preferences = preferences
        self._downloads = Downloads(self)
        self.recent: Recent = load_recent()
        self.window: MainWindow | ReviewWindow | StartPage | None = None
        self._apply_theme()
        application.styleHints().colorSchemeChanged.connect(self._apply_theme)

    def start(self, notice: str = "") -> None:
        """Shows the first page."""
        page = StartPage(self.recent.projects)
        page.open_wanted.connect(self.open)
        page.set_wanted.connect(self.open_set)
        page.demo_wanted.connect(self.open_demo)
        page.settings_wanted.connect(self.settings)
        page.forgotten.connect(self._forget)
        self._show(page)
        if notice:
            page.banner.tell(notice)

    def open(self, paths: Sequence[Path], project: Path | None = None) -> None:
        """Shows the project of some paths, or a pre-labelled set; what cannot be is told in the present window."""
        folder = set_folder(paths[0]) if len(paths) == 1 and project is None else None
        if folder is not None:
            self.open_set(folder)
            return
        try:
            if self._is_open(paths, project):
                return
            self.show_project(open_project(paths, project))
        except DecafError as error:
            self._tell(str(error))

    def open_demo(self) -> None:
        """Shows the demo clip with its expressions and its models."""
        try:
            self.show_project(demo_project(self._demo), demo=True)
        except DecafError as error:
            self._tell(str(error))

    def open_set(self, folder: Path) -> None:
        """Shows the review of a pre-labelled set; what is none is told in the window that is there."""
        try:
            if not (isinstance(self.window, ReviewWindow) and self.window.folder.resolve() == folder.resolve()):
                self.show_set(LabelledSet(folder))
        except DecafError as error:
            self._tell(str(error))

    def show_set(self, labelled: LabelledSet) -> ReviewWindow:
        """Shows a pre-labelled set: its projects come and go, the worker stays. Raises BadInput as a worker does."""
        worker = self._make(replace(self.preferences, **self._given))
        self._here = self._given
        window = ReviewWindow(labelled, worker, partial(self._main_window, worker=worker, shares=True), self.recent)
        window.left.connect(self.start)
        self._opened(labelled.folder)
        self._show(window)
        return window

    def show_project(self, store: Store, *, demo: bool = False) -> MainWindow:
        """Shows an open project; it is closed with its window, or here when there can be none."""
        here = self._given | ({"mllm": "demo", "sam": "demo"} if demo else {})
        try:
            worker = self._make(replace(self.preferences, **here))
        except BaseException:
            store.close()
            raise
        try:
            window = self._main_window(store, worker, here=here)
        except BaseException:
            worker.stop()
            raise
        self._here = here
        self._opened(store.path)
        self._show(window)
        return window

    def _main_window(
        self, store: Store, worker: Worker, *, shares: bool = False, here: Mapping[str, Any] | None = None
    ) -> MainWindow:
        """The window of a project, which is closed where there can be none."""
        preferences = replace(self.preferences, **(self._here if here is None else here))
        try:
            window = MainWindow(View(Desk(store, worker, shares_worker=shares)), preferences, self.recent)
        except BaseException:
            store.close()
            raise
        window.open_wanted.connect(self.open)
        window.set_wanted.connect(self.open_set)
        window.settings_wanted.connect(self.settings)
        window.left.connect(self.start)
        window.asked.connect(self._remember_expression)
        return window

    def _opened(self, path: Path) -> None:
        """Something is listed as recent."""
        self.recent = self.recent.with_project(path)
        save_recent(self.recent)

    @property
    def main(self) -> MainWindow | None:
        """The window of the project that is open, by itself or in a set."""
        return (
            self.window.main
            if isinstance(self.window, ReviewWindow)
            else (self.window if isinstance(self.window, MainWindow) else None)
        )

    def settings(self, page: str = "") -> None:
        """The settings dialog over the present window, at a page ("models", "help") or the first one."""
        dialog = SettingsDialog(self.preferences, self.window, self._downloads)
        dialog.chosen.connect(self._prefer)
        dialog.finished.connect(dialog.deleteLater)
        if self.window is not None:
            dialog.finished.connect(self.window.activateWindow)
        dialog.show_page({"help": dialog.help}.get(page, dialog.models))
        dialog.open()

    def _prefer(self, preferences: Preferences) -> None:
        """Other preferences: kept, and in force at once, before what was given for this time."""
        changed = {name for name in self._here if getattr(preferences, name) != getattr(self.preferences, name)}
        self._given = {name: value for name, value in self._given.items() if name not in changed}
        self._here = {name: value for name, value in self._here.items() if name not in changed}
        self.preferences = preferences
        self._apply_theme()
        try:
            save_preferences(preferences)
            if self.main is not None:
                self.main.apply(replace(preferences, **self._here))
        except DecafError as error:
            self._tell(str(error))

    def _apply_theme(self, *_: object) -> None:
        apply_theme(self._application, self.preferences.theme)
        if self.window is not None:
            redraw(self.window)

    def _show(self, window: MainWindow | ReviewWindow | StartPage) -> None:
        """Shows a window instead of the one that is there."""
        before, self.window = self.window, window
        window.show()
        if before is not None:
            self._remember(before)
            before.close()
            before.deleteLater()

    def _remember(self, window: QWidget) -> None:
        if isinstance(window, MainWindow | ReviewWindow):
            self.recent = window.remembered(self.recent)
            save_recent(self.recent)

    def close(self) -> None:
        """Closes what is shown, and breaks downloads off."""
        self._downloads.stop()
        if self.window is not None:
            self._remember(self.window)
            self.window.close()

    def _remember_expression(self, text: str) -> None:
        self.recent = self.recent.with_expression(text)
        if self.main is not None:
            self.main.recent = self.recent
            self.main.expressions.show_history(self.recent.expressions)

    def _forget(self, path: str) -> None:
        self.recent = self.recent.without_project(path)
        save_recent(self.recent)
        if isinstance(self.window, StartPage):
            self.window.show_recent(self.recent.projects)

    def _is_open(self, paths: Sequence[Path], project: Path | None) -> bool:
        """Whether it is this project that is asked for."""
        if self.main is None:
            return False
        here = self.main.view.desk.store.path.resolve()
        return (project or paths[0]).resolve() == here

    def _tell(self, text: str) -> None:
        if self.window is None:
            self.start(text)
        else:
            self.window.banner.tell(text)
