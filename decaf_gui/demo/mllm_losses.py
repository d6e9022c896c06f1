"""Losses that teach the demo MLLM to look where its answer comes from, through the exact rollout.

Answers alone do not localise (spec, demo models): the rollout rows are compared with the objects' coverage of the
visual tokens, and the contrast of object and background maps is asked to rank the object first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from decaf_gui.demo.mllm_data import Targets
from decaf_gui.demo.mllm_packed import PackedQuestions, PackedResult
from decaf_gui.demo.shapes import ShapesClip
from decaf_gui.demo.world import COLOURS, SHAPES

IGNORED = -100
SEEN = 0.05
"""Least total coverage (in tokens) of an object that can be attended to."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each part counts."""

    answer: float = 2.0
    kl: float = 0.7
    dice: float = 1.0
    attribute: float = 0.5
    background: float = 0.5
    shape: float = 1.0
    colour: float = 0.5
    motion: float = 1.0
    contrast: float = 1.0


class DenseHead(nn.Module):
    """What lies under each visual token, read from the decoder's hidden state: training only, never exported."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.sizes = (len(SHAPES) + 1, len(COLOURS) + 1, 2)
        self.read = nn.Linear(width, sum(self.sizes))

    def forward(self, seen: Tensor) -> tuple[Tensor, ...]:
        """Logits of shape and colour (class 0 is background) and velocity (x, y), each (b, n, classes)."""
        return tuple(self.read(self.norm(seen)).float().split(list(self.sizes), dim=-1))


@dataclass(frozen=True, eq=False)
class DenseTargets:
    """Per visual token: shape and colour classes (b, n), `IGNORED` where mixed; velocity (b, n, 2) or NaN."""

    shape: Tensor
    colour: Tensor
    velocity: Tensor


def question_losses(
    result: PackedResult, batch: PackedQuestions, targets: Targets, *, contrast: bool
) -> dict[str, Tensor]:
    """The parts that need questions."""
    parts = {"answer": answer_loss(result.logits, targets.answers)} | map_losses(result.maps, targets)
    if contrast:
        parts["contrast"] = contrast_loss(result.maps[:, :, 0], batch, targets)
    return parts


def weighted(parts: Mapping[str, Tensor], weights: Weights) -> tuple[Tensor, dict[str, float]]:
    """The weighted sum and each part's value."""
    total = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
    return total, {name: float(value.detach()) for name, value in parts.items()}


def answer_loss(logits: Tensor, answers: Tensor) -> Tensor:
    """Cross-entropy of the answer's tokens; logits (b, k, a, v), answers (b, k, a)."""
    return F.cross_entropy(logits.flatten(0, 2), answers.flatten(), ignore_index=IGNORED)


def map_losses(maps: Tensor, targets: Targets) -> dict[str, Tensor]:
    """KL and Dice of the object rows, KL of attribute rows and background rows; maps (b, k, r, n)."""
    divergence = kl(maps, targets.maps)
    visible = (targets.maps.sum(dim=-1) > SEEN).float()
    is_object = (targets.pairs >= 0).float() * visible[..., 0]
    return {
        "kl": _mean(divergence[..., 0], is_object),
        "dice": _mean(dice(maps[..., 0, :], targets.maps[..., 0, :]), is_object),
        "attribute": _mean(divergence[..., 1:], visible[..., 1:]),
        "background": _mean(divergence[..., 0], (targets.pairs < 0).float()),
    }


def kl(maps: Tensor, coverage: Tensor) -> Tensor:
    """KL(target || map), both normalised over the last dimension; 0 where there is nothing to attend to."""
    target = coverage / coverage.sum(dim=-1, keepdim=True).clamp_min(1e-6)
    found = maps / maps.sum(dim=-1, keepdim=True).clamp_min(1e-12)
    return (target * (target.clamp_min(1e-9).log() - found.clamp_min(1e-9).log())).sum(dim=-1)


def dice(maps: Tensor, coverage: Tensor) -> Tensor:
    """1 - Dice of the map, scaled by its maximum, with the coverage."""
    scaled = maps / maps.amax(dim=-1, keepdim=True).clamp_min(1e-12)
    both = (scaled * coverage).sum(dim=-1)
    return 1 - 2 * both / ((scaled**2).sum(dim=-1) + (coverage**2).sum(dim=-1)).clamp_min(1e-6)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp_min(1)


def contrast_loss(maps: Tensor, batch: PackedQuestions, targets: Targets) -> Tensor:
    """Dice and a ranking hinge on clamp(object - background)/max(object), smoothed as the engine does.

    The hinge wants the best cell of the object half the object map's maximum above every cell off it.
    """
    shape = (batch.grid[0], batch.grid[1] // 2, batch.grid[2] // 2)
    smooth = gaussian(maps, shape, 3 if batch.kind == "video" else 7)
    paired = smooth.gather(1, targets.pairs.clamp_min(0)[..., None].expand_as(smooth))
    seen = (smooth - paired).clamp_min(0) / smooth.amax(dim=-1, keepdim=True).clamp_min(1e-12)
    coverage = targets.maps[:, :, 0]
    on = (seen - (coverage < 0.5).float()).amax(dim=-1)
    off = (seen - (coverage > 0.05).float()).amax(dim=-1).clamp_min(0)
    hinge = (0.5 - on + off).clamp_min(0)
    overlap = 1 - 2 * (seen * coverage).sum(-1) / ((seen**2).sum(-1) + (coverage**2).sum(-1)).clamp_min(1e-6)
    usable = (targets.pairs >= 0) & (coverage.amax(dim=-1) > 0.5)
    return _mean(overlap + hinge, usable.float())


def gaussian(maps: Tensor, shape: tuple[int, int, int], size: int) -> Tensor:
    """Each frame of maps (b, k, n) smoothed by a Gaussian of `size` cells, sigma 1, zeros beyond the border."""
    at = torch.arange(size) - (size - 1) / 2
    line = torch.exp(-(at**2) / 2)
    line = line / line.sum()
    flat = maps.reshape(-1, 1, *shape[1:])
    flat = F.conv2d(flat, line.view(1, 1, -1, 1), padding=(size // 2, 0))
    return F.conv2d(flat, line.view(1, 1, 1, -1), padding=(0, size // 2)).reshape(maps.shape)


def dense_losses(heads: Iterable[nn.Module], features: Sequence[Tensor], wanted: DenseTargets) -> dict[str, Tensor]:
    """Mean over heads (one for the tower's features, one for the decoder's) of what each reads."""
    read = [_dense_losses(head(x.float()), wanted) for head, x in zip(heads, features, strict=False)]
    return {name: torch.stack([part[name] for part in read]).mean() for name in read[0]}


def _dense_losses(read: tuple[Tensor, ...], wanted: DenseTargets) -> dict[str, Tensor]:
    """Cross-entropy of shape and colour and the error of the velocity (videos)."""
    shape, colour, velocity = read
    known = ~wanted.velocity.isnan().any(dim=-1)
    motion = F.smooth_l1_loss(velocity[known], wanted.velocity[known]) if bool(known.any()) else velocity.sum() * 0
    return {"shape": _balanced(shape, wanted.shape), "colour": _balanced(colour, wanted.colour), "motion": motion}


def _balanced(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy in which background and objects weigh the same."""
    flat = wanted.flatten()
    each = F.cross_entropy(logits.flatten(0, 1), flat, ignore_index=IGNORED, reduction="none")
    return (_mean(each, (flat == 0).float()) + _mean(each, (flat > 0).float())) / 2


def dense_targets(targets: Targets, batch: PackedQuestions) -> DenseTargets:
    """From each clip's coverage: a token belongs to an object that covers a third of it."""
    made = [_dense(clip, cover, batch) for clip, cover in zip(targets.clips, targets.coverage, strict=True)]
    return DenseTargets(*(torch.stack(parts) for parts in zip(*made, strict=True)))


def _dense(clip: ShapesClip, coverage: Tensor, batch: PackedQuestions) -> tuple[Tensor, Tensor, Tensor]:
    most, owner = coverage.max(dim=0)
    mixed = (most < 0.34) & (coverage.sum(dim=0) > 0.05)
    shape = _classes(most, owner, mixed, [SHAPES.index(o.shape) for o in clip.objects])
    colour = _classes(most, owner, mixed, [COLOURS.index(o.colour) for o in clip.objects])
    velocity = coverage.new_full((coverage.shape[1], 2), float("nan"))
    if batch.kind == "video":
        speeds = _speeds(clip, len(clip.frames))
        velocity = torch.where((most >= 0.34)[:, None], speeds[owner], velocity)
    return shape, colour, velocity


def _classes(most: Tensor, owner: Tensor, mixed: Tensor, names: Sequence[int]) -> Tensor:
    classes = torch.where(most >= 0.34, torch.tensor(names)[owner] + 1, 0)
    return classes.masked_fill(mixed, IGNORED)


def _speeds(clip: ShapesClip, frames: int) -> Tensor:
    """Each object's way across the clip in frame widths and heights (x, y), from its mask's centres: (objects, 2)."""
    height, width = clip.masks.shape[2:]
    masks = torch.from_numpy(clip.masks[:, [0, frames // 2, frames - 1], ::4, ::4].copy()).float()
    mass = masks.sum(dim=(2, 3))
    x = (masks.sum(dim=2) * torch.arange(masks.shape[3])).sum(-1) / mass * 4 / width
    y = (masks.sum(dim=3) * torch.arange(masks.shape[2])).sum(-1) / mass * 4 / height
    ways = torch.stack([x, y], dim=-1)
    return 2 * torch.nan_to_num(ways[:, 1] - ways[:, 0], nan=float("nan"))


def mean_of(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each named value over the entries that have it."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {n: sum(p[n] for p in parts if n in p) / sum(n in p for p in parts) for n in names}
