"""The main window: canvas, lists, timeline and bars around one view, which holds what is looked at and worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from PySide6.QtCore import QPoint, Qt, QUrl, Signal
from PySide6.QtGui import (
    QAction,
    QCloseEvent,
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QKeySequence,
)
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QMenu,
    QMessageBox,
    QSizePolicy,
    QToolButton,
)

from decaf_gui.app import asks, menus
from decaf_gui.app.actions import DEEDS, MENUS, deed_named
from decaf_gui.app.canvas import Tool
from decaf_gui.app.compare_dialog import CompareDialog
from decaf_gui.app.comparing import Comparing
from decaf_gui.app.desk import TrackWork, Work
from decaf_gui.app.diagnostics import diagnostics
from decaf_gui.app.export_dialog import ExportDialog, Wish
from decaf_gui.app.icons import dress
from decaf_gui.app.import_dialog import ImportDialog
from decaf_gui.app.keys_dialog import KeysDialog
from decaf_gui.app.opening import ClipOpener
from decaf_gui.app.painting import MODES, Mode
from decaf_gui.app.palette import OBJECTS, colour_of
from decaf_gui.app.preferences import Preferences
from decaf_gui.app.recent import Recent
from decaf_gui.app.tool_strip import FUSED
from decaf_gui.app.translation import tr
from decaf_gui.app.turns import Failed
from decaf_gui.app.view import View
from decaf_gui.app.window_layout import REVIEWING
from decaf_gui.app.window_showing import ShowingWindow
from decaf_gui.batch.reviewing import set_folder
from decaf_gui.core.clip import Clip
from decaf_gui.core.errors import DecafError
from decaf_gui.core.project.planning import Direction, Span
from decaf_gui.core.project.rows import ClipRow, ExpressionRow, ObjectRow
from decaf_gui.core.project.store import SUFFIX
from decaf_gui.formats.base import Written
from decaf_gui.formats.importing import Import, LabelsRead
from decaf_gui.formats.projects import clip_names
from decaf_gui.pipeline.models import locate
from decaf_gui.pipeline.settings import METHODS, Method, method_of


class MainWindow(ShowingWindow):
    """One project in a window. Closing it breaks off what is being worked on and keeps what has come.

    `open_wanted` (paths): another project. `settings_wanted` (page). `left`: the project was closed, the program not.
    `asked` (text): an expression, to be remembered. `set_wanted` (folder): a pre-labelled set; `entry_wanted` (step),
    `back_wanted`, `calibration_wanted`: another entry of the project's set, the one before, what its scores are worth.
    """

    open_wanted = Signal(object)
    settings_wanted = Signal(str)
    asked = Signal(str)
    left = Signal()
    set_wanted = Signal(object)
    entry_wanted = Signal(int)
    back_wanted = Signal()
    calibration_wanted = Signal()

    def __init__(self, view: View, preferences: Preferences | None = None, recent: Recent | None = None) -> None:
        super().__init__(view, preferences, recent)
        self._open_exported = False
        self.opener = ClipOpener(self)
        self._make_actions()
        self._fill_bars()
        self._connect()
        self.setWindowTitle(f"{view.desk.store.path.name} - DecAF GUI")
        self.expressions.show_method(self.recent.method or method_of(self.preferences.preset))  # type: ignore[arg-type]
        self.apply(self.preferences)
        self._restore()
        self._first_look()

    # --- building --------------------------------------------------------------------------------------------

    def _make_actions(self) -> None:
        """One action for each deed; the window binds what it does."""
        bar = self.menuBar()
        listed = {name: bar.addMenu(tr(name)) for name in MENUS}
        deeds = self._deeds()
        for deed in DEEDS:
            action = QAction(tr(deed.text), self)
            action.setObjectName(deed.name)
            action.triggered.connect(partial(self._done, deeds[deed.name]))
            self.acts[deed.name] = action
            self.addAction(action)
            if deed.gap:
                listed[deed.menu].addSeparator()
            if not deed.name.startswith("object_"):
                listed[deed.menu].addAction(action)
        for name in REVIEWING:
            self.acts[name].setEnabled(False)
        self.recent_menu = listed["File"].addMenu(self.tr("Recent projects"))
        listed["File"].insertMenu(self.acts["relink"], self.recent_menu)
        self.recent_menu.aboutToShow.connect(self._fill_recent)
        self.object_menu = listed["Object"].addMenu(self.tr("More"))
        listed["Object"].insertMenu(self.acts["tool_select"], self.object_menu)
        self.object_menu.aboutToShow.connect(self._fill_object_menu)

    def _deeds(self) -> dict[str, Callable[[], object]]:
        """What each action does."""
        view, canvas = self.view, self.canvas
        return {
            "open": self._choose_clips,
            "open_folder": lambda: self.open_paths(asks.folder_of_images(self, self._folder())),
            "open_set": self._choose_set,
            "relink": lambda: self._with_clip(partial(menus.relink, self, view)),
            "remove_clip": lambda: self._with_clip(view.remove_clip),
            "save_copy": self._save_copy,
            "import_labels": lambda: self._with_clip(self._import),
            "export": self._export,
            "close_project": self._leave,
            "quit": lambda: self.window().close(),
            "undo": view.undo,
            "redo": view.redo,
            "stop": view.stop,
            "settings": lambda: self.settings_wanted.emit(""),
            "expression": self.expressions.edit,
            "propose": self._propose_written,
            "method": self._use_other_method,
            "compare": self._compare,
            "no_target": view.set_no_target,
            "remove_expression": lambda: view.remove_expression(view.expression),
            "fit": canvas.fit,
            "zoom_in": lambda: canvas.zoom(1.25),
            "zoom_out": lambda: canvas.zoom(0.8),
            "zoom_time_in": lambda: self.timeline.zoom(1.5),
            "zoom_time_out": lambda: self.timeline.zoom(1 / 1.5),
            "next_mode": lambda: self._show_mode(MODES[(MODES.index(view.mode) + 1) % len(MODES)]),
            "attention": lambda: self._show_attention(None if view.attention else FUSED),
            "next_attention": self._next_attention,
            "hide": self._hide,
            "panels": self._toggle_panels,
            "keys": self._tell_keys,
            "settings_help": lambda: self.settings_wanted.emit("help"),
            "diagnostics": self._copy_diagnostics,
            "about": self._about,
            "play": self._play,
            "next": partial(self._step, 1),
            "previous": partial(self._step, -1),
            "next_ten": partial(self._step, 10),
            "previous_ten": partial(self._step, -10),
            "first": lambda: view.look_at(0),
            "last": lambda: view.look_at(1 << 40),
            "next_prompt": lambda: view.next_prompt(1),
            "previous_prompt": lambda: view.next_prompt(-1),
            "next_doubtful": self._next_doubtful,
            "range_in": lambda: self._range(view.frame, None),
            "range_out": lambda: self._range(None, view.frame),
            "range_none": lambda: self.timeline.select(None),
            "work_range": self._set_work_range,
            "next_expression": partial(self._next_expression, 1),
            "previous_expression": partial(self._next_expression, -1),
            "next_entry": lambda: self.entry_wanted.emit(1),
            "previous_entry": lambda: self.entry_wanted.emit(-1),
            "entry_before": self.back_wanted.emit,
            "calibration": self.calibration_wanted.emit,
            "next_clip": partial(self._next_clip, 1),
            "previous_clip": partial(self._next_clip, -1),
            **self._object_deeds(),
        }

    def _object_deeds(self) -> dict[str, Callable[[], object]]:
        view = self.view
        return {
            "next_candidate": lambda: view.next_candidate(1),
            "previous_candidate": lambda: view.next_candidate(-1),
            "threshold_up": lambda: self.candidates.slider.setValue(self.candidates.slider.value() + 1),
            "threshold_down": lambda: self.candidates.slider.setValue(self.candidates.slider.value() - 1),
            "accept": view.accept,
            "reject": view.reject,
            "next_object": view.next_object,
            "new_object": view.new_object,
            "rename": lambda: self._with_object(partial(menus.rename, self, view)),
            "relabel": lambda: self._with_object(partial(menus.relabel, self, view)),
            "recolour": lambda: self._with_object(partial(menus.recolour, self, view)),
            "remove_object": lambda: self._with_object(view.remove_object),
            "split": lambda: self._with_object(view.split),
            "track_forward": lambda: self._track("forward"),
            "track_backward": lambda: self._track("backward"),
            "track_both": lambda: self._track("both"),
            "review": view.review,
            "lock": view.lock,
            "absent": view.mark_absent,
            "delete": view.delete,
            "copy_next": view.copy_to_next,
            "revert": self._revert_here,
            **{f"tool_{tool.value}": partial(self._use_tool, tool) for tool in Tool},
            **{f"object_{i}": partial(self._pick_object, i) for i in range(1, 10)},
        }

    def _done(self, deed: Callable[[], object], *_: object) -> None:
        deed()

    def _fill_bars(self) -> None:
        def button(name: str, drawn: str = "", text: str = "") -> QToolButton:
            made, act = QToolButton(), self.acts[name]
            if drawn:
                dress(act, drawn)
            made.setDefaultAction(act)
            if text:
                act.setIconText(text)
                made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            return made

        left = [button(name, name) for name in ("first", "previous")]
        left += [button("play", "play"), button("next", "next"), button("last", "last")]
        right = [
            button("track_backward", "track_backward"),
            button("track_both", "track_both", self.tr("Track")),
            button("track_forward", "track_forward"),
            button("next_doubtful", "doubt", self.tr("Next doubtful")),
        ]
        self.transport.fill(left, right)
        for name, drawn, text in (("accept", "accept", self.tr("Accept")), ("reject", "reject", self.tr("Reject"))):
            made = button(name, drawn, text)
            made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            made.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self.candidates.actions_row.addWidget(made, 1)
        dress(self.acts["previous_entry"], "up")
        dress(self.acts["next_entry"], "down")
        dress(self.acts["entry_before"], "undo")
        self.strip.fill([(tool, self.acts[f"tool_{tool.value}"]) for tool in Tool], self.acts["fit"])
        self._use_tool(Tool.POINT)

    def _connect(self) -> None:
        self._connect_canvas()
        self._connect_panels()
        self.view.overlaps.connect(self._ask_whose)
        self.opener.opened.connect(self._on_opened)
        self.opener.refused.connect(self._on_refused)
        self.news.written.connect(self._on_written)
        self.news.imported.connect(self._on_imported)
        self.news.failed.connect(self._on_failed)

    def _connect_canvas(self) -> None:
        view, canvas, strip = self.view, self.canvas, self.strip
        canvas.clicked.connect(view.click)
        canvas.previewed.connect(view.preview)
        canvas.preview_ended.connect(view.end_preview)
        canvas.picked.connect(view.pick_at)
        canvas.box_drawn.connect(view.draw_box)
        canvas.point_moved.connect(view.move_point)
        canvas.point_removed.connect(view.remove_point)
        canvas.stroke_drawn.connect(view.draw)
        canvas.tapped_space.connect(self._play)
        canvas.brush_changed.connect(strip.show_brush)
        strip.brush.connect(canvas.set_brush)
        strip.mode.connect(lambda mode: self._show_mode(cast(Mode, mode)))
        strip.attention.connect(self._show_attention)
        strip.opacity.connect(lambda value: view.show_opacity(value, view.attention_opacity))
        strip.attention_opacity.connect(lambda value: view.show_opacity(view.opacity, value))

    def _connect_panels(self) -> None:
        view, timeline, listed = self.view, self.timeline, self.candidates
        timeline.scrubbed.connect(self._scrub)
        timeline.range_changed.connect(self._on_range)
        timeline.lane_picked.connect(self._pick)
        timeline.menu_wanted.connect(self._lane_menu)
        listed.picked.connect(self._pick)
        listed.shown.connect(lambda kind, number, shown: view.set_hidden((kind, number), not shown))
        listed.locked.connect(view.lock_all)
        listed.activated.connect(self._on_activated)
        listed.threshold.connect(view.set_threshold)
        listed.menu_wanted.connect(self._thing_menu)
        self.expressions.proposed.connect(self._propose)
        self.expressions.left.connect(self.canvas.setFocus)
        self.expressions.chosen.connect(view.ask)
        self.expressions.settings_wanted.connect(self.settings_wanted)
        self.expressions.method_chosen.connect(self._use_method)
        self.answer.attributes.given.connect(self._propose_with)
        self.answer.attributes.left.connect(self.canvas.setFocus)
        self.clips.clip_chosen.connect(self._open_clip)
        self.clips.expression_chosen.connect(view.ask)
        self.clips.add_wanted.connect(self._choose_clips)
        self.clips.clip_menu.connect(lambda clip, at: self._popup(menus.clip_menu(self, view, clip), at))
        self.clips.expression_menu.connect(self._expression_menu)
        self.work_bar.cancelled.connect(view.stop)
        self.receipts.reverted.connect(view.revert)
        self.banner.copied.connect(self._copy_diagnostics)

    def _first_look(self) -> None:
        store = self.view.desk.store
        if store.read_only:
            self.banner.tell(store.note or self.tr("This project is open read-only."))
        self.saved.setText(self.tr("read-only") if store.read_only else self.tr("saved"))
        self.work_bar.rest(self.tr("Models are loaded when they are first needed."))
        self._offer_recovery()
        first = next(iter(self.view.project.where(ClipRow)), None)
        if first is not None:
            self.view.open_clip(first.id)
        else:
            self._on_clip()
        self._show_clips()
        self._show_memory()
        self.memory_timer.start()
        self.canvas.setFocus()

    # --- preferences -----------------------------------------------------------------------------------------

    def apply(self, preferences: Preferences) -> None:
        """Keys, look and models as they are wanted from now on."""
        if preferences.device != self.preferences.device:
            self._device = ""  # known again when the models are there
        if preferences.preset != self.preferences.preset:
            self.expressions.show_method(method_of(preferences.preset))
        self.preferences = preferences
        self._use_method()
        for deed in DEEDS:
            action, keys = self.acts[deed.name], preferences.keys_of(deed)
            action.setShortcuts([QKeySequence(key) for key in keys])
            told = tr(deed.text).rstrip(".")
            shown = ", ".join(key.toString(QKeySequence.SequenceFormat.NativeText) for key in action.shortcuts())
            action.setToolTip(f"{told} ({shown})" if keys else told)
        self.view.colours = [colour_of(colour) for colour in preferences.colours] or OBJECTS
        self.view.show_opacity(preferences.mask_opacity, preferences.attention_opacity)
        self.strip.show_mode(self.view.mode, preferences.mask_opacity)
        self.view.desk.use(preferences.engine_choice())
        self.expressions.show_history(self.recent.expressions)
        self._show_models()
        self._show_lanes_soon()

    # --- how work ended --------------------------------------------------------------------------------------

    def _on_written(self, event: Written) -> None:
        words = self.tr("{0} is in {1}").format(event.format, event.path)
        self._tell(". ".join([words, *event.warnings]))
        if self._open_exported:
            self._open_exported = False
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(event.path.parent)))

    def _on_imported(self, event: LabelsRead) -> None:
        found = event.labels
        words = self.tr("{0} objects on {1} frames were imported ({2})")
        told = words.format(len(found.objects), found.frame_count, event.format)
        self._tell(". ".join([told, *found.source.warnings]))

    def _on_failed(self, event: Failed, work: Work) -> None:
        offer: tuple[str, Callable[[], object]] | None = None
        if event.retry and work.again is not None:
            offer = (self.tr("Try again"), partial(self._again, work.again))
        elif any(locate(card) is None for card in self.cards):
            offer = (self.tr("Models..."), partial(self.settings_wanted.emit, "models"))
        self.banner.tell(event.what, offer, detail=event.detail)

    def _again(self, deed: Callable[[], object]) -> None:
        try:
            deed()
        except DecafError as error:
            self.banner.tell(str(error))

    # --- deeds -----------------------------------------------------------------------------------------------

    def _propose(self, text: str) -> None:
        self.banner.hide()
        self.view.propose(text)
        self.asked.emit(text)
        self.canvas.setFocus()

    def _propose_written(self) -> None:
        """What is written is asked for; with attributes, when it is they that are being written."""
        if self.answer.attributes.line.hasFocus():
            self.answer.attributes.give()
        else:
            self.expressions.propose()

    def _propose_with(self, attributes: tuple[str, ...]) -> None:
        """The present expression once more, with a person's attributes."""
        row = self.view.project.find(ExpressionRow, self.view.expression)
        if row is not None:
            self.banner.hide()
            self.view.propose(row.text, attributes)
            self.canvas.setFocus()

    def _use_method(self, *_: object) -> None:
        """The method of the next proposals."""
        self.view.settings = self.preferences.settings_of(self.expressions.chosen_method)
        self._show_lanes_soon()

    def _use_other_method(self) -> None:
        other: Method = "decaf" if self.expressions.chosen_method == "steerseg" else "steerseg"
        self.expressions.show_method(other)
        self._use_method()

    def _compare(self) -> None:
        """Both methods on the expression that is written, or else on the one that is looked at."""
        asked = self.view.project.find(ExpressionRow, self.view.expression)
        text = self.expressions.line.text().strip() or ("" if asked is None else asked.text)
        if self.view.clip_row is None or not text:
            self.banner.tell(self.tr("Open a clip and write an expression first: methods are compared on it."))
            return
        self.banner.hide()
        self.playback.stop()
        models = (self.cards[0].id, self.cards[1].id)
        wanted = {method: self.preferences.settings_of(method) for method in METHODS}
        try:
            comparing = Comparing(self.view.desk, self.view.clip, text, wanted, models)
            dialog = CompareDialog(comparing, self.reader, self.view, self)
        except DecafError as error:
            self.banner.tell(str(error))
            return
        dialog.taken.connect(partial(self.view.take, comparing.text))
        dialog.finished.connect(lambda _: self._on_frame(self.view.frame))  # the reader was asked for others
        self.show_dialog(dialog)

    def _track(self, direction: Direction) -> None:
        """The same key stops it."""
        running = [job for job, work in self.view.desk.work.items() if isinstance(work, TrackWork)]
        if running:
            for job in running:
                self.view.desk.cancel(job)
        else:
            self.view.track(direction)

    def _step(self, by: int) -> None:
        self.playback.stop()
        self.view.look_at(self.view.frame + by)

    def _scrub(self, frame: int) -> None:
        self.playback.stop()
        self.view.look_at(frame)

    def _play(self) -> None:
        row = self.view.clip_row
        if self.playback.playing or row is None:
            self.playback.stop()
        else:
            self.playback.play(self.view.frame, row.frames - 1, row.fps)

    def _hide(self) -> None:
        if self.view.picked is not None:
            self.view.set_hidden(self.view.picked, self.view.picked not in self.view.hidden)
            self._show_lanes()

    def _toggle_panels(self) -> None:
        shown = not self.clips.isVisible()
        for panel in self.panels:
            panel.setVisible(shown)

    def _pick(self, kind: str, number: int) -> None:
        if kind != "pending":
            self.view.pick((kind, number))

    def _pick_object(self, place: int) -> None:
        objects = [row.id for row in self.view.project.where(ObjectRow, clip=self.view.clip)]
        if place <= len(objects):
            self.view.pick(("object", objects[place - 1]))

    def _on_activated(self, kind: str, number: int) -> None:
        """A double click accepts a candidate, and renames an object."""
        if kind == "candidate":
            self.view.accept()
        elif kind == "object":
            menus.rename(self, self.view, number)

    def _with_object(self, deed: Callable[[int], object]) -> None:
        if self.view.object_id is None:
            self.banner.tell(self.tr("Choose an object first."))
        else:
            deed(self.view.object_id)

    def _with_clip(self, deed: Callable[[int], object]) -> None:
        if self.view.clip_row is None:
            self.banner.tell(self.tr("Open a clip first."))
        else:
            deed(self.view.clip)

    def _use_tool(self, tool: Tool) -> None:
        self.canvas.set_tool(tool)
        self.strip.show_tool(tool, self.acts[f"tool_{tool.value}"])

    def _show_mode(self, mode: Mode) -> None:
        self.view.show_mode(mode)
        self.strip.show_mode(mode, self.view.opacity)

    def _show_attention(self, name: str | None) -> None:
        if name is not None and name not in self.view.attention_names():
            self._tell(self.tr("No attention is known yet: ask for something first."))
        self.view.show_attention(name)
        self._show_lanes_soon()

    def _next_attention(self) -> None:
        names = self.view.attention_names()
        if names:
            present = self.view.attention
            place = names.index(present) + 1 if present in names else 0
            self._show_attention(names[place % len(names)])

    def _range(self, first: int | None, last: int | None) -> None:
        """Sets one end of the range; the other one stays, or is this frame."""
        now = self.view.range or Span(self.view.frame, self.view.frame)
        ends = (now.first if first is None else first, now.last if last is None else last)
        self.timeline.select(Span(min(ends), max(ends)))

    def _set_work_range(self) -> None:
        row = self.view.clip_row
        if row is not None:
            span = self.view.range or Span(0, row.frames - 1)
            self.view.set_work_range(row.id, span.first, span.last, row.step)

    def _revert_here(self) -> None:
        """The changed span that holds this frame."""
        here = [(thing, span) for thing, _, span in self.view.changed_spans() if self.view.frame in span]
        for thing, span in here:
            self.view.revert(thing, span)
        if not here:
            self._tell(self.tr("The last correction changed nothing on this frame."))

    def _next_expression(self, step: int) -> None:
        ids = [row.id for row in self.view.project.where(ExpressionRow, clip=self.view.clip)]
        if ids:
            place = ids.index(self.view.expression) + step if self.view.expression in ids else 0
            self.view.ask(ids[place % len(ids)])

    def _next_clip(self, step: int) -> None:
        ids = [row.id for row in self.view.project.where(ClipRow)]
        if self.view.clip in ids and len(ids) > 1:
            self._open_clip(ids[(ids.index(self.view.clip) + step) % len(ids)])

    def _open_clip(self, clip: int) -> None:
        if clip != self.view.clip:
            self.view.open_clip(clip)
        elif self.picture is None:  # its media may be there again
            self._on_frame(self.view.frame)

    # --- menus -----------------------------------------------------------------------------------------------

    def _popup(self, menu: QMenu, at: QPoint) -> None:
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(at)

    def _thing_menu(self, kind: str, number: int, at: QPoint) -> None:
        if kind == "pending":
            return
        make = menus.object_menu if kind == "object" else menus.candidate_menu
        self._popup(make(self, self.view, number), at)

    def _lane_menu(self, kind: str, number: int, at: QPoint) -> None:
        """What can be done on the timeline: marks and tracking on the range, then everything of the object."""
        if kind == "pending":
            return
        self.view.pick((kind, number))
        if kind == "candidate":
            self._thing_menu(kind, number, at)
            return
        menu = menus.object_menu(self, self.view, number)
        first = menu.actions()[0]
        names = ("track_forward", "track_backward", "review", "lock", "absent", "delete", "revert")
        menu.insertActions(first, [self.acts[name] for name in names])
        menu.insertSeparator(first)
        self._popup(menu, at)

    def _expression_menu(self, expression: int, at: QPoint) -> None:
        self.view.ask(expression)
        self._popup(menus.expression_menu(self, self.view, expression), at)

    def _fill_object_menu(self) -> None:
        self.object_menu.clear()
        if self.view.object_id is not None:
            self._made = menus.object_menu(self, self.view, self.view.object_id)
            self.object_menu.addActions(self._made.actions())

    def _fill_recent(self) -> None:
        self.recent_menu.clear()
        for path in self.recent.projects:
            action = self.recent_menu.addAction(path)
            action.setEnabled(Path(path).exists())
            action.triggered.connect(partial(self._open_recent, path))

    def _open_recent(self, path: str, *_: object) -> None:
        self.open_wanted.emit([Path(path)])

    # --- files -----------------------------------------------------------------------------------------------

    def _folder(self) -> Path:
        row = self.view.clip_row
        return self.view.desk.store.path.parent if row is None else self.view.desk.store.media(row).parent

    def _choose_clips(self) -> None:
        self.open_paths(asks.clips_or_project(self, self._folder()))

    def _choose_set(self) -> None:
        folder = asks.labelled_set(self)
        if folder is not None:
            self.set_wanted.emit(folder)

    def open_paths(self, paths: Sequence[Path]) -> None:
        """Clips join this project; a project or a pre-labelled set is opened instead of it."""
        projects = [path for path in paths if path.suffix == SUFFIX or set_folder(path) is not None]
        if projects:
            self.open_wanted.emit(projects[:1])
        else:
            self.add_clips(paths)

    def add_clips(self, paths: Sequence[Path]) -> None:
        """Adds clips to the project, opened in a thread; those that cannot be opened are told, the others join."""
        if paths:
            self._tell(self.tr("Opening {0}...").format(", ".join(path.name for path in paths[:3])))
            self.opener.open(paths)

    def _on_opened(self, clip: Clip) -> None:
        """A clip that the thread has opened joins; the first new one is looked at."""
        with clip:
            known = set(self.view.project.rows(ClipRow))
            try:
                number = self.view.desk.add_clip(clip)
            except DecafError as error:
                self.banner.tell(str(error))
                return
        if (number,) not in known and (not known or self.opener.first):
            self.opener.first = False
            self.view.open_clip(number)

    def _on_refused(self, text: str) -> None:
        """What cannot be opened, together with what could not be opened before."""
        before = self.banner.text.text() if self.banner.isVisible() else ""
        self.banner.tell(" ".join(filter(None, [before, text])))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802
        """Takes files and folders."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802
        """Adds what was dropped."""
        event.acceptProposedAction()
        self.open_paths([Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()])

    def _save_copy(self) -> None:
        store = self.view.desk.store
        path = asks.copy_name(self, store.path.with_stem(f"{store.path.stem} copy"))
        if path is not None:
            try:
                store.save_copy(path)
                self._tell(self.tr("A copy is in {0}").format(path))
            except DecafError as error:
                self.banner.tell(str(error))

    def _export(self) -> None:
        store = self.view.desk.store
        folder = store.path.with_name(f"{store.path.stem} labels")
        dialog = ExportDialog(self.view.project, folder, self, clip=self.view.clip)
        dialog.accepted.connect(lambda: self.export(dialog.wish()))
        self.show_dialog(dialog)

    def _import(self, clip: int) -> None:
        """Asks for labels of the clip that is open."""
        store = self.view.desk.store
        dialog = ImportDialog(store.path.parent, clip_names(self.view.project)[clip], self)
        dialog.accepted.connect(lambda: self.import_labels(clip, dialog.wish()))
        self.show_dialog(dialog)

    def import_labels(self, clip: int, wanted: Import) -> None:
        """Reads labels in the worker; what stands in the way is told in the banner."""
        self.banner.hide()
        try:
            self.view.desk.import_labels(clip, wanted)
        except DecafError as error:
            self.banner.tell(str(error))

    def show_dialog(self, dialog: QDialog) -> None:
        """Opens a dialog over the window; when it is closed the window has the keys again, whoever manages windows."""
        dialog.finished.connect(dialog.deleteLater)
        dialog.finished.connect(self.activateWindow)
        dialog.open()

    def export(self, wish: Wish) -> None:
        """Writes labels in the worker; the status bar shows how far it is."""
        self.banner.hide()
        self._open_exported = wish.show
        self.view.desk.export(
            wish.formats, wish.out, wish.which, frames=wish.frames, overwrite=wish.overwrite, clips=wish.clips
        )

    def _ask_whose(self, candidate: int, thing: int, iou: float) -> None:
        """Whether a candidate is an object that lies at the same place."""

        def answered(same: bool) -> None:
            self.view.accept_as(candidate, thing if same else None)

        asks.whose(self, candidate, self.view.project.need(ObjectRow, thing).name, iou, answered)

    def _tell_keys(self) -> None:
        dialog = KeysDialog([(deed_named(name), act) for name, act in self.acts.items()], self)
        self.show_dialog(dialog)

    def _about(self) -> None:
        from decaf_gui import __version__

        box = QMessageBox(self)
        box.setWindowTitle(self.tr("About DecAF GUI"))
        box.setText(
            self.tr(
                "<b>DecAF GUI {0}</b><br>Language-guided video object segmentation: DecAF's attention rollout of a "
                "frozen multimodal LLM, turned into prompts for SAM2.<br><br>Licence: Apache-2.0"
            ).format(__version__)
        )
        self.show_dialog(box)

    def _copy_diagnostics(self) -> None:
        QGuiApplication.clipboard().setText(diagnostics(self.models, self.banner.detail))
        self._tell(self.tr("Diagnostics are on the clipboard."))

    def _offer_recovery(self) -> None:
        """What a killed program's tracking had found comes back at once, as an edit that can be undone."""
        for pending in self.view.desk.pending():
            self.view.desk.recover(pending)
            self.banner.tell(
                self.tr("Tracking was broken off last time; what it had found is back. Undo takes it away.")
            )

    def _leave(self) -> None:
        """The project is closed; the program goes on."""
        self.left.emit()

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802
        """Breaks everything off and closes the file."""
        self.stop_showing()
        self.opener.stop()
        QApplication.setOverrideCursor(Qt.CursorShape.WaitCursor)
        self.view.desk.close()
        QApplication.restoreOverrideCursor()
        event.accept()
