"""Every baseline as the evaluation takes methods (`decaf_gui.evaluation.methods.Method`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from decaf_gui.baselines.methods import Method, Predicted
from decaf_gui.baselines.settings import MethodSettings
from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event
from decaf_gui.evaluation.methods import Answer, Models
from decaf_gui.pipeline.engine import Engine

OWN = {"loc-head": "loc_head", "tam": "tam", "native": "native"}
"""Which settings decide about a method, by how its id begins."""


@dataclass
class Evaluated:
    """One baseline on these models. Its pipeline settings are the engine's; `settings` brings its own ones."""

    method: Method
    models: Models
    engine: Engine
    settings: MethodSettings = field(default_factory=MethodSettings)

    @property
    def name(self) -> str:
        """The method's id."""
        return self.method.id

    @property
    def identity(self) -> Mapping[str, object]:
        """Models, their settings, the method's own ones, and which heads it uses."""
        own = [room for start, room in OWN.items() if self.method.id.startswith(start)]
        chosen = {room: _plain(asdict(getattr(self.settings, room))) for room in own}
        return {**self.models.identity, **chosen}

    def predict(self, clip: Clip, text: str) -> Iterator[Event]:
        """Events of progress, the last one an `Answer`."""
        settings = replace(self.settings, pipeline=self.engine.settings)
        for event in self.method.predict(self.engine, clip, [text], settings):
            yield Answer(event.masks) if isinstance(event, Predicted) else event

    def free(self) -> None:
        """The clip is done with."""
        self.engine.free()


def _plain(values: Mapping[str, object]) -> dict[str, object]:
    """Data that JSON brings back equal: a file counts by what is in it, wherever it lies."""
    return {name: _value(value) for name, value in values.items()}


def _value(value: object) -> object:
    if isinstance(value, Path):
        return value.read_text(encoding="utf-8") if value.is_file() else str(value)
    return list(value) if isinstance(value, tuple) else value
