"""Tracking as a project's rows call for it: a session of its own, so that nothing but the plan decides the result."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence

from decaf_gui.core.entities import Prompt
from decaf_gui.core.events import FrameTracked, Stage
from decaf_gui.tracking.features import FeatureStore
from decaf_gui.tracking.session import Session


class Tracking(Iterator[FrameTracked | Stage]):
    """Objects tracked from given prompts over given sweeps, (start, stop) both included; one `FrameTracked` a frame.

    Objects can leave between two events; the others go on. Before the first frame comes a `Stage` for each prompt.
    """

    def __init__(
        self, store: FeatureStore, prompts: Mapping[int, Sequence[Prompt]], sweeps: Sequence[tuple[int, int]]
    ) -> None:
        self._session = Session(store)
        self._objects = list(prompts)
        self._events = self._run(prompts, sweeps)

    def __next__(self) -> FrameTracked | Stage:
        return next(self._events)

    def leave(self, object_id: int) -> None:
        """Takes an object out of the tracking."""
        self._session.remove(object_id)
        self._objects = [thing for thing in self._objects if thing != object_id]

    def close(self) -> None:
        """Ends the tracking; what was yielded stays valid."""
        self._events.close()

    def _run(
        self, prompts: Mapping[int, Sequence[Prompt]], sweeps: Sequence[tuple[int, int]]
    ) -> Generator[FrameTracked | Stage, None, None]:
        given = [(thing, prompt) for thing, listed in prompts.items() for prompt in listed]
        for done, (thing, prompt) in enumerate(given):
            yield Stage("prompts", done, len(given), f"frame {prompt.frame}", within=True)
            if thing in self._objects:
                self._session.prompt(thing, prompt)
        for start, stop in sweeps:
            if self._objects:
                yield from self._session.sweep(self._objects, start, stop)
