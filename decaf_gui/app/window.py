"""The main window: canvas, lists, timeline and bars around one view, which holds what is looked at and worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import strftime

from PySide6.QtCore import QElapsedTimer, Qt, QTimer
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent, QKeySequence
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QFileDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QMessageBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from decaf_gui.app.actions import DEEDS, MENUS, deed_named
from decaf_gui.app.bars import Banner, ExpressionBar, Transport, WorkBar
from decaf_gui.app.candidates import CandidatesPanel, Entry
from decaf_gui.app.canvas import Canvas, Tool
from decaf_gui.app.desk import PreviewWork, TrackWork
from decaf_gui.app.export_dialog import ExportDialog, Wish
from decaf_gui.app.frames import FrameReader
from decaf_gui.app.lanes import Lane, total_score
from decaf_gui.app.painting import MODES, Frame
from decaf_gui.app.timeline import Timeline, clock
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.app.view import View
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import DecafError
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.project.planning import Direction, Span
from decaf_gui.core.project.rows import ClipRow, ExpressionRow, GroundingRow, ObjectRow, TrackletRow, VerdictRow
from decaf_gui.formats.base import Written

DOUBT_PAUSE = 400
"""Milliseconds without a change before doubt is worked out again: it looks at every mask."""
LANE_PAUSE = 60
"""Milliseconds between two updates of lists and timeline at least."""


class MainWindow(QMainWindow):
    """One project in a window. Closing it breaks off what is being worked on and keeps what has come."""

    def __init__(self, view: View, models: tuple[str, str] = ("", ""), preset: str = "default") -> None:
        super().__init__()
        self.view = view
        self.reader = FrameReader(self)
        self.setAcceptDrops(True)
        self.picture: tuple[int, Frame] | None = None
        self._asked = -1
        self._job_stage: dict[int, Stage] = {}
        self.acts: dict[str, QAction] = {}
        self._build()
        self._make_actions(preset)
        self._fill_transport()
        self._connect()
        self.expressions.show_models(*models)
        self.setWindowTitle(f"{view.desk.store.path.name}[*] - DecAF GUI")
        self.resize(1280, 800)
        if view.desk.store.read_only:
            self.banner.tell(view.desk.store.note or "This project is open read-only.")
        self._offer_recovery()
        self._show_clips()
        first = next(iter(view.project.where(ClipRow)), None)
        if first is not None:
            view.open_clip(first.id)
        self.canvas.setFocus()

    # --- building --------------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.expressions, self.banner, self.canvas = ExpressionBar(), Banner(), Canvas()
        self.timeline, self.transport, self.work_bar = Timeline(), Transport(), WorkBar()
        self.candidates, self.clips = CandidatesPanel(), QListWidget()
        self.clips.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.expressions)
        column.addWidget(self.banner)
        column.addWidget(self.canvas, 1)
        self.setCentralWidget(middle)
        below = QWidget()
        lower = QVBoxLayout(below)
        lower.setContentsMargins(0, 0, 0, 0)
        lower.setSpacing(0)
        lower.addWidget(self.transport)
        lower.addWidget(self.timeline, 1)
        for name, title, widget, area in (
            ("clips", self.tr("Clips"), self.clips, Qt.DockWidgetArea.LeftDockWidgetArea),
            ("candidates", self.tr("Objects and candidates"), self.candidates, Qt.DockWidgetArea.RightDockWidgetArea),
            ("timeline", self.tr("Timeline"), below, Qt.DockWidgetArea.BottomDockWidgetArea),
        ):
            dock = QDockWidget(title)
            dock.setObjectName(name)
            dock.setWidget(widget)
            dock.setFeatures(QDockWidget.DockWidgetFeature.DockWidgetMovable)
            self.addDockWidget(area, dock)
        docks = self.findChildren(QDockWidget)
        self.resizeDocks(docks[:2], [190, 330], Qt.Orientation.Horizontal)
        self.saved = QLabel()
        self.statusBar().addWidget(self.work_bar)
        self.statusBar().addPermanentWidget(self.saved)
        self.play_timer, self.play_clock = QTimer(self), QElapsedTimer()
        self.doubt_timer = QTimer(self, singleShot=True, interval=DOUBT_PAUSE)
        self.lane_timer = QTimer(self, singleShot=True, interval=LANE_PAUSE)

    def _make_actions(self, preset: str) -> None:
        """One action for each deed; the window binds what it does."""
        menus = {name: self.menuBar().addMenu(self.tr(name)) for name in MENUS}
        deeds = self._deeds()
        for deed in DEEDS:
            if deed.name not in deeds:
                continue
            action = QAction(self.tr(deed.text), self)
            action.setObjectName(deed.name)
            action.setShortcuts([QKeySequence(key) for key in deed.keys_of(preset)])
            action.triggered.connect(partial(self._done, deeds[deed.name]))
            self.acts[deed.name] = action
            self.addAction(action)
            if not deed.name.startswith("object_"):
                menus[deed.menu].addAction(action)

    def _deeds(self) -> dict[str, Callable[[], object]]:
        """What each action does."""
        view, canvas = self.view, self.canvas
        return {
            "add_clip": self._choose_clips,
            "add_folder": self._choose_folder,
            "save_copy": self._save_copy,
            "export": self._export,
            "quit": self.close,
            "undo": view.undo,
            "redo": view.redo,
            "stop": view.stop,
            "propose": self.expressions.propose,
            "no_target": view.set_no_target,
            "fit": canvas.fit,
            "zoom_in": lambda: canvas.zoom(1.25),
            "zoom_out": lambda: canvas.zoom(0.8),
            "next_mode": lambda: view.show_mode(MODES[(MODES.index(view.mode) + 1) % len(MODES)]),
            "attention": lambda: view.show_attention(None if view.attention else "fused"),
            "hide": self._hide,
            "keys": self._tell_keys,
            "play": self._play,
            "next": partial(self._step, 1),
            "previous": partial(self._step, -1),
            "next_ten": partial(self._step, 10),
            "previous_ten": partial(self._step, -10),
            "first": lambda: view.look_at(0),
            "last": lambda: view.look_at(1 << 40),
            "next_prompt": lambda: view.next_prompt(1),
            "previous_prompt": lambda: view.next_prompt(-1),
            "next_doubtful": view.next_doubtful,
            "range_in": lambda: self._range(view.frame, None),
            "range_out": lambda: self._range(None, view.frame),
            "next_candidate": lambda: view.next_candidate(1),
            "previous_candidate": lambda: view.next_candidate(-1),
            "accept": view.accept,
            "reject": view.reject,
            "next_object": view.next_object,
            "new_object": view.new_object,
            "track_forward": lambda: self._track("forward"),
            "track_backward": lambda: self._track("backward"),
            "track_both": lambda: self._track("both"),
            "review": view.review,
            "lock": view.lock,
            "absent": view.mark_absent,
            "delete": view.delete,
            "copy_next": view.copy_to_next,
            **{f"tool_{tool.value}": partial(canvas.set_tool, tool) for tool in Tool},
            **{f"object_{i}": partial(self._pick_object, i) for i in range(1, 10)},
        }

    @staticmethod
    def _done(deed: Callable[[], object], _checked: bool = False) -> None:
        deed()

    def _fill_transport(self) -> None:
        def button(name: str, text: str) -> QToolButton:
            made = QToolButton()
            made.setDefaultAction(self.acts[name])
            made.setText(text)
            keys = ", ".join(deed_named(name).keys)
            made.setToolTip(f"{self.acts[name].toolTip()}{f' ({keys})' if keys else ''}")
            return made

        left = [("first", "|◀"), ("previous", "◀"), ("play", "▶"), ("next", "▶|"), ("last", "▶▶|")]
        right = [("track_backward", "◀ Track"), ("track_forward", "Track ▶"), ("next_doubtful", "Next doubtful")]
        self.transport.fill([button(*pair) for pair in left], [button(*pair) for pair in right])

    def _connect(self) -> None:
        view, canvas, timeline = self.view, self.canvas, self.timeline
        view.clip_changed.connect(self._on_clip)
        view.frame_changed.connect(self._on_frame)
        view.shown_changed.connect(self._on_shown)
        view.lanes_changed.connect(self._show_lanes_soon)
        view.told.connect(lambda text: self.statusBar().showMessage(text, 8000))
        view.refused.connect(self.banner.tell)
        view.overlaps.connect(self._ask_whose)
        view.desk.changed.connect(self._on_edit)
        view.desk.happened.connect(self._on_event)
        self.reader.ready.connect(self._on_picture)
        self.reader.failed.connect(lambda _path, text: self.banner.tell(text))
        canvas.clicked.connect(view.click)
        canvas.previewed.connect(view.preview)
        canvas.preview_ended.connect(view.end_preview)
        canvas.picked.connect(view.pick_at)
        canvas.box_drawn.connect(view.draw_box)
        canvas.point_moved.connect(view.move_point)
        canvas.point_removed.connect(view.remove_point)
        canvas.stroke_drawn.connect(view.draw)
        canvas.tapped_space.connect(self._play)
        timeline.scrubbed.connect(view.look_at)
        timeline.range_changed.connect(self._on_range)
        timeline.lane_picked.connect(lambda kind, number: view.pick((kind, number)))
        self.candidates.picked.connect(lambda kind, number: view.pick((kind, number)))
        self.candidates.shown.connect(lambda kind, number, shown: view.set_hidden((kind, number), not shown))
        self.candidates.activated.connect(lambda kind, _number: view.accept() if kind == "candidate" else None)
        self.candidates.threshold.connect(view.set_threshold)
        self.expressions.proposed.connect(self._propose)
        self.expressions.chosen.connect(view.ask)
        self.clips.itemClicked.connect(lambda item: view.open_clip(item.data(Qt.ItemDataRole.UserRole)))
        self.work_bar.cancelled.connect(view.stop)
        self.play_timer.timeout.connect(self._on_play)
        self.lane_timer.timeout.connect(self._show_lanes)
        self.doubt_timer.timeout.connect(lambda: self._show_lanes(doubtful=True))

    # --- what changed ----------------------------------------------------------------------------------------

    def _on_clip(self) -> None:
        self.picture, self._asked = None, -1
        row = self.view.clip_row
        self.canvas.show_scene(None)
        self.timeline.show_clip(0 if row is None else row.frames, 24.0 if row is None else row.fps)
        self._on_frame(self.view.frame)
        self._show_lanes()

    def _on_frame(self, frame: int) -> None:
        row = self.view.clip_row
        if row is None:
            return
        self.timeline.set_frame(frame)
        self.transport.place.setText(self.tr("{0}   frame {1} of {2}").format(clock(frame, row.fps), frame, row.frames))
        try:
            path = self.view.desk.clip_path(row.id)
        except DecafError as error:
            self.banner.tell(str(error))
            return
        self._asked = frame
        self.reader.ask(path, frame)
        if not self.play_timer.isActive() and not self.view.desk.work:
            self.view.desk.look(row.id, frame)

    def _on_picture(self, _path: Path, frame: int, picture: Frame) -> None:
        if frame == self.view.frame:
            self.picture = (frame, picture)
            self._on_shown()

    def _on_shown(self) -> None:
        """Masks and points over the frame, once it is there."""
        self.canvas.show_points(self.view.points())
        if self.picture is not None and self.picture[0] == self.view.frame:
            self.canvas.show_scene(self.view.scene(self.picture[1]))

    def _on_edit(self, *_: object) -> None:
        self.saved.setText(self.tr("saved {0}").format(strftime("%H:%M:%S")))
        self._show_clips()

    def _on_event(self, job: int, event: Event) -> None:
        """Progress of the latest job in the status bar; failures in the banner."""
        work = self.view.desk.work.get(job)
        if isinstance(event, Written):
            words = self.tr("{0} is in {1}").format(event.format, event.path)
            self.statusBar().showMessage(". ".join([words, *event.warnings]), 15000)
        if isinstance(event, Stage) and work is not None and not isinstance(work, PreviewWork):
            note = f": {event.note}" if event.note else ""
            self.work_bar.tell(f"{work.title}, {event.name}{note}", event.done, event.total)
        elif isinstance(work, TrackWork) and not isinstance(event, Finished | Cancelled | Failed):
            self.work_bar.tell(work.title, work.done, work.plan.steps)
        if not [w for w in self.view.desk.work.values() if not isinstance(w, PreviewWork)]:
            self.work_bar.rest()

    def _on_range(self, span: Span | None) -> None:
        self.view.range = span
        self.transport.range.setText("" if span is None else self.tr("range {0} to {1}").format(span.first, span.last))

    def _show_lanes_soon(self) -> None:
        """Not anew for each of the frames that stream in, but at a steady pace while they do."""
        if not self.lane_timer.isActive():
            self.lane_timer.start()

    def _show_lanes(self, *, doubtful: bool = False) -> None:
        """Lists and timeline anew. Doubt comes a moment later, when nothing has changed for a while."""
        view = self.view
        lanes = view.lanes(doubtful=doubtful)
        self.timeline.show_lanes(lanes, view.picked)
        self.timeline.show_attention(view.attended())
        self.candidates.show_entries(self._entries(lanes), view.picked)
        grounding = view.project.find(GroundingRow, view.expression)
        asked = [(row.id, row.text) for row in view.project.where(ExpressionRow, clip=view.clip)]
        row = view.project.find(ExpressionRow, view.expression)
        answer = "" if grounding is None else self.tr("answer: {0}").format(grounding.category[:40])
        if row is not None and row.no_target:
            answer = self.tr("no target in this clip")
        self.expressions.show_expressions(asked, view.expression, answer)
        if not doubtful and not view.desk.work:
            self.doubt_timer.start()

    def _entries(self, lanes: Sequence[Lane]) -> list[Entry]:
        project, entries = self.view.project, []
        for lane in lanes:
            visible = lane.key not in self.view.hidden
            if lane.kind == "object":
                locked = self.tr("locked") if lane.locked else ""
                entries.append(
                    Entry("object", lane.id, lane.name, lane.colour, locked or self.tr("object"), visible=visible)
                )
                continue
            row = project.need(TrackletRow, lane.id)
            verdict = project.find(VerdictRow, lane.id)
            state = verdict.state if verdict is not None else ("suppressed" if row.suppressed else "candidate")
            parts = (row.attention, row.sam, row.consistency)
            name = self.tr("candidate {0}").format(lane.id)
            entries.append(
                Entry("candidate", lane.id, name, lane.colour, state, parts, total_score(row), lane.ghost, visible)
            )
        return entries

    def _show_clips(self) -> None:
        chosen = self.view.clip
        self.clips.clear()
        for row in self.view.project.where(ClipRow):
            asked = list(self.view.project.where(ExpressionRow, clip=row.id))
            item = QListWidgetItem(f"{Path(row.path).stem}\n{row.frames} frames, {len(asked)} expressions")
            item.setData(Qt.ItemDataRole.UserRole, row.id)
            item.setToolTip(row.path)
            self.clips.addItem(item)
            if row.id == chosen:
                self.clips.setCurrentItem(item)

    # --- deeds -----------------------------------------------------------------------------------------------

    def _propose(self, text: str) -> None:
        self.banner.hide()
        self.view.propose(text)
        self.canvas.setFocus()

    def _track(self, direction: Direction) -> None:
        """The same key stops it."""
        running = [job for job, work in self.view.desk.work.items() if isinstance(work, TrackWork)]
        if running:
            for job in running:
                self.view.desk.cancel(job)
        else:
            self.view.track(direction)

    def _step(self, by: int) -> None:
        self.view.look_at(self.view.frame + by)

    def _hide(self) -> None:
        if self.view.picked is not None:
            self.view.set_hidden(self.view.picked, self.view.picked not in self.view.hidden)
            self._show_lanes()

    def _pick_object(self, place: int) -> None:
        objects = [lane.key for lane in self.view.lanes() if lane.kind == "object"]
        if place <= len(objects):
            self.view.pick(objects[place - 1])

    def _range(self, first: int | None, last: int | None) -> None:
        """Sets one end of the range; the other one stays, or is this frame."""
        now = self.view.range or Span(self.view.frame, self.view.frame)
        ends = (now.first if first is None else first, now.last if last is None else last)
        self.timeline.select(Span(min(ends), max(ends)))

    def _play(self) -> None:
        row = self.view.clip_row
        if self.play_timer.isActive() or row is None:
            self.play_timer.stop()
            return
        if self.view.frame >= row.frames - 1:
            self.view.look_at(0)
        self._play_start = self.view.frame
        self.play_clock.start()
        self.play_timer.start(max(5, round(500 / row.fps)))

    def _on_play(self) -> None:
        """The frame that belongs to the time; frames that come too late are left out, speed stays."""
        row = self.view.clip_row
        if row is None:
            return
        if self.picture is None or self.picture[0] != self._asked:
            return
        frame = self._play_start + int(self.play_clock.elapsed() * row.fps / 1000)
        if frame >= row.frames - 1:
            self.play_timer.stop()
        self.view.look_at(frame)

    def _choose_clips(self) -> None:
        folder = str(self.view.desk.store.path.parent)
        paths, _ = QFileDialog.getOpenFileNames(self, self.tr("Clips"), folder)
        self.add_clips([Path(path) for path in paths])

    def _choose_folder(self) -> None:
        folder = str(self.view.desk.store.path.parent)
        path = QFileDialog.getExistingDirectory(self, self.tr("A folder of images"), folder)
        self.add_clips([Path(path)] if path else [])

    def add_clips(self, paths: Sequence[Path]) -> None:
        """Adds clips to the project; those that cannot be opened are told, the others join."""
        before = set(self.view.project.rows(ClipRow))
        for path in paths:
            try:
                with Clip.open(path) as clip:
                    self.view.desk.add_clip(clip)
            except DecafError as error:
                self.banner.tell(str(error))
        new = sorted(set(self.view.project.rows(ClipRow)) - before)
        if new:
            self.view.open_clip(int(new[0][0]))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Takes files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Adds what was dropped."""
        self.add_clips([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])
        event.acceptProposedAction()

    def _save_copy(self) -> None:
        store = self.view.desk.store
        suggested = str(store.path.with_stem(f"{store.path.stem} copy"))
        path, _ = QFileDialog.getSaveFileName(self, self.tr("Save a copy"), suggested, "DecAF (*.decaf)")
        if path:
            try:
                store.save_copy(path)
                self.statusBar().showMessage(self.tr("A copy is in {0}").format(path), 8000)
            except DecafError as error:
                self.banner.tell(str(error))

    def _export(self) -> None:
        store = self.view.desk.store
        dialog = ExportDialog(self.view.project, store.path.with_name(f"{store.path.stem} labels"), self)
        dialog.accepted.connect(lambda: self.export(dialog.wish()))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def export(self, wish: Wish) -> None:
        """Writes labels in the worker; the status bar shows how far it is."""
        self.view.desk.export(wish.formats, wish.out, wish.which, frames=wish.frames, overwrite=wish.overwrite)

    def _ask_whose(self, candidate: int, thing: int, iou: float) -> None:
        """Whether a candidate is an object that lies at the same place."""
        name = self.view.project.need(ObjectRow, thing).name
        box = QMessageBox(self)
        box.setWindowTitle(self.tr("Accept"))
        box.setText(
            self.tr("Candidate {0} covers what {1} covers (IoU {2:.2f}). Is it {1}?").format(candidate, name, iou)
        )
        same = box.addButton(self.tr("It is {0}").format(name), QMessageBox.ButtonRole.AcceptRole)
        new = box.addButton(self.tr("A new object"), QMessageBox.ButtonRole.ActionRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(same)
        same.clicked.connect(lambda: self.view.accept_as(candidate, thing))
        new.clicked.connect(lambda: self.view.accept_as(candidate, None))
        box.finished.connect(box.deleteLater)
        box.open()

    def _tell_keys(self) -> None:
        lines = [
            f"<tr><td>{deed.text}</td><td><b>{', '.join(deed.keys)}</b></td></tr>"
            for deed in DEEDS
            if deed.name in self.acts and deed.keys
        ]
        box = QMessageBox(self)
        box.setWindowTitle(self.tr("Keys"))
        box.setText(f"<table cellspacing=4>{''.join(lines)}</table>")
        box.open()

    def _offer_recovery(self) -> None:
        """What a killed program's tracking had found comes back at once, as an edit that can be undone."""
        for pending in self.view.desk.pending():
            self.view.desk.recover(pending)
            self.banner.tell(
                self.tr("Tracking was broken off last time; what it had found is back. Undo takes it away.")
            )

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Breaks everything off and closes the file."""
        self.play_timer.stop()
        self.doubt_timer.stop()
        self.lane_timer.stop()
        self.reader.stop()
        QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        self.view.desk.close()
        QApplication.restoreOverrideCursor()
        event.accept()
