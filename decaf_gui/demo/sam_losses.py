"""Losses of the tiny SAM2's training, on logits and 0/1 truths of shape (N, H, W)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def dice_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """1 - soft dice of each mask, with one pixel of smoothing: (N,)."""
    chance = logits.sigmoid().flatten(1)
    target = truth.flatten(1)
    shared = (chance * target).sum(1)
    return 1 - (2 * shared + 1) / (chance.sum(1) + target.sum(1) + 1)


def pixel_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean binary cross-entropy of each mask: (N,)."""
    return functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").flatten(1).mean(1)


def balanced_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """Binary cross-entropy where foreground and background weigh the same: (N,)."""
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none").flatten(1)
    target = truth.flatten(1)
    inside = (each * target).sum(1) / target.sum(1).clamp_min(1)
    outside = (each * (1 - target)).sum(1) / (1 - target).sum(1).clamp_min(1)
    return (inside + outside) / 2


def focal_loss(logits: Tensor, truth: Tensor, gamma: float = 2.0) -> Tensor:
    """Cross-entropy weighed by (1 - chance of the truth) ** gamma: (N,)."""
    each = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return (each * (1 - torch.exp(-each)) ** gamma).flatten(1).mean(1)


def identity_loss(logits: Tensor, truth: Tensor) -> Tensor:
    """The objects of one image compete for each pixel: logits and truth (images, K, H, W), a scalar.

    Cross-entropy of the softmax over the K prompts at pixels that belong to at least one of them; ln K means that
    no click information arrives.
    """
    owned = truth.amax(1) > 0
    if not bool(owned.any()):
        return logits.sum() * 0
    mine = torch.logsumexp(logits.masked_fill(truth == 0, -1e4), dim=1)
    return (torch.logsumexp(logits, dim=1) - mine)[owned].mean()


def mask_iou(logits: Tensor, truth: Tensor) -> Tensor:
    """IoU of logits > 0 with the truth, 1 where both are empty: (N,)."""
    found, target = (logits > 0).flatten(1), truth.flatten(1) > 0.5
    inter, both = (found & target).sum(1), (found | target).sum(1)
    return torch.where(both > 0, inter / both.clamp_min(1), torch.ones_like(both, dtype=torch.float32))


def click_loss(logits: Tensor, truth: Tensor, points: Tensor, labels: Tensor, reach: int = 4) -> Tensor:
    """Whether clicks are obeyed: logits and truth (N, S, S), points (N, P, 2) as (x, y), labels (N, P); a scalar.

    Clicked pixels shall be on or off as they truly are, by a margin of 1, and off after a negative click in any case,
    which weighs five times as much.
    Around the last click, up to `reach` pixels away, cross-entropy counts once more.
    """
    side = logits.shape[-1]
    place = points.long().clamp(0, side - 1)
    row = torch.arange(len(logits), device=logits.device)[:, None]
    sign = (truth[row, place[..., 1], place[..., 0]] * 2 - 1).where(labels != 0, -1.0)
    weight = torch.where(labels == 0, 1.0, 0.2) * (labels < 2)
    clicked = functional.softplus(1 - sign * logits[row, place[..., 1], place[..., 0]])
    around = torch.arange(-reach, reach + 1, device=logits.device)
    ys = (place[:, -1, 1, None] + around).clamp(0, side - 1)[:, :, None]
    xs = (place[:, -1, 0, None] + around).clamp(0, side - 1)[:, None, :]
    near = functional.binary_cross_entropy_with_logits(logits[row[..., None], ys, xs], truth[row[..., None], ys, xs])
    return (clicked * weight).sum(1).mean() + near
