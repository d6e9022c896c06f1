"""From a clip and an expression to a `Grounding`: the four questions and the fusion, as one generator.

Before them comes one more where the settings ask for it: SteerSeg's question for attributes.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from decaf_gui.core.attributes import joined_attributes
from decaf_gui.core.entities import Expression, Grounding
from decaf_gui.core.events import AttentionReady, Event, Stage
from decaf_gui.grounding.attributes import Reasoning, parse_reasoning
from decaf_gui.grounding.families import Frame
from decaf_gui.grounding.fusion import Maps, fuse_maps
from decaf_gui.grounding.mllm import Answer, Mllm, VisualInput
from decaf_gui.grounding.prompts import attribute_question, background_question, choice_question, object_question
from decaf_gui.grounding.settings import GroundingSettings

DEFAULT_FRAMES, DEFAULT_VIDEO_TOKENS, DEFAULT_FRAME_SCALE = 16, 400, 2


class FrameSource(Protocol):
    """What grounding needs of a clip."""

    @property
    def size(self) -> tuple[int, int]: ...

    @property
    def fingerprint(self) -> Hashable: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Frame: ...


def sample_frames(length: int, count: int) -> tuple[int, ...]:
    """All frames of a short clip, otherwise floor(linspace(0, T - 1, count)) (spec section 1)."""
    if length <= count:
        return tuple(range(length))
    return tuple(int(f) for f in np.floor(np.linspace(0, length - 1, count)))


@dataclass(frozen=True, slots=True)
class LazyFrames(Sequence[Frame]):
    """Frames of a clip by source index, decoded when looked at."""

    clip: FrameSource
    frames: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Frame:  # type: ignore[override]
        return self.clip[self.frames[index]]


def visual_inputs(mllm: Mllm, clip: FrameSource, settings: GroundingSettings) -> list[VisualInput]:
    """The inputs that the settings call for: the video, and the frames in batches (multi-scale: larger)."""
    frames = sample_frames(len(clip), settings.frames or DEFAULT_FRAMES)
    video = video_input(mllm, clip, settings)
    height, width = video.size
    scale = settings.frame_scale or DEFAULT_FRAME_SCALE
    inputs = [video] if settings.modalities != "frames" else []
    if settings.modalities != "video":
        step = settings.frame_batch
        batches = [frames[i : i + step] for i in range(0, len(frames), step)]
        inputs += [VisualInput(clip.fingerprint, "image", b, (height * scale, width * scale)) for b in batches]
    return inputs


def video_input(mllm: Mllm, clip: FrameSource, settings: GroundingSettings) -> VisualInput:
    """All sampled frames as one video."""
    frames = sample_frames(len(clip), settings.frames or DEFAULT_FRAMES)
    size = mllm.family.input_size(clip.size, settings.video_tokens or DEFAULT_VIDEO_TOKENS)
    return VisualInput(clip.fingerprint, "video", frames, size)


def ground(mllm: Mllm, clip: FrameSource, expression: Expression, settings: GroundingSettings) -> Iterator[Event]:
    """Asks the questions of section 2 and fuses what the model looked at; the last event is `AttentionReady`.

    With attributes (section 8), a person's or those that the model is asked for, the object question names them.
    """
    inputs = visual_inputs(mllm, clip, settings)
    reasoning = yield from reason(mllm, clip, expression, settings)
    described = replace(expression, attributes=reasoning.attributes)
    asked = object_question(described, settings.object_prompt)
    about_object = yield from _ask_all(mllm, clip, inputs, asked, "object question", settings)
    answers = tuple(answer.text for batch in about_object for answer in batch)
    yield Stage("category choice", 0, 1)
    category = choose_category(mllm, expression, answers, settings)
    yield Stage("category choice", 1, 1, category)
    raw = _by_modality(inputs, about_object, "object")
    if settings.contrast:
        question = background_question(category, expression, settings.background_prompt)
        about_background = yield from _ask_all(mllm, clip, inputs, question, "background question", settings)
        raw |= _by_modality(inputs, about_background, "background")
    frames = sample_frames(len(clip), settings.frames or DEFAULT_FRAMES)
    per_token = -(-len(frames) // len(raw["video_object"])) if "video_object" in raw else 1
    fused = fuse_maps(raw, len(frames), per_token, settings)
    maps = fused.pop("fused")
    said = (category, answers, {**raw, **fused}, reasoning.attributes, reasoning.reasons)
    yield AttentionReady(Grounding(maps, frames, *said))


def reason(
    mllm: Mllm, clip: FrameSource, expression: Expression, settings: GroundingSettings
) -> Generator[Stage, None, Reasoning]:
    """Attributes of the object and reasons: a person's where they are given, else the model's where it is to be asked.

    The model is asked on the video, whichever inputs are rolled out, and without soft prompts, as in the paper: they
    were learned for where it looks, not for what it says. Where there are none, the prefix is that of the questions.
    """
    if expression.attributes is not None:
        return Reasoning(expression.attributes)
    if not settings.attributes:
        return Reasoning()
    yield Stage("attributes", 0, 1)
    plain, video = mllm.steered(None), video_input(mllm, clip, settings)
    prefix = yield from plain.prefix(video, LazyFrames(clip, video.frames), settings)
    question = attribute_question(expression, settings.attribute_prompt)
    (answer,) = yield from plain.ask(prefix, question, settings)
    found = parse_reasoning(answer.text)
    yield Stage("attributes", 1, 1, joined_attributes(found.attributes) or "none named")
    return found


def choose_category(mllm: Mllm, expression: Expression, answers: Sequence[str], settings: GroundingSettings) -> str:
    """The class that the expression means, of all answers (question 3); the video's own when nothing is said."""
    said = [answer for answer in answers if answer]
    chosen = mllm.complete(choice_question(expression, said, settings.choice_prompt), settings)
    return chosen or (said[0] if said else expression.text)


def _ask_all(
    mllm: Mllm,
    clip: FrameSource,
    inputs: Sequence[VisualInput],
    question: str,
    stage: str,
    settings: GroundingSettings,
) -> Generator[Event, None, list[list[Answer]]]:
    """One question to every input: the answers, batch by batch."""
    answers: list[list[Answer]] = []
    for done, shown in enumerate(inputs):
        yield Stage(stage, done, len(inputs), "video" if shown.kind == "video" else f"frames {_span(shown.frames)}")
        prefix = yield from mllm.prefix(shown, LazyFrames(clip, shown.frames), settings)
        answers.append((yield from mllm.ask(prefix, question, settings)))
    yield Stage(stage, len(inputs), len(inputs))
    return answers


def _span(frames: Sequence[int]) -> str:
    return str(frames[0]) if len(frames) == 1 else f"{frames[0]} to {frames[-1]}"


def _by_modality(inputs: Sequence[VisualInput], answers: Sequence[list[Answer]], name: str) -> dict[str, Maps]:
    """Raw maps by name: `video_<name>` (Tv, h, w) and `frame_<name>` (Ts, Hp, Wp)."""
    found: dict[str, list[Maps]] = {}
    for shown, batch in zip(inputs, answers, strict=False):
        kind = "video" if shown.kind == "video" else "frame"
        found.setdefault(f"{kind}_{name}", []).extend(answer.maps for answer in batch)
    return {key: np.concatenate(maps) for key, maps in found.items()}
