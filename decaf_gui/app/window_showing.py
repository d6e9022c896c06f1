"""The main window as it shows what there is: frame, masks, lists, timeline, models, how far the work is."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from time import strftime

from PySide6.QtCore import QTimer
from PySide6.QtGui import QImage

from decaf_gui.app import menus
from decaf_gui.app.clips_panel import ClipLine
from decaf_gui.app.desk import ProposeWork
from decaf_gui.app.diagnostics import memory_in_use
from decaf_gui.app.doubting import DoubtReader
from decaf_gui.app.frames import FrameReader
from decaf_gui.app.icons import dress
from decaf_gui.app.listing import Pictures, entries
from decaf_gui.app.news import News
from decaf_gui.app.overview import clip_states, expressions_of
from decaf_gui.app.painting import Frame
from decaf_gui.app.playback import Playback
from decaf_gui.app.preferences import Preferences
from decaf_gui.app.recent import Recent
from decaf_gui.app.thumbnails import Thumbnails
from decaf_gui.app.timeline import clock
from decaf_gui.app.view import View
from decaf_gui.app.window_layout import WindowLayout
from decaf_gui.core.errors import DecafError
from decaf_gui.core.project.planning import Span
from decaf_gui.core.project.rows import ClipRow, ExpressionRow
from decaf_gui.pipeline.models import ModelCard, card_of


class ShowingWindow(WindowLayout):
    """Follows a view; its threads read frames, make thumbnails and look for doubt."""

    def __init__(self, view: View, preferences: Preferences | None = None, recent: Recent | None = None) -> None:
        super().__init__(recent)
        self.view = view
        self.preferences = preferences or Preferences()
        self.reader, self.thumbnails, self.doubter = FrameReader(self), Thumbnails(self), DoubtReader(self)
        self.news, self.playback = News(view.desk, self), Playback(self)
        self.pictures = Pictures(self.thumbnails)
        self.timeline.pictures = self._timeline_picture
        self.picture: tuple[int, Frame] | None = None
        self._asked = -1
        self._doubt_wanted = False
        self._device = ""
        self._follow()

    def _follow(self) -> None:
        """Everything that is shown when it changes."""
        view = self.view
        view.clip_changed.connect(self._on_clip)
        view.expression_changed.connect(self._show_lanes)  # at once: the next key may propose it
        view.frame_changed.connect(self._on_frame)
        view.shown_changed.connect(self._on_shown)
        view.lanes_changed.connect(self._show_lanes_soon)
        view.receipt_changed.connect(self._show_receipt)
        view.told.connect(self._tell)
        view.refused.connect(self.banner.tell)
        view.desk.changed.connect(self._on_edit)
        self.reader.ready.connect(self._on_picture)
        self.reader.failed.connect(lambda _path, text: self.banner.tell(text))
        self.thumbnails.ready.connect(self._show_lanes_soon)
        self.thumbnails.ready.connect(self.timeline.viewport().update)
        self.thumbnails.ready.connect(self._show_clips_soon)
        self.clips_timer.timeout.connect(self._show_clips)
        self.doubter.ready.connect(self._on_doubts)
        self.news.working.connect(self.work_bar.tell)
        self.news.rested.connect(self.work_bar.rest)
        self.news.device.connect(self._on_device)
        self.playback.frame.connect(view.look_at)
        self.playback.changed.connect(self._on_playing)
        self.lane_timer.timeout.connect(self._show_lanes)
        self.doubt_timer.timeout.connect(self._ask_doubts)
        self.memory_timer.timeout.connect(self._show_memory)

    def stop_showing(self) -> None:
        """Ends timers and threads."""
        self.playback.stop()
        for timer in (self.doubt_timer, self.lane_timer, self.clips_timer, self.memory_timer):
            timer.stop()
        for thread in (self.reader, self.thumbnails, self.doubter):
            thread.stop()

    # --- models, frame, masks --------------------------------------------------------------------------------

    @property
    def cards(self) -> list[ModelCard]:
        """The models in use."""
        return [card_of("mllm", self.preferences.mllm), card_of("sam", self.preferences.sam)]

    def _show_models(self) -> None:
        """The chip: which models, where; the demo models are marked as such."""
        cards = self.cards
        notes = " ".join(dict.fromkeys(card.note for card in cards if card.note))
        device = self._device or self.preferences.device
        names = " + ".join(card.title for card in cards)
        if notes:
            names = self.tr("Demo models, know shapes only") if all(c.note for c in cards) else f"{names} (*)"
        self.models = f"{' + '.join(card.title for card in cards)} on {device}"
        self.expressions.show_models(f"{names} · {device}", "\n".join(filter(None, [self.models, notes])), bool(notes))

    def _on_device(self, device: str) -> None:
        self._device = device
        self._show_models()
        self._show_memory()

    def _show_memory(self) -> None:
        device = self._device or "cpu"
        self.memory.setText(f"{device}  {memory_in_use(device)}")

    def _on_clip(self) -> None:
        self.playback.stop()
        self.thumbnails.forget()
        self.picture, self._asked = None, -1
        row = self.view.clip_row
        self.canvas.show_scene(None)
        self.timeline.show_clip(0 if row is None else row.frames, 24.0 if row is None else row.fps)
        if row is not None:
            self.timeline.show_work_range(row.first, row.last)
        else:
            self.transport.place.setText("")
        self._on_frame(self.view.frame)
        self._show_clips()
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
            self.playback.stop()
            offer = (self.tr("Say where it lies..."), partial(menus.relink, self, self.view, row.id))
            self.banner.tell(str(error), offer)
            return
        self._asked, self.playback.ready = frame, False
        self.reader.ask(path, frame)

    def _on_picture(self, _path: Path, frame: int, picture: Frame) -> None:
        if frame == self._asked:
            self.playback.ready = True
        if frame == self.view.frame:
            self.picture = (frame, picture)
            self._on_shown()
            QTimer.singleShot(0, self, self._look)

    def _look(self) -> None:
        """Has the frame encoded for the first click, once it is on the screen: the models' imports would delay it."""
        view = self.view
        if view.clip and not self.playback.playing and not view.desk.work and not view.desk.store.read_only:
            view.desk.look(view.clip, view.frame)

    def _on_shown(self) -> None:
        """Masks and points over the frame, once it is there."""
        self.canvas.show_points(self.view.points())
        if self.picture is not None and self.picture[0] == self.view.frame:
            self.canvas.show_scene(self.view.scene(self.picture[1]))

    def _on_edit(self, *_: object) -> None:
        self.saved.setText(self.tr("saved {0}").format(strftime("%H:%M:%S")))
        row = self.view.clip_row
        if row is not None:
            self.timeline.show_work_range(row.first, row.last)
        self._show_clips()

    def _on_range(self, span: Span | None) -> None:
        self.view.range = span
        self.transport.range.setText("" if span is None else self.tr("range {0} to {1}").format(span.first, span.last))

    def _on_playing(self, playing: bool) -> None:
        dress(self.acts["play"], "pause" if playing else "play")

    def _tell(self, text: str) -> None:
        self.work_bar.say(text)

    # --- lists and timeline ----------------------------------------------------------------------------------

    def _show_lanes_soon(self) -> None:
        """Not anew for each of the frames that stream in, but at a steady pace while they do."""
        if not self.lane_timer.isActive():
            self.lane_timer.start()

    def _show_lanes(self) -> None:
        """Lists and timeline anew. Doubt comes a moment later, when nothing has changed for a while."""
        view = self.view
        lanes = view.lanes()
        self.timeline.show_lanes(lanes, view.picked)
        self.timeline.show_attention(view.attended())
        self.candidates.show_entries(entries(view, lanes, self.pictures), view.picked)
        if view.threshold is None:
            lowest = view.lowest_selected()
            self.candidates.set_threshold(self.preferences.settings().tracking.tau_trk if lowest is None else lowest)
        asked = expressions_of(view.project, view.clip)
        works = view.desk.work.values()
        working = frozenset(work.expression for work in works if isinstance(work, ProposeWork))
        self.clips.show_expressions(asked, view.expression, working)
        self.expressions.show_expressions([(entry.id, entry.text) for entry in asked], view.expression)
        row = view.project.find(ExpressionRow, view.expression)
        self.answer.show_answer(*view.grounding(), row is not None and row.no_target)
        offered = self.expressions.chosen_method == "steerseg" and bool(view.sampled())
        self.answer.show_attributes(view.expression, *view.reasoning(), offered=offered)
        self.strip.show_maps(view.attention_names(), view.attention, view.attention_opacity)
        self._enable()
        if not view.doubts_known and not working and not self.doubt_timer.isActive():
            self.doubt_timer.start()

    def _enable(self) -> None:
        """What cannot be done now cannot be pressed in menus; keys still tell why."""
        view, history = self.view, self.view.desk.history
        self.acts["undo"].setText(self.tr("Undo {0}").format(history.undoText()).rstrip(" :"))
        self.acts["redo"].setText(self.tr("Redo {0}").format(history.redoText()).rstrip(" :"))
        for name in ("rename", "relabel", "recolour", "remove_object", "split"):
            self.acts[name].setEnabled(view.object_id is not None)
        for name in ("relink", "remove_clip", "work_range"):
            self.acts[name].setEnabled(view.clip_row is not None)
        self.acts["remove_expression"].setEnabled(bool(view.expression))

    def _show_receipt(self) -> None:
        receipt = self.view.receipt
        self.receipts.show_receipt("" if receipt is None else str(receipt), self.view.changed_spans())

    def _show_clips_soon(self) -> None:
        if not self.clips_timer.isActive():
            self.clips_timer.start()

    def _show_clips(self) -> None:
        lines = []
        for state in clip_states(self.view.project):
            row = self.view.project.need(ClipRow, state.id)
            media = self.view.desk.store.media(row)
            there = media.exists()
            picture = self.pictures.of_clip(media) if there else None
            lines.append(ClipLine(state, "there" if there else "missing", picture))
        self.clips.show_clips(lines, self.view.clip)

    def _timeline_picture(self, frame: int) -> QImage | None:
        row = self.view.clip_row
        return None if row is None else self.pictures.of_frame(self.view.desk.store.media(row), frame)

    def _ask_doubts(self) -> None:
        if not self.view.doubts_known:
            self.doubter.ask(self.view.project, self.view.clip)

    def _on_doubts(self, project: object, clip: int, found: object) -> None:
        self.view.take_doubts(project, clip, found)  # type: ignore[arg-type]
        waiting = self.view.doubtful() if self.view.doubts_known else []
        told = ""
        if waiting:
            told = self.tr("frame {0}: {1}").format(waiting[0].frame, waiting[0].doubt.reason)
        self.transport.doubt.setText(told)
        if self._doubt_wanted and self.view.doubts_known:
            self._next_doubtful()

    def _next_doubtful(self) -> None:
        """At once where doubt is known, else when it is."""
        self._doubt_wanted = not self.view.doubts_known
        if self._doubt_wanted:
            self._tell(self.tr("Looking for doubtful frames..."))
            self._ask_doubts()
        else:
            self.view.next_doubtful()
