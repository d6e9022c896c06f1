"""What can be evaluated: methods that answer an expression on a clip with masks. To add one: a line in `METHODS`.

The baselines (`decaf_gui.baselines`) stand above this room and bring the same signature.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Proposal
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Event, Proposed
from decaf_gui.core.masks import Masks, Rle, union_rle
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.models import card_of
from decaf_gui.pipeline.settings import Settings
from decaf_gui.pipeline.steering import prompts_digest


@dataclass(frozen=True, eq=False)
class Answer(Event):
    """The last event of a method: masks on every frame of the clip."""

    masks: Masks


class Method(Protocol):
    """Answers expressions. `identity` is plain data: what decides about the results (a run resumes only with it)."""

    @property
    def name(self) -> str: ...
    @property
    def identity(self) -> Mapping[str, object]: ...

    def predict(self, clip: Clip, text: str) -> Iterator[Event]:
        """Events of progress, the last one an `Answer`. Expressions on one clip come one after the other."""

    def free(self) -> None:
        """The clip is done with: what was kept of it can go."""


@dataclass(frozen=True)
class Models:
    """Which models a method is to use, and how."""

    mllm: str = "demo"
    sam: str = "demo"
    device: str = "auto"
    preset: str = "paper"
    values: Mapping[str, str] = field(default_factory=dict)
    dtype: str = "auto"

    def engine(self) -> Engine:
        """Raises BadInput for models or settings that there are not."""
        settings = Settings.preset(self.preset).changed(self.values)
        return Engine(self.mllm, self.sam, self.device, settings=settings, dtype=self.dtype)

    @property
    def identity(self) -> dict[str, object]:
        """Everything but the device; soft prompts by what they are, wherever they lie."""
        told = {"mllm": self.mllm, "sam": self.sam, "preset": self.preset, "dtype": self.dtype}
        steering = Settings.preset(self.preset).changed(self.values).grounding.steering
        digest = prompts_digest(steering, card_of("mllm", self.mllm))
        values = {name: value for name, value in sorted(self.values.items()) if name.split(".")[-1] != "steering"}
        return {**told, "values": values, **({"soft_prompts": digest} if digest else {})}


@dataclass
class Decaf:
    """The whole method: the union of the selected tracklets."""

    models: Models
    engine: Engine
    name: str = "decaf"

    @property
    def identity(self) -> Mapping[str, object]:
        """The models and settings."""
        return self.models.identity

    def predict(self, clip: Clip, text: str) -> Iterator[Event]:
        """See Method."""
        for event in self.engine.propose(clip, text):
            if isinstance(event, Proposed):
                yield Answer(union_of(event.proposal))
                for tracklet in event.proposal.selected:  # the next expression begins without them
                    self.engine.forget(clip, tracklet.id)
            else:
                yield event

    def free(self) -> None:
        """See Method."""
        self.engine.free()


@dataclass
class AttentionMask(Decaf):
    """The fused attention alone, thresholded (spec section 5); SAM2 is never asked.

    Frames between the sampled ones have the mask of the nearest sampled one, the earlier of two.
    """

    name: str = "attention-mask"

    def predict(self, clip: Clip, text: str) -> Iterator[Event]:
        """See Method."""
        from decaf_gui.grounding.fusion import attention_masks

        for event in self.engine.attend(clip, text):
            if isinstance(event, AttentionReady):
                sampled = attention_masks(event.grounding.maps, clip.size)
                yield Answer(spread(sampled, event.grounding.frames, len(clip)))
            else:
                yield event


METHODS: dict[str, Callable[[Models], Method]] = {
    "decaf": lambda models: Decaf(models, models.engine()),
    "attention-mask": lambda models: AttentionMask(models, models.engine()),
}


def union_of(proposal: Proposal) -> Masks:
    """The selected tracklets together, on every frame; empty where nothing was selected."""
    chosen, empty = proposal.selected, Rle.empty(proposal.size)
    frames = range(proposal.frame_count)
    return Masks(proposal.size, {i: union_rle([t.masks.rle(i) for t in chosen]) if chosen else empty for i in frames})


def spread(sampled: NDArray[np.bool_], frames: tuple[int, ...], count: int) -> Masks:
    """Masks (Ts, H, W) of the sampled `frames` on all `count` frames: each has the nearest one's."""
    rles = [Rle.encode(mask) for mask in sampled]
    nearest = (min(range(len(frames)), key=lambda k: abs(frames[k] - i)) for i in range(count))
    return Masks(rles[0].size, {i: rles[k] for i, k in enumerate(nearest)})


def method_named(name: str, models: Models, methods: Mapping[str, Callable[[Models], Method]] = METHODS) -> Method:
    """The method called `name`, on these models. Raises BadInput, naming the known ones."""
    if name not in methods:
        raise BadInput(f'There is no method "{name}": choose among {", ".join(methods)}.')
    return methods[name](models)
