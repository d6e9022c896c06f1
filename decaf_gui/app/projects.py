"""From paths to an open project: the one that is named, the one beside the first clip, or the demo's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from platformdirs import user_data_path

from decaf_gui.core.clip import Clip, clips_in
from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.core.project.keeping import keep_clip, keep_expression
from decaf_gui.core.project.store import SUFFIX, Store


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
    """The demo's scenes in a project with their ready expressions, made when it is not there; else in the user's data.

    Raises BadInput when it cannot be written.
    """
    from decaf_gui.demo.scenes import SCENES, write_scenes

    folder = folder or user_data_path("decaf-gui") / "demo"
    path = folder / f"demo{SUFFIX}"
    if path.exists():
        return Store.open(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        videos = list(write_scenes(folder, video=True))
    except OSError as error:
        raise BadInput(f"The demo cannot be written to {folder}: {error.strerror}.") from None
    store = Store.create(path)
    try:
        for scene, video in zip(SCENES, videos, strict=True):
            with Clip.open(video) as clip:
                number = keep_clip(store, clip)
            for text in scene.ready:
                keep_expression(store, number, Expression(text))
    except BaseException:
        store.close()
        path.unlink(missing_ok=True)
        raise
    return store
