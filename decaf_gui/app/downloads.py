"""Downloads of models beside everything else: each in a thread that waits for the process that fetches."""

from __future__ import annotations

import logging
from contextlib import closing
from functools import partial

from PySide6.QtCore import QCoreApplication, QObject, QThread, Signal, Slot

from decaf_gui.core.errors import DecafError
from decaf_gui.pipeline.models import ModelCard, download, locate

log = logging.getLogger(__name__)


class _Fetching(QThread):
    """Reads the events of one download. `error` is "" unless it failed, `whole` whether the model is here then."""

    told = Signal(object, object)

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.setObjectName("download")
        self._card = card
        self.error, self.whole = "", False

    def run(self) -> None:
        try:
            self._fetch()
            self.whole = locate(self._card) is not None
        except DecafError as error:
            self.error = str(error)
        except Exception as error:  # a thread's exception would only reach the log
            log.exception("download of %s", self._card.id)
            self.error = f"{self._card.id} could not be downloaded: {error or type(error).__name__}."

    def _fetch(self) -> None:
        with closing(download(self._card, self.isInterruptionRequested)) as stages:  # type: ignore[type-var]
            for stage in stages:
                self.told.emit(stage.done, stage.total)
                if self.isInterruptionRequested():
                    return


class Download(QObject):
    """One model on its way. One of `finished`, `failed` (one line) and `cancelled` is its last signal.

    What was complete when it was broken off is not fetched again the next time; the file in work is.
    """

    progress = Signal(object, object)
    """(done, total) bytes as Python's ints, which may be larger than Qt's."""
    finished = Signal()
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self, card: ModelCard, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.card, self.done, self.total = card, 0, 0
        self.error = ""
        self._asked = False
        self._thread = _Fetching(card)
        self._thread.told.connect(self._on_told)
        self._thread.finished.connect(self._on_end)

    def start(self) -> None:
        """Begins, once."""
        self._thread.start()

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self._thread.isRunning()

    def cancel(self) -> None:
        """Breaks it off, also while it waits for the network; `cancelled` says when it has ended."""
        self._asked = True
        self._thread.requestInterruption()

    def stop(self) -> None:
        """Breaks it off and waits for the end: a moment, at most the seconds that the process has for its end."""
        self.cancel()
        self._thread.wait()

    @Slot(object, object)
    def _on_told(self, done: int, total: int) -> None:
        self.done, self.total = done, total
        self.progress.emit(done, total)

    @Slot()
    def _on_end(self) -> None:
        self._thread.wait()  # it says so just before it ends
        self.error = self._thread.error
        if self.error:
            self.failed.emit(self.error)
        elif self._thread.whole:
            self.finished.emit()
        elif self._asked:
            self.cancelled.emit()
        else:
            self.failed.emit(f"{self.card.id} is not complete on the hub: choose another model.")


class Downloads(QObject):
    """All downloads of the program, so that they go on when a dialog is closed. `changed` carries the card's id."""

    changed = Signal(str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all: dict[str, Download] = {}
        application = QCoreApplication.instance()
        if application is not None:  # a thread that outlives the program would abort it
            application.aboutToQuit.connect(self.stop)

    def of(self, id: str) -> Download | None:
        """The download of a model that is under way, or the latest one if it failed."""
        known = self._all.get(id)
        return known if known is not None and (known.running or known.error) else None

    @property
    def running(self) -> bool:
        """Whether any is under way."""
        return any(each.running for each in self._all.values())

    def start(self, card: ModelCard) -> Download:
        """Begins a download, unless the model is under way."""
        known = self._all.get(card.id)
        if known is not None and known.running:
            return known
        made = self._all[card.id] = Download(card, self)
        for signal in (made.progress, made.finished, made.failed, made.cancelled):
            signal.connect(partial(self._on_change, card.id))
        made.start()
        self.changed.emit(card.id)
        return made

    def cancel(self, id: str) -> None:
        """Breaks a download off."""
        if id in self._all:
            self._all[id].cancel()

    @Slot()
    def stop(self) -> None:
        """Breaks all off and waits for their ends."""
        for each in self._all.values():
            each.cancel()
        for each in self._all.values():
            each.stop()

    def _on_change(self, id: str, *_: object) -> None:
        self.changed.emit(id)
