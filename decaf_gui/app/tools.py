"""What the worker thread owns: the engine, made when it is first needed, and the clips that it reads."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from decaf_gui.app.open_clips import OpenClips
from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event, Stage
from decaf_gui.pipeline.settings import Settings

if TYPE_CHECKING:
    from decaf_gui.pipeline.engine import Engine

CLIP_BYTES = 128 << 20
"""Decoded frames that the worker keeps of a clip."""


@dataclass(frozen=True, slots=True)
class OnDevice(Event):
    """Where the models are."""

    device: str


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which models, where, with which settings, and the MLLM's precision ("auto" is what suits the device)."""

    mllm: str = "demo"
    sam: str = "demo"
    device: str = "auto"
    settings: Settings = field(default_factory=Settings)
    dtype: str = "auto"


def make_engine(choice: EngineChoice) -> Engine:
    """The engine of a choice. Raises BadInput for unknown models or devices."""
    from decaf_gui.pipeline.engine import Engine

    return Engine(choice.mllm, choice.sam, choice.device, settings=choice.settings, dtype=choice.dtype)


class Tools:
    """An engine and open clips for one thread."""

    def __init__(self, choice: EngineChoice, make: Callable[[EngineChoice], Engine] = make_engine) -> None:
        self._choice, self._make = choice, make
        self._engine: Engine | None = None
        self._clips = OpenClips(CLIP_BYTES)

    @property
    def engine(self) -> Engine:
        """The engine; `ready` makes it with progress."""
        if self._engine is None:
            self._engine = self._make(self._choice)
        return self._engine

    def use(self, choice: EngineChoice) -> None:
        """From now on another engine; the present one and all its memory go."""
        if choice != self._choice:
            self._choice, self._engine = choice, None

    def ready(self, *, mllm: bool) -> Iterator[Event]:
        """Loads what is not there yet: both models, or SAM2 alone."""
        gc.disable()  # imports make no garbage, and looking for some stops every thread for up to a third of a second
        loaded = False
        try:
            if self._engine is None:
                yield Stage("load", 0, 0, "torch")
                yield OnDevice(self.engine.device)
            for event in self.engine.load(mllm=mllm):
                loaded = True
                yield event
            if loaded:  # what was imported stays
                gc.freeze()
        finally:
            gc.enable()

    def clip(self, path: Path) -> Clip:
        """The clip of a path. Raises BadInput as `Clip.open` does."""
        return self._clips.get(path)

    def close(self) -> None:
        """Lets go of everything."""
        gc.unfreeze()  # so that extension modules find nothing left when the program ends
        self._engine = None
        self._clips.close()
