"""Writing demo clips as videos or frame folders, with DAVIS ground truth and their expressions."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from decaf_gui.core.errors import BadInput
from decaf_gui.demo.shapes import ShapesClip, make_clip
from decaf_gui.demo.world import level_named
from decaf_gui.formats.davis import IMAGE_SET, add_to_image_set
from decaf_gui.formats.pngs import save_indexed


def write_clips(folder: Path, seed: int, clips: int, level: str, frames: int, *, video: bool) -> Iterator[Path]:
    """Writes clips of the seeds seed, seed + 1, ...; yields each clip's video, or folder of frames, when complete.

    `<folder>/videos/<name>.mp4` or `<folder>/JPEGImages/480p/<name>/00000.jpg`; ground truth as indexed
    `<folder>/Annotations/480p/<name>/00000.png`, listed in `<folder>/ImageSets/2017/val.txt`;
    `<folder>/expressions.json`: for every clip its background and, for every expression, text, kind, object ids and
    answer. Clips of earlier calls stay. Raises BadInput for an unknown level or a place that cannot be written to.
    """
    level_named(level)
    seeds = range(seed, seed + clips)
    made = ((clip_name(level, number), make_clip(number, level, frames)) for number in seeds)
    yield from write_named(folder, made, video=video)


def clip_name(level: str, seed: int) -> str:
    """What the clip of a seed is called where it is written."""
    return f"{level}{seed:05d}"


def write_named(folder: Path, clips: Iterable[tuple[str, ShapesClip]], *, video: bool) -> Iterator[Path]:
    """Writes clips as `write_clips` does, under their names: words without spaces. Raises BadInput when it cannot."""
    try:
        table = _known(folder / "expressions.json")
        for name, shapes in clips:
            _write_masks(shapes, folder / "Annotations/480p" / name)
            if video:
                path = folder / "videos" / f"{name}.mp4"
                _write_video(shapes, path)
            else:
                path = folder / "JPEGImages/480p" / name
                _write_frames(shapes, path)
            add_to_image_set(folder / IMAGE_SET, name)
            table[name] = _described(shapes)
            _write_text(folder / "expressions.json", json.dumps(table, indent=1) + "\n")
            yield path
    except OSError as error:
        raise BadInput(f"Demo clips cannot be written to {folder}: {error.strerror or error}.") from None


def _known(path: Path) -> dict[str, object]:
    """The table of earlier calls; empty when there is none that can be read."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return table if isinstance(table, dict) else {}


def _described(shapes: ShapesClip) -> dict[str, object]:
    """What is to know of a clip, as plain data."""
    said = [
        {"text": e.text, "kind": e.kind, "objects": list(e.objects), "answer": e.answer} for e in shapes.expressions
    ]
    return {"seed": shapes.seed, "level": shapes.level, "background": shapes.background, "expressions": said}


def _write_masks(shapes: ShapesClip, folder: Path) -> None:
    with _beside(folder) as made:
        for t in range(shapes.masks.shape[1]):
            save_indexed(label_map(shapes, t), made / f"{t:05d}.png")


def label_map(shapes: ShapesClip, t: int) -> NDArray[np.uint8]:
    """Object ids of frame `t`, 0 is background: uint8 (H, W)."""
    labels = np.zeros(shapes.masks.shape[2:], np.uint8)
    for thing, masks in zip(shapes.objects, shapes.masks, strict=True):
        labels[masks[t]] = thing.id
    return labels


def _write_frames(shapes: ShapesClip, folder: Path) -> None:
    with _beside(folder) as made:
        for t, frame in enumerate(shapes.frames):
            Image.fromarray(frame).save(made / f"{t:05d}.jpg", quality=95)


def _write_video(shapes: ShapesClip, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    height, width = shapes.frames.shape[1:3]
    with av.open(str(beside), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(shapes.fps), options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in shapes.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    beside.replace(path)


class _beside:  # noqa: N801 (reads as a verb where it is used)
    """A folder that is filled beside its place and takes the place of an older one when complete."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.made = folder, folder.with_name(f".{folder.name}.new")

    def __enter__(self) -> Path:
        shutil.rmtree(self.made, ignore_errors=True)
        self.made.mkdir(parents=True)
        return self.made

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.made.replace(self.folder)


def _write_text(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)
