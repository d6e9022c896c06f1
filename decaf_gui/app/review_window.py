"""A pre-labelled set on the screen: its queue, the clip of the entry that is looked at, and what joins the two."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from decaf_gui.app import asks
from decaf_gui.app.bars import Banner
from decaf_gui.app.calibration_dialog import CalibrationDialog, level_words, score_words
from decaf_gui.app.recent import Recent
from decaf_gui.app.review_panel import ReviewPanel
from decaf_gui.app.set_reader import SetReader
from decaf_gui.app.window import MainWindow
from decaf_gui.app.window_layout import as_base64
from decaf_gui.app.worker import Worker
from decaf_gui.batch.reviewing import (
    Changed,
    Done,
    Entry,
    LabelledSet,
    LeftAlone,
    Picture,
    Waiting,
    accept_waiting,
    next_to_review,
    take_back,
)
from decaf_gui.batch.worklist import project_path
from decaf_gui.core.calibration import level_at, levels
from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import DecafError
from decaf_gui.core.project.edits import Edit
from decaf_gui.core.project.rows import ExpressionRow, Project
from decaf_gui.core.project.store import Store
from decaf_gui.core.project.verdicts import accept_above, asked_of

LOOK_PAUSE = 3000
"""Milliseconds between two looks at the set: it may still be being made, or others may review it, too."""
GO_ON_PAUSE = 400
"""Milliseconds for which the last verdict of an entry is seen before the next entry comes."""
WIDTHS = (310, 800, 330)
"""Of the queue, the canvas and the candidates at first."""
MOST = 3
"""Projects that were left alone are told by name, so many of them."""
MakeWindow = Callable[[Store], MainWindow]


class ReviewWindow(QWidget):
    """The review of one set. Its entries' projects come and go in it; the worker with its models stays.

    A project is opened before the one before it closes; edits are stored as they are made. `left`: the set was closed
    before a project of it was open, the program not.
    """

    left = Signal()

    def __init__(self, labelled: LabelledSet, worker: Worker, make: MakeWindow, recent: Recent) -> None:
        super().__init__()
        self._worker, self._make = worker, make
        self.folder = labelled.folder
        self.main: MainWindow | None = None
        self.clip = ""
        self.entry: tuple[str, str] | None = None
        """The one that was chosen last: from here one goes on."""
        self._visited: list[tuple[str, str]] = []
        self.picture = Picture(labelled.folder)
        self.panel, self._own_banner = ReviewPanel(), Banner()
        self._goes_on = False
        """Whether the next entry is to come when work has come to rest."""
        self._closed = 0.0
        """When the last project was closed."""
        self._frame = 0
        """The frame that was looked at when the most doubtful one was asked for."""
        self._changed: list[Changed] = []
        """What was accepted last by its score (or taken back)."""
        self._left_alone: list[LeftAlone] = []
        self._editing: Literal["", "accept", "take back"] = ""
        self.reader = SetReader(labelled, self)
        self.look_timer = QTimer(self, interval=LOOK_PAUSE)
        self.go_timer = QTimer(self, singleShot=True, interval=GO_ON_PAUSE)
        self._arrange(recent)
        self._connect()
        self.reader.look()
        self.look_timer.start()

    def _arrange(self, recent: Recent) -> None:
        self.setWindowTitle(f"{self.folder.name} - DecAF GUI")
        self.panel.show_title(self.folder.name)
        self.panel.goes_on.setChecked(recent.goes_on)
        self.page = QWidget()
        self.hint = QLabel(self.tr("Reading the set..."))
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setProperty("role", "quiet")
        self.close_set = QPushButton(self.tr("Close the set"))
        middle = QVBoxLayout()
        middle.addStretch(1)
        middle.addWidget(self.hint)
        middle.addWidget(self.close_set, alignment=Qt.AlignmentFlag.AlignCenter)
        middle.addStretch(1)
        row = QHBoxLayout(self.page)
        row.setContentsMargins(0, 0, 0, 0)
        self.panel.setMaximumWidth(WIDTHS[0])
        row.addWidget(self.panel)
        row.addLayout(middle, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._own_banner)
        column.addWidget(self.page, 1)
        self.resize(1440, 900)
        if recent.geometry:
            self.restoreGeometry(QByteArray.fromBase64(recent.geometry.encode()))

    def _connect(self) -> None:
        self.look_timer.timeout.connect(self.reader.look)
        self.go_timer.timeout.connect(self._go_on)
        self.reader.pictured.connect(self._on_picture)
        self.reader.lost.connect(lambda text: self.banner.tell(text))
        self.reader.doubtful.connect(self._on_doubtful)
        self.reader.changed.connect(self._on_changed)
        self.reader.ended.connect(self._on_ended)
        self.panel.chosen.connect(self.open_entry)
        self.panel.calibration_wanted.connect(self.calibrate)
        self.panel.halt_wanted.connect(self.reader.halt)
        self.panel.left.connect(self._to_canvas)
        self.close_set.clicked.connect(self.left)

    @property
    def banner(self) -> Banner:
        """Where is told what cannot be done."""
        return self._own_banner if self.main is None else self.main.banner

    def remembered(self, recent: Recent) -> Recent:
        """How the window lies, to be remembered."""
        return replace(recent, geometry=as_base64(self.saveGeometry()), goes_on=self.panel.goes_on.isChecked())

    # --- the queue -----------------------------------------------------------------------------------------------

    def _on_picture(self, picture: Picture) -> None:
        """What the set is now; of the open project it is known better than its file tells.

        A look that began before the last project closed, or has not read all, may not know what was decided in it: the
        next one does.
        """
        if self._closed and (picture.begun < self._closed or not picture.whole):
            return
        self._show(picture if self.main is None else picture.with_clip(self.clip, asked_of(self._project)))
        if self.main is None and picture.whole and self.entry is None:
            self.hint.setText(self.tr("Entries can be reviewed as soon as they are labelled."))
            self.step(1)

    def _show(self, picture: Picture) -> None:
        self.picture = picture
        self.panel.show_entries(picture.entries(), self.entry)

    def _looked_at(self) -> Entry | None:
        """The entry of the clip and the expression that are looked at, as it is now."""
        row = self._project.find(ExpressionRow, self.main.view.expression) if self.main is not None else None
        listed = [entry for entry in self.panel.all if entry.clip == self.clip]
        return next((e for e in listed if row is not None and Expression(e.expression).text == row.text), None)

    @property
    def _project(self) -> Project:
        assert self.main is not None
        return self.main.view.project

    def step(self, by: int) -> None:
        """Opens the next (or previous) entry to review of those that are listed."""
        entry = self.panel.following(by)
        if entry is not None:
            self.open_entry(entry)
        elif self.main is not None:
            others = next_to_review(self.panel.all, self.entry) is not None
            self.main.view.told.emit(
                self.tr("No other entry that is listed waits for review.")
                if others
                else self.tr("No other entry waits for review.")
            )

    def back(self) -> None:
        """Opens the entry that was looked at before the present one, reviewed or not."""
        while self._visited:
            key = self._visited.pop()
            entry = next((entry for entry in self.panel.all if entry.key == key), None)
            if entry is not None and key != self.entry:
                self.open_entry(entry)
                self._visited.pop()  # one does not go back to where one came back from
                return

    def open_entry(self, entry: Entry) -> None:
        """Opens the clip of an entry, unless it is open, and looks at its expression where it is most doubtful."""
        self._goes_on = False
        if self._editing:
            return
        if entry.state in ("failed", "running", "waiting"):
            self.banner.tell(self._why_not(entry))
            self._show(self.picture)
            return
        if self.entry is not None:
            self._visited.append(self.entry)
        self.entry = entry.key
        try:
            if self.main is None or entry.clip != self.clip or self.main.view.desk.store.read_only:
                self._open_clip(entry.clip)
        except DecafError as error:
            self.banner.tell(str(error))
            self._show(self.picture)
            return
        self.banner.hide()
        self._look_at(entry)

    def _why_not(self, entry: Entry) -> str:
        if entry.state == "failed":
            words = self.tr("{0} could not be labelled. {1} The next run of decaf-gui prelabel tries it again.")
            return words.format(entry.clip, entry.reason)
        return self.tr("{0} is not labelled yet: it can be reviewed as soon as it is.").format(entry.clip)

    def _open_clip(self, clip: str) -> None:
        """Another project in the place of the present one, which stays where this raises DecafError."""
        window = self._make(Store.open(project_path(self.folder, clip)))
        before, self.main, self.clip = self.main, window, clip
        widths = WIDTHS if before is None else before.across.sizes()
        self.panel.setMaximumWidth(16777215)
        window.show_review(self.panel, widths)
        self.panel.show_actions(*(window.acts[name] for name in ("entry_before", "previous_entry", "next_entry")))
        window.entry_wanted.connect(self.step)
        window.back_wanted.connect(self.back)
        window.calibration_wanted.connect(self.calibrate)
        window.view.desk.changed.connect(self._on_edit)
        window.view.expression_changed.connect(self._on_expression)
        window.view.clip_changed.connect(self._on_expression)
        layout = self.layout()
        assert layout is not None
        layout.replaceWidget(self.page if before is None else before, window)
        window.show()
        self.setWindowTitle(f"{clip} - {self.folder.name} - DecAF GUI")
        self._let_go(before)
        window.canvas.setFocus()

    def _let_go(self, before: MainWindow | None) -> None:
        if before is None:
            self.page.hide()
        else:
            before.close()
            before.deleteLater()
            self._closed = time.monotonic()
            self.reader.look()

    def _look_at(self, entry: Entry) -> None:
        assert self.main is not None
        text = Expression(entry.expression).text
        row = next((row for row in self._project.where(ExpressionRow) if row.text == text), None)
        if row is not None:
            self.main.view.ask(row.id)
            self._frame = self.main.view.frame
            self.reader.seek(self._project, row.id)
        self._show(self.picture)

    def _on_doubtful(self, project: Project, expression: int, frame: int) -> None:
        """The frame to look at first, unless the person has gone elsewhere or has begun to work meanwhile."""
        view = None if self.main is None else self.main.view
        if view is not None and (view.project, view.expression, view.frame) == (project, expression, self._frame):
            view.look_at(frame)

    def _on_expression(self) -> None:
        """Another expression of the clip was chosen in the window."""
        entry = self._looked_at()
        if entry is not None and entry.key != self.entry:
            self.entry = entry.key
            self._show(self.picture)

    def _on_edit(self, *_: object) -> None:
        """After the last verdict of an entry the next one comes; after its undoing it does not."""
        before = self._looked_at()
        self._show(self.picture.with_clip(self.clip, asked_of(self._project)))
        after = self._looked_at()
        if before is None or after is None or before.state == after.state:
            return
        self._goes_on = after.state == "reviewed" and self.panel.goes_on.isChecked() and not self._editing
        if self._goes_on:
            self.go_timer.start()

    def _go_on(self) -> None:
        """The next entry, once the work that a verdict has begun is done."""
        if not self._goes_on or self.main is None:
            return
        if self.main.view.desk.work:
            self.go_timer.start()
        else:
            self._goes_on = False
            self.step(1)

    def _to_canvas(self) -> None:
        if self.main is not None:
            self.main.canvas.setFocus()

    # --- what scores are worth -----------------------------------------------------------------------------------

    def calibrate(self) -> None:
        """What decisions so far say of the scores."""
        dialog = CalibrationDialog(self.picture, self, done=sum(part.candidates for part in self._changed))
        dialog.accept_wanted.connect(partial(self._ask, dialog))
        dialog.back_wanted.connect(dialog.accept)
        dialog.back_wanted.connect(self.take_back)
        dialog.finished.connect(dialog.deleteLater)
        dialog.finished.connect(self.activateWindow)
        dialog.open()

    def _ask(self, dialog: CalibrationDialog, threshold: float) -> None:
        """Says exactly what would be accepted and how sure that is; only a yes does it."""
        waiting = self.picture.waiting(threshold)
        number = sum(len(part.tracklets) for part in waiting)
        level = level_at(levels(self.picture.decisions()), threshold)
        if level is None or not number:
            return
        question = self.tr(
            "Accept all {0} candidates above {1} that wait for a word, in {2} clips, without looking at them?\n\n"
            "So far above it: {3}.\n\nThey are marked as accepted by their score; it can be taken back."
        ).format(number, score_words(threshold), len(waiting), level_words(level))

        def answered() -> None:
            dialog.accept()
            self.accept(waiting, threshold)

        asks.accept_all(dialog, question, number, answered)

    def accept(self, waiting: Sequence[Waiting], threshold: float) -> None:
        """Accepts candidates by their score: of the open project here, of the others in the reader's thread."""
        self._edit("accept")
        for part in waiting:
            if part.clip == self.clip:
                self._here(partial(accept_above, tracklets=part.tracklets, threshold=threshold))
        others = [part for part in waiting if part.clip != self.clip]
        self.panel.show_work(0, len(others))
        self.reader.work(accept_waiting(others, threshold))

    def take_back(self) -> None:
        """Undoes what was accepted last by its score."""
        changed = self._changed
        self._edit("take back")
        for part in changed:
            if part.clip == self.clip:
                self._here(lambda _, edit=part.edit.undone: edit)  # type: ignore[misc]
        others = [part for part in changed if part.clip != self.clip]
        self.panel.show_work(0, len(others))
        self.reader.work(take_back(others))

    def _edit(self, what: Literal["accept", "take back"]) -> None:
        self._editing, self._changed, self._left_alone = what, [], []

    def _here(self, make: Callable[[Project], Edit]) -> None:
        """An edit of the open project; it is in its history, too."""
        assert self.main is not None
        try:
            edit = make(self._project)
            self.main.view.desk.do(edit)
        except DecafError as error:
            self._left_alone.append(LeftAlone(self.clip, str(error)))
        else:
            self._changed.append(Changed(self.clip, project_path(self.folder, self.clip), edit))

    def _on_changed(self, done: Done) -> None:
        if isinstance(done, Changed):
            self._changed.append(done)
        else:
            self._left_alone.append(done)
        self.panel.working.setValue(self.panel.working.value() + 1)

    def _on_ended(self) -> None:
        """Tells what was done, and what was not and why."""
        number, clips = sum(done.candidates for done in self._changed), len(self._changed)
        if self._editing == "accept":
            told = self.tr("Candidates accepted by their score: {0} (clips: {1}).").format(number, clips)
            self._tell(told, (self.tr("Take back"), self.take_back) if clips else None)
        else:
            self._changed = []
            self._tell(self.tr("Candidates that wait for a word again: {0} (clips: {1}).").format(number, clips))
        self._editing = ""
        self.panel.show_work(None)
        self.reader.look()

    def _tell(self, told: str, offer: tuple[str, Callable[[], object]] | None = None) -> None:
        left = [self.tr("{0} is as it was: {1}").format(left.clip, left.reason) for left in self._left_alone[:MOST]]
        more = len(self._left_alone) - len(left)
        rest = [self.tr("{0} more clips are as they were.").format(more)] if more else []
        self.banner.tell(" ".join([told, *left, *rest]), offer)

    # --- the end -------------------------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Closes the project, ends all threads."""
        self.look_timer.stop()
        self.go_timer.stop()
        self.reader.stop()
        main, self.main = self.main, None
        if main is not None:
            main.close()
        self._worker.stop()
        event.accept()
