"""What a setting says of itself, kept in its dataclass field: the command line, the dialog and the help read it there.

`sigma: float = field(default=1.0, metadata=about("Smoothing", "What it does.", low=0))`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass
from typing import Any

_KEY = "about"


@dataclass(frozen=True, slots=True)
class About:
    """Words for people, and the range that makes sense: `low` and `high` belong to it, None is open.

    `unset` says what None means where a setting may be left open; `source` is the paper's equation, table or section;
    `unit` "bytes" is shown in GiB; `step` is how far one step of a spin box goes.
    """

    title: str
    help: str
    low: float | None = None
    high: float | None = None
    unset: str = ""
    source: str = ""
    unit: str = ""
    step: float = 1


def about(
    title: str,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unset: str = "",
    source: str = "",
    unit: str = "",
    step: float = 1,
) -> dict[str, About]:
    """The metadata of a field."""
    return {_KEY: About(title, help, low, high, unset, source, unit, step)}


def about_of(entry: Field[Any]) -> About:
    """What a field says of itself. Raises KeyError for a field that says nothing."""
    metadata: Mapping[str, About] = entry.metadata
    return metadata[_KEY]
