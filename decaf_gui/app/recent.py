"""What the program remembers by itself between two starts: recent projects, expressions, how the window lay."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

from decaf_gui.pipeline.settings import METHODS

log = logging.getLogger(__name__)
FILE_NAME = "window.json"
PROJECTS, EXPRESSIONS = 12, 100


@dataclass(frozen=True, slots=True)
class Recent:
    """The latest first. `geometry` and `splitters` are Qt's own bytes, in base 64; `method` "" is the preset's.

    `goes_on`: in a pre-labelled set the next entry comes by itself.
    """

    projects: tuple[str, ...] = ()
    expressions: tuple[str, ...] = ()
    geometry: str = ""
    splitters: tuple[str, ...] = ()
    method: str = ""
    goes_on: bool = True

    def with_project(self, path: Path) -> Recent:
        """A project was opened."""
        return replace(self, projects=_first(str(path.resolve()), self.projects, PROJECTS))

    def without_project(self, path: str) -> Recent:
        """A project is not to be listed any more."""
        return replace(self, projects=tuple(listed for listed in self.projects if listed != path))

    def with_expression(self, text: str) -> Recent:
        """Something was asked for."""
        return replace(self, expressions=_first(" ".join(text.split()), self.expressions, EXPRESSIONS))


def recent_path() -> Path:
    """Where it is kept; the environment's DECAF_GUI_CONFIG names another folder."""
    chosen = os.environ.get("DECAF_GUI_CONFIG")
    return (Path(chosen).expanduser() if chosen else user_state_path("decaf-gui")) / FILE_NAME


def load_recent() -> Recent:
    """What was remembered; nothing where that cannot be read: nobody misses it enough for an error."""
    try:
        found = json.loads(recent_path().read_text(encoding="utf-8"))
        lists: dict[str, Any] = {
            entry.name: tuple(text for text in found[entry.name] if isinstance(text, str))
            for entry in fields(Recent)
            if entry.name not in ("geometry", "method", "goes_on") and isinstance(found.get(entry.name), list)
        }
        method = found.get("method")
        return Recent(
            **lists,
            geometry=str(found.get("geometry", "")),
            method=method if method in METHODS else "",
            goes_on=found.get("goes_on") is not False,
        )
    except (OSError, ValueError, AttributeError):
        return Recent()


def save_recent(recent: Recent) -> None:
    """Written beside and renamed; where that cannot be, nothing is remembered."""
    path = recent_path()
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(asdict(recent), ensure_ascii=False), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        log.info("what was opened lately cannot be remembered: %s", error)
        with suppress(OSError):
            beside.unlink()


def _first(new: str, listed: Iterable[str], most: int) -> tuple[str, ...]:
    return (new, *(text for text in listed if text != new))[:most]
