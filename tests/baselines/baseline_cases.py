"""What the tests of the baselines share: random models next door, generators run to their end, shapes as pairs."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from decaf_gui.baselines.loc_head import Pair
from decaf_gui.demo.shapes import make_clip, target_masks

sys.path.insert(0, str(Path(__file__).parents[1] / "grounding"))


def finish(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


def shapes_pair(seed: int, frame: int = 4) -> tuple[Pair, np.ndarray]:
    """A frame of the shapes world with an expression by look, and the mask of what is meant."""
    shapes = make_clip(seed, frames=8)
    wanted = next((e for e in shapes.expressions if e.kind == "colour_shape"), shapes.expressions[0])
    return Pair(shapes.frames[frame], wanted.text), target_masks(shapes, wanted)[frame]


def reference_inputs(processor, frames, kind, question):
    """What transformers' own processor makes of the same input: a video of all `frames`, or the last one."""
    import torch

    content = [{"type": kind}, {"type": "text", "text": question}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    if kind == "image":
        image = torch.from_numpy(frames[-1]).permute(2, 0, 1)
        return processor(text=[text], images=[image], do_resize=False, return_tensors="pt")
    videos = [torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)]
    made = processor(text=[text], videos=videos, do_sample_frames=False, do_resize=False, return_tensors="pt")
    made["second_per_grid_ts"] = torch.ones(1)
    return made
