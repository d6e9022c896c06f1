"""From paths to an open project: the one that is named, the one beside the first clip, or the demo's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from platformdirs import user_data_path

from decaf_gui.core.clip import Clip, clips_in
from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project.keeping import keep_clip, keep_expression
from decaf_gui.core.project.store import SUFFIX, Store

DEMO_FRAMES = 48
DEMO: Mapping[int, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        23: ("leaves and returns", ("the purple heart", "the red cross", "the triangle", "the blue shape")),
        39: ("two crosses", ("the cyan cross", "the blue cross", "the large shape", "the star")),
        15: ("crossing", ("the blue star", "the circle", "the shape at the top", "the red object")),
    }
)
"""The demo's clips: seed of the shapes world, name, and expressions that the demo models find in them."""


def project_path(paths: Sequence[Path]) -> Path:
    """The project of what was given: itself, or the one beside the first clip."""
    first = paths[0]
    if first.suffix == SUFFIX:
        return first
    return first.resolve().with_name(f"{first.resolve().stem if first.is_file() else first.resolve().name}{SUFFIX}")


def open_project(paths: Sequence[Path], project: Path | None = None) -> Store:
    """The project that is named (or lies beside the first clip), made when it is new, with all clips of `paths` in it.

    Raises BadInput when something cannot be opened; then nothing is made.
    """
    clips = [clip for path in paths if path.suffix != SUFFIX for clip in (clips_in(path) if path.is_dir() else [path])]
    if sum(path.suffix == SUFFIX for path in paths) + (project is not None) > 1:
        raise BadInput("Open one project at a time.")
    opened: list[Clip] = []
    try:
        opened.extend(Clip.open(path) for path in clips)
        path = project or project_path(paths)
        store = Store.open(path) if path.exists() or not clips else Store.create(path)
        try:
            for clip in opened:
                if not store.read_only:
                    keep_clip(store, clip)
        except BaseException:
            store.close()
            raise
    finally:
        for clip in opened:
            clip.close()
    return store


def demo_project(folder: Path | None = None) -> Store:
    """The demo clips in a project with their expressions, made when it is not there; by default in the user's data.

    Raises BadInput when it cannot be written.
    """
    folder = folder or user_data_path("decaf-gui") / "demo"
    path = folder / f"demo{SUFFIX}"
    if path.exists():
        return Store.open(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        videos = {seed: _demo_video(folder, seed, name) for seed, (name, _) in DEMO.items()}
    except OSError as error:
        raise BadInput(f"The demo cannot be written to {folder}: {error.strerror}.") from None
    store = Store.create(path)
    try:
        for seed, video in videos.items():
            with Clip.open(video) as clip:
                number = keep_clip(store, clip)
            for text in DEMO[seed][1]:
                keep_expression(store, number, Expression(text))
    except BaseException:
        store.close()
        path.unlink(missing_ok=True)
        raise
    return store


def _demo_video(folder: Path, seed: int, name: str) -> Path:
    from decaf_gui.demo.write import write_clips

    (made,) = write_clips(folder, seed, 1, "kind", DEMO_FRAMES, video=True)
    return made.replace(made.with_name(f"{name}.mp4"))
