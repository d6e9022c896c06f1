"""The paper's ablations on the shapes world: tables 4 to 7, and 10 to 12 with models that know other wordings.

A variation is a name and the settings that it changes. Differences are to the settings as they are, on the same
expressions, with a paired bootstrap over clips.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from itertools import product
from types import MappingProxyType
from typing import Any, Literal

from decaf_gui.core.clip import Clip
from decaf_gui.core.entities import Grounding
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import AttentionReady, Event, Proposed
from decaf_gui.demo.shapes_benchmark import (
    Found,
    Interval,
    Record,
    Runner,
    bootstrap,
    by_clip,
    markdown_table,
    percent,
)
from decaf_gui.grounding.fusion import attention_masks
from decaf_gui.grounding.ground import DEFAULT_FRAME_SCALE
from decaf_gui.grounding.prompts import BACKGROUND_PROMPTS, CHOICE_PROMPTS, OBJECT_PROMPTS
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.pipeline.engine import Engine
from decaf_gui.pipeline.settings import Settings

Method = Literal["decaf", "attention-mask"]


@dataclass(frozen=True, slots=True)
class Variation:
    """One line of a table: `values` replace settings by full name, as text.

    `start` is the share of the decoder's layers below the rollout: its layer follows from the model.
    """

    name: str
    values: Mapping[str, str] = field(default_factory=dict)
    start: Fraction | None = None
    method: Method = "decaf"

    def settings(self, standing: Settings, layers: int) -> Settings:
        """`standing` with what the variation changes, for a decoder of `layers` layers."""
        values = dict(self.values)
        if self.start is not None:
            values["grounding.start_layer"] = str(int(layers * self.start))
        return standing.changed(values)


AS_IT_IS: Mapping[Method, Variation] = MappingProxyType(
    {"decaf": Variation("as it is"), "attention-mask": Variation("as it is, attention mask", method="attention-mask")}
)
"""What variations of each method are compared with."""


def _grid(values: Sequence[str] = ("0.7", "0.8", "0.9")) -> Iterator[Variation]:
    for trk, pq in product(values, values):
        yield Variation(f"tau_trk {trk}, tau_pq {pq}", {"tracking.tau_trk": trk, "tracking.tau_pq": pq})


def _prompts(setting: str, names: Iterable[str]) -> tuple[Variation, ...]:
    return tuple(Variation(f"{setting} {name}", {f"grounding.{setting}": name}) for name in names)


TABLES: Mapping[str, tuple[str, tuple[Variation, ...]]] = MappingProxyType(
    {
        "4a": (
            "Object-background contrasting",
            (
                Variation("object only, attention mask", {"grounding.contrast": "off"}, method="attention-mask"),
                Variation("contrast, attention mask", {"grounding.contrast": "on"}, method="attention-mask"),
                Variation("object only", {"grounding.contrast": "off"}),
                Variation("contrast", {"grounding.contrast": "on"}),
            ),
        ),
        "4b": (
            "Video-frame complementing",
            (
                Variation("video only", {"grounding.modalities": "video"}),
                Variation("frames only", {"grounding.modalities": "frames"}),
                Variation("video and frames", {"grounding.modalities": "fused"}),
            ),
        ),
        "4c": (
            "Multi-scale complementing",
            (
                Variation("frames as large as the video", {"grounding.frame_scale": "1"}),
                Variation("frames at twice its width and height", {"grounding.frame_scale": "2"}),
            ),
        ),
        "5a": (
            "Rollout method",
            tuple(Variation(f"rollout {name}", {"grounding.rollout": name}) for name in ("plain", "max", "vmax")),
        ),
        "5b": (
            "Starting layer of the rollout",
            tuple(Variation(f"from {n}/4 of the layers", start=Fraction(n, 4)) for n in (1, 2, 3)),
        ),
        "6": ("Thresholds of SAM prompting", tuple(_grid())),
        "7": (
            "Attention consistency score",
            (
                Variation("not used", {"tracking.consistency": "off"}),
                *(
                    Variation(
                        f"mu {mu}, {'penalty' if penalty == 'on' else 'no penalty'}",
                        {"tracking.consistency": "on", "tracking.threshold": mu, "tracking.penalty": penalty},
                    )
                    for mu, penalty in product(("otsu", "mean"), ("off", "on"))
                ),
            ),
        ),
        "10": ("Object-focused prompts", _prompts("object_prompt", (n for n in OBJECT_PROMPTS if n != "attributes"))),
        "11": ("Background-focused prompts", _prompts("background_prompt", BACKGROUND_PROMPTS)),
        "12": ("Object category choice prompts", _prompts("choice_prompt", CHOICE_PROMPTS)),
    }
)
"""Title and variations of each table, with the lines that the paper prints."""
PROMPT_TABLES = ("10", "11", "12")


def chosen_tables(names: Sequence[str], *, knows_wordings: bool) -> tuple[str, ...]:
    """Tables by number ("4" means 4a, 4b and 4c), in the paper's order; all that fit the model when none is named.

    Raises BadInput for a table that there is not, or one of other wordings with a model that knows only the paper's.
    """
    fitting = [table for table in TABLES if knows_wordings or table not in PROMPT_TABLES]
    wanted = {table for name in names for table in TABLES if name in (table, table.rstrip("abc"))}
    unknown = [name for name in names if not any(name in (table, table.rstrip("abc")) for table in TABLES)]
    if unknown:
        raise BadInput(f'There is no table "{unknown[0]}" to repeat: choose from {", ".join(TABLES)}.')
    if not wanted <= set(fitting):
        raise BadInput("Tables 10 to 12 vary the wording, and the demo model knows only the paper's: choose 4 to 7.")
    return tuple(table for table in fitting if table in wanted or not names)


def knows_wordings(engine: Engine) -> bool:
    """Whether the model was trained on more than the demo's few questions."""
    return not engine.mllm_card.note


class Grounder:
    """Variations as runners that share what they can: the grounding of an expression by its settings."""

    def __init__(self) -> None:
        self._of: tuple[object, str] = (None, "")
        self._known: dict[GroundingSettings, Grounding] = {}

    def runner(self, variation: Variation, standing: Settings) -> Runner:
        """The variation of `standing` as something to run."""

        def run(engine: Engine, clip: Clip, text: str) -> Generator[Event, None, Found]:
            settings = variation.settings(standing, engine.mllm.layers)
            found = yield from self._ground(engine, clip, text, settings)
            if variation.method == "attention-mask":
                return Found(dict(zip(found.frames, attention_masks(found.maps, clip.size), strict=True)), found)
            for event in engine.segment(clip, text, found, settings):
                if isinstance(event, Proposed):
                    proposal = event.proposal
                else:
                    yield event
            return Found({t: proposal.mask(t) for t in range(len(clip))}, found)

        return run

    def _ground(self, engine: Engine, clip: Clip, text: str, settings: Settings) -> Generator[Event, None, Grounding]:
        """Where the model looks; only the last expression is remembered."""
        if self._of != (clip.fingerprint, text):
            self._of, self._known = (clip.fingerprint, text), {}
        if settings.grounding not in self._known:
            for event in engine.attend(clip, text, settings):
                yield event
                if isinstance(event, AttentionReady):
                    self._known[settings.grounding] = event.grounding
        return self._known[settings.grounding]


def standing_of(engine: Engine, settings: Settings) -> Settings:
    """The settings with everything that the model decides filled in, so that a line which changes nothing is seen."""
    known = engine.resolved(settings)
    chosen = known.grounding
    start = engine.mllm.layers // 2 if chosen.start_layer is None else chosen.start_layer
    chosen = replace(chosen, start_layer=start, frame_scale=chosen.frame_scale or DEFAULT_FRAME_SCALE)
    return replace(known, grounding=chosen)


def variations_of(tables: Iterable[str], standing: Settings, layers: int) -> dict[str, Variation]:
    """What is to be run for some tables, by name: lines that change nothing are the line they are compared with."""
    listed = [variation for table in tables for variation in TABLES[table][1]]
    used = [same for method, same in AS_IT_IS.items() if any(v.method == method for v in listed)]
    changing = [v for v in listed if v.settings(standing, layers) != standing]
    return {variation.name: variation for variation in [*used, *changing]}


def runners_of(variations: Mapping[str, Variation], standing: Settings) -> dict[str, Runner]:
    """Runners by name, which share groundings."""
    grounder = Grounder()
    return {name: grounder.runner(variation, standing) for name, variation in variations.items()}


@dataclass(frozen=True, slots=True)
class Line:
    """One variation's J&F, and its difference to the method as it is on the same expressions (None: it is that)."""

    table: str
    variation: str
    measured: Interval
    difference: Interval | None


def lines_of(tables: Iterable[str], records: Sequence[Record], standing: Settings, layers: int) -> list[Line]:
    """All lines whose variation was measured, in the order of the tables."""
    lines = []
    for table in tables:
        for variation in TABLES[table][1]:
            same = variation.settings(standing, layers) == standing
            base = [record for record in records if record.method == AS_IT_IS[variation.method].name]
            own = base if same else [record for record in records if record.method == variation.name]
            if own and base:
                difference = None if same else bootstrap(differences(own, base))
                lines.append(Line(table, variation.name, bootstrap(by_clip(own, "jf")), difference))
    return lines


def differences(
    own: Iterable[Record], base: Iterable[Record], measure: str = "jf"
) -> dict[tuple[int, str], list[float]]:
    """A measure of `own` minus that of `base` by clip, on the expressions for which both have it."""
    standing = {(record.clip, record.text): record.value(measure) for record in base}
    found: dict[tuple[int, str], list[float]] = {}
    for record in sorted(own, key=lambda record: (record.clip, record.text)):
        value, usual = record.value(measure), standing.get((record.clip, record.text))
        if value is not None and usual is not None:
            found.setdefault(record.clip, []).append(value - usual)
    return found


def ablation_markdown(lines: Sequence[Line]) -> str:
    """One small table for each of the paper's."""
    columns, cells = cells_of(lines)
    parts = []
    for table in dict.fromkeys(line.table for line in lines):
        parts.append(f"## {TABLES[table][0]} (as table {table})\n\n")
        parts.append(markdown_table(columns[1:], [line[1:] for line in cells if line[0] == table]) + "\n")
    return "".join(parts)


def cells_of(lines: Iterable[Line]) -> tuple[list[str], list[list[str]]]:
    """Columns and lines for people, in percent."""
    cells = [
        [line.table, line.variation, percent(line.measured), signed(line.difference) if line.difference else "as it is"]
        for line in lines
    ]
    return ["table", "variation", "J&F", "difference"], cells


def signed(interval: Interval) -> str:
    """A difference and its interval, in percentage points; of one clip the difference alone."""
    mean, low, high = (round(100 * value, 1) + 0.0 for value in (interval.mean, interval.low, interval.high))
    return f"{mean:+.1f} [{low:+.1f}, {high:+.1f}]" if interval.clips > 1 else f"{mean:+.1f}"


def plain_lines(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Lines for CSV and JSON, shares from 0 to 1."""
    plain = []
    for line in lines:
        gap = line.difference
        more = {"difference": gap.mean, "difference_low": gap.low, "difference_high": gap.high} if gap else {}
        empty = {"difference": 0.0, "difference_low": 0.0, "difference_high": 0.0}
        plain.append({"table": line.table, "variation": line.variation, **asdict(line.measured), **empty, **more})
    return plain
