"""A tiny random SAM2 with every sam2.1 flag, built by hydra as the package builds its own, and random clips."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from hydra.utils import instantiate

from decaf_gui.tracking.architecture import smaller_config

SIDE = 64


DIFFERENCES = {
    "image_encoder.trunk.embed_dim": 8,
    "image_encoder.trunk.stages": [1, 1, 2, 1],
    "image_encoder.trunk.global_att_blocks": [3],
    "image_encoder.neck.backbone_channel_list": [64, 32, 16, 8],
    "memory_attention.num_layers": 2,
    "memory_attention.layer.dim_feedforward": 64,
}


def tiny_config(**changes: Any) -> dict[str, Any]:
    return smaller_config(SIDE, 32, 16, {**DIFFERENCES, **changes})


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Weights that make clicks and memory matter, and objects present: defaults give near constant masks."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                fan = parameter[0].numel()
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * (1.6 / fan**0.5))
            elif parameter.ndim == 1 and parameter.shape[0] > 1:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)
        model.sam_mask_decoder.pred_obj_score_head.layers[-1].bias.fill_(6.0)


def tiny_base(seed: int = 0, **changes: Any) -> Any:
    torch.manual_seed(seed)  # the random position code of points is a buffer
    model = instantiate(tiny_config(**changes), _recursive_=True)
    randomise(model, seed)
    return model.eval()


def tiny_predictor(seed: int = 0, **changes: Any) -> Any:
    """The sam2 package's own video predictor with the same weights."""
    changes = {"add_all_frames_to_correct_as_cond": True, **changes}
    predictor = instantiate(
        tiny_config(_target_="sam2.sam2_video_predictor.SAM2VideoPredictor", **changes), _recursive_=True
    )
    predictor.load_state_dict(tiny_base(seed).state_dict())
    return predictor.eval()


def blob_clip(count: int, size: tuple[int, int] = (48, 72), seed: int = 0) -> list[np.ndarray]:
    """Frames with two moving blobs over noise, uint8 RGB."""
    rng = np.random.default_rng(seed)
    base = cv2.resize(rng.integers(0, 90, (6, 9, 3), dtype=np.uint8), size[::-1])
    frames = []
    for t in range(count):
        frame = base.copy()
        cv2.circle(frame, (12 + 2 * t % 50, 20), 9, (230, 60, 60), -1, cv2.LINE_AA)
        cv2.rectangle(frame, (40, 8 + t % 24), (60, 22 + t % 24), (60, 90, 240), -1)
        frames.append(frame)
    return frames
