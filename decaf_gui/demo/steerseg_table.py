"""SteerSeg against DecAF, and each of its parts alone, on the held-out clips of the shapes world.

The attention's own masks and SAM2's, by J, F, J&F and pointing; differences to DecAF are of the same expressions, over
the same draws of clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from decaf_gui.core.errors import BadInput
from decaf_gui.demo.ablations import Method, Variation, differences, signed
from decaf_gui.demo.shapes_benchmark import Interval, Record, bootstrap, by_clip, markdown_table, percent
from decaf_gui.pipeline.models import ModelCard
from decaf_gui.pipeline.steering import chosen_prompts

PROMPTS = {"grounding.steering": "auto"}
ATTRIBUTES = {"grounding.attributes": "on", "grounding.object_prompt": "attributes"}
RANKING = {"tracking.scoring": "pearson", "tracking.choose": "best"}
OBJECT_ONLY = {"grounding.contrast": "off"}
ALL = {**PROMPTS, **ATTRIBUTES, **RANKING}
PARTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "DecAF": {},
        "+ soft prompts": PROMPTS,
        "+ attributes": ATTRIBUTES,
        "+ correlation ranking": RANKING,
        "without contrast": OBJECT_ONLY,
        "SteerSeg with contrast": ALL,
        "SteerSeg": {**ALL, **OBJECT_ONLY},
    }
)
"""What each line changes of DecAF. Whether SteerSeg keeps the contrast is not published: there is a line for both."""
MASKS: Mapping[Method, str] = MappingProxyType({"attention-mask": "attention mask", "decaf": "SAM mask"})
MEASURES: Mapping[Method, tuple[str, ...]] = MappingProxyType(
    {"attention-mask": ("jf", "j", "f", "pointing"), "decaf": ("jf", "j", "f")}
)
"""Pointing is of the maps, which do not depend on SAM2."""
TITLES = {"jf": "J&F", "j": "J", "f": "F", "pointing": "pointing"}


def variations() -> dict[str, Variation]:
    """What is to be run, by name."""
    each = [Variation(_name(line, method), values, method=method) for line, values in PARTS.items() for method in MASKS]
    return {variation.name: variation for variation in each}


def _name(line: str, method: Method) -> str:
    return f"{line}, {MASKS[method]}"


def check_prompts(card: ModelCard) -> None:
    """Raises BadInput when there are no soft prompts to be tried."""
    if chosen_prompts("auto", card) is None:
        raise BadInput(
            f"No soft prompts come with the {card.title}: learn some with `decaf-gui steer train`, give --soft-prompts."
        )


@dataclass(frozen=True, slots=True)
class Line:
    """One measure of one line on one kind of mask, and its difference to DecAF's (None: it is that)."""

    line: str
    masks: str
    measure: str
    measured: Interval
    difference: Interval | None


def lines_of(records: Sequence[Record]) -> list[Line]:
    """All that was measured, in the table's order."""
    return list(_lines(records))


def _lines(records: Sequence[Record]) -> Iterator[Line]:
    for method, masks in MASKS.items():
        base = [record for record in records if record.method == _name("DecAF", method)]
        for line in PARTS:
            own = [record for record in records if record.method == _name(line, method)]
            for measure in MEASURES[method]:
                values = by_clip(own, measure)
                if values:
                    gaps = None if line == "DecAF" else bootstrap(differences(own, base, measure))
                    yield Line(line, masks, measure, bootstrap(values), gaps)


def tables(lines: Iterable[Line]) -> dict[str, tuple[list[str], list[list[str]]]]:
    """Columns and lines for people, in percent, by kind of mask: each measure, and its difference to DecAF's."""
    lines = list(lines)
    found = {}
    for masks in dict.fromkeys(line.masks for line in lines):
        of_masks = [line for line in lines if line.masks == masks]
        measures = list(dict.fromkeys(line.measure for line in of_masks))
        columns = ["", *(title for measure in measures for title in (TITLES[measure], "difference"))]
        found[masks] = (columns, [_cells(of_masks, name) for name in dict.fromkeys(line.line for line in of_masks)])
    return found


def _cells(lines: Iterable[Line], name: str) -> list[str]:
    pairs = [(percent(x.measured), signed(x.difference) if x.difference else "-") for x in lines if x.line == name]
    return [name, *(cell for pair in pairs for cell in pair)]


def steerseg_markdown(lines: Iterable[Line]) -> str:
    """A table for each kind of mask."""
    return "".join(f"## The {masks}\n\n{markdown_table(*found)}\n" for masks, found in tables(lines).items())


def plain_lines(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Lines for CSV and JSON, shares from 0 to 1; DecAF's differences to itself are 0."""
    plain = []
    for line in lines:
        gap = line.difference
        ends = (gap.mean, gap.low, gap.high) if gap else (0.0, 0.0, 0.0)
        told = {"line": line.line, "masks": line.masks, "measure": line.measure, **asdict(line.measured)}
        plain.append({**told, **dict(zip(("difference", "difference_low", "difference_high"), ends, strict=True))})
    return plain
