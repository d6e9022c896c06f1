"""The rollout of one row in blocks against the recursion over N x N matrices: time and peak extra memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor

from decaf_gui.bench.dense import dense_rollout
from decaf_gui.bench.measure import MIB, alternate, extra_memory, fresh, seconds, threads, total_memory
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.core.events import Event, Stage
from decaf_gui.grounding.rollout import rollout_row

Way = Literal["row", "dense"]
WAYS: dict[Way, Callable[..., Tensor]] = {"row": rollout_row, "dense": dense_rollout}
COLUMNS = ("tokens", "layers", "row s", "dense s", "faster x", "row MiB", "dense MiB", "memory share", "difference")


@dataclass(frozen=True, slots=True)
class Size:
    """Recorded queries and keys of a decoder: random, grouped heads, 40 tokens of text around the visual ones."""

    tokens: int
    layers: int
    heads: int = 12
    key_heads: int = 2
    width: int = 128


SIZES = (Size(500, 6), Size(1000, 6), Size(2000, 6), Size(3300, 6), Size(5000, 2), Size(8000, 2))
QUICK = (Size(400, 2),)
PROMISED = Size(3300, 6)


def run(options: Options) -> Iterator[Event]:
    """The whole table; the promise is judged on 3,300 tokens."""
    sizes = QUICK if options.quick else SIZES
    rows: list[tuple[Cell, ...]] = []
    targets: list[Target] = []
    for done, size in enumerate(sizes):
        yield Stage("bench rollout", done, len(sizes), f"{size.tokens} tokens")
        measured = _measure(size, options)
        rows.append(_row(size, measured))
        if size == PROMISED:
            targets = _targets(measured)
    yield Stage("bench rollout", len(sizes), len(sizes))
    setting = {"threads": options.threads, "sizes": [asdict(size) for size in sizes], "dtype": "float32"}
    title = f"Rollout: one row against dense, {options.threads} threads, on {options.device}"
    yield Result("rollout", title, COLUMNS, tuple(rows), tuple(targets), setting)


@dataclass(frozen=True, slots=True)
class _Measured:
    seconds: dict[Way, float]
    memory: dict[Way, float]
    difference: float | None


def _measure(size: Size, options: Options) -> _Measured:
    ways: list[Way] = ["row", "dense"] if _fits(size) else ["row"]
    taken, difference = fresh(time_ways, size, ways, options)
    memory: dict[Way, float] = {way: fresh(memory_of, size, way, options) / MIB for way in ways}
    return _Measured(taken, memory, difference)


def _fits(size: Size) -> bool:
    """Whether the dense way has room: scores and attention of all heads at once."""
    need, there = 3 * 4 * size.heads * size.tokens**2, total_memory()
    return not there or need < 0.8 * there


def time_ways(size: Size, ways: list[Way], options: Options) -> tuple[dict[Way, float], float | None]:
    """Median seconds of each way, taking turns, and the largest difference between their rows, relative."""
    with threads(options.threads), torch.inference_mode():
        works = {way: _work(way, size, options.device) for way in ways}
        rows: dict[Way, Tensor] = {}

        def first_round() -> None:
            rows.update({way: work() for way, work in works.items()})

        longest = seconds(first_round, options.device)
        taken = alternate(works, 1 if longest > 20 else 3, options.device)
    if "dense" not in rows:
        return taken, None
    return taken, float((rows["row"] - rows["dense"]).abs().max() / rows["dense"].max())


def memory_of(size: Size, way: Way, options: Options) -> int:
    """Peak extra bytes of one way in this (fresh) process."""
    with threads(options.threads), torch.inference_mode():
        _work(way, Size(64, 1), options.device)()  # libraries take their own buffers with the first call
        return extra_memory(_work(way, size, options.device), options.device)


def _work(way: Way, size: Size, device: str) -> Callable[[], Tensor]:
    generator = torch.Generator(device).manual_seed(size.tokens)

    def tensors(heads: int) -> list[Tensor]:
        shape = (heads, size.tokens, size.width)
        return [torch.randn(shape, generator=generator, device=device) for _ in range(size.layers)]

    queries, keys = tensors(size.heads), tensors(size.key_heads)
    return lambda: WAYS[way](queries, keys, size.width**-0.5, (20, size.tokens - 20))


def _row(size: Size, measured: _Measured) -> tuple[Cell, ...]:
    taken, memory = measured.seconds, measured.memory
    dense = "dense" in taken
    return (
        size.tokens,
        size.layers,
        round(taken["row"], 3),
        round(taken["dense"], 3) if dense else None,
        round(taken["dense"] / taken["row"], 1) if dense else None,
        round(memory["row"], 1),
        round(memory["dense"], 1) if dense else None,
        round(memory["row"] / memory["dense"], 3) if dense else None,
        float(f"{measured.difference:.1e}") if measured.difference is not None else None,
    )


def _targets(measured: _Measured) -> list[Target]:
    if "dense" not in measured.seconds:
        return []
    faster = measured.seconds["dense"] / measured.seconds["row"]
    share = measured.memory["row"] / measured.memory["dense"]
    return [
        Target("rollout of 3,300 tokens, times faster than dense", faster, 5),
        Target("its share of the dense way's extra memory", share, 0.2, at_most=True),
    ]
