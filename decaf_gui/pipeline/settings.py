"""One typed object for everything that can be set, with the papers' names and defaults, and the presets."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from decaf_gui.core.choices import About, about, about_of
from decaf_gui.core.errors import BadInput
from decaf_gui.grounding.settings import GroundingSettings
from decaf_gui.tracking.settings import TrackingSettings

GIB = 1 << 30
Kind = Literal["bool", "int", "float", "choice", "text"]
Method = Literal["decaf", "steerseg"]


@dataclass(frozen=True, slots=True)
class MemorySettings:
    """Byte budgets: stored prefixes of the multimodal LLM, and SAM2's frame features, on device and host."""

    prefix_device_bytes: int = field(
        default=6 * GIB,
        metadata=about(
            "Clips read, on the device",
            "GPU memory for what the multimodal LLM has read of clips; a further expression on them is then quick.",
            low=0,
            unit="bytes",
        ),
    )
    prefix_host_bytes: int = field(
        default=8 * GIB,
        metadata=about(
            "Clips read, in main memory",
            "Main memory for what no longer fits on the device.",
            low=0,
            unit="bytes",
        ),
    )
    features_device_bytes: int = field(
        default=2 * GIB,
        metadata=about(
            "Frame features, on the device",
            "GPU memory for SAM2's features of frames; clicks on known frames are answered at once.",
            low=0,
            unit="bytes",
        ),
    )
    features_host_bytes: int = field(
        default=4 * GIB,
        metadata=about(
            "Frame features, in main memory",
            "Main memory for the features that no longer fit on the device.",
            low=0,
            unit="bytes",
        ),
    )


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of the pipeline. The defaults are the `paper` preset: the released code's choices."""

    grounding: GroundingSettings = field(default_factory=GroundingSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    memory: MemorySettings = field(default_factory=MemorySettings)

    @classmethod
    def preset(cls, name: str) -> Settings:
        """A named set of choices. Raises BadInput with the known names."""
        if name not in PRESETS:
            raise BadInput(f'Unknown preset "{name}": choose one of {", ".join(PRESETS)}.')
        return PRESETS[name]

    def changed(self, values: Mapping[str, str]) -> Settings:
        """These settings with `values` by name ("tau_pq" or "tracking.tau_pq"), read from text.

        Raises BadInput for a name that does not exist or a value that does not fit its type.
        """
        changed = self
        for name, text in values.items():
            room, key = _find(name)
            kind = get_type_hints(type(getattr(self, room)))[key]
            part = replace(getattr(changed, room), **{key: _read(name, text, kind)})
            changed = replace(changed, **{room: part})
        return changed

    def as_dict(self) -> dict[str, Any]:
        """Plain data for provenance."""
        return asdict(self)


PRESETS: dict[str, Settings] = {
    "paper": Settings(),
    "paper-text": Settings(tracking=TrackingSettings.paper_text()),
    "steerseg": Settings(GroundingSettings.steerseg(), TrackingSettings.steerseg()),
}
"""`paper`: the released code, which produced the published tables. `paper-text`: the equations as printed.
`steerseg`: SteerSeg's attributes, ranking, and the soft prompts that come with the model, if any (`steering`).
"""


METHODS: Mapping[Method, tuple[str, ...]] = MappingProxyType(
    {"decaf": ("paper", "paper-text"), "steerseg": ("steerseg",)}
)
"""The presets of each method, the usual one first."""


def method_of(preset: str) -> Method:
    """The method that a preset is a reading of. Raises BadInput for an unknown preset."""
    Settings.preset(preset)
    return next(method for method, presets in METHODS.items() if preset in presets)


def method_settings(method: Method, preset: str, values: Mapping[str, str]) -> Settings:
    """A method's settings: of `preset` where it is one of its own, with `values`; soft prompts are SteerSeg's alone.

    Raises BadInput for a value that does not fit.
    """
    chosen = Settings.preset(preset if method_of(preset) == method else METHODS[method][0]).changed(values)
    if method == "steerseg":
        return chosen
    return replace(chosen, grounding=replace(chosen.grounding, steering="none"))


def setting_names() -> Iterator[str]:
    """All names, as "room.name"."""
    for room, part in _parts().items():
        for entry in fields(part):
            yield f"{room}.{entry.name}"


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as dialogs and help show it: `name` is "room.name", `kind` what fills it in.

    `choices` are all that a "choice" can be, and names that a "text" may be instead of words of one's own.
    `optional` settings may be None; `about.unset` says what that means then.
    """

    name: str
    kind: Kind
    optional: bool
    choices: tuple[str, ...]
    default: Any
    about: About

    @property
    def room(self) -> str:
        """The part of the pipeline that it belongs to."""
        return self.name.split(".", 1)[0]


def setting_rows(preset: str = "paper") -> tuple[SettingRow, ...]:
    """All settings, in order, with the defaults of a preset. Raises BadInput for an unknown preset."""
    chosen = Settings.preset(preset)
    return tuple(
        _row(f"{room}.{entry.name}", hints[entry.name], value_of(chosen, f"{room}.{entry.name}"), about_of(entry))
        for room, part in _parts().items()
        for hints in (get_type_hints(part),)
        for entry in fields(part)
    )


def _row(name: str, hint: Any, default: Any, about: About) -> SettingRow:
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kinds = [option for option in options if option is not type(None)]
    choices = tuple(str(choice) for kind in kinds for choice in get_args(kind))
    kind: Kind = "text" if str in kinds else "choice" if choices else kinds[0].__name__
    return SettingRow(name, kind, type(None) in options, choices, default, about)


def value_of(settings: Settings, name: str) -> Any:
    """The value of a setting by its full name."""
    room, key = name.split(".", 1)
    return getattr(getattr(settings, room), key)


def as_text(value: Any) -> str:
    """A value as `Settings.changed` reads it back."""
    if value is None:
        return "none"
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def _parts() -> dict[str, type[Any]]:
    return {"grounding": GroundingSettings, "tracking": TrackingSettings, "memory": MemorySettings}


def _find(name: str) -> tuple[str, str]:
    """The room and the field that a name means."""
    found = [full for full in setting_names() if name in (full, full.split(".", 1)[1])]
    if not found:
        raise BadInput(f'There is no setting "{name}". Known: {", ".join(setting_names())}.')
    room, key = found[0].split(".", 1)
    return room, key


def _read(name: str, text: str, kind: Any) -> Any:
    """`text` as a value of type `kind`."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if type(None) in options and text.lower() in ("none", "default"):
        return None
    for option in options:
        if option is type(None):
            continue
        try:
            return _read_plain(text, option)
        except ValueError:
            continue
    raise BadInput(f'"{text}" does not fit {name}: give {_wanted(options)}.')


def _read_plain(text: str, kind: Any) -> Any:
    if get_origin(kind) is Literal:
        matched = next((choice for choice in get_args(kind) if str(choice) == text), None)
        if matched is None:
            raise ValueError
        return matched
    if kind is bool:
        return _read_bool(text)
    return kind(text)


def _read_bool(text: str) -> bool:
    words = {"true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False}
    if text.lower() not in words:
        raise ValueError
    return words[text.lower()]


def _wanted(options: tuple[Any, ...]) -> str:
    words: list[str] = []
    for option in options:
        if get_origin(option) is Literal:
            words += [str(choice) for choice in get_args(option)]
        else:
            words.append("none" if option is type(None) else str(getattr(option, "__name__", option)))
    return " or ".join(words)
