"""How much memory a training of soft prompts takes, known before a weight is read: from the model's configuration.

The model is built on the meta device, where parameters have shapes and no bytes. What is counted, for a sequence of N
tokens, D the decoder's width, L layers of which the upper R are rolled out, h heads on h_kv key heads of size d:

- weights, by precision; what the optimiser keeps of the prompts: value, gradient and two moments in float32;
- the inputs of the checkpointed layers, N * D each;
- queries and keys of the rolled layers with their gradients, N * (h + h_kv) * d each, and O(h * N) numbers;
- one layer's intermediate results while it is computed again: its norms in float32, projections, MLP, and gradients;
- one chunk of the rollout's attention a few times over.

The vision tower runs without gradients and is over before the decoder begins; its share is a few buffers of one batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, PreTrainedConfig

from decaf_gui.core.errors import BadInput, OutOfMemory
from decaf_gui.grounding.families import Kind, family_of
from decaf_gui.grounding.ground import DEFAULT_FRAME_SCALE, DEFAULT_FRAMES, DEFAULT_VIDEO_TOKENS
from decaf_gui.grounding.mllm import NOT_QUANTISED, Quantise
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.steering.training import Plan

GIB = 1 << 30
TEXT_TOKENS = 220
"""Of chat template, question and expression, generously."""
CHUNK_COPIES = 6
"""How often a chunk's attention is in memory while its gradient is computed."""
QUANTISED_BYTES: Mapping[Quantise, float] = {"8bit": 1.01, "4bit": 0.57}
"""Bytes per quantised weight, scales included."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes of a training, for `batch` sequences of at most `tokens` tokens together.

    `kept` is what a whole pass leaves for its backward pass, `layer` what one decoder layer takes on top of it while it
    is computed again, `rollout` likewise.
    """

    weights: int
    prompts: int
    kept: int
    layer: int
    rollout: int
    vision: int
    tokens: int
    batch: int
    layers: int

    @property
    def decoder(self) -> int:
        """Pass and backward pass: the rollout is through with its gradients before the layers begin with theirs."""
        return self.kept + max(self.layer, self.rollout)

    @property
    def total(self) -> int:
        """All of it, in bytes: the vision tower and the decoder take turns."""
        return self.weights + self.prompts + max(self.vision, self.decoder)

    @property
    def keeping(self) -> int:
        """The same where no layer is computed again: each keeps what it computed, half of `layer` without gradients."""
        return self.weights + self.prompts + max(self.vision, self.decoder + self.layers * self.layer // 2)

    def lines(self) -> list[tuple[str, str]]:
        """What takes how much, for people."""
        named = {"weights": self.weights, "prompts and optimiser": self.prompts, "vision tower": self.vision}
        named |= {"then the decoder": self.decoder, "at most together": self.total}
        return [(name, f"{count / GIB:.2f} GiB") for name, count in named.items()]


def skeleton(config: PreTrainedConfig) -> nn.Module:
    """The model of a configuration on the meta device: shapes, no bytes."""
    with torch.device("meta"):
        model: nn.Module = AutoModelForImageTextToText.from_config(config)
    return model


def estimate_of(
    path: Any, settings: GroundingSettings, plan: Plan, number: torch.dtype, quantise: Quantise, chunk_bytes: int
) -> Estimate:
    """The estimate for a model folder, of which no weight is read. Raises BadInput as `Mllm.load` does."""
    try:
        config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        processor = AutoProcessor.from_pretrained(path, local_files_only=True, trust_remote_code=False)
        model = skeleton(config)
    except (OSError, ValueError, KeyError, ImportError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadInput(f'The model "{path}" cannot be loaded: {reason}') from error
    return estimate(model, processor, settings, plan, number, quantise, chunk_bytes)


def estimate(
    model: Any,
    processor: Any,
    settings: GroundingSettings,
    plan: Plan,
    number: torch.dtype,
    quantise: Quantise,
    chunk_bytes: int,
) -> Estimate:
    """The estimate for a model on any device (`skeleton`) in the precision `number`, its decoder quantised or not."""
    family = family_of(model, processor)
    frames = settings.frames or DEFAULT_FRAMES
    given = (frames, settings.video_tokens or DEFAULT_VIDEO_TOKENS, settings.frame_scale or DEFAULT_FRAME_SCALE)
    batches: dict[Kind, int] = {"video": 1, "image": min(plan.frames, frames)}
    text = model.config.get_text_config()
    weights, prompts = _weight_bytes(model, number, quantise), 2 * plan.prompts * text.hidden_size * 16
    vision = settings.vision_batch * family.most_tokens("image", *given) * _vision_bytes(model.config, number)
    found = []
    for kind, batch in batches.items():
        tokens = family.most_tokens(kind, *given) + TEXT_TOKENS + plan.prompts
        kept, layer, rollout = (batch * tokens * each for each in _token_bytes(text, settings, number))
        parts = (kept, layer, rollout + CHUNK_COPIES * chunk_bytes, vision)
        counts = {"tokens": tokens, "batch": batch, "layers": int(text.num_hidden_layers)}
        found.append(Estimate(weights, prompts, *parts, **counts))
    return max(found, key=lambda one: one.total)


def _weight_bytes(model: nn.Module, number: torch.dtype, quantise: Quantise) -> int:
    """All parameters; of a quantised model the decoder's matrices are small, and one is unpacked at a time."""
    quantised = {
        id(module.weight)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and quantise != "none" and not any(part in name for part in _kept_whole())
    }
    each = [(p.numel(), id(p) in quantised) for p in model.parameters()]
    whole = sum(count for count, small in each if not small) * number.itemsize
    small = sum(count for count, small in each if small) * QUANTISED_BYTES.get(quantise, 0)
    unpacked = max((count for count, small in each if small), default=0) * number.itemsize
    return int(whole + small + unpacked)


def _kept_whole() -> tuple[str, ...]:
    return tuple(name.removeprefix("model.") for name in NOT_QUANTISED)


def _token_bytes(text: Any, settings: GroundingSettings, number: torch.dtype) -> tuple[int, int, int]:
    """Of one token: what is kept, one layer's intermediate results, one layer's rollout."""
    size, width, heads = number.itemsize, int(text.hidden_size), int(text.num_attention_heads)
    head = int(getattr(text, "head_dim", None) or width // heads)
    queries, keys = heads * head, int(text.num_key_value_heads) * head
    layers = int(text.num_hidden_layers)
    rolled = layers - (layers // 2 if settings.start_layer is None else settings.start_layer)
    kept = (layers + 2) * width * size + 2 * rolled * (queries + keys) * size + 3 * rolled * heads * 4
    norms, residuals = 2 * (2 * width * 4 + width * size), 2 * width * size
    attention = (3 * (queries + 2 * keys) + 2 * queries) * size
    mlp = 6 * int(text.intermediate_size) * size
    return kept, norms + residuals + attention + mlp, 4 * (4 * heads + queries + 2 * keys)


def _vision_bytes(config: Any, number: torch.dtype) -> int:
    """Of one visual token, while the tower runs: the patches that are merged into it, with some buffers each."""
    vision = config.vision_config
    width = int(getattr(vision, "embed_dim", None) or vision.hidden_size)
    inner = int(getattr(vision, "intermediate_size", None) or 4 * width)
    patches = int(getattr(vision, "spatial_merge_size", 2)) ** 2
    return patches * ((8 * width + 3 * inner) * number.itemsize + 2 * width * 4)


def available_bytes(device: str) -> int | None:
    """Free memory of a device; None where it cannot be told."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(torch.device(device))[0])
    if device == "mps":
        return int(torch.mps.recommended_max_memory())
    import psutil

    return int(psutil.virtual_memory().available)


def require_memory(need: Estimate, device: str, available: int | None) -> None:
    """Raises OutOfMemory, saying what helps, when a training does not fit."""
    if available is None or need.total <= available:
        return
    raise OutOfMemory(
        f"The training needs about {need.total / GIB:.1f} GiB, {device} has {available / GIB:.1f} GiB free: "
        f"{_advice(need, available)}"
    )


def _advice(need: Estimate, available: int) -> str:
    smaller = "bfloat16, 8bit or 4bit weights (--dtype), or a smaller model"
    if need.weights >= available:
        return f"take {smaller}, or a device with more memory."
    return (
        f"take fewer visual tokens (--set video_tokens=...), frames (--set frames=...) or frame inputs (--frames), "
        f"a smaller chunk of the rollout (--chunk), {smaller}, or a device with more memory."
    )
