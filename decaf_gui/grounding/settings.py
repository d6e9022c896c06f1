"""The choices of the grounding half, with the paper's names and the released code's values as defaults."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal

from decaf_gui.core.choices import about
from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.prompts import (
    ASKINGS,
    AttributePrompt,
    BackgroundPrompt,
    ChoicePrompt,
    ObjectPrompt,
    template_of,
)

RolloutMethod = Literal["vmax", "max", "plain"]
Modalities = Literal["fused", "video", "frames"]
ModelInput = Literal["paper", "native"]
Steering = Literal["none", "auto"]


@dataclass(frozen=True, slots=True)
class GroundingSettings:
    """How an expression becomes attention maps (DecAF 3.2 and 3.3; spec sections 1 to 5).

    `frames` Ts, `video_tokens` (cap of visual tokens of one video frame) and `frame_scale` (how many times the
    video grid's width and height a frame input has) follow the model's card where they are None: 16, 400 and 2
    for the released models. `start_layer` None is half of the decoder's layers.
    """

    frames: int | None = field(
        default=None,
        metadata=about(
            "Sampled frames",
            "Ts: how many frames of the clip the multimodal LLM is shown, evenly spread.",
            low=1,
            unset="as the model asks (the released ones: 16)",
            source="3.4",
        ),
    )
    video_tokens: int | None = field(
        default=None,
        metadata=about(
            "Visual tokens of a video frame",
            "The most visual tokens that one frame of the video input may take; more see finer and cost more memory.",
            low=1,
            unset="as the model asks (the released ones: 400)",
        ),
    )
    frame_scale: int | None = field(
        default=None,
        metadata=about(
            "Scale of frame inputs",
            "How many times the video grid's width and height a single frame has when it is shown on its own.",
            low=1,
            unset="as the model asks (the released ones: 2)",
            source="3.3, table 4c",
        ),
    )
    rollout: RolloutMethod = field(
        default="vmax",
        metadata=about(
            "Rollout",
            "How heads are weighted: vmax by their attention to visual tokens, max to any token, plain not at all.",
            source="eq. 4, table 5a",
        ),
    )
    start_layer: int | None = field(
        default=None,
        metadata=about(
            "First rolled layer",
            "The decoder layer at which the rollout begins, counted from 0.",
            low=0,
            unset="half of the layers",
            source="4.1, table 5b",
        ),
    )
    smoothing: bool = field(
        default=True,
        metadata=about("Smooth raw maps", "A Gaussian over the raw maps, before anything else.", source="3.3"),
    )
    sigma: float = field(
        default=1.0,
        metadata=about(
            "Smoothing",
            "Standard deviation of the Gaussian on the raw maps, in tokens; above 0.",
            low=0.001,
            step=0.1,
            source="3.3",
        ),
    )
    video_kernel: int = field(
        default=3,
        metadata=about(
            "Smoothing window of video maps",
            "Width of the Gaussian's window on the video maps, in tokens; odd.",
            low=1,
            step=2,
            source="3.3",
        ),
    )
    frame_kernel: int = field(
        default=7,
        metadata=about(
            "Smoothing window of frame maps",
            "Width of the Gaussian's window on the frame maps, in tokens; odd.",
            low=1,
            step=2,
            source="3.3",
        ),
    )
    contrast: bool = field(
        default=True,
        metadata=about(
            "Contrast with the background",
            "Subtract what the model looks at when it is asked for the scene without the object.",
            source="3.3, table 4a",
        ),
    )
    modalities: Modalities = field(
        default="fused",
        metadata=about(
            "Inputs",
            "What the model is shown: the video and its frames (fused), or only one of them.",
            source="3.3, table 4b",
        ),
    )
    input: ModelInput = field(
        default="paper",
        metadata=about(
            "Tokens beside the grid",
            "Thumbnails, base tiles and newlines of some models: left out (paper) or shown, but in no map (native).",
        ),
    )
    object_prompt: ObjectPrompt | str = field(
        default="paper",
        metadata=about(
            "Object question",
            "Asks for the object: a wording by name, or one's own with {expression}, {attributes}; \\n is a new line.",
            source="3.3, table 10",
        ),
    )
    choice_prompt: ChoicePrompt | str = field(
        default="paper",
        metadata=about(
            "Category question",
            "Asks which answer is meant: a wording by name, or one's own with {expression} and {candidates}.",
            source="3.3, table 12",
        ),
    )
    background_prompt: BackgroundPrompt | str = field(
        default="paper",
        metadata=about(
            "Background question",
            "Asks for the scene without the object: a wording by name, or one's own with {category} or {expression}.",
            source="3.3, table 11",
        ),
    )
    attributes: bool = field(
        default=False,
        metadata=about(
            "Ask for attributes",
            "First ask what tells the object from others (colour, position, motion); the object question names it.",
            source="SteerSeg",
        ),
    )
    attribute_prompt: AttributePrompt | str = field(
        default="lines",
        metadata=about(
            "Attributes question",
            "Asks for attributes and reasons: a wording by name, or one's own with {expression}.",
            source="SteerSeg",
        ),
    )
    steering: Steering | str = field(
        default="none",
        metadata=about(
            "Soft prompts",
            "What steers the attention: a file of soft prompts, those that come with the model (auto), or none. "
            "In the window for the method SteerSeg.",
            source="SteerSeg",
        ),
    )
    max_new_tokens: int = field(
        default=128,
        metadata=about("Longest answer", "The most tokens that the model may answer with.", low=1),
    )
    frame_batch: int = field(
        default=16,
        metadata=about(
            "Frames at a time", "How many frame inputs go through the model together; fewer need less memory.", low=1
        ),
    )
    prefill_chunk: int = field(
        default=2048,
        metadata=about(
            "Tokens at a time", "How many tokens are read in one step before the answer; fewer need less memory.", low=1
        ),
    )
    vision_batch: int = field(
        default=4,
        metadata=about(
            "Frames at a time in the vision tower",
            "How many inputs are turned into visual tokens together; fewer need less memory.",
            low=1,
        ),
    )

    def __post_init__(self) -> None:
        if not self.steering:  # an emptied line
            object.__setattr__(self, "steering", "none")
        for name in ASKINGS:
            template_of(name, getattr(self, name))
        for name in ("video_kernel", "frame_kernel"):
            if getattr(self, name) % 2 == 0 or getattr(self, name) < 1:
                raise BadInput(f"{name} must be an odd number, not {getattr(self, name)}.")
        counted = {"frames", "video_tokens", "frame_scale", "max_new_tokens"}
        counted |= {"frame_batch", "prefill_chunk", "vision_batch"}
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.name in counted and value is not None and value < 1:
                raise BadInput(f"{entry.name} must be at least 1, not {value}.")
        if not self.sigma > 0:
            raise BadInput(f"sigma must be above 0, not {self.sigma}.")
        if self.start_layer is not None and self.start_layer < 0:
            raise BadInput(f"start_layer must be 0 or more, not {self.start_layer}.")

    @classmethod
    def steerseg(cls) -> GroundingSettings:
        """SteerSeg's soft prompts, where the model comes with some, and its reasoning step (spec section 8).

        There is no contrast with the background. That is inferred: what the authors published draws contrasted maps as
        what theirs improve upon (figure 1), and their pipeline (figure 2) has no question for the background; it is
        said nowhere in so many words.
        """
        return cls(attributes=True, object_prompt="attributes", contrast=False, steering="auto")
