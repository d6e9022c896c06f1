"""The canvas in a widget of 1280x720: a frame that is new, and what is drawn over one that is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median

import cv2
import numpy as np

from decaf_gui.app.painting import Layer, Scene
from decaf_gui.app.palette import object_colour
from decaf_gui.bench.results import Cell, Options, Result, Target
from decaf_gui.core.events import Event, Stage
from decaf_gui.core.masks import Rle

COLUMNS = ("frame", "objects", "attention", "what", "median ms", "longest ms")
SIZE, OBJECTS = (720, 1280), 10
NEW, SAME = 33.0, 8.0
"""Milliseconds that are promised: a new frame of 1920x1080 with ten objects, and everything else."""


def run(options: Options) -> Iterator[Event]:
    """Paints offscreen; masks differ from frame to frame, as they do in a clip."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from PySide6.QtCore import QPointF
    from PySide6.QtWidgets import QApplication

    from decaf_gui.app.canvas import Canvas

    _application = QApplication.instance() or QApplication([])
    rounds = 3 if options.quick else 40
    canvas = Canvas()
    canvas.resize(SIZE[1], SIZE[0])
    canvas.show()
    rows: list[tuple[Cell, ...]] = []
    for name, size in {"1280x720": (720, 1280), "1920x1080": (1080, 1920), "3840x2160": (2160, 3840)}.items():
        yield Stage("bench canvas", len(rows), 9, name)
        scenes = list(made_scenes(size, 6))
        turn = iter(range(10**9))

        def new_frame(scenes: list[Scene] = scenes, turn: Iterator[int] = turn) -> None:
            canvas.show_scene(scenes[next(turn) % len(scenes)])
            canvas.grab()

        def hover(turn: Iterator[int] = turn) -> None:
            canvas._pointer = QPointF(next(turn) % 1000, 300)
            canvas.show_points([(100.0 + next(turn) % 50, 200.0, True)] * 20)
            canvas.grab()

        for what, attention, work in (("new frame", False, new_frame), ("points move", False, hover)):
            rows.append((name, OBJECTS, "yes" if attention else "", what, *timed(work, rounds)))
        heat = np.random.default_rng(0).random((24, 32)).astype(np.float32)
        scenes[:] = [replace(scene, attention=heat) for scene in scenes]
        rows.append((name, OBJECTS, "yes", "new frame", *timed(new_frame, rounds)))
    yield Stage("bench canvas", 9, 9)
    canvas.close()
    full = {(row[0], row[2], row[3]): float(row[4] or 0) for row in rows}
    targets = (
        Target("new frame of 1920x1080 with ten objects, ms", full["1920x1080", "", "new frame"], NEW, at_most=True),
        Target("unchanged pixels, ms", max(v for k, v in full.items() if k[2] == "points move"), SAME, at_most=True),
    )
    title = f"The canvas at {SIZE[1]}x{SIZE[0]}, painted offscreen"
    yield Result("canvas", title, COLUMNS, tuple(rows), () if options.quick else targets, {"rounds": rounds})


def made_scenes(size: tuple[int, int], count: int) -> Iterator[Scene]:
    """Scenes with ten objects of ragged outline that move."""
    rng = np.random.default_rng(0)
    height, width = size
    for step in range(count):
        frame = cv2.resize(rng.integers(0, 256, (90, 160, 3), np.uint8), (width, height))
        layers = []
        for thing in range(OBJECTS):
            mask = np.zeros(size, np.uint8)
            angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
            radius = height / 9 * (1 + 0.2 * rng.standard_normal(90))
            middle = (width * ((0.17 + 0.618 * thing + 0.01 * step) % 1), height * (0.15 + 0.07 * thing))
            corners = np.stack([middle[0] + radius * np.cos(angle), middle[1] + radius * np.sin(angle)], axis=1)
            cv2.fillPoly(mask, [corners.astype(np.int32)], 1)
            layers.append(Layer(Rle.encode(mask), object_colour(thing + 1)))
        yield Scene(np.asarray(frame, np.uint8), tuple(layers))


def timed(work: Callable[[], None], rounds: int) -> tuple[float, float]:
    """(median, longest) milliseconds, after one round that does not count."""
    work()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return round(median(taken), 1), round(max(taken), 1)
