"""How good the demo MLLM is while it is trained: answers and fused maps on held-out clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from decaf_gui.demo.mllm_data import (
    SIZES,
    Question,
    View,
    Wording,
    background_ask,
    object_ask,
    pack,
    targets_of,
    view,
)
from decaf_gui.demo.mllm_losses import mean_of
from decaf_gui.demo.mllm_packed import packed_forward
from decaf_gui.demo.shapes import make_clip
from decaf_gui.demo.world import ShapesExpression
from decaf_gui.grounding.fusion import Maps, attention_masks, fuse_maps
from decaf_gui.grounding.settings import GroundingSettings

HELD_OUT_SEED = 500


@torch.inference_mode()
def evaluate(
    model: Any, processor: Any, seeds: Sequence[int], level: str = "kind", per_clip: int = 4
) -> dict[str, float]:
    """The engine's questions and fusion on held-out clips of 24 frames: means over clip-expression pairs.

    `word`, `named`, `scene`: answers right (the shape is not named, is named; the background); `pointing`: the best
    cell of a frame of the fused contrastive map lies on the object (frames in which it is seen), `plain_pointing`
    without contrast; `peak`: the best cell of the clip does; `rank`: the object has the highest mean of all; `iou` of
    Otsu masks; `pointing_KIND` and `word_KIND`: of one kind of expression.
    """
    wording = Wording(processor)
    found = [m for seed in seeds for m in _evaluate_clip(model, wording, seed, level, per_clip)]
    return {name: round(value, 4) for name, value in sorted(mean_of(found).items())}


def _evaluate_clip(model: Any, wording: Wording, seed: int, level: str, per_clip: int) -> list[dict[str, float]]:
    clip = make_clip(seed, level, frames=24, size=SIZES[seed % len(SIZES)])
    random = np.random.default_rng(seed)
    kinds = random.permutation(sorted({e.kind for e in clip.expressions}))[:per_clip]
    expressions = [next(e for e in clip.expressions if e.kind == kind) for kind in kinds]
    shown = view(clip)
    objects = _ask(model, wording, shown, [object_ask(clip, e) for e in expressions])
    answers = objects.pop("answers")
    scenes = _ask(model, wording, shown, [background_ask(clip, str(a)) for a in answers])
    right = [str(a) == clip.background for a in scenes.pop("answers")]
    rows = []
    for i, expression in enumerate(expressions):
        raw = {f"{k}_object": v[i] for k, v in objects.items()} | {f"{k}_background": v[i] for k, v in scenes.items()}
        said = float(answers[i] == expression.answer)
        words = {"named" if object_ask(clip, expression).named else "word": said, "scene": float(right[i])}
        found = words | map_meters(raw, shown, expression)
        own = {"word": said, "pointing": found.get("pointing")}
        found |= {f"{name}_{expression.kind}": value for name, value in own.items() if value is not None}
        rows.append(found)
    return rows


def _ask(model: Any, wording: Wording, shown: View, questions: Sequence[Question]) -> dict[str, Any]:
    """First answer tokens on the video as words, and raw maps by modality: (k, t, h, w)."""
    every = [[i] for i in range(len(shown.frames))]
    with torch.autocast(model.device.type, torch.bfloat16):
        batch, _ = pack([shown], [questions], "video", wording)
        video = packed_forward(model, batch.to(model.device))
        images, _ = pack([shown] * len(every), [questions] * len(every), "image", wording, every)
        frame = packed_forward(model, images.to(model.device))
    words = wording.tokenizer.batch_decode(video.logits[0, :, :1].argmax(-1))
    t, h, w = batch.grid[0], *shown.grid
    video_maps = video.maps[0, :, 0].reshape(-1, t, h, w).cpu().numpy()
    frame_maps = frame.maps[:, :, 0].transpose(0, 1).reshape(len(questions), len(every), 2 * h, 2 * w).cpu().numpy()
    return {"answers": [word.strip() for word in words], "video": video_maps, "frame": frame_maps}


def map_meters(raw: dict[str, Maps], shown: View, expression: ShapesExpression) -> dict[str, float]:
    """How well the fused map of one clip-expression pair finds the object."""
    count = len(shown.frames)
    fused = fuse_maps(raw, count, 2, GroundingSettings())["fused"]
    plain = fuse_maps(raw, count, 2, GroundingSettings(contrast=False))["fused"]
    masks = _sampled_masks(shown)
    wanted = targets_of(shown.clip, expression)
    target = np.asarray(masks[sorted(wanted)].any(axis=0))
    visible = target.any(axis=(1, 2))
    means = [float((fused * c).sum() / max(float(c.sum()), 1e-6)) for c in shown.coverage.numpy()]
    best = int(np.argmax(means))
    hits = _hits(fused, target)
    attended = attention_masks(fused, target.shape[1:])
    overlap = (attended & target).sum((1, 2)) / np.maximum((attended | target).sum((1, 2)), 1)
    return (
        {
            "pointing": float(hits[visible].mean()),
            "plain_pointing": float(_hits(plain, target)[visible].mean()),
            "peak": float(hits[int(fused.max(axis=(1, 2)).argmax())]),
            "rank": float(best in wanted),
            "iou": float(overlap[visible].mean()),
        }
        if visible.any()
        else {}
    )


def _sampled_masks(shown: View) -> NDArray[np.bool_]:
    """The masks (objects, t, H, W) of the frames that are shown."""
    sampled = np.floor(np.linspace(0, len(shown.clip.frames) - 1, len(shown.frames))).astype(int)
    return np.asarray(shown.clip.masks[:, sampled])


def _hits(maps: Maps, target: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the centre of each frame's best cell lies on the target: bool (t,)."""
    t, h, w = maps.shape
    best = maps.reshape(t, -1).argmax(axis=1)
    y = ((best // w + 0.5) / h * target.shape[1]).astype(int)
    x = ((best % w + 0.5) / w * target.shape[2]).astype(int)
    return np.asarray(target[np.arange(t), y, x])
