"""The rows of a project: one frozen dataclass per table, and `Project`, all of them in memory.

A project is never changed: `Project.changed` gives another one. Masks are kept as COCO RLE, frames by their number
in the source clip. Every row has a key: the fields that its class names in KEY.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from decaf_gui.core.entities import Box, Label, Labels, Point, Scores, Scoring
from decaf_gui.core.errors import BadInput
from decaf_gui.core.masks import Masks, Rle

Key = tuple[int | str, ...]
State = Literal["open", "accepted", "rejected"]
Origin = Literal["proposed", "tracked", "corrected", "drawn", "imported"]
PERSONAL: frozenset[Origin] = frozenset(("corrected", "drawn"))
"""Masks of these origins are a person's word."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table."""

    KEY: ClassVar[tuple[str, ...]] = ("id",)

    @property
    def key(self) -> Key:
        """What tells it from the other rows of its table."""
        return tuple(getattr(self, name) for name in self.KEY)


@dataclass(frozen=True, slots=True)
class ClipRow(Row):
    """A clip by its path relative to the project file, and how to know it again; the range and step of the work."""

    id: int
    path: str
    bytes: int
    sha256: str
    frames: int
    height: int
    width: int
    fps: float
    first: int
    last: int
    step: int = 1

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) in pixels."""
        return self.height, self.width

    @property
    def work_frames(self) -> range:
        """The frames to be worked on."""
        return range(self.first, self.last + 1, self.step)


@dataclass(frozen=True, slots=True)
class LabelRow(Row):
    """A class of objects; its id is its category id in every export."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class ExpressionRow(Row):
    """What is looked for in a clip; `no_target` is a person's word that nothing in the clip answers to it."""

    id: int
    clip: int
    text: str
    no_target: bool = False


@dataclass(frozen=True, slots=True)
class GroundingRow(Row):
    """Where the model looked for an expression. `maps` holds named float32 maps, packed by `pack_maps`.

    `attributes` are those that the object question was asked with, `reasons` why the model named them.
    """

    KEY: ClassVar[tuple[str, ...]] = ("expression",)
    expression: int
    frames: tuple[int, ...]
    category: str
    answers: tuple[str, ...]
    maps: bytes
    attributes: tuple[str, ...] = ()
    reasons: str = ""


@dataclass(frozen=True, slots=True)
class TrackletRow(Row):
    """A candidate as it was proposed, never changed; its masks are packed by `pack_masks`."""

    id: int
    expression: int
    frame: int
    x: float
    y: float
    attention: float
    sam: float
    consistency: float | None
    selected: bool
    suppressed: bool
    provenance: int
    masks: bytes
    scoring: Scoring = "consistency"
    video_correlation: float | None = None
    frame_correlation: float | None = None
    correlation: float | None = None

    @property
    def scores(self) -> Scores:
        """The parts of its score."""
        correlations = (self.video_correlation, self.frame_correlation, self.correlation)
        return Scores(self.attention, self.sam, self.consistency, self.scoring, *correlations)


@dataclass(frozen=True, slots=True)
class VerdictRow(Row):
    """What a person said of a tracklet, and the object that an accepted one became or was linked to.

    `above` is the score from which on a person had candidates accepted without looking at them; None: it was judged.
    """

    KEY: ClassVar[tuple[str, ...]] = ("tracklet",)
    tracklet: int
    state: State
    object: int | None = None
    above: float | None = None


@dataclass(frozen=True, slots=True)
class ObjectRow(Row):
    """An object of a clip; `colour` is "#rrggbb", or empty for the one that its id has."""

    id: int
    clip: int
    name: str
    label: int
    colour: str = ""


@dataclass(frozen=True, slots=True)
class AnswerRow(Row):
    """An object answers to an expression (many to many)."""

    KEY: ClassVar[tuple[str, ...]] = ("object", "expression")
    object: int
    expression: int


@dataclass(frozen=True, slots=True)
class ProvenanceRow(Row):
    """Where masks come from: `details` is JSON with models, revisions, weights hashes, settings, program version."""

    id: int
    origin: Origin
    details: str


@dataclass(frozen=True, slots=True)
class PromptRow(Row):
    """What SAM2 was told of an object on a frame: points (x, y, positive) and a box, in source pixels.

    `base` (RLE counts) is the mask that they correct, as it was before the first of them: so the same prompt gives the
    same mask in any state of the program.
    """

    KEY: ClassVar[tuple[str, ...]] = ("object", "frame")
    object: int
    frame: int
    points: tuple[Point, ...] = ()
    box: Box | None = None
    base: bytes | None = None


@dataclass(frozen=True, slots=True)
class MaskRow(Row):
    """The mask of an object on a frame (RLE counts at the clip's size; empty: absent), and how sure SAM2 was."""

    KEY: ClassVar[tuple[str, ...]] = ("object", "frame")
    object: int
    frame: int
    counts: bytes
    provenance: int
    iou: float | None = None
    present: float | None = None


@dataclass(frozen=True, slots=True)
class MarkRow(Row):
    """A person's word on an object and a frame: seen and right, not to be changed, not there."""

    KEY: ClassVar[tuple[str, ...]] = ("object", "frame")
    object: int
    frame: int
    reviewed: bool = False
    locked: bool = False
    absent: bool = False

    @property
    def says_nothing(self) -> bool:
        """Whether the row can go."""
        return not (self.reviewed or self.locked or self.absent)


@dataclass(frozen=True, slots=True)
class CounterRow(Row):
    """The next id of a table: ids are given once."""

    KEY: ClassVar[tuple[str, ...]] = ("name",)
    name: str
    next: int


TABLES: Mapping[str, type[Row]] = MappingProxyType(
    {
        "clip": ClipRow,
        "label": LabelRow,
        "expression": ExpressionRow,
        "grounding": GroundingRow,
        "tracklet": TrackletRow,
        "verdict": VerdictRow,
        "object": ObjectRow,
        "answer": AnswerRow,
        "provenance": ProvenanceRow,
        "prompt": PromptRow,
        "mask": MaskRow,
        "mark": MarkRow,
        "counter": CounterRow,
    }
)
"""All tables by name."""
REFERENCES: Mapping[type[Row], Mapping[str, type[Row]]] = MappingProxyType(
    {
        ExpressionRow: {"clip": ClipRow},
        GroundingRow: {"expression": ExpressionRow},
        TrackletRow: {"expression": ExpressionRow, "provenance": ProvenanceRow},
        VerdictRow: {"tracklet": TrackletRow, "object": ObjectRow},
        ObjectRow: {"clip": ClipRow, "label": LabelRow},
        AnswerRow: {"object": ObjectRow, "expression": ExpressionRow},
        PromptRow: {"object": ObjectRow},
        MaskRow: {"object": ObjectRow, "provenance": ProvenanceRow},
        MarkRow: {"object": ObjectRow},
    }
)
"""Which fields name a row of another table."""
NAMES: Mapping[type[Row], str] = MappingProxyType({kind: name for name, kind in TABLES.items()})
R = TypeVar("R", bound=Row)


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after: None where there was none, or is none any more."""

    kind: type[Row]
    key: Key
    before: Row | None
    after: Row | None

    @property
    def undone(self) -> Change:
        """The change back."""
        return Change(self.kind, self.key, self.after, self.before)


ON_FRAMES = ("object", "frame")
"""The key of the tables that hold something of an object on a frame: they grow long."""
_NO_ROWS: Mapping[int, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Project:
    """All rows, by table and key.

    What is asked for over and over is found once and handed on to the projects that follow, as far as they agree.
    """

    tables: Mapping[type[Row], Mapping[Key, Row]] = field(default_factory=dict)
    _owned: dict[type[Row], dict[int, Mapping[int, Row]]] = field(default_factory=dict, repr=False)
    """Rows of the tables with key ON_FRAMES, by object and frame."""
    _masks: dict[int, tuple[Mapping[int, Row], Masks]] = field(default_factory=dict, repr=False)
    """The masks of objects, and the rows that they were made of."""

    def rows(self, kind: type[R]) -> Mapping[Key, R]:
        """A table."""
        return self.tables.get(kind, {})  # type: ignore[return-value]

    def find(self, kind: type[R], *key: int | str) -> R | None:
        """A row, or None."""
        return self.rows(kind).get(key)

    def need(self, kind: type[R], *key: int | str) -> R:
        """A row. Raises BadInput when it is not there."""
        row = self.find(kind, *key)
        if row is None:
            raise BadInput(f"There is no {NAMES[kind]} {'/'.join(map(str, key))} in this project.")
        return row

    def where(self, kind: type[R], **values: object) -> Iterator[R]:
        """The rows whose fields have these values, in order of their keys."""
        owner = values.get("object")
        if kind.KEY == ON_FRAMES and isinstance(owner, int):
            rows: Iterable[R] = self.of_object(kind, owner).values()
        else:
            rows = (row for _, row in sorted(self.rows(kind).items()))
        for row in rows:
            if all(getattr(row, name) == value for name, value in values.items()):
                yield row

    def of_object(self, kind: type[R], object_id: int) -> Mapping[int, R]:
        """What an object has on frames, by frame in ascending order: the rows of a table with key ON_FRAMES."""
        found = self._owned.get(kind)
        if found is None:
            found = self._owned[kind] = _by_object(self.rows(kind))
        return found.get(object_id, _NO_ROWS)  # type: ignore[return-value]

    def changed(self, changes: Iterable[Change]) -> Project:
        """The project after the changes. Raises BadInput when a row is not as a change found it."""
        tables: dict[type[Row], dict[Key, Row]] = {}
        made: dict[type[Row], list[Change]] = {}
        for change in changes:
            if change.kind not in tables:  # a table may be long: one copy for all changes
                tables[change.kind] = dict(self.tables.get(change.kind, {}))
            table = tables[change.kind]
            if table.get(change.key) != change.before:
                raise BadInput("This edit does not fit the project any more: something else changed the same rows.")
            if change.after is None:
                table.pop(change.key, None)
            else:
                table[change.key] = change.after
            made.setdefault(change.kind, []).append(change)
        owned = {kind: _followed(rows, made.get(kind, ())) for kind, rows in self._owned.items()}
        return Project({**self.tables, **tables}, owned, dict(self._masks))

    def same(self, other: Project) -> bool:
        """Whether both hold the same rows."""
        return all(dict(self.rows(kind)) == dict(other.rows(kind)) for kind in TABLES.values())

    def clip_of(self, object_id: int) -> ClipRow:
        """The clip of an object. Raises BadInput when there is no such object."""
        return self.need(ClipRow, self.need(ObjectRow, object_id).clip)

    def labels(self) -> Labels:
        """The project's list of classes."""
        return Labels(tuple(Label(row.id, row.name) for row in self.where(LabelRow)))

    def masks(self, object_id: int) -> Masks:
        """All masks of an object. Raises BadInput when there is no such object."""
        size, rows = self.clip_of(object_id).size, self.of_object(MaskRow, object_id)
        made_of, masks = self._masks.get(object_id, (None, None))
        if masks is None or made_of is not rows or masks.size != size:
            masks = Masks(size, {frame: Rle(size, row.counts) for frame, row in rows.items()})
            self._masks[object_id] = (rows, masks)
        return masks

    def attention(self, expression: int) -> tuple[NDArray[np.float32], tuple[int, ...]] | None:
        """Fused maps float32 (Ts, Hp, Wp) and the frames that they lie on; None when nothing was grounded."""
        row = self.find(GroundingRow, expression)
        return None if row is None else (unpack_maps(row.maps)["fused"], row.frames)

    def dangling(self) -> str:
        """The first row that names another one which is not there, for people; "" when all is whole."""
        for kind, fields_ in REFERENCES.items():
            for row in self.rows(kind).values():
                for name, target in fields_.items():
                    value = getattr(row, name)
                    if value is not None and (value,) not in self.rows(target):
                        return f"{NAMES[kind]} {'/'.join(map(str, row.key))} names {name} {value}, which is not there"
        return ""

    def locked(self, object_id: int) -> frozenset[int]:
        """The frames on which an object must not change."""
        return frozenset(frame for frame, row in self.of_object(MarkRow, object_id).items() if row.locked)

    def spoken(self, object_id: int) -> frozenset[int]:
        """The frames on which a person has said what an object is: marked, prompted, drawn or corrected.

        Tracking leaves them as they are, and learns from them.
        """
        own = {row.id for row in self.rows(ProvenanceRow).values() if row.origin in PERSONAL}
        masks = self.of_object(MaskRow, object_id).items()
        said = {frame for frame, row in masks if row.provenance in own}
        return frozenset(said.union(self.of_object(MarkRow, object_id), self.of_object(PromptRow, object_id)))


def _by_object(table: Mapping[Key, R]) -> dict[int, Mapping[int, R]]:
    """The rows of a table with key ON_FRAMES by object and frame, frames ascending."""
    found: dict[int, dict[int, R]] = {}
    for (owner, frame), row in table.items():
        found.setdefault(int(owner), {})[int(frame)] = row
    return {owner: dict(sorted(rows.items())) for owner, rows in found.items()}


def _followed(before: dict[int, Mapping[int, Row]], changes: Iterable[Change]) -> dict[int, Mapping[int, Row]]:
    """`_by_object` after changes of its table: objects that none of them names keep what they have."""
    after: dict[int, dict[int, Row]] = {}
    for change in changes:
        owner, frame = (int(part) for part in change.key)
        if owner not in after:
            after[owner] = dict(before.get(owner, {}))
        rows = after[owner]
        if change.after is None:
            rows.pop(frame, None)
        else:
            rows[frame] = change.after
    return {**before, **{owner: dict(sorted(rows.items())) for owner, rows in after.items()}}


def pack_maps(maps: Mapping[str, NDArray[np.float32]]) -> bytes:
    """Named maps as compressed bytes (NumPy's npz)."""
    packed = io.BytesIO()
    np.savez_compressed(packed, **{name: np.asarray(value, np.float32) for name, value in maps.items()})  # type: ignore[arg-type]
    return packed.getvalue()


def unpack_maps(packed: bytes) -> dict[str, NDArray[np.float32]]:
    """The maps of `pack_maps`. Raises BadInput for anything else; nothing is ever unpickled."""
    try:
        with np.load(io.BytesIO(packed), allow_pickle=False) as found:
            return {name: np.asarray(found[name], np.float32) for name in found.files}
    except Exception as error:  # a reader of arbitrary bytes may stumble in any way
        raise BadInput(f"Attention maps in this project cannot be read: {type(error).__name__}.") from None


def pack_masks(masks: Masks) -> bytes:
    """Masks by frame as compressed text, a line per frame; the size is the clip's."""
    lines = (b"%d %s" % (frame, masks.rle(frame).counts) for frame in masks)
    return zlib.compress(b"\n".join(lines))


@lru_cache(maxsize=256)  # whoever shows candidates asks for the same ones with every frame
def unpack_masks(packed: bytes, size: tuple[int, int]) -> Masks:
    """The masks of `pack_masks`. Raises BadInput for anything else."""
    try:
        text = zlib.decompressobj().decompress(packed, UNPACKED_BYTES)
        pairs = (line.split(b" ", 1) for line in text.split(b"\n") if line)
        return Masks(size, {int(frame): Rle.checked(size, counts) for frame, counts in pairs})
    except (zlib.error, ValueError) as error:
        raise BadInput(f"Masks in this project cannot be read: {error}.") from None


UNPACKED_BYTES = 256 << 20
"""More than any tracklet's masks take: packed bytes that grow beyond are cut off and refused."""
