"""Trainings whose steps several processes share, one for each core: `torchrun --standalone --nproc-per-node 2 -m ...`.

Every process shows the model its part of a step; gradients are averaged, so that all of them keep the same weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import distributed, nn


@dataclass(frozen=True, slots=True)
class Share:
    """The part of a step that a process does: the `place`-th (from 0) of `of` parts."""

    place: int = 0
    of: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes what all of them made."""
        return self.place == 0

    def part(self, count: int) -> int:
        """How many of `count` pictures or clips this process shows: at least one."""
        return max(1, count // self.of)

    def own(self, rng: np.random.Generator) -> np.random.Generator:
        """Chance that is this process's own, after what all of them drew alike from `rng`."""
        return (rng, *rng.spawn(self.of - 1))[self.place]


ALONE = Share()


@contextmanager
def shared() -> Iterator[Share]:
    """Joins the processes that torchrun started with this one; without torchrun it is the only one."""
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    distributed.init_process_group("gloo")
    try:
        yield Share(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def average_gradients(model: nn.Module, share: Share) -> None:
    """Makes every gradient the mean of those of all processes; one that a process has none of counts as zero."""
    if share.of == 1:
        return
    parameters = [p for p in model.parameters() if p.requires_grad]
    gradients = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
    distributed.all_reduce(gradients, op=distributed.ReduceOp.AVG)
    for p, mean in zip(parameters, gradients.split([p.numel() for p in parameters]), strict=True):
        p.grad = mean.view_as(p)
