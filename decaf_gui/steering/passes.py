"""A pass through the frozen MLLM with gradients for the soft prompt: the rollout maps of one input and question.

Decoder layers keep only their inputs and compute the rest again for the backward pass, unless there is room for all of
it. The last layer is not finished: the rollout asks for its queries and keys alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from decaf_gui.grounding.families import VisualLayout
from decaf_gui.grounding.mllm import Embedded, Mllm
from decaf_gui.grounding.recording import Enough, GradientRecorder, recording
from decaf_gui.grounding.rollout import LayerQk
from decaf_gui.grounding.settings import RolloutMethod
from decaf_gui.steering.rolling import rolled_row


@dataclass(frozen=True, slots=True)
class Rolling:
    """How maps are rolled out: from which layer on, by which method, how many bytes of attention at a time.

    `again`: decoder layers are computed again for the backward pass, instead of keeping what they computed.
    """

    first: int
    method: RolloutMethod
    chunk_bytes: int
    again: bool = True


def steered_maps(
    mllm: Mllm, features: Tensor, layout: VisualLayout, question: str, soft: Tensor | None, how: Rolling
) -> Tensor:
    """The rollout of the last prompt token on the grids of b inputs: float32 (b, t, h, w), with gradients for `soft`.

    `features` (b, v, k * D) and `layout` are what `Mllm.see` gave; `soft` (s, D) comes before everything else. With
    CUDA, products of the decoder are computed in bfloat16 whatever `soft` and the weights are; the rollout is float32.
    """
    device = mllm.model.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        sequence = mllm.embed(features, layout, question, soft)
        recorder = GradientRecorder(range(how.first, mllm.layers), stop_at=mllm.layers - 1)
        run_decoder(mllm, sequence, recorder, again=how.again)
    with torch.autocast(device, enabled=False):
        rows = [_row(recorder, sequence, index, how) for index in range(len(features))]
    grid = sequence.grid
    cells: Tensor = torch.stack(rows)[:, grid.start + grid.columns.to(rows[0].device)]
    return cells.reshape(-1, grid.frames, grid.height, grid.width)


def run_decoder(mllm: Mllm, sequence: Embedded, recorder: GradientRecorder, *, again: bool = True) -> None:
    """One pass up to the last layer's attention; its queries and keys, and those before, stay with `recorder`."""
    options = sequence.options(mllm.family, slice(0, len(sequence)))
    layers = list(mllm.decoder.layers)[:-1] if again else []
    with recording(recorder), suppress(Enough), checkpointed(layers):
        mllm.decoder(inputs_embeds=sequence.embeds, position_ids=sequence.positions, use_cache=False, **options)


@contextmanager
def checkpointed(layers: Sequence[nn.Module]) -> Iterator[None]:
    """While open, each layer keeps nothing but its inputs for the backward pass (which may come after it was closed).

    Not transformers' own way: that wants the model in training mode, which may drop attention out.
    """
    before = {layer: vars(layer).get("forward") for layer in layers}
    for layer in layers:
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False, preserve_rng_state=False)
    try:
        yield
    finally:
        for layer, forward in before.items():
            del layer.forward
            if forward is not None:
                layer.forward = forward


def _row(recorder: GradientRecorder, sequence: Embedded, index: int, how: Rolling) -> Tensor:
    """The rolled row of one of the inputs, (n,)."""
    layers = [
        LayerQk(recorder.queries[layer][0][index], recorder.keys[layer][index], recorder.scaling)
        for layer in sorted(recorder.keys)
    ]
    return rolled_row(layers, (sequence.grid.start, sequence.grid.stop), how.chunk_bytes, how.method)
