"""All dataset formats by name. To add one: a module with a `FORMAT`, and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from decaf_gui.core.errors import BadInput
from decaf_gui.formats import coco, davis, overlay
from decaf_gui.formats.base import Format

FORMATS: Mapping[str, Format] = {entry.name: entry for entry in (davis.FORMAT, coco.FORMAT, overlay.FORMAT)}


def format_named(name: str) -> Format:
    """The format called `name`. Raises BadInput, naming the known ones."""
    try:
        return FORMATS[name]
    except KeyError:
        raise BadInput(f'There is no format "{name}": choose among {", ".join(FORMATS)}.') from None
