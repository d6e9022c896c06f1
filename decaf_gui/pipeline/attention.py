"""Where the model looked, as files: the attention's own masks (spec section 5) and the maps that they come from."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from decaf_gui.core.entities import Proposal
from decaf_gui.grounding.fusion import attention_masks


def write_attention(proposals: Sequence[Proposal], folder: Path) -> Path:
    """Writes `<folder>/<n>/<frame>.png` (0 or 255) for every sampled frame, and `<folder>/<n>/maps.npz`.

    `n` counts the expressions from 0; the maps are float32 by name ("fused" and its parts), with `frames`, the sampled
    frames, and `expression`. The folder is made beside and takes its place when it is complete.
    """
    beside = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    for number, proposal in enumerate(proposals):
        place = beside / str(number)
        place.mkdir(parents=True)
        grounding = proposal.grounding
        masks = attention_masks(grounding.maps, proposal.size)
        for frame, mask in zip(grounding.frames, masks, strict=True):
            Image.fromarray(mask.astype(np.uint8) * 255).save(place / f"{frame:05d}.png")
        named = {"fused": grounding.maps, **grounding.parts}
        told = {"frames": np.array(grounding.frames), "expression": np.array(proposal.expression.text)}
        np.savez_compressed(place / "maps.npz", **named, **told)  # type: ignore[arg-type]
    shutil.rmtree(folder, ignore_errors=True)
    beside.replace(folder)
    return folder
