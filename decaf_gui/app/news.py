"""What the worker does, in words for people: the state of the models, of each work, and how it ended."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from decaf_gui.app.desk import Desk, ExportWork, ImportWork, PreviewWork, TrackWork, Work
from decaf_gui.app.tools import OnDevice
from decaf_gui.app.turns import Cancelled, Failed, Finished
from decaf_gui.core.events import Event, Stage
from decaf_gui.formats.base import Written
from decaf_gui.formats.importing import LabelsRead


class News(QObject):
    """Follows the work of a desk.

    `working` (text, done, total; total 0: nobody knows); `rested` (text) when nothing is in work any more; `written`
    (event) for an export's result; `imported` (event) for labels that are objects now; `failed` (event, work) where the
    work may be asked for once more; `device` (name) once the models' device is known.
    """

    working = Signal(str, int, int)
    rested = Signal(str)
    written = Signal(object)
    imported = Signal(object)
    failed = Signal(object, object)
    device = Signal(str)

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._desk = desk
        self._works: dict[int, Work] = {}
        desk.happened.connect(self._on_event)

    def _on_event(self, job: int, event: Event) -> None:
        work = self._desk.work.get(job)
        if work is not None:
            self._works[job] = work
        if isinstance(event, OnDevice):
            self.device.emit(event.device)
        if isinstance(event, Written):
            self.written.emit(event)
        if isinstance(event, LabelsRead) and isinstance(work, ImportWork) and work.taken:
            self.imported.emit(event)
        if isinstance(event, Finished | Cancelled | Failed):
            self._on_end(self._works.pop(job, None), event)
        elif isinstance(work, TrackWork) and work.done:
            steps = work.plan.steps
            self.working.emit(self.tr("{0}, {1} of {2}").format(work.title, work.done, steps), work.done, steps)
        elif isinstance(event, Stage) and work is not None and not isinstance(work, PreviewWork):
            self.working.emit(f"{work.title}: {self.words(event)}", event.done, event.total)

    def _on_end(self, work: Work | None, event: Event) -> None:
        if isinstance(event, Failed) and work is not None:
            self.failed.emit(event, work)
        if work is None or isinstance(work, PreviewWork):
            return
        if isinstance(event, Failed) or (isinstance(work, ImportWork) and not work.taken):
            words = self.tr("{0}: failed").format(work.title)
        elif isinstance(event, Cancelled):
            kept = self.tr("what had come is kept")
            if isinstance(work, ExportWork):
                kept = self.tr("unfinished files are in .partial")
            words = self.tr("{0}: cancelled, {1}").format(work.title, kept)
        else:
            words = self.tr("{0}: done").format(work.title)
        if not [left for left in self._desk.work.values() if not isinstance(left, PreviewWork)]:
            self.rested.emit(words)

    def words(self, stage: Stage) -> str:
        """A stage in words."""
        names = {
            "load": self.tr("loading {0}").format(stage.note) if stage.note else self.tr("models are loaded"),
            "vision": self.tr("seeing the frames"),
            "prefill": self.tr("reading the clip"),
            "question": self.tr("asking the model, {0}").format(stage.note),
            "attributes": self.tr("asking for attributes"),
            "category choice": self.tr("choosing the category"),
            "candidates": self.tr("candidates, {0}").format(stage.note),
            "tracking": self.tr("tracking candidates, {0}").format(stage.note),
            "prompts": self.tr("prompts"),
            "frames": stage.note,
            "memory": stage.note,
            "reading labels": self.tr("reading {0}").format(stage.note),
        }
        return names.get(stage.name, f"{stage.name} {stage.note}".strip())
