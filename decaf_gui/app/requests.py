"""What the worker can be asked for: plain frozen data that becomes a generator of events in the worker's thread."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from decaf_gui.app.tools import Tools
from decaf_gui.core.entities import Expression, Prompt, Tracklet
from decaf_gui.core.events import Event, Proposed, Stage
from decaf_gui.core.project.rows import pack_masks, unpack_masks
from decaf_gui.formats.importing import Import, LabelsRead, reading
from decaf_gui.formats.projects import Export, export
from decaf_gui.pipeline.settings import Settings

if TYPE_CHECKING:
    from decaf_gui.tracking.planned import Tracking


class Priority(IntEnum):
    """Whose turn it is first."""

    CLICK = 0
    PREVIEW = 1
    TRACK = 2
    PROPOSE = 3
    IDLE = 4


@dataclass(frozen=True, slots=True)
class MadeWith(Event):
    """JSON of program, device and models: the provenance of the masks that follow."""

    details: str


@dataclass(frozen=True, slots=True)
class Packed(Event):
    """The masks of a proposal's tracklets by id, as the project keeps them: packing long clips takes seconds."""

    masks: Mapping[int, bytes]


class Request(Protocol):
    """Work for the worker. Of waiting requests of one class that `coalesces`, only the latest is done."""

    priority: ClassVar[Priority]
    coalesces: ClassVar[bool]

    def run(self, tools: Tools) -> Iterator[Event]: ...


@dataclass(frozen=True)
class LoadRequest:
    """Loads both models before they are needed."""

    priority: ClassVar[Priority] = Priority.IDLE
    coalesces: ClassVar[bool] = True

    def run(self, tools: Tools) -> Iterator[Event]:
        """In the worker's thread."""
        yield from tools.ready(mllm=True)


@dataclass(frozen=True)
class ProposeRequest:
    """Masks over the whole clip for an expression: the events of `Engine.propose`."""

    priority: ClassVar[Priority] = Priority.PROPOSE
    coalesces: ClassVar[bool] = False
    clip: Path
    expression: str | Expression
    settings: Settings | None = None

    def run(self, tools: Tools) -> Iterator[Event]:
        """In the worker's thread."""
        yield from tools.ready(mllm=True)
        for event in tools.engine.propose(tools.clip(self.clip), self.expression, self.settings):
            if isinstance(event, Proposed):
                yield Packed({found.id: packed(found) for found in event.proposal.tracklets})
            yield event


@dataclass(frozen=True)
class ExportRequest:
    """Writes labels: the writers' events. The project is as it was when this was asked for."""

    priority: ClassVar[Priority] = Priority.PROPOSE
    coalesces: ClassVar[bool] = False
    wanted: Export

    def run(self, tools: Tools) -> Iterator[Event]:
        """In the worker's thread; no model is needed."""
        return export(self.wanted)


@dataclass(frozen=True)
class ImportRequest:
    """Reads the labels of a dataset for a clip: the reader's events, `LabelsRead` with the names of its frames."""

    priority: ClassVar[Priority] = Priority.PROPOSE
    coalesces: ClassVar[bool] = False
    clip: Path
    wanted: Import

    def run(self, tools: Tools) -> Iterator[Event]:
        """In the worker's thread; no model is needed."""
        for event in reading(self.wanted):
            if isinstance(event, LabelsRead):
                yield replace(event, names=tuple(tools.clip(self.clip).names))
            else:
                yield event


@dataclass(frozen=True, eq=False)
class ClickRequest:
    """The mask of an object after all its points on a frame: `MadeWith`, then `Prompted`."""

    priority: ClassVar[Priority] = Priority.CLICK
    coalesces: ClassVar[bool] = False
    clip: Path
    object_id: int
    prompt: Prompt

    def run(self, tools: Tools) -> Iterator[Event]:
        """In the worker's thread."""
        yield from tools.ready(mllm=False)
        yield _made_with(tools)
        yield from tools.engine.sparing(lambda: self._decode(tools))

    def _decode(self, tools: Tools) -> Iterator[Event]:
        yield tools.engine.decode(tools.clip(self.clip), self.object_id, self.prompt)


@dataclass(frozen=True, eq=False)
class PreviewRequest(ClickRequest):
    """The mask that a click would give, while the pointer moves: only the latest is wanted."""

    priority: ClassVar[Priority] = Priority.PREVIEW
    coalesces: ClassVar[bool] = True


@dataclass(frozen=True)
class LookRequest:
    """Encodes the frame that is on the screen when there is nothing else to do: the first click needs it."""

    priority: ClassVar[Priority] = Priority.IDLE
    coalesces: ClassVar[bool] = True
    clip: Path
    frame: int

    def run(self, tools: Tools) -> Iterator[Event]:
        """In the worker's thread."""
        yield from tools.ready(mllm=False)
        yield from tools.engine.sparing(lambda: self._look(tools))

    def _look(self, tools: Tools) -> Iterator[Event]:
        tools.engine.look(tools.clip(self.clip), self.frame)
        yield Stage("look", 1, 1, f"frame {self.frame}", within=True)


@dataclass(frozen=True, eq=False)
class TrackRequest:
    """Objects tracked from their prompts over sweeps of frames: `MadeWith`, then a `FrameTracked` per frame."""

    priority: ClassVar[Priority] = Priority.TRACK
    coalesces: ClassVar[bool] = False
    clip: Path
    prompts: Mapping[int, Sequence[Prompt]]
    sweeps: tuple[tuple[int, int], ...]

    def run(self, tools: Tools) -> TrackRun:
        """In the worker's thread."""
        return TrackRun(tools, self)

    def without(self, object_id: int) -> TrackRequest:
        """The request of an object less."""
        return replace(self, prompts={thing: given for thing, given in self.prompts.items() if thing != object_id})


class TrackRun(Iterator[Event]):
    """Tracking in work, which objects can leave between two events."""

    def __init__(self, tools: Tools, request: TrackRequest) -> None:
        self._tools, self._request = tools, request
        self._tracking: Tracking | None = None
        self._events = self._run()

    def __next__(self) -> Event:
        return next(self._events)

    def leave(self, object_id: int) -> None:
        """Takes an object out."""
        self._request = self._request.without(object_id)
        if self._tracking is not None:
            self._tracking.leave(object_id)

    def close(self) -> None:
        """Ends it; what was yielded stays valid."""
        self._events.close()

    def _run(self) -> Generator[Event, None, None]:
        yield from self._tools.ready(mllm=False)
        yield _made_with(self._tools)
        yield from self._tools.engine.sparing(self._begin)

    def _begin(self) -> Iterator[Event]:
        given = self._request
        self._tracking = self._tools.engine.tracking(self._tools.clip(given.clip), given.prompts, given.sweeps)
        return self._tracking


def packed(tracklet: Tracklet) -> bytes:
    """The masks of a tracklet as the project keeps them; who unpacks them next finds them unpacked."""
    made = pack_masks(tracklet.masks)
    unpack_masks(made, tracklet.masks.size)
    return made


def _made_with(tools: Tools) -> MadeWith:
    return MadeWith(json.dumps(tools.engine.provenance(("sam",)), sort_keys=True))
