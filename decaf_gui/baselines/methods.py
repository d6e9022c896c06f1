"""All methods by name, each with one signature: a clip and expressions go in, `Predicted` comes out per expression.

A new baseline is one module with a function like `Predict`, and one line in `METHODS`. Nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from decaf_gui.baselines.settings import MethodSettings
from decaf_gui.core.entities import Expression
from decaf_gui.core.errors import BadInput
from decaf_gui.core.events import Event
from decaf_gui.core.masks import Masks

if TYPE_CHECKING:
    from decaf_gui.core.clip import Clip
    from decaf_gui.pipeline.engine import Engine


@dataclass(frozen=True, slots=True)
class Predicted(Event):
    """What a method found for the expression of this `index`: masks on all frames of the clip, at the source size.

    `notes` say what a person must know of them (nothing found, answers that could not be read...).
    """

    index: int
    expression: str
    masks: Masks
    notes: tuple[str, ...] = ()


Predict: TypeAlias = "Callable[[Engine, Clip, Sequence[str], MethodSettings], Iterator[Event]]"


@dataclass(frozen=True, slots=True)
class Method:
    """One entry of the registry; `home` is "module:function" below `decaf_gui.baselines`.

    `uses_sam`: whether SAM2 makes the masks (table 2) or the attention alone does (table 1).
    """

    id: str
    title: str
    source: str
    home: str
    uses_sam: bool = True

    def predict(
        self, engine: Engine, clip: Clip, expressions: Sequence[str], settings: MethodSettings | None = None
    ) -> Iterator[Event]:
        """`Stage`s, `AttentionReady` where there are maps, and one `Predicted` per expression, in order.

        Closing it cancels; what was yielded stays. Raises BadInput for an empty expression, before anything runs.
        """
        for text in expressions:
            Expression(text)
        module, function = self.home.split(":")
        found: Predict = getattr(import_module(f"decaf_gui.baselines.{module}"), function)
        return found(engine, clip, expressions, settings or MethodSettings())


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        method.id: method
        for method in (
            Method("decaf", "DecAF", "tables 1, 2", "ours:decaf"),
            Method("attention-mask", "DecAF, attention only", "table 1", "ours:attention_mask", uses_sam=False),
            Method("loc-head", "Loc-Head", "table 2", "loc_head:predict"),
            Method("loc-head-mask", "Loc-Head, attention only", "table 1", "loc_head:predict_mask", uses_sam=False),
            Method("tam", "TAM", "ours (the paper has no masks of TAM with SAM2)", "tam:predict"),
            Method("tam-mask", "TAM, activation only", "table 1", "tam:predict_mask", uses_sam=False),
            Method("native-all", "Native grounding, all frames", "table 9", "native:all_frames"),
            Method("native-first", "Native grounding, first frame", "table 9", "native:first_frame"),
            Method("native-reference", "Native grounding, ref & key frames", "table 9", "native:reference_frames"),
            Method("native-16", "Native grounding, 16 frames", "table 9", "native:sixteen_frames"),
        )
    }
)


def method_named(id: str) -> Method:
    """The method of an id. Raises BadInput with the known ones."""
    if id not in METHODS:
        raise BadInput(f'There is no method "{id}": choose one of {", ".join(METHODS)}.')
    return METHODS[id]
