"""The rollout as its equations are written: N x N matrices."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def dense_rollout(queries: Sequence[Tensor], keys: Sequence[Tensor], scaling: float, visual: tuple[int, int]) -> Tensor:
    """The last row of the V-Max rollout (eqs. 1 to 3) by N x N matrices in float32; arguments as `rollout_row`."""
    n, device = queries[0].shape[1], queries[0].device
    future = torch.ones(n, n, dtype=torch.bool, device=device).triu_(1)
    rolled = torch.eye(n, device=device)
    for q, k in zip(queries, keys, strict=True):
        shared = k.repeat_interleave(q.shape[0] // k.shape[0], dim=0).float()
        attention = (q.float() @ shared.transpose(1, 2) * scaling).masked_fill_(future, float("-inf")).softmax(-1)
        weights = attention[:, :, visual[0] : visual[1]].amax(-1).mean(-1)
        averaged = torch.einsum("h,hnm->nm", weights / weights.max(), attention) / len(attention)
        rolled = (averaged + torch.eye(n, device=device)) / 2 @ rolled
    return rolled[-1]
