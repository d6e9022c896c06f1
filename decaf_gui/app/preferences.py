"""What a person prefers: models, method, look and keys. A small file keeps what differs from the defaults."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from platformdirs import user_config_path

from decaf_gui.app.actions import DEEDS, PRESETS, Deed, conflicts
from decaf_gui.app.tools import EngineChoice
from decaf_gui.core.choices import About, about, about_of
from decaf_gui.core.errors import BadInput, DecafError
from decaf_gui.pipeline.models import card_of
from decaf_gui.pipeline.settings import Method, Settings, method_settings, setting_names

FILE_NAME, BROKEN_NAME = "settings.json", "settings.broken.json"
COLOUR = re.compile(r"#[0-9a-fA-F]{6}")
WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "dtype": {
            "auto": "What suits the device",
            "float32": "float32 (exact, twice the memory)",
            "bfloat16": "bfloat16 (as released)",
            "float16": "float16 (older GPUs)",
            "8bit": "8 bits (half the memory; needs bitsandbytes)",
            "4bit": "4 bits (a quarter; needs bitsandbytes)",
        },
        "preset": {
            "paper": "The released code, which made the published tables",
            "paper-text": "The equations as they are printed",
            "steerseg": "SteerSeg: attributes first, ranking by correlation",
        },
        "theme": {"system": "As the system", "light": "Light", "dark": "Dark"},
        "key_preset": PRESETS,
    }
)
"""The preferences that are one of a few, with words for each."""


@dataclass(frozen=True)
class Preferences:
    """Everything that can be set. `values` and `keys` hold only what differs from the presets.

    `values`: settings of the pipeline by full name, as text. `colours`: "#rrggbb" of the objects in turn, none for the
    program's own. `keys`: keys by the action's name.
    """

    mllm: str = field(
        default="demo",
        metadata=about("Multimodal LLM", "What finds objects from words: a model of the list, a hub id, or a folder."),
    )
    sam: str = field(
        default="demo",
        metadata=about("SAM2", "What makes and tracks masks: a model of the list, a file, or a folder."),
    )
    device: str = field(
        default="auto",
        metadata=about("Device", "Where the models run: cpu, cuda, cuda:1, mps, or auto for the best that is there."),
    )
    dtype: str = field(
        default="auto", metadata=about("Precision", "Of the multimodal LLM's numbers; auto is bfloat16 on a GPU.")
    )
    preset: str = field(
        default="paper", metadata=about("Preset", "Which reading of the papers the defaults of the method are.")
    )
    values: Mapping[str, str] = field(
        default_factory=dict, metadata=about("Settings of the method", "Those that differ from the preset.")
    )
    theme: str = field(default="system", metadata=about("Theme", "Light or dark windows."))
    mask_opacity: float = field(
        default=0.45,
        metadata=about("Masks", "How opaque masks lie on the frame.", low=0, high=1, step=0.05),
    )
    attention_opacity: float = field(
        default=0.75,
        metadata=about("Attention", "How opaque the attention lies on the frame.", low=0, high=1, step=0.05),
    )
    colours: tuple[str, ...] = field(
        default=(), metadata=about("Object colours", "The colours that objects get in turn.")
    )
    key_preset: str = field(default="default", metadata=about("Key preset", "Which keys actions have at first."))
    keys: Mapping[str, tuple[str, ...]] = field(
        default_factory=dict, metadata=about("Keys", "Those that differ from the preset.")
    )

    def settings(self) -> Settings:
        """The pipeline's settings. Raises BadInput for a value that does not fit."""
        return Settings.preset(self.preset).changed(self.values)

    def settings_of(self, method: Method) -> Settings:
        """The settings of a method, with what was changed. Raises BadInput for a value that does not fit."""
        return method_settings(method, self.preset, self.values)

    def engine_choice(self) -> EngineChoice:
        """What the worker needs. Raises BadInput for a setting that does not fit."""
        return EngineChoice(self.mllm, self.sam, self.device, self.settings(), self.dtype)

    def keys_of(self, deed: Deed) -> tuple[str, ...]:
        """The keys of an action."""
        return self.keys.get(deed.name, deed.keys_of(self.key_preset))


@dataclass(frozen=True, slots=True)
class PreferenceRow:
    """One preference as the dialog and the help show it; `choices` (value: words) where it is one of a few."""

    name: str
    default: Any
    choices: Mapping[str, str]
    about: About


def _default(entry: Any) -> Any:
    return entry.default if entry.default is not MISSING else entry.default_factory()


PREFERENCES: Mapping[str, PreferenceRow] = MappingProxyType(
    {
        entry.name: PreferenceRow(entry.name, _default(entry), WORDS.get(entry.name, {}), about_of(entry))
        for entry in fields(Preferences)
    }
)
"""All preferences by name, in order."""


def preferences_path() -> Path:
    """Where preferences are kept; the environment's DECAF_GUI_CONFIG names another folder."""
    chosen = os.environ.get("DECAF_GUI_CONFIG")
    return (Path(chosen).expanduser() if chosen else user_config_path("decaf-gui")) / FILE_NAME


def load_preferences(path: Path | None = None) -> tuple[Preferences, str]:
    """The preferences, and one line on what could not be used of the file ("" when all could).

    What does not fit has its default, and the file as it was is kept beside as settings.broken.json.
    """
    path = path or preferences_path()
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
    except FileNotFoundError:
        return Preferences(), ""
    except OSError as error:
        return Preferences(), f"{path} cannot be read ({error.strerror}): default settings are used."
    except ValueError:
        kept = _keep_broken(path)
        with suppress(OSError):
            path.unlink()  # told once; from now on there are no settings
        return Preferences(), f"{path} is damaged: default settings are used{kept}."
    preferences, wrong = _fitting(found)
    if not wrong:
        return preferences, ""
    return preferences, f"Settings were left at their defaults{_keep_broken(path)}: {' '.join(wrong)}"


def save_preferences(preferences: Preferences, path: Path | None = None) -> None:
    """Writes what differs from the defaults. Raises DecafError when that cannot be written."""
    path = path or preferences_path()
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(_sparse(preferences), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise DecafError(f"Settings cannot be kept in {path} ({error.strerror}): make the folder writable.") from None


def _sparse(preferences: Preferences) -> dict[str, Any]:
    chosen = {name: getattr(preferences, name) for name in PREFERENCES}
    return {
        name: dict(value) if isinstance(value, Mapping) else value
        for name, value in chosen.items()
        if value != PREFERENCES[name].default
    }


def _keep_broken(path: Path) -> str:
    """Copies a file that does not fit, so that nothing of it is lost when settings are saved."""
    beside = path.with_name(BROKEN_NAME)
    try:
        shutil.copyfile(path, beside)
    except OSError:
        return ""
    return f" (the file as it was is kept as {beside})"


def _fitting(found: Mapping[str, Any]) -> tuple[Preferences, list[str]]:
    """Preferences of what fits, and a sentence on everything else."""
    preferences, wrong = Preferences(), []
    wrong += [f'There is no preference "{name}".' for name in found if name not in PREFERENCES]
    for name in PREFERENCES:  # in this order: values are judged with their preset, keys with theirs
        if name not in found:
            continue
        if name in _SEVERAL:
            preferences, refused = _several(preferences, name, found[name])
            wrong += refused
            continue
        try:
            preferences = replace(preferences, **{name: _one(name, found[name])})
        except BadInput as error:
            wrong.append(str(error))
    preferences, refused = _without_conflicts(preferences)
    return preferences, wrong + refused


def _one(name: str, value: Any) -> Any:
    """A single preference. Raises BadInput when it does not fit."""
    row = PREFERENCES[name]
    if name == "colours":
        return _colours(value)
    if isinstance(row.default, float):
        return _share(name, value)
    if not isinstance(value, str) or not value:
        raise BadInput(f"{name} must be text.")
    if row.choices and value not in row.choices:
        raise BadInput(f'{name} cannot be "{value}": choose one of {", ".join(row.choices)}.')
    if name in ("mllm", "sam"):
        card_of(name, value)
    if name == "device":
        from decaf_gui.pipeline.engine import check_device_name

        check_device_name(value)
    return value


def _share(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise BadInput(f"{name} must be a number from 0 to 1.")
    return float(value)


def _colours(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(c, str) and COLOUR.fullmatch(c) for c in value):
        raise BadInput('colours must be a list of colours like "#e69f00".')
    return tuple(value)


def _several(preferences: Preferences, name: str, found: Any) -> tuple[Preferences, list[str]]:
    """A preference of many entries: those that fit are kept."""
    if not isinstance(found, dict):
        return preferences, [f"{name} must be names with values."]
    wrong = []
    for key, value in found.items():
        try:
            preferences = _SEVERAL[name](preferences, key, value)
        except BadInput as error:
            wrong.append(str(error))
    return preferences, wrong


def _with_value(preferences: Preferences, name: str, value: Any) -> Preferences:
    if name not in setting_names() or not isinstance(value, str):
        raise BadInput(f'There is no setting "{name}" with such a value.')
    changed = replace(preferences, values={**preferences.values, name: value})
    changed.settings()
    return changed


def _with_keys(preferences: Preferences, name: str, value: Any) -> Preferences:
    if name not in {deed.name for deed in DEEDS}:
        raise BadInput(f'There is no action "{name}" to have keys.')
    if not isinstance(value, list) or not all(isinstance(key, str) and key for key in value):
        raise BadInput(f"The keys of {name} must be a list of texts.")
    return replace(preferences, keys={**preferences.keys, name: tuple(value)})


def _without_conflicts(preferences: Preferences) -> tuple[Preferences, list[str]]:
    """Own keys that another action has, too, are given up: neither action would answer to them."""
    found = conflicts({deed.name: preferences.keys_of(deed) for deed in DEEDS})
    if not found:
        return preferences, []
    taken = {name for _, names in found for name in names}
    kept = {name: keys for name, keys in preferences.keys.items() if name not in taken}
    return replace(preferences, keys=kept), [
        f"The key {key} is given to {' and '.join(names)}." for key, names in found
    ]


_SEVERAL: Mapping[str, Callable[[Preferences, str, Any], Preferences]] = {"values": _with_value, "keys": _with_keys}
