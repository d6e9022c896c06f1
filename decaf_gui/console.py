"""How the command line shows a generator of events: live stages on a terminal, plain lines, or JSON lines."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from decaf_gui.core.events import AttentionReady, Event, FrameTracked, Proposed, Stage, TrackletsReady

FILE_WIDTH = 200
PLAIN_SECONDS = 2.0
"""A plain log repeats a running stage at most this often."""


class Reporter:
    """Shows events as they pass by, and the final words of a command. `watch` hands every event on."""

    def __init__(self, *, as_json: bool, stream: TextIO | None = None) -> None:
        self.as_json = as_json
        self.console = Console(file=stream or sys.stderr, highlight=False, soft_wrap=True)
        self._live: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._last: tuple[str, float] = ("", 0.0)

    def watch(self, events: Iterable[Event], title: str = "") -> Iterator[Event]:
        """Shows and yields every event; closing it closes `events`."""
        with self._progress() as live:
            self._live = live if isinstance(live, Progress) else None
            self._tasks = {}
            if title and not self.as_json:
                self.say(title)
            try:
                for event in events:
                    self._show(event)
                    yield event
            finally:
                self._live = None
                if hasattr(events, "close"):
                    events.close()

    def say(self, text: str, *, always: bool = False) -> None:
        """One line for people on standard error; silent in JSON mode unless `always`."""
        if always or not self.as_json:
            self.console.print(text, markup=False)

    def result(self, **values: Any) -> None:
        """The outcome of a command, as the last JSON line."""
        self.line(event="result", **values)

    def line(self, **values: Any) -> None:
        """One JSON line; nothing where people read."""
        if self.as_json:
            self._print_json(values)

    def table(self, title: str, columns: list[str], rows: Iterable[Iterable[object]]) -> None:
        """A table on standard output (or a JSON line)."""
        listed = [[str(cell) for cell in row] for row in rows]
        if self.as_json:
            self._print_json(
                {"event": "table", "title": title, "rows": [dict(zip(columns, row, strict=True)) for row in listed]}
            )
            return
        output = Console(highlight=False, markup=False)  # cells are people's words
        if not output.is_terminal:  # a file has no width
            output = Console(highlight=False, markup=False, width=FILE_WIDTH)
        if title:
            output.print(title, style="bold", markup=False, soft_wrap=True)
        table = Table(box=None, header_style="bold", pad_edge=False)
        for place, column in enumerate(columns):
            table.add_column(column, overflow="fold", no_wrap=place < 2)  # ids and names must stay whole
        for row in listed:
            table.add_row(*row)
        output.print(table)

    def _progress(self) -> AbstractContextManager[Any]:
        if self.as_json or not self.console.is_terminal:
            return nullcontext()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TextColumn("[dim]{task.fields[note]}"),
            TimeElapsedColumn(),
        )
        return Progress(*columns, console=self.console)

    def _show(self, event: Event) -> None:
        if self.as_json:
            self._print_json(as_json(event))
        elif self._live is not None:
            self._update(self._live, event)
        else:
            self._log(event)

    def _update(self, live: Progress, event: Event) -> None:
        if not isinstance(event, Stage):
            return
        if event.name not in self._tasks:
            self._tasks[event.name] = live.add_task(event.name, total=None, count="", note="")
        count = f"{event.done}/{event.total}" if event.total else (str(event.done) if event.done else "")
        total = event.total or None
        live.update(self._tasks[event.name], completed=event.done, total=total, count=count, note=event.note)

    def _log(self, event: Event) -> None:
        """A line when a stage begins, ends or has run for a while."""
        if not isinstance(event, Stage) or event.within:
            return
        name, when = self._last
        finished = event.total > 0 and event.done >= event.total
        now = time.monotonic()
        if event.name == name and now - when < PLAIN_SECONDS and not finished:
            return
        self._last = (event.name, now)
        count = f" {event.done}/{event.total}" if event.total else ""
        self.say(f"{event.name}{count}{' - ' + event.note if event.note else ''}")

    def _print_json(self, value: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(value) + "\n")
        sys.stdout.flush()


def as_json(event: Event) -> dict[str, Any]:
    """One event as plain data: masks as COCO RLE, maps by their shape only."""
    name = type(event).__name__
    if isinstance(event, Stage):
        return {"event": name, "stage": event.name, "done": event.done, "total": event.total, "note": event.note}
    if isinstance(event, AttentionReady):
        found = event.grounding
        shape = list(found.maps.shape)
        described = {"attributes": list(found.attributes), "reasons": found.reasons}
        return {"event": name, "category": found.category, **described, "frames": list(found.frames), "maps": shape}
    if isinstance(event, TrackletsReady):
        return {"event": name, "tracklets": [tracklet_json(t) for t in event.tracklets]}
    if isinstance(event, FrameTracked):
        masks = {str(key): rle.to_coco() for key, rle in event.masks.items()}
        return {"event": name, "frame": event.frame, "masks": masks}
    if isinstance(event, Proposed):
        found = event.proposal.grounding
        summary = {"expression": event.proposal.expression.text, "category": found.category}
        return {"event": name, **summary, "counters": dict(event.proposal.counters)}
    return {"event": name}


def tracklet_json(tracklet: Any) -> dict[str, Any]:
    """A candidate without its masks."""
    scores = tracklet.scores
    parts = {"attention": scores.attention, "sam": scores.sam, "consistency": scores.consistency, **scores.parts}
    return {
        "id": tracklet.id,
        "frame": tracklet.frame,
        "point": list(tracklet.point),
        "scores": {"scoring": scores.scoring, **parts, "total": scores.total},
        "selected": tracklet.selected,
        "suppressed": tracklet.suppressed,
    }
