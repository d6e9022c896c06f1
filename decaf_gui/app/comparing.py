"""Both methods on one expression: those that the project does not hold are run by the worker, nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, Signal

from decaf_gui.app.comparison import Run, given_attributes, stored_run
from decaf_gui.app.desk import Desk
from decaf_gui.app.requests import Packed
from decaf_gui.app.turns import Cancelled, Failed
from decaf_gui.core.entities import Expression
from decaf_gui.core.events import Event, Proposed
from decaf_gui.pipeline.settings import Method, Settings

TITLES: Mapping[Method, str] = {"decaf": "DecAF", "steerseg": "SteerSeg"}


class Comparing(QObject):
    """What is compared. `changed`: a method's result came; `ended` (method, text): its comes no more, and why.

    Raises BadInput for an empty expression, or a clip that is not where it was.
    """

    changed = Signal()
    ended = Signal(str, str)

    def __init__(
        self,
        desk: Desk,
        clip: int,
        text: str,
        wanted: Mapping[Method, Settings],
        models: tuple[str, str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.desk, self.clip, self.text = desk, clip, Expression(text).text
        self.path = desk.clip_path(clip)
        self.runs: dict[Method, Run] = {}
        self._jobs: dict[int, Method] = {}
        self._packed: dict[int, Mapping[int, bytes]] = {}
        desk.happened.connect(self._on_event)
        for method, settings in wanted.items():
            self._begin(method, settings, models)

    def _begin(self, method: Method, settings: Settings, models: tuple[str, str]) -> None:
        project = self.desk.project
        stored = stored_run(project, self.clip, self.text, method, settings, models)
        if stored is not None:
            self.runs[method] = stored
            return
        attributes = given_attributes(project, self.clip, self.text) if method == "steerseg" else None
        title = self.tr("Comparing, {0}").format(TITLES[method])
        job = self.desk.compare(self.clip, title, Expression(self.text, attributes), settings)
        self._jobs[job] = method

    @property
    def waiting(self) -> tuple[Method, ...]:
        """The methods whose results are still to come."""
        return tuple(self._jobs.values())

    def cancel(self) -> None:
        """Breaks off what is still in work; what has come stays."""
        for job in list(self._jobs):
            self.desk.cancel(job)

    def _on_event(self, job: int, event: Event) -> None:
        method = self._jobs.get(job)
        if method is None:
            return
        if isinstance(event, Packed):
            self._packed[job] = event.masks
        elif isinstance(event, Proposed):
            self.runs[method] = Run.of(method, event.proposal, self._packed.pop(job, {}))
            del self._jobs[job]
            self.changed.emit()
        elif isinstance(event, Cancelled | Failed):
            del self._jobs[job]
            words = event.what if isinstance(event, Failed) else self.tr("cancelled")
            self.ended.emit(method, words)
