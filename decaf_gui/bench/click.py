"""A click: from the prompt to the mask, where the frame's features are kept and where they are not."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from decaf_gui.bench.clips import EndlessClip
from decaf_gui.bench.measure import alternate, threads
from decaf_gui.bench.results import Options, Result
from decaf_gui.bench.tracking import spread_points
from decaf_gui.core.entities import Prompt
from decaf_gui.core.events import Event, Stage
from decaf_gui.tracking.checkpoints import load_sam
from decaf_gui.tracking.features import FeatureStore
from decaf_gui.tracking.session import Session

COLUMNS = ("frame", "cold ms", "cached ms", "cached is faster x")
SIZES = {"320x240": (240, 320), "1280x720": (720, 1280), "1920x1080": (1080, 1920)}


def run(options: Options) -> Iterator[Event]:
    """Medians over clicks at different points of one frame, by the size of the frame."""
    rounds = 3 if options.quick else 15
    rows = []
    with threads(options.threads), torch.inference_mode():
        sam = load_sam("demo", options.device)
        for done, (name, size) in enumerate(SIZES.items()):
            yield Stage("bench click", done, len(SIZES), name)
            taken = click_seconds(sam, EndlessClip(24, size), rounds, options.device)
            cold, cached = taken["cold"], taken["cached"]
            rows.append((name, round(1000 * cold, 1), round(1000 * cached, 1), round(cold / cached, 1)))
    yield Stage("bench click", len(SIZES), len(SIZES))
    title = f"Prompt to mask with the demo SAM2: {options.threads} threads, on {options.device}"
    yield Result("click", title, COLUMNS, tuple(rows), (), {"threads": options.threads, "clicks": rounds})


def click_seconds(sam: object, clip: EndlessClip, rounds: int, device: str) -> dict[str, float]:
    """Median seconds of one click on a frame that was never looked at, and on one that was."""
    points = iter(spread_points(2 * rounds + 2, clip.size))
    warm = Session(FeatureStore(sam, clip))

    def click(session: Session) -> None:
        x, y = next(points)
        session.prompt(0, Prompt(5, ((x, y, True),)))

    click(warm)
    ways = {"cold": lambda: click(Session(FeatureStore(sam, clip))), "cached": lambda: click(warm)}
    return alternate(ways, rounds, device)
