"""The paper's models at the paper's sizes, random weights, on a CUDA card: time and memory of every stage.

Qwen2.5-VL-7B and sam2-hiera-large in bfloat16, 16 sampled of 80 frames of 854x480. Every stage is set against the
straightforward way in the same run, and against its limit: the FLOPs it cannot do without over the card's measured
rate of bfloat16 matrix products.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from decaf_gui.bench.clips import DAVIS_SIZE, EndlessClip
from decaf_gui.bench.grounding import FIRST, FURTHER, clocked_run
from decaf_gui.bench.measure import MIB, alternate, seconds
from decaf_gui.bench.models import QWEN_7B_TEXT, QWEN_7B_VISION, random_qwen, random_sam
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.bench.straightforward import PredictorStage, StraightforwardMllm, package_predictor
from decaf_gui.bench.tracking import attended_maps, sam_stage, spread_points
from decaf_gui.core.entities import Prompt
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event, Stage
from decaf_gui.grounding.ground import LazyFrames, visual_inputs
from decaf_gui.grounding.mllm import Mllm
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.tracking.features import FeatureStore, preprocess
from decaf_gui.tracking.session import Session
from decaf_gui.tracking.settings import TrackingSettings

COLUMNS = ("stage", "s", "straightforward s", "faster x", "limit s", "times its limit", "peak GiB")
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is run. The defaults are the paper's."""

    text: Mapping[str, Any] = field(default_factory=lambda: QWEN_7B_TEXT)
    vision: Mapping[str, Any] = field(default_factory=lambda: QWEN_7B_VISION)
    sam: str = "sam2-large"
    frames: int = 80
    sampled: int = 16
    video_tokens: int = 400
    clip: tuple[int, int] = DAVIS_SIZE
    grid: tuple[int, int] = (30, 52)
    answer_tokens: int = 8
    dtype: torch.dtype = torch.bfloat16
    clicks: int = 20


def run(options: Options, sizes: Sizes | None = None) -> Iterator[Event]:
    """Both halves one after the other, each with the card to itself. Raises BadInput without CUDA."""
    if sizes is None and not torch.cuda.is_available():
        raise BadInput("--paper-size measures a CUDA card, and there is none here: run it on a machine with one.")
    device = options.device if sizes is not None or options.device.startswith("cuda") else "cuda"
    sizes = sizes or Sizes()
    yield Stage("bench paper size", 0, 3, "matrix rate")
    rate = matrix_rate(device, sizes.dtype)
    clip = EndlessClip(sizes.frames, sizes.clip)
    yield Stage("bench paper size", 1, 3, "grounding")
    rows, targets = _grounding(clip, sizes, rate, device)
    _empty(device)
    yield Stage("bench paper size", 2, 3, "SAM2")
    more_rows, more_targets = _sam(clip, sizes, rate, device)
    yield Stage("bench paper size", 3, 3)
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    title = f"Paper size on {name}: {rate / 1e12:.3g} TFLOP/s measured in matrix products"
    setting = {key: str(value) for key, value in asdict(sizes).items()} | {"matrix_flops": rate}
    yield Result("paper_size", title, COLUMNS, (*rows, *more_rows), (*targets, *more_targets), setting)


def matrix_rate(device: str, dtype: torch.dtype) -> float:
    """FLOP/s of a large square matrix product on this device, measured."""
    side = 8192 if device.startswith("cuda") else 512
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    taken = alternate({"product": lambda: torch.matmul(a, b)}, 10, device)["product"]
    return 2 * side**3 / taken


def _grounding(
    clip: EndlessClip, sizes: Sizes, rate: float, device: str
) -> tuple[list[tuple[Cell, ...]], list[Target]]:
    settings = GroundingSettings(
        frames=sizes.sampled, video_tokens=sizes.video_tokens, frame_scale=2, max_new_tokens=sizes.answer_tokens
    )
    with torch.inference_mode():
        model, processor = random_qwen(sizes.text, sizes.vision, device, sizes.dtype)
        mllm = Mllm(model, processor)
        clocked_run(mllm, clip, FIRST, settings, device)  # kernels are chosen, memory pools grow
        mllm.free()
        flops, prefills = _prefills(mllm, clip, settings, device)
        mllm.free()
        _reset(device)
        first, _ = clocked_run(mllm, clip, FIRST, settings, device)
        peak = _peak(device)
        further, _ = clocked_run(mllm, clip, FURTHER, settings, device)
        mllm.free()
        alone = replace(settings, frame_batch=1)
        plain, _ = clocked_run(StraightforwardMllm(model, processor), clip, FIRST, alone, device)
    limit = flops / rate
    whole, again, slow = sum(first), sum(further), sum(plain)
    rows = [
        _row("prefills and vision tower", prefills, None, limit, None),
        _row("grounding, first expression", whole, slow, limit, peak),
        _row("grounding, further expression", again, slow, None, None),
    ]
    targets = [
        Target("grounding of a first expression, times its prefills", whole / prefills, 1.3, at_most=True),
        Target("grounding of a further expression, share of the first", again / whole, 0.15, at_most=True),
        Target("peak GiB allocated while grounding", peak or 0.0, 22, at_most=True),
    ]
    return rows, targets


def _prefills(mllm: Mllm, clip: EndlessClip, settings: GroundingSettings, device: str) -> tuple[int, float]:
    """FLOPs and seconds of the vision tower and the prefix prefills of all inputs of a clip."""

    def all_prefixes() -> None:
        mllm.prefixes.clear()
        for shown in visual_inputs(mllm, clip, settings):
            steps = mllm.prefix(shown, LazyFrames(clip, shown.frames), settings)
            with suppress(StopIteration):
                while True:
                    next(steps)

    taken = median(seconds(all_prefixes, device) for _ in range(2))
    with FlopCounterMode(display=False) as counter:
        all_prefixes()
    return counter.get_total_flops(), taken


def _sam(clip: EndlessClip, sizes: Sizes, rate: float, device: str) -> tuple[list[tuple[Cell, ...]], list[Target]]:
    frames = [int(f) for f in np.linspace(0, len(clip) - 1, sizes.sampled)]
    maps = attended_maps(sizes.sampled, sizes.grid)
    with torch.inference_mode():
        sam, config = random_sam(sizes.sam, device)
        limit = _encoder_flops(sam, clip, device) * len(clip) / rate

        def ours() -> None:
            sam_stage(FeatureStore(sam, clip), frames, maps, TrackingSettings())

        ours()
        _reset(device)
        stage, peak = seconds(ours, device), _peak(device)
        with _autocast(device):
            plain = PredictorStage(package_predictor(sam, config), clip, frames, grouped=True)
            slow = seconds(lambda: plain.run(maps), device)
            plain.hook.remove()
        click = _click(sam, clip, sizes.clicks, device)
    rows = [_row("SAM2 stage", stage, slow, limit, peak), _row("click to mask, cached frame", click, None, None, None)]
    targets = [
        Target("SAM2 stage, times faster than the straightforward way", slow / stage, 8),
        Target("click to mask in ms", 1000 * click, 30, at_most=True),
    ]
    return rows, targets


def _encoder_flops(sam: Any, clip: EndlessClip, device: str) -> int:
    image = preprocess(clip[0], sam.image_size).to(device)
    with FlopCounterMode(display=False) as counter:
        sam.forward_image(image)
    return int(counter.get_total_flops())


def _click(sam: Any, clip: EndlessClip, clicks: int, device: str) -> float:
    """Median seconds of a click on a frame whose features are there."""
    session = Session(FeatureStore(sam, clip))
    taken = []
    for x, y in spread_points(clicks, clip.size):
        start = time.perf_counter()
        session.prompt(0, Prompt(0, ((x, y, True),)))
        if device.startswith("cuda"):
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - start)
    return median(taken[2:] or taken)


def _autocast(device: str) -> Any:
    """The package's predictor is given the same arithmetic as ours."""
    return torch.autocast("cuda", torch.bfloat16) if device.startswith("cuda") else torch.autocast("cpu", enabled=False)


def _reset(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def _peak(device: str) -> float | None:
    return torch.cuda.max_memory_allocated(device) / GIB if device.startswith("cuda") else None


def _empty(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


def _row(stage: str, own: float, slow: float | None, limit: float | None, peak: float | None) -> tuple[Cell, ...]:
    return (
        stage,
        round(own, 4),
        round(slow, 3) if slow else None,
        round(slow / own, 2) if slow else None,
        round(limit, 3) if limit else None,
        round(own / limit, 2) if limit else None,
        round(peak, 2) if peak else None,
    )
