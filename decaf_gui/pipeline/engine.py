"""The engine: an expression on a clip becomes a proposal; clicks become masks; masks are tracked.

All long work is a generator of events: read it for progress, close it to cancel.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from decaf_gui import __version__
from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Box, Expression, Grounding, Point, Prompt, Proposal, Tracklet
from decaf_gui.core.errors import BadInput, OutOfMemory
from decaf_gui.core.events import AttentionReady, Event, FrameTracked, Prompted, Proposed, Stage, TrackletsReady
from decaf_gui.pipeline.models import Kind, ModelCard, card_of, revision_of, source_of, weights_hash
from decaf_gui.pipeline.settings import Settings
from decaf_gui.pipeline.steering import chosen_prompts, prompts_notice

if TYPE_CHECKING:
    from decaf_gui.grounding.mllm import Mllm
    from decaf_gui.grounding.steering import SoftPrompts
    from decaf_gui.tracking.features import FeatureStore
    from decaf_gui.tracking.planned import Tracking
    from decaf_gui.tracking.session import Session

Result = TypeVar("Result")
log = logging.getLogger(__name__)
DEVICES = ("auto", "cuda", "mps", "cpu")
DTYPES = ("auto", "float32", "bfloat16", "float16", "8bit", "4bit")
"""Precisions of the MLLM."""
ADVICE = "choose a smaller model, fewer or smaller frames, or another device."
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
    "auto". `dtype` is the MLLM's precision: "auto", "float32", "bfloat16", "float16", or "8bit" and "4bit" where
    bitsandbytes is installed. Models load when first needed; nothing is ever downloaded here. Raises BadInput for
    unknown models.
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
        if dtype not in DTYPES:
            raise BadInput(f'Unknown precision "{dtype}": choose one of {", ".join(DTYPES)}.')
        self._dtype, self._attention = dtype, attention
        self._mllm: Mllm | None = None
        self._sam: Any = None
        self._clips: OrderedDict[Any, ClipState] = OrderedDict()
        self._attended: dict[Any, dict[str, int]] = {}
        self._provenance: dict[Kind, dict[str, Any]] = {}
        self._prompts: dict[tuple[str, int, int], SoftPrompts] = {}
        self._sparing = False

    @property
    def mllm(self) -> Mllm:
        """The multimodal LLM, loaded when first asked for."""
        if self._mllm is None:
            from decaf_gui.grounding.mllm import Mllm

            memory = self.settings.memory
            bits = self._dtype in ("4bit", "8bit")
            self._mllm = Mllm.load(
                source_of(self.mllm_card),
                device=self.device,
                dtype="auto" if bits else self._dtype,
                quantise=self._dtype if bits else "none",  # type: ignore[arg-type]
                attention=self._attention,
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
        unsteered = prompts_notice(self.settings.grounding.steering, self.mllm_card)
        return " ".join(filter(None, (_notes((self.mllm_card, self.sam_card)), unsteered)))

    def propose(self, clip: Clip, expression: str | Expression, settings: Settings | None = None) -> Iterator[Event]:
        """Masks over the whole clip for what `expression` describes; the last event is `Proposed`.

        Before it come `Stage`s, one `AttentionReady`, one `TrackletsReady` (all candidates, masks on the sampled
        frames) and one `FrameTracked` per frame and direction. Closing the generator cancels; everything yielded
        stays valid. The proposal's counters count all work on this clip since the engine first saw it:
        `vision_inputs` and `prefix_prefills` (1 for the video, 1 per sampled frame, however many expressions),
        `questions`, `frames_encoded` (SAM2's image encoder). Raises BadInput for an empty expression, or soft prompts
        (`grounding.steering`) that cannot be read or are not this model's.
        """
        wanted = expression if isinstance(expression, Expression) else Expression(expression)
        chosen = self.resolved(settings or self.settings)
        self.soft_prompts(chosen)
        return self._propose(clip, wanted, chosen)

    def attend(self, clip: Clip, expression: str | Expression, settings: Settings | None = None) -> Iterator[Event]:
        """Where the multimodal LLM looks for what `expression` describes; the last event is `AttentionReady`.

        SAM2 is neither loaded nor asked for; `attention_mask` makes masks of the maps. Raises BadInput as `propose`.
        """
        wanted = expression if isinstance(expression, Expression) else Expression(expression)
        chosen = self.resolved(settings or self.settings)
        self.soft_prompts(chosen)
        return self._attend(clip, wanted, chosen)

    def _attend(self, clip: Clip, expression: Expression, settings: Settings) -> Iterator[Event]:
        yield from self.load(sam=False)
        counters = self._counters(clip)
        yield from self.sparing(lambda: self._ground(clip, expression, settings, counters))

    def _propose(self, clip: Clip, expression: Expression, settings: Settings) -> Iterator[Event]:
        yield from self.load()
        state = self.state(clip)
        grounding: Grounding | None = None
        for event in self.sparing(lambda: self._ground(clip, expression, settings, state.counters)):
            yield event
            grounding = event.grounding if isinstance(event, AttentionReady) else grounding
        assert grounding is not None
        yield from self._segment(clip, expression, grounding, settings)

    def segment(
        self, clip: Clip, expression: str | Expression, grounding: Grounding, settings: Settings | None = None
    ) -> Iterator[Event]:
        """The second half of `propose`, from what `attend` found: the same events from `TrackletsReady` on."""
        wanted = expression if isinstance(expression, Expression) else Expression(expression)
        return self._segment(clip, wanted, grounding, self.resolved(settings or self.settings))

    def _segment(self, clip: Clip, expression: Expression, grounding: Grounding, settings: Settings) -> Iterator[Event]:
        yield from self.load(mllm=False)
        state, found = self.state(clip), tuple[Tracklet, ...]()
        for event in self.sparing(lambda: self._candidates(grounding, settings, state)):
            yield event
            found = event.tracklets if isinstance(event, TrackletsReady) else found
        chosen = found
        for event in self.sparing(lambda: self._propagate(chosen, state)):
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
                self.provenance() | self._steering(settings) | {"settings": settings.as_dict()},
            )
        )

    def _ground(
        self, clip: Clip, expression: Expression, settings: Settings, counters: dict[str, int]
    ) -> Iterator[Event]:
        """Grounding, its counters added to the clip's."""
        from decaf_gui.grounding.ground import ground

        before = asdict(self.mllm.counters)
        chosen = settings.grounding
        if self._sparing:
            chosen = replace(chosen, frame_batch=1, vision_batch=1, prefill_chunk=max(1, chosen.prefill_chunk // 4))
        try:
            yield from ground(self.mllm.steered(self.soft_prompts(settings)), clip, expression, chosen)
        finally:
            for name, count in asdict(self.mllm.counters).items():
                counters[name] = counters.get(name, 0) + count - before[name]

    def _candidates(self, grounding: Grounding, settings: Settings, state: ClipState) -> Iterator[Event]:
        """The scored candidates, with ids that no other object of the clip has."""
        from decaf_gui.tracking import candidates

        maps = (grounding.frames, grounding.maps)
        for event in candidates(state.features, *maps, settings.tracking, grounding.parts):
            if isinstance(event, TrackletsReady):
                event = TrackletsReady(self._numbered(event.tracklets, state))
            yield event

    def _propagate(self, found: Sequence[Tracklet], state: ClipState) -> Iterator[Event]:
        from decaf_gui.tracking import propagate

        for tracklet in found:  # what a try without enough memory left
            state.session.remove(tracklet.id)
        yield from propagate(state.session, found)

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

    def decode(self, clip: Clip, object_id: int, given: Prompt) -> Prompted:
        """The mask that a prompt gives by itself, from its points and the base that they correct.

        No state is read or changed: the same prompt gives the same mask at any time. Raises BadInput as `prompt` does.
        """
        _check_prompt(clip, given)
        return self.state(clip).session.decode(object_id, given)

    def tracking(
        self, clip: Clip, prompts: Mapping[int, Sequence[Prompt]], sweeps: Sequence[tuple[int, int]]
    ) -> Tracking:
        """Tracking that depends on nothing but `prompts` (by object) and `sweeps`, (start, stop) both included.

        Iterate it for events; between two of them objects can leave it. It begins nothing that `track` would go on
        with. Raises BadInput for frames outside of the clip.
        """
        from decaf_gui.tracking import Tracking

        for given in (given for listed in prompts.values() for given in listed):
            _check_prompt(clip, given)
        for frame in (frame for sweep in sweeps for frame in sweep):
            _check_frame(clip, frame)
        return Tracking(self.state(clip).features, prompts, sweeps)

    def look(self, clip: Clip, frame: int) -> None:
        """Encodes a frame, so that the first click on it is answered at once."""
        _check_frame(clip, frame)
        self.state(clip).features.prepare([frame])

    def sparing(self, stage: Callable[[], Iterator[Result]]) -> Iterator[Result | Stage]:
        """Runs a stage of work; when memory runs out, once more from its start, caches empty and batches small.

        `stage` begins it. Raises OutOfMemory when that is not enough either.
        """
        try:
            yield from stage()
            return
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.warning("out of memory on %s, trying again with less: %s", self.device, error)
        self.economise()  # not while the error is handled: its traceback holds the stage's tensors
        yield Stage("memory", 0, 0, f"out of memory on {self.device}: trying again with less")
        try:
            yield from stage()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            message = f"Out of memory on {self.device}, even with small batches: {ADVICE}"
            raise OutOfMemory(message) from error

    def economise(self) -> None:
        """Drops what is cached (models, prompts and tracking stay) and works in small batches from now on."""
        self._sparing = True
        for state in self._clips.values():
            state.features.drop()
            state.features.sparing = True
        if self._mllm is not None:
            self._mllm.prefixes.device_bytes //= 2
            self._mllm.free()
        if self.device.startswith("cuda"):
            import torch

            torch.cuda.empty_cache()

    def forget(self, clip: Clip, object_id: int) -> None:
        """Removes an object and all its prompts."""
        self.state(clip).session.remove(object_id)

    def free(self) -> None:
        """Returns the memory of everything cached; the models stay loaded."""
        self._clips.clear()
        self._attended.clear()
        if self._mllm is not None:
            self._mllm.free()

    def state(self, clip: Clip) -> ClipState:
        """The cached state of a clip, made anew when it is not (or no longer) known."""
        from decaf_gui.tracking import FeatureStore, Session

        key = clip.fingerprint
        if key not in self._clips:
            memory = self.settings.memory
            store = FeatureStore(self.sam, clip, memory.features_device_bytes, memory.features_host_bytes)
            store.sparing = self._sparing
            self._clips[key] = ClipState(store, Session(store), self._attended.pop(key, {}))
            while len(self._clips) > OPEN_CLIPS:
                self._clips.popitem(last=False)
        state = self._clips[key]
        state.features.source = clip  # the same media, perhaps opened anew
        self._clips.move_to_end(key)
        return state

    def _counters(self, clip: Clip) -> dict[str, int]:
        """What was counted on a clip, also before SAM2 first saw it."""
        state = self._clips.get(clip.fingerprint)
        return self._attended.setdefault(clip.fingerprint, {}) if state is None else state.counters

    def load(self, *, mllm: bool = True, sam: bool = True) -> Iterator[Stage]:
        """Both models (or one of them), with an event before each wait; nothing where they are there already.

        Raises OutOfMemory when one does not fit on the device.
        """
        if (self._sam is not None or not sam) and (self._mllm is not None or not mllm):
            return
        steps: list[tuple[str, Callable[[], object]]] = []
        if mllm:
            steps += [("transformers", self._import_mllm), (self.mllm_card.title, lambda: self.mllm)]
        if sam:
            steps.append((self.sam_card.title, lambda: self.sam))
        for done, (name, step) in enumerate(steps):
            yield Stage("load", done, len(steps), name)
            try:
                step()
            except Exception as error:
                if is_out_of_memory(error):
                    raise OutOfMemory(f"{name} does not fit into the memory of {self.device}: {ADVICE}") from error
                raise
        yield Stage("load", len(steps), len(steps))

    @staticmethod
    def _import_mllm() -> None:
        import_module("decaf_gui.grounding.mllm")

    def provenance(self, kinds: Sequence[Kind] = ("mllm", "sam")) -> dict[str, Any]:
        """What made results: program, device, what must be said of them, and the models of these kinds."""
        cards = {"mllm": self.mllm_card, "sam": self.sam_card}
        for kind in kinds:
            if kind not in self._provenance:
                self._provenance[kind] = _model_provenance(cards[kind])
        return {
            "program": f"decaf-gui {__version__}",
            "device": self.device,
            "notice": _notes(cards[kind] for kind in kinds),
            **{kind: self._provenance[kind] for kind in kinds},
        }

    def soft_prompts(self, settings: Settings) -> SoftPrompts | None:
        """The soft prompts that the settings name, read once as long as their file stays as it is; None for none.

        Raises BadInput when they cannot be read, or were learned for other weights than this model's.
        """
        path = chosen_prompts(settings.grounding.steering, self.mllm_card)
        if path is None:
            return None
        from decaf_gui.grounding.steering import load_prompts

        told = path.stat() if path.is_file() else None
        key = (str(path), told.st_mtime_ns if told else 0, told.st_size if told else 0)
        if key not in self._prompts:
            found = load_prompts(path)
            made = self.provenance(("mllm",))["mllm"]
            found.check_weights(made["id"], made["weights"])
            self._prompts = {key: found}
        return self._prompts[key]

    def _steering(self, settings: Settings) -> dict[str, Any]:
        """What steered the attention, for provenance: nothing where nothing did."""
        prompts = self.soft_prompts(settings)
        return {} if prompts is None else {"soft_prompts": {"model": prompts.model, "sha256": prompts.digest}}

    def resolved(self, settings: Settings) -> Settings:
        """The settings with the model card's input, and its soft prompts, where they leave that open."""
        given, card = settings.grounding, self.mllm_card.input
        if given.steering == "auto":
            given = replace(given, steering=str(chosen_prompts("auto", self.mllm_card) or "none"))
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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the machine, has no memory left."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"OutOfMemoryError", "MemoryError"}:
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in said or "can't allocate memory" in said)


def _notes(cards: Iterable[ModelCard]) -> str:
    """What must be said of models, each sentence once."""
    return " ".join(dict.fromkeys(card.note for card in cards if card.note))


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
    for mask in (given.mask, given.base):
        if mask is not None and mask.shape != clip.size:
            raise BadInput(f"The mask is {mask.shape}, the clip {clip.size}: resize it.")
