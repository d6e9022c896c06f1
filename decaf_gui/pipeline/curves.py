"""Training curves, of demo models and soft prompts: `python -m decaf_gui.pipeline.curves RUN [RUN...] --out FILE.png`.

RUN is a run's folder or its log.jsonl; several runs follow one another in time, each going on from the one before.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from decaf_gui.core.errors import BadInput

LOG = "log.jsonl"
Floats = NDArray[np.float64]
LEAST, SHARE = 3, 0.03
"""A curve is smoothed over this many values, or this share of them if that is more."""
PANEL, LETTER = 6.8, 0.075
"""Widths in inches: of a panel, and of a letter of the small font, generously."""
SHADES, INK = ("#f1f4f8", "#e3e9f0"), "#3f4a58"
DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True)
class Entry:
    """A line of a log: means over training steps since the line before (`values`), or held-out meters (`held_out`).

    `minutes` of training and `step` count from the run's start.
    """

    step: int
    minutes: float
    stage: str = ""
    values: Mapping[str, float] = field(default_factory=dict)
    held_out: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Curve:
    """One meter over time: `minutes` and `values`, both (n,)."""

    minutes: Floats
    values: Floats


@dataclass(frozen=True, slots=True)
class Span:
    """A stage of training, in minutes."""

    stage: str
    begin: float
    end: float


# reading


def read_log(path: Path) -> list[Entry]:
    """The entries of a run's folder, or of its log, in order of time.

    A last line that was cut is left out. What a resumed run did again counts as it did it last. Raises BadInput when
    there is no log, nothing in it, or another line is not one of a log.
    """
    path = path / LOG if path.is_dir() else path
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read: give a training run's folder, or its {LOG}.") from error
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        entry = entry_of(line)
        if entry is None and number < len(lines):
            raise BadInput(f"{path}, line {number}, is not a line of a training log.")
        if entry is not None:
            entries = [*_before(entries, entry), entry]
    if not entries:
        raise BadInput(f"{path} has no complete line yet: wait until the run has written one.")
    return entries


def _before(entries: list[Entry], entry: Entry) -> list[Entry]:
    """What a new entry leaves: nothing of later steps."""
    if not entries or entries[-1].step <= entry.step:
        return entries
    return [earlier for earlier in entries if earlier.step < entry.step]


def entry_of(line: str) -> Entry | None:
    """A line of a log; None for anything else."""
    try:
        read = json.loads(line)
        step, minutes, stage = int(read["step"]), float(read["minutes"]), str(read.get("stage", ""))
        values, held_out = (_numbers(read.get(name, {})) for name in ("values", "held_out"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return Entry(step, minutes, stage, values, held_out) if math.isfinite(minutes) else None


def _numbers(named: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers of a mapping: a mean over nothing is written as NaN."""
    numbers = {str(name): float(value) for name, value in named.items() if value is not None}
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def joined(runs: Iterable[Sequence[Entry]]) -> list[Entry]:
    """Runs one after another: one that counts from its own start is put behind the one before it."""
    found: list[Entry] = []
    for run in runs:
        last = found[-1] if found else Entry(0, 0.0)
        goes_on = run[0].step > last.step and run[0].minutes >= last.minutes
        step, minutes = (0, 0.0) if goes_on else (last.step, last.minutes)
        found += [replace(entry, step=entry.step + step, minutes=entry.minutes + minutes) for entry in run]
    return found


# curves


def curves_of(log: Sequence[Entry], part: Callable[[Entry], Mapping[str, float]]) -> dict[str, Curve]:
    """The meters of one part of the entries, by name, in the order in which they first came."""
    found: dict[str, list[tuple[float, float]]] = {}
    for entry in log:
        for name, value in part(entry).items():
            found.setdefault(name, []).append((entry.minutes, value))
    return {
        name: Curve(*(np.array(column, float) for column in zip(*listed, strict=True)))
        for name, listed in found.items()
    }


def smoothed(values: Floats) -> Floats:
    """The course of values (n,): a running median takes out single bad ones, a running mean evens out the rest.

    Both look as far ahead as back, over a `SHARE` of all values (at least `LEAST`); ends are repeated.
    """
    width = max(LEAST, round(len(values) * SHARE)) // 2 * 2 + 1
    for over in (np.median, np.mean):
        padded = np.pad(values, width // 2, mode="edge")
        values = np.asarray(over(np.lib.stride_tricks.sliding_window_view(padded, width), axis=1), float)
    return values


def stages_of(log: Sequence[Entry]) -> list[Span]:
    """Stages in order of time, each up to the beginning of the next; an entry speaks of the time before it."""
    spans, begin = list[Span](), 0.0
    for stage, entries in groupby(log, lambda entry: entry.stage):
        end = max(entry.minutes for entry in entries)
        spans.append(Span(stage, begin, end))
        begin = end
    return spans


# drawing


def draw(log: Sequence[Entry], path: Path) -> None:
    """Losses left, held-out meters right, over minutes, written to `path` (its ending says how: .png, .svg, .pdf).

    Raises BadInput when there is nothing to draw, or `path` cannot be written.
    """
    losses, meters = curves_of(log, lambda entry: entry.values), curves_of(log, lambda entry: entry.held_out)
    if not losses and not meters:
        raise BadInput("The log has no numbers yet: wait until the run has written some.")
    shown = {name: f"{name}  {curve.values[-1]:.3f}" for name, curve in meters.items()}
    rows = max(_rows_of(losses), _rows_of(shown.values()))
    figure = Figure(figsize=(2 * PANEL, 4.6 + 0.17 * rows), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    _draw_losses(left, losses)
    _draw_meters(right, meters, shown)
    for axes, title in ((left, "Training: means over steps"), (right, "Held-out clips, with the last value")):
        _finish(axes, title, stages_of(log))
    _save(figure, path)


def _draw_losses(axes: Axes, losses: Mapping[str, Curve]) -> None:
    """Each curve faint, its course on top; on a log scale, where what is not positive has no place."""
    for name, style in styles_of(losses).items():
        seen = losses[name].values > 0
        minutes, values = losses[name].minutes[seen], losses[name].values[seen]
        if len(values):
            axes.plot(minutes, values, color=style["color"], alpha=0.15, linewidth=0.7)
            axes.plot(minutes, np.exp(smoothed(np.log(values))), **style, linewidth=1.5, label=name)
            axes.set_yscale("log")


def _draw_meters(axes: Axes, meters: Mapping[str, Curve], labels: Mapping[str, str]) -> None:
    """Each meter with its points, thin where it is a part of another; from 0 to 1 where all are shares."""
    for name, style in styles_of(meters).items():
        curve, part = meters[name], split(name)[0] in meters
        (line,) = axes.plot(curve.minutes, curve.values, **style, marker="o", label=labels[name])
        line.set(linewidth=0.8 if part else 1.8, markersize=2 if part else 4, alpha=0.6 if part else 1.0)
    if meters and all(curve.values.min() >= 0 and curve.values.max() <= 1 for curve in meters.values()):
        axes.set_ylim(0, 1.02)


def split(name: str) -> tuple[str, str]:
    """A meter's name as (of what, meter): "video_colour" is ("video", "colour"), "pointing" is ("", "pointing")."""
    head, _, tail = name.partition("_")
    return (head, tail) if tail else ("", head)


def styles_of(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and dashes by name: the same meter of different inputs has one colour. In the legend's order."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(split(name)[1], []).append(name)
    strong, pale = (colormaps["tab20"](range(start, 20, 2)) for start in (0, 1))
    colours = [*strong, *pale]
    return {
        name: {"color": colours[group % len(colours)], "linestyle": DASHES[place % len(DASHES)]}
        for group, members in enumerate(groups.values())
        for place, name in enumerate(members)
    }


def _finish(axes: Axes, title: str, stages: Sequence[Span]) -> None:
    """Title, grid, stages behind the curves with their names above, and the legend below."""
    end = max(stages[-1].end, 1e-3)
    axes.set_xlim(0, end)
    slanted = _name_stages(axes, stages, end)
    axes.set_title(title, loc="left", fontsize=12, color=INK, pad=34 if slanted else 22)
    axes.set_xlabel("minutes of training", color=INK)
    axes.grid(True, color="white", linewidth=1)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", color=INK, labelcolor=INK, labelsize=9)
    for side in axes.spines.values():
        side.set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        below: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.16), "borderaxespad": 0.0}
        axes.legend(handles, labels, ncols=_columns_of(labels), fontsize=8, frameon=False, **below)
    else:
        axes.text(0.5, 0.5, "nothing yet", transform=axes.transAxes, ha="center", color=INK)


def _name_stages(axes: Axes, stages: Sequence[Span], end: float) -> bool:
    """Shades and names the stages: level where all names have room, else slanted (True)."""
    slanted = any((span.end - span.begin) / end < LETTER / PANEL * len(span.stage) for span in stages)
    for place, span in enumerate(stages):
        axes.axvspan(span.begin, span.end, color=SHADES[place % 2], zorder=-2, linewidth=0)
        if (span.end - span.begin) / end >= 2 * LETTER / PANEL:
            middle = (span.begin + span.end) / 2
            text = axes.text(middle, 1.015, span.stage, transform=axes.get_xaxis_transform(), fontsize=8, color=INK)
            text.set(va="bottom", ha="left" if slanted else "center", rotation=30 if slanted else 0)
            text.set_rotation_mode("anchor")
    return slanted


def _columns_of(labels: Iterable[str]) -> int:
    """How many columns of a legend fit below a panel."""
    longest = max(map(len, labels), default=1)
    return max(1, int((PANEL - 0.8) / (LETTER * longest + 0.6)))


def _rows_of(labels: Iterable[str]) -> int:
    labels = list(labels)
    return -(-len(labels) // _columns_of(labels))


def _save(figure: Figure, path: Path) -> None:
    """Writes beside `path` and renames into place."""
    beside = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        FigureCanvasAgg(figure).print_figure(beside, dpi=150, format=path.suffix[1:] or "png")
        beside.replace(path)
    except (OSError, ValueError) as error:
        with suppress(OSError):
            beside.unlink()
        raise BadInput(f"{path} cannot be written: {str(error).splitlines()[0]}") from error


def main(given: Sequence[str] | None = None) -> int:
    """The command: its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=f"a run's folder, or its {LOG}")
    parser.add_argument("--out", type=Path, required=True, help="picture to write: .png, .svg or .pdf")
    options = parser.parse_args(given)
    try:
        draw(joined(read_log(run) for run in options.runs), options.out)
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
