"""Contact sheets of expressions: a few frames of each, with the predicted and the true mask drawn in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from decaf_gui.core.errors import BadInput
from decaf_gui.core.images import load_image
from decaf_gui.evaluation.run import Report, Run
from decaf_gui.evaluation.scoring import Outcome, read_prediction
from decaf_gui.formats.pngs import Mask
from decaf_gui.formats.rvos.base import Ask, Video

Pixels = NDArray[np.uint8]
PREDICTED, TRUE, PAPER, INK = (255, 120, 0), (0, 220, 90), (250, 250, 250), (20, 20, 20)
FRAMES, WIDTH, GAP, LINE = 5, 240, 6, 20
"""Pictures per expression; their width, the room between them, and the height of a line of text in pixels."""


def extremes(report: Report, count: int) -> Mapping[str, list[Outcome]]:
    """The `count` best and worst expressions by J&F, under the names of their sheets. No expression is in both."""
    ranked = sorted((o for o in report.outcomes if o.scored), key=lambda o: o.jf, reverse=True)
    count = min(count, -(-len(ranked) // 2))
    return {"best": ranked[:count], "worst": ranked[count:][::-1][:count]}


def write_sheets(run: Run, report: Report, count: int = 8) -> list[Path]:
    """best.png and worst.png in the run's folder; nothing where no expression was scored."""
    asks = {ask.folder: (video, ask) for video in run.split.videos for ask in video.asks}
    written = []
    for name, outcomes in extremes(report, count).items():
        if outcomes:
            path = run.folder / f"{name}.png"
            beside = path.with_name(f".{path.name}.new")
            Image.fromarray(sheet(run, [(o, *asks[o.folder]) for o in outcomes])).save(beside, "PNG")
            written.append(beside.replace(path))
    return written


def sheet(run: Run, entries: Sequence[tuple[Outcome, Video, Ask]]) -> Pixels:
    """RGB (H, W, 3): for every expression a line of text and up to five of its frames, predicted orange, true green."""
    rows = [_row(run, *entry) for entry in entries]
    width = max(row.shape[1] for row in rows)
    padded = [np.pad(r, ((0, GAP), (0, width - r.shape[1]), (0, 0)), constant_values=PAPER[0]) for r in rows]
    return np.concatenate([_text("predicted: orange, true: green", width), *padded])


def _row(run: Run, outcome: Outcome, video: Video, ask: Ask) -> Pixels:
    count = min(FRAMES, len(ask.frames))
    chosen = [round(i * (len(ask.frames) - 1) / max(1, count - 1)) for i in range(count)]
    pictures = [
        np.pad(_picture(run, video, ask, i), ((0, 0), (0, GAP), (0, 0)), constant_values=PAPER[0]) for i in chosen
    ]
    strip = np.concatenate(pictures, axis=1)
    j, f = outcome.measures["J"], outcome.measures["F"]
    title = f"J&F {100 * outcome.jf:.1f}  J {100 * j:.1f}  F {100 * f:.1f}  {ask.video} {ask.id}: {ask.text}"
    return np.concatenate([_text(title, strip.shape[1]), strip])


def _picture(run: Run, video: Video, ask: Ask, index: int) -> Pixels:
    """One frame, small; grey where the dataset's picture is missing. Masks were readable when they were scored."""
    frame = ask.frames[index]
    mask = read_prediction(ask, run.predictions, frame, None)
    size = (mask.shape[0], mask.shape[1])
    assert ask.truth is not None
    true = ask.truth.layers(index, size) > 0
    picture = _frame(video, frame, size)
    height = max(1, round(WIDTH * size[0] / size[1]))
    small = cv2.resize(picture, (WIDTH, height), interpolation=cv2.INTER_AREA)
    drawn = _outlined(small, _shrunk(mask, height), PREDICTED, fill=True)
    return _outlined(drawn, _shrunk(true, height), TRUE, fill=False)


def _frame(video: Video, frame: str, size: tuple[int, int]) -> Pixels:
    grey = np.full((*size, 3), 128, np.uint8)
    if frame not in video.frames:
        return grey
    try:
        picture = load_image(video.files[video.frames.index(frame)])
    except BadInput:
        return grey
    return picture if picture.shape[:2] == size else grey


def _shrunk(mask: Mask, height: int) -> Mask:
    return np.asarray(cv2.resize(mask.astype(np.uint8), (WIDTH, height), interpolation=cv2.INTER_NEAREST) > 0)


def _outlined(picture: Pixels, mask: Mask, colour: tuple[int, int, int], *, fill: bool) -> Pixels:
    drawn = picture.copy()
    if fill:
        drawn[mask] = ((drawn[mask].astype(np.uint16) + np.array(colour, np.uint16)) // 2).astype(np.uint8)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(drawn, contours, -1, colour, 1), np.uint8)


def _text(text: str, width: int) -> Pixels:
    image = Image.new("RGB", (width, LINE), PAPER)
    ImageDraw.Draw(image).text((2, 2), " ".join(text.split()), fill=INK, font=ImageFont.load_default(13))
    return np.asarray(image)
