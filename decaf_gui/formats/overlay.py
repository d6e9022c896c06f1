"""An H.264 video of the clip with its masks drawn in: for looking at, not for reading back.

    <clip>.mp4    half-transparent masks with contours; a legend of expressions; the label set's notice

Sides are made even by repeating the last row or column (yuv420p). Frames keep their number and come at the clip's
average rate. On frames where an object is not labelled it is not drawn.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from decaf_gui.core.clip import Clip
from decaf_gui.core.events import Event, Stage
from decaf_gui.formats.base import Draft, Format, safe_name
from decaf_gui.formats.labelset import LabelledObject, LabelSet, require_match

Pixels = NDArray[np.uint8]
Colour = tuple[int, int, int]

NOTICE_COLOUR: Colour = (255, 190, 60)
TEXT_COLOUR: Colour = (255, 255, 255)


def write(
    labelset: LabelSet, clip: Clip, folder: Path, *, overwrite: bool = False, frames: bool = True
) -> Iterator[Event]:
    """Write `<folder>/overlay/<clip>.mp4`; see Writer (a video is nothing without its frames)."""
    require_match(labelset, clip)
    FORMAT.check_output(clip, folder, overwrite=overwrite, name=labelset.name)
    draft = Draft(FORMAT, folder, safe_name(labelset.name))
    with draft.started():
        yield Stage("Writing overlay", 0, labelset.frame_count, f"made in {draft.work}")
        colours = object_colours(labelset)
        legend = draw_legend(labelset, colours)
        with av.open(str(draft.path(f"{draft.name}.mp4")), "w", options={"movflags": "+faststart"}) as out:
            stream = _video_stream(out, labelset)
            try:
                for frame in range(labelset.frame_count):
                    drawn = draw_masks(clip[frame], labelset.objects, colours, frame)
                    out.mux(stream.encode(av.VideoFrame.from_ndarray(_even(put_legend(drawn, legend)))))
                    yield Stage("Writing overlay", frame + 1, labelset.frame_count)
            finally:  # what was made until an interruption can be played
                out.mux(stream.encode(None))
        written = draft.finish()
    yield written


def parts(name: str) -> tuple[str, ...]:
    """What belongs to the clip `name`."""
    return (f"{name}.mp4",)


FORMAT = Format(
    "overlay",
    "Overlay video, MP4",
    parts,
    write,
    bytes_per_pixel=0.1,
    keeps="masks and expressions as a picture",
    loses="everything but what the eye sees: it is for looking, not for training",
    layout="<clip>.mp4",
)


def object_colours(labelset: LabelSet) -> Mapping[int, Colour]:
    """Object id -> a bright colour; neighbours in number are far apart in hue (golden ratio)."""
    return {id_: _bright(number * 0.618034) for id_, number in labelset.numbers.items()}


def draw_masks(picture: Pixels, objects: Sequence[LabelledObject], colours: Mapping[int, Colour], frame: int) -> Pixels:
    """A copy of `picture` (H, W, 3) with the objects' masks half-transparent, newer objects on top."""
    drawn = picture.copy()
    thickness = max(1, picture.shape[0] // 360)
    for obj in sorted((o for o in objects if frame in o.masks), key=lambda o: o.id):
        x, y, width, height = obj.masks.box(frame) or (0, 0, 0, 0)
        inside = np.s_[y : y + height, x : x + width]
        part, mask, colour = drawn[inside], obj.masks[frame][inside], colours[obj.id]
        part[mask] = ((part[mask].astype(np.uint16) + np.array(colour, np.uint16)) // 2).astype(np.uint8)
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE, offset=(x, y))
        cv2.drawContours(drawn, contours, -1, colour, thickness)
    return drawn


def draw_legend(labelset: LabelSet, colours: Mapping[int, Colour]) -> Pixels:
    """The legend as RGB (h, W, 3): the notice, then each expression after the colours of its objects.

    At most a third of the picture's height; h is 0 when there is nothing to say.
    """
    height, width = labelset.size
    line = max(12, height // 30)
    lines: list[tuple[str, Colour, list[Colour]]] = [
        (text, TEXT_COLOUR, [colours[obj.id] for obj in labelset.answers(i)])
        for i, text in enumerate(labelset.expressions)
    ]
    if labelset.notice:
        lines.insert(0, (labelset.notice, NOTICE_COLOUR, []))
    lines = lines[: max(1, height // 3 // line)]
    canvas = Image.new("RGB", (width, min(height, line * len(lines))))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(line * 0.75)
    for i, (text, colour, swatches) in enumerate(lines):
        left, top = line // 4, i * line
        for swatch in swatches[: width // (3 * line)]:
            draw.rectangle((left, top + line // 4, left + line // 2, top + 3 * line // 4), fill=swatch)
            left += 3 * line // 4
        draw.text((left, top + line // 8), _fit(text, font, width - left), fill=colour, font=font)
    return np.asarray(canvas)


def put_legend(picture: Pixels, legend: Pixels) -> Pixels:
    """`picture` with the legend over its lower edge; the picture shines through by a quarter."""
    height = legend.shape[0]
    if height:
        below = picture[-height:]
        picture[-height:] = np.maximum(below // 4, legend)
    return picture


def _bright(hue: float) -> Colour:
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, 0.85, 1.0))
    return red, green, blue


def _fit(text: str, font: Any, width: float) -> str:
    """`text`, or its beginning and an ellipsis, so that it is at most `width` pixels wide."""
    if font.getlength(text) <= width:
        return text
    kept = next((n for n in range(len(text), 0, -1) if font.getlength(text[:n] + "...") <= width), 0)
    return text[:kept] + "..."


def _even(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    return np.ascontiguousarray(np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def _video_stream(out: av.container.OutputContainer, labelset: LabelSet) -> Any:
    rate = Fraction(labelset.fps).limit_denominator(1001)
    stream = out.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
    height, width = labelset.size
    stream.height, stream.width, stream.pix_fmt = height + height % 2, width + width % 2, "yuv420p"
    return stream
