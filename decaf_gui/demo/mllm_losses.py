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

from decaf_gui.demo.mllm_data import NO_ANSWER, Targets
from decaf_gui.demo.mllm_packed import PackedQuestions, PackedResult
from decaf_gui.demo.shapes import ShapesClip
from decaf_gui.demo.world import COLOURS, MOTIONS, SHAPES, SIZE_WORDS

IGNORED = NO_ANSWER
OUTERMOST = ("left", "right", "top", "bottom")
CLEAR = 0.1
"""Share of the picture by which an object must be farther out than all others, as in the expressions."""
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
    shape: float = 0.6
    colour: float = 0.4
    size: float = 0.4
    sides: float = 1.0
    motion: float = 1.0
    contrast: float = 1.0


class DenseHead(nn.Module):
    """What lies under each visual token, read from the decoder's hidden state: training only, never exported."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.sizes = [len(words) + 1 for words in (SHAPES, COLOURS, SIZE_WORDS, MOTIONS)] + [len(OUTERMOST)]
        self.read = nn.Linear(width, sum(self.sizes))

    def forward(self, seen: Tensor) -> tuple[Tensor, ...]:
        """Logits of shape, colour, size and motion (class 0 is background) and of the sides, each (b, n, classes)."""
        return tuple(self.read(self.norm(seen)).float().split(self.sizes, dim=-1))


@dataclass(frozen=True, eq=False)
class DenseTargets:
    """What is under each visual token: classes (b, n), `IGNORED` where it is mixed or nothing can be told.

    `sides` (b, n, 4) of 0/1: whether the object is the outermost to the left, right, top and bottom in this frame, NaN
    where that is not clear.
    """

    shape: Tensor
    colour: Tensor
    size: Tensor
    motion: Tensor
    sides: Tensor


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
    usable = (targets.pairs >= 0) & ~targets.blind & (coverage.amax(dim=-1) > 0.5)
    return _mean(overlap + hinge, usable.float())


def gaussian(maps: Tensor, shape: tuple[int, int, int], size: int) -> Tensor:
    """Each frame of maps (b, k, n) smoothed by a Gaussian of `size` cells, sigma 1, zeros beyond the border."""
    at = torch.arange(size, device=maps.device) - (size - 1) / 2
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
    """Cross-entropies of what the head reads."""
    shape, colour, size, motion, sides = read
    known = ~wanted.sides.isnan()
    each = F.binary_cross_entropy_with_logits(sides, wanted.sides.nan_to_num(), reduction="none")
    return {
        "shape": _balanced(shape, wanted.shape),
        "colour": _balanced(colour, wanted.colour),
        "size": _balanced(size, wanted.size),
        "motion": _balanced(motion, wanted.motion),
        "sides": _mean(each, known.float()),
    }


def _balanced(logits: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy in which background and objects weigh the same."""
    flat = wanted.flatten()
    each = F.cross_entropy(logits.flatten(0, 1), flat, ignore_index=IGNORED, reduction="none")
    return (_mean(each, (flat == 0).float()) + _mean(each, (flat > 0).float())) / 2


def dense_targets(targets: Targets, batch: PackedQuestions) -> DenseTargets:
    """From each clip's coverage: a token belongs to an object that covers a third of it."""
    made = [_dense(clip, cover, batch) for clip, cover in zip(targets.clips, targets.coverage, strict=True)]
    return DenseTargets(*(torch.stack(parts) for parts in zip(*made, strict=True)))


def _dense(clip: ShapesClip, coverage: Tensor, batch: PackedQuestions) -> tuple[Tensor, ...]:
    most, owner = coverage.max(dim=0)
    mixed = (most < 0.34) & (coverage.sum(dim=0) > 0.05)
    things = clip.objects
    told = batch.kind == "video"
    ways = [MOTIONS.index(o.motion) if told and not o.returns else IGNORED - 1 for o in things]
    names = (
        [SHAPES.index(o.shape) for o in things],
        [COLOURS.index(o.colour) for o in things],
        [SIZE_WORDS.index(o.size) for o in things],
        ways,
    )
    sides = outermost(coverage, (batch.grid[0], batch.grid[1] // 2, batch.grid[2] // 2))
    sides = sides.gather(0, owner[None, :, None].expand(1, -1, len(OUTERMOST)))[0]
    sides = sides.masked_fill((most < 0.34)[:, None], float("nan"))
    return (*(_classes(most, owner, mixed, classes) for classes in names), sides)


def _classes(most: Tensor, owner: Tensor, mixed: Tensor, names: Sequence[int]) -> Tensor:
    classes = torch.where(most >= 0.34, torch.tensor(names, device=owner.device)[owner] + 1, 0)
    return classes.masked_fill(mixed, IGNORED)


def outermost(coverage: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Which objects of coverage (objects, n) are clearly farther out than all others, on tokens of `shape` (t, h, w).

    (objects, n, 4) in the order of `OUTERMOST`: 1 yes, 0 no, NaN where the gap is below `CLEAR` of the picture, where
    the object is not seen, or where it is the only one.
    """
    _, h, w = shape
    seen = coverage.unflatten(1, shape)
    mass = seen.sum(dim=(2, 3))
    x = (seen.sum(dim=2) * (torch.arange(w, device=seen.device) + 0.5) / w).sum(-1) / mass
    y = (seen.sum(dim=3) * (torch.arange(h, device=seen.device) + 0.5) / h).sum(-1) / mass
    along = torch.stack([-x, x, -y, y], dim=-1).masked_fill((mass < SEEN)[..., None], float("nan"))
    return _clearly_first(along).repeat_interleave(h * w, dim=1)


def _clearly_first(along: Tensor) -> Tensor:
    """Whether each of (objects, t, 4) exceeds all others, NaN (not there) left out, by `CLEAR`: 1, 0 or NaN."""
    count = len(along)
    others = along.nan_to_num(nan=-torch.inf).expand(count, *along.shape).clone()
    others[range(count), range(count)] = -torch.inf
    gap = along - others.amax(dim=1)
    first = torch.where(gap > CLEAR, 1.0, torch.where(gap < 0, 0.0, torch.nan))
    return first.masked_fill(gap.isnan() | gap.isinf(), torch.nan)


def mean_of(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each named value over the entries that have it."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {n: sum(p[n] for p in parts if n in p) / sum(n in p for p in parts) for n in names}
