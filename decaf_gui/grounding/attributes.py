"""Reasoning before grounding (SteerSeg): what tells the referred object from others like it, read from an answer.

The paper's step is one question for short attributes (colour, position, motion...) and reasons. Its wording is not
public, so question and reading are ours: the answer may be labelled lines, JSON or a list, and what cannot be read is
no attribute.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from decaf_gui.core.attributes import joined_attributes, split_attributes

MOST_ATTRIBUTES, MOST_WORDS, MOST_LETTERS = 8, 8, 60
"""More attributes than that, or longer ones, are no short description: they are left out."""
MOST_LISTED_WORDS = 4
"""Longer parts between commas are those of a sentence, where nothing says that they are attributes."""
MOST_REASONS = 500
"""Letters of the reasons that are kept."""
LABEL = re.compile(r"^[\W_]*(attribut\w*|reason\w*|because|explanation)\b[^:\w]*:[\s*_]*", re.IGNORECASE | re.MULTILINE)
"""The label before attributes or reasons, at the beginning of a line, bold or not."""
BULLET = re.compile(r"^\s*(?:[-*•–]|\d{1,2}[.)])\s+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Attributes of the referred object, and why they are its own."""

    attributes: tuple[str, ...] = ()
    reasons: str = ""


def parse_reasoning(answer: str) -> Reasoning:
    """What an answer says: JSON with "attributes" and "reasons", labelled lines, or a list. Never an error."""
    for read in (_from_json, _from_labels, _from_list):
        found = read(answer)
        if found is not None:
            return found
    return Reasoning()


def _from_json(answer: str) -> Reasoning | None:
    """The first JSON object or list in the answer that holds attributes; None when there is none."""
    for start in (place.start() for place in re.finditer(r"[{\[]", answer)):
        try:
            value, _ = json.JSONDecoder().raw_decode(answer, start)
        except (ValueError, RecursionError):
            continue
        attributes, reasons = _held(value)
        if attributes:
            return Reasoning(attributes, _reasons(reasons))
    return None


def _held(value: Any) -> tuple[tuple[str, ...], str]:
    """Attributes and reasons in a JSON value."""
    if isinstance(value, list):
        return _short(_texts(value)), ""
    if not isinstance(value, dict):
        return (), ""
    named = {str(key).casefold(): held for key, held in value.items()}
    reasons = next((held for key, held in named.items() if key.startswith("reason")), "")
    listed = next((held for key, held in named.items() if key.startswith("attribut")), None)
    if listed is None:  # {"colour": "red", "size": "small"}
        listed = [held for key, held in named.items() if not key.startswith("reason")]
    return _short(_texts(listed)), " ".join(_texts(reasons))


def _texts(value: Any) -> list[str]:
    """The texts in a JSON value; numbers, and what lies deeper than one level, are none."""
    if isinstance(value, str):
        return [value]
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for text in inside if isinstance(text, str)]


def _from_labels(answer: str) -> Reasoning | None:
    """What follows "Attributes:" and "Reason:"; None where neither label is there."""
    labels = list(LABEL.finditer(answer))
    if not labels:
        return None
    ends = [label.start() for label in labels[1:]] + [len(answer)]
    parts = [(label[1].casefold(), answer[label.end() : end]) for label, end in zip(labels, ends, strict=True)]
    attributes = _short(part for name, part in parts if name.startswith("attribut"))
    return Reasoning(attributes, _reasons(" ".join(part for name, part in parts if not name.startswith("attribut"))))


def _from_list(answer: str) -> Reasoning | None:
    """An answer that is nothing but a list: bullets, or short parts between separators. Sentences are none."""
    lines = [line for line in answer.splitlines() if line.strip()]
    bullets = [line for line in lines if BULLET.match(line)]
    if bullets:
        return Reasoning(_short(bullets))
    parts = split_attributes(answer)
    sentence = any(len(part.split()) > MOST_LISTED_WORDS for part in parts)
    return Reasoning(_short(parts)) if len(parts) > 1 and not sentence else None


def _short(texts: Iterable[str]) -> tuple[str, ...]:
    """The attributes in some texts that are short enough."""
    parts = split_attributes(joined_attributes(texts))
    short = (part for part in parts if len(part) <= MOST_LETTERS and len(part.split()) <= MOST_WORDS)
    return tuple(short)[:MOST_ATTRIBUTES]


def _reasons(text: str) -> str:
    """In one line, with nothing around them, and no longer than a few sentences."""
    return " ".join(text.split()).strip(' *_`"')[:MOST_REASONS]
