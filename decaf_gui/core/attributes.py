"""Short attributes of the object that an expression means (SteerSeg): one line of text, and back."""

from __future__ import annotations

import re
from collections.abc import Iterable

BETWEEN = re.compile(r"[;\n]|,(?!\d)")
"""What stands between two attributes; a comma before a digit is a decimal one."""
EDGES = " \t\r\"'`*_#-–•·.,;:“”„’‘()[]{}<>"
"""What stands around an attribute without belonging to it: quotes, marks of lists and of bold type, full stops."""
NUMBER = re.compile(r"^\d{1,2}[.)]\s+")
"""The number of an entry of a list."""


def split_attributes(text: str) -> tuple[str, ...]:
    """The attributes of a line or a list, in order, each once (in whatever case).

    They are without quotes, bullets and numbers; parts without a letter or digit are none.
    """
    found: dict[str, str] = {}
    for part in BETWEEN.split(text):
        tidy = _tidy(part)
        if any(letter.isalnum() for letter in tidy):
            found.setdefault(tidy.casefold(), tidy)
    return tuple(found.values())


def joined_attributes(attributes: Iterable[str]) -> str:
    """The attributes in one line, as `split_attributes` reads them."""
    return "; ".join(attributes)


def _tidy(part: str) -> str:
    """A part with single spaces and nothing around it; under a bullet there may be a number, and so on."""
    while True:
        tidy = NUMBER.sub("", " ".join(part.split()).strip(EDGES))
        if tidy == part:
            return tidy
        part = tidy
