"""The engine: an expression on a clip becomes a proposal; clicks become masks; masks are tracked.

All long work is a generator of events: read it for progress, close it to cancel.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from decaf_gui import __version__
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Box, Expression, Grounding, Point, Prompt, Proposal, Tracklet
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Event, FrameTracked, Prompted, Proposed, Stage, TrackletsReady
from decaf_gui.pipeline.models import ModelCard, card_of, revision_of, source_of, weights_hash
from decaf_gui.pipeline.settings import Settings

if TYPE_CHECKING:
    from decaf_gui.grounding.mllm import Mllm
    from decaf_gui.tracking.features import FeatureStore
    from decaf_gui.tracking.session import Session

log = logging.getLogger(__name__)
DEVICES = ("auto", "cuda", "mps", "cpu")
OPEN_CLIPS = 2
"""How many clips keep their SAM2 state; older ones are forgotten and rebuilt when they come back."""


@dataclass(eq=False)
class ClipState:
    """What the engine keeps of one clip: frame features, objects on the full clip, what was computed so far."""

    features: FeatureStore
    session: Session
    counters: dict[str, int] = field(default_factory=dict)
    next_object: int = 1


class Engine:
    """Owns the two models and what is cached of each clip. One thread at a time may use it.

    `mllm` and `sam` are ids of the model registry, hub ids or folders; `device` "cpu", "cuda", "cuda:0", "mps" or
    "auto". Models load when first needed; nothing is ever downloaded here. Raises BadInput for unknown models.
    """

    def __init__(
        self,
        mllm: str | Path = "demo",
        sam: str | Path = "demo",
        device: str = "cpu",
        *,
        settings: Settings | None = None,
        dtype: str = "auto",
        attention: str = "sdpa",
    ) -> None:
        self.mllm_card: ModelCard = card_of("mllm", str(mllm))
        self.sam_card: ModelCard = card_of("sam", str(sam))
        self.device = choose_device(device)
        self.settings = settings or Settings()
        self._dtype, self._attention = dtype, attention
        self._mllm: Mllm | None = None
        self._sam: Any = None
        self._clips: OrderedDict[Any, ClipState] = OrderedDict()
        self._provenance: dict[str, Any] = {}

    @property
    def mllm(self) -> Mllm:
        """The multimodal LLM, loaded when first asked for."""
        if self._mllm is None:
            from decaf_gui.grounding.mllm import Mllm

            memory = self.settings.memory
            self._mllm = Mllm.load(
                source_of(self.mllm_card), device=self.device, dtype=self._dtype, attention=self._attention
            )
            self._mllm.prefixes.device_bytes = memory.prefix_device_bytes
            self._mllm.prefixes.host_bytes = memory.prefix_host_bytes
        return self._mllm

    @property
    def sam(self) -> Any:
        """The SAM2 model (SAM2Base), loaded when first asked for."""
        if self._sam is None:
            from decaf_gui.tracking import load_sam

            self._sam = load_sam(source_of(self.sam_card), self.device)
        return self._sam

    @property
    def notice(self) -> str:
        """What must be said about results of these models; empty when nothing must."""
        notes = dict.fromkeys(card.note for card in (self.mllm_card, self.sam_card) if card.note)
        return " ".join(notes)

    def propose(self, clip: Clip, expression: str | Expression, settings: Settings | None = None) -> Iterator[Event]:
        """Masks over the whole clip for what `expression` describes; the last event is `Proposed`.

        Before it come `Stage`s, one `AttentionReady`, one `TrackletsReady` (all candidates, masks on the sampled
        frames) and one `FrameTracked` per frame and direction. Closing the generator cancels; everything yielded
        stays valid. The proposal's counters count all work on this clip since the engine first saw it:
        `vision_inputs` and `prefix_prefills` (1 for the video, 1 per sampled frame, however many expressions),
        `questions`, `frames_encoded` (SAM2's image encoder). Raises BadInput for an empty expression.
        """
        wanted = expression if isinstance(expression, Expression) else Expression(expression)
        return self._propose(clip, wanted, self._resolved(settings or self.settings))

    def _propose(self, clip: Clip, expression: Expression, settings: Settings) -> Iterator[Event]:
        from decaf_gui.tracking import candidates, propagate

        yield from self._load()
        state = self.state(clip)
        grounding: Grounding | None = None
        for event in self._ground(clip, expression, settings, state):
            yield event
            grounding = event.grounding if isinstance(event, AttentionReady) else grounding
        assert grounding is not None
        found: tuple[Tracklet, ...] = ()
        for event in candidates(state.features, grounding.frames, grounding.maps, settings.tracking):
            if isinstance(event, TrackletsReady):
                event = TrackletsReady(self._numbered(event.tracklets, state))
                found = event.tracklets
            yield event
        for event in propagate(state.session, found):
            if isinstance(event, TrackletsReady):
                found = event.tracklets
            else:
                yield event
        state.counters["frames_encoded"] = state.features.encoded
        yield Proposed(
            Proposal(
                expression,
                clip.size,
                len(clip),
                grounding,
                found,
                dict(state.counters),
                self._provenance | {"settings": settings.as_dict()},
            )
        )

    def _ground(self, clip: Clip, expression: Expression, settings: Settings, state: ClipState) -> Iterator[Event]:
        """Grounding, its counters added to the clip's."""
        from decaf_gui.grounding.ground import ground

        before = asdict(self.mllm.counters)
        try:
            yield from ground(self.mllm, clip, expression, settings.grounding)
        finally:
            for name, count in asdict(self.mllm.counters).items():
                state.counters[name] = state.counters.get(name, 0) + count - before[name]

    def prompt(
        self,
        clip: Clip,
        object_id: int,
        frame: int,
        points: Sequence[Point] = (),
        box: Box | None = None,
        mask: NDArray[np.bool_] | None = None,
    ) -> Prompted:
        """The mask of one object on one frame after all its points there; the frame becomes a conditioning frame.

        `points` are (x, y, positive) and `box` (x0, y0, x1, y1) in pixels of the source frame, `mask` bool (H, W);
        they replace what the object was prompted with on this frame. An id that is new begins a new object; the
        ids of a proposal's tracked tracklets are objects already. Raises BadInput for a frame or point outside.
        """
        given = Prompt(frame, tuple((float(x), float(y), bool(p)) for x, y, p in points), box, mask)
        _check_prompt(clip, given)
        state = self.state(clip)
        state.next_object = max(state.next_object, object_id + 1)
        return state.session.prompt(object_id, given)

    def track(self, clip: Clip, object_ids: Sequence[int], start: int, stop: int) -> Iterator[FrameTracked]:
        """Masks of the objects from frame `start` to frame `stop`, both included; backward when stop < start.

        Yields one event per frame. `prompt` may be called between two events: the prompted object leaves this
        sweep, the others go on. Raises BadInput for an object that has no prompt, or frames outside of the clip.
        """
        for frame in (start, stop):
            _check_frame(clip, frame)
        return self.state(clip).session.track(object_ids, start, stop)

    def forget(self, clip: Clip, object_id: int) -> None:
        """Removes an object and all its prompts."""
        self.state(clip).session.remove(object_id)

    def free(self) -> None:
        """Returns the memory of everything cached; the models stay loaded."""
        self._clips.clear()
        if self._mllm is not None:
            self._mllm.free()

    def state(self, clip: Clip) -> ClipState:
        """The cached state of a clip, made anew when it is not (or no longer) known."""
        from decaf_gui.tracking import FeatureStore, Session

        key = clip.fingerprint
        if key not in self._clips:
            memory = self.settings.memory
            store = FeatureStore(self.sam, clip, memory.features_device_bytes, memory.features_host_bytes)
            self._clips[key] = ClipState(store, Session(store))
            while len(self._clips) > OPEN_CLIPS:
                self._clips.popitem(last=False)
        state = self._clips[key]
        state.features.source = clip  # the same media, perhaps opened anew
        self._clips.move_to_end(key)
        return state

    def _load(self) -> Iterator[Event]:
        """Both models and their provenance, with an event before each wait."""
        yield Stage("load", 0, 2, self.mllm_card.title)
        _ = self.mllm
        yield Stage("load", 1, 2, self.sam_card.title)
        _ = self.sam
        if not self._provenance:
            models = {"mllm": self.mllm_card, "sam": self.sam_card}
            self._provenance = {
                "program": f"decaf-gui {__version__}",
                "device": self.device,
                "notice": self.notice,
                **{kind: _model_provenance(card) for kind, card in models.items()},
            }
        yield Stage("load", 2, 2)

    def _resolved(self, settings: Settings) -> Settings:
        """The settings with the model card's input where they leave it open."""
        given, card = settings.grounding, self.mllm_card.input
        chosen = {
            name: getattr(given, name) or getattr(card, name, None)
            for name in ("frames", "video_tokens", "frame_scale")
        }
        return replace(settings, grounding=replace(given, **{k: v for k, v in chosen.items() if v}))

    @staticmethod
    def _numbered(tracklets: Sequence[Tracklet], state: ClipState) -> tuple[Tracklet, ...]:
        """Tracklets with ids that no other object of the clip has."""
        numbered = tuple(replace(t, id=state.next_object + i) for i, t in enumerate(tracklets))
        state.next_object += len(numbered)
        return numbered


def check_device_name(name: str) -> None:
    """Raises BadInput for what is no device's name; whether the device is there, only torch knows."""
    kind, colon, index = name.partition(":")
    if kind not in DEVICES or (colon and (kind != "cuda" or not index.isdigit())):
        raise BadInput(f'Unknown device "{name}": choose {", ".join(DEVICES)}.')


def choose_device(name: str) -> str:
    """The device that `name` means; "auto" is the first of cuda, mps, cpu. Raises BadInput when it is not there."""
    check_device_name(name)
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(kind for kind, found in there.items() if found)
    kind, _, index = name.partition(":")
    if not there[kind] or (kind == "cuda" and int(index or 0) >= torch.cuda.device_count()):
        raise BadInput(f'The device "{name}" is not available here; "decaf-gui doctor" lists what is.')
    return name


def _model_provenance(card: ModelCard) -> dict[str, Any]:
    path = source_of(card)
    return {"id": card.id, "revision": revision_of(path), "weights": weights_hash(path)}


def _check_frame(clip: Clip, frame: int) -> None:
    if not 0 <= frame < len(clip):
        raise BadInput(f"There is no frame {frame}: the clip has {len(clip)}, counted from 0.")


def _check_prompt(clip: Clip, given: Prompt) -> None:
    _check_frame(clip, given.frame)
    height, width = clip.size
    for x, y, _ in given.points:
        if not (0 <= x <= width and 0 <= y <= height):
            raise BadInput(f"The point ({x:g}, {y:g}) lies outside of the {width}x{height} frame.")
    if given.box is not None and not (given.box[0] < given.box[2] and given.box[1] < given.box[3]):
        raise BadInput(f"The box {given.box} is empty: give (x0, y0, x1, y1) with x0 < x1 and y0 < y1.")
    if given.mask is not None and given.mask.shape != clip.size:
        raise BadInput(f"The mask is {given.mask.shape}, the clip {clip.size}: resize it.")
