"""BCE and Dice between a rollout map and the object's coverage of the tokens (SteerSeg; spec section 8).

The paper names the losses. How a map becomes something to compare with a mask is ours: it is divided by its maximum (a
video's over all its frames, a frame's own), since a rollout has no scale of its own, and clamped to [eps, 1 - eps].
Both losses count the same, their sum is the loss; a token that the object covers in part is a soft target.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

EPS = 1e-4
SOLID = 0.5
"""A token belongs to the object when it is covered at least so much as this share of the most covered one."""


def map_losses(maps: Tensor, coverage: Tensor) -> dict[str, Tensor]:
    """Mean losses of maps (b, t, h, w) against coverages in [0, 1] of the same shape: "bce" and "dice", scalars."""
    scaled = scale(maps).flatten(1)
    wanted = coverage.to(scaled).flatten(1)
    overlap = (scaled * wanted).sum(dim=1)
    mass = scaled.square().sum(dim=1) + wanted.square().sum(dim=1)
    return {"bce": F.binary_cross_entropy(scaled, wanted), "dice": (1 - 2 * overlap / mass).mean()}


def scale(maps: Tensor) -> Tensor:
    """Each map over its maximum, clamped to [eps, 1 - eps]; the maximum takes part in the gradient."""
    most = maps.flatten(1).amax(dim=1)[:, None, None, None]
    return (maps / most.clamp_min(torch.finfo(maps.dtype).tiny)).clamp(EPS, 1 - EPS)


def total(losses: Mapping[str, Tensor]) -> Tensor:
    """The loss that is minimised."""
    return losses["bce"] + losses["dice"]


def map_meters(maps: Tensor, coverage: Tensor) -> dict[str, float]:
    """How well maps (b, t, h, w) point: means over the inputs.

    "pointing": whether the highest token lies on the object; "inside": the share of the map's sum that does.
    """
    flat, wanted = maps.flatten(1), coverage.to(maps).flatten(1)
    best = wanted.gather(1, flat.argmax(dim=1, keepdim=True)).squeeze(1)
    inside = (flat * wanted).sum(dim=1) / flat.sum(dim=1).clamp_min(torch.finfo(maps.dtype).tiny)
    return {"pointing": float((best >= SOLID * wanted.amax(dim=1)).float().mean()), "inside": float(inside.mean())}
