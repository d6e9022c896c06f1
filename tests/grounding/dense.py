"""The rollout written out with N x N matrices in float64: the reference."""

from __future__ import annotations

import torch


def dense_attention(q: torch.Tensor, k: torch.Tensor, scaling: float) -> torch.Tensor:
    k = k.repeat_interleave(q.shape[0] // k.shape[0], dim=0).double()
    scores = q.double() @ k.transpose(1, 2) * scaling
    n = q.shape[1]
    return torch.softmax(scores + torch.full((n, n), float("-inf"), dtype=torch.float64).triu(1), dim=-1)


def dense_rollout(qs, ks, scaling, visual, method):
    n = qs[0].shape[1]
    r = torch.eye(n, dtype=torch.float64)
    for q, k in zip(qs, ks, strict=True):
        a = dense_attention(q, k, scaling)
        if method == "plain":
            averaged = a.mean(0)
        else:
            seen = a[:, :, visual[0] : visual[1]] if method == "vmax" else a
            weight = seen.max(-1).values.mean(-1)
            averaged = (a * (weight / weight.max())[:, None, None]).mean(0)
        r = (averaged + torch.eye(n, dtype=torch.float64)) / 2 @ r
    return r[-1]
