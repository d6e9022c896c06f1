"""The choices of the grounding half, with the paper's names and the released code's values as defaults."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

from decaf_gui.core.errors import BadInput

RolloutMethod = Literal["vmax", "max", "plain"]
Modalities = Literal["fused", "video", "frames"]


@dataclass(frozen=True, slots=True)
class GroundingSettings:
    """How an expression becomes attention maps (DecAF 3.2 and 3.3; spec sections 1 to 5).

    `frames` Ts, `video_tokens` (cap of visual tokens of one video frame) and `frame_scale` (how many times the
    video grid's width and height a frame input has) follow the model's card where they are None: 16, 400 and 2
    for the released models. `start_layer` None is half of the decoder's layers.
    """

    frames: int | None = None
    video_tokens: int | None = None
    frame_scale: int | None = None
    rollout: RolloutMethod = "vmax"
    start_layer: int | None = None
    sigma: float = 1.0
    video_kernel: int = 3
    frame_kernel: int = 7
    contrast: bool = True
    modalities: Modalities = "fused"
    max_new_tokens: int = 128
    frame_batch: int = 16
    prefill_chunk: int = 2048
    vision_batch: int = 4

    def __post_init__(self) -> None:
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
