"""The help of everything that can be set, made of the tables that the dialog is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from decaf_gui.app.actions import DEEDS, MENUS, MOUSE, PRESETS, Deed
from decaf_gui.app.preferences import PREFERENCES, WORDS, PreferenceRow
from decaf_gui.core.choices import About
from decaf_gui.pipeline.models import CARDS, ModelCard
from decaf_gui.pipeline.settings import GIB, SettingRow, as_text, setting_rows

ROOMS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "grounding": ("Grounding", "From the expression to attention maps."),
        "tracking": ("Tracking", "From attention maps to masks."),
        "memory": ("Memory", "What is kept, so that the next expression or click is answered quickly."),
    }
)
"""Titles of the parts of the pipeline, and what they do."""
OPENING = """\
Set in the window, or for one run on the command line: `--mllm`, `--sam`, `--device`, `--preset` and `--set NAME=VALUE`.
What differs from the defaults is kept in `settings.json` in the user's configuration folder; the environment variable
`DECAF_GUI_CONFIG` names another folder.
"""
OTHER_MODELS = """\
Any other Qwen2-VL or Qwen2.5-VL of the hub can be given by its id, any model on this machine by its folder. A download
that was broken off goes on with the files that are missing: complete files are kept, the file that was in work starts
anew.
"""
SOURCES = """\
Equations, tables and sections are those of the DecAF paper; what comes from SteerSeg is named so. On the command line a
name may be given without what stands before its dot.
"""
KEYS = """\
Every key can be changed in Settings, Keys; conflicts are shown there. Single keys never fire while the expression is
being written (Esc or Ctrl+Return leave it). On macOS Ctrl is Cmd.
"""
LOOK = ("theme", "mask_opacity", "attention_opacity", "colours")


def settings_markdown() -> str:
    """All settings with names, meanings, defaults and sources, as Markdown."""
    parts = (_opening(), _models(), _method(), _look(), _keys())
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def size_words(size: int) -> str:
    """Bytes of a file or a disk."""
    if size >= 10**9:
        return f"{size / 10**9:.1f} GB"
    return f"{size / 10**6:.0f} MB" if size >= 10**7 else f"{size / 10**6:.1f} MB"


def value_words(row: SettingRow, value: object) -> str:
    """A value of a setting for people."""
    if value is None:
        return row.about.unset
    if row.about.unit == "bytes" and isinstance(value, int):
        return f"{value / GIB:g} GiB"
    return as_text(value) or "empty"


def range_words(about: About, choices: tuple[str, ...]) -> str:
    """What values make sense."""
    if choices:
        return ", ".join(choices)
    if about.unit == "bytes" or about.low is None:
        return ""
    return f"{about.low:g} to {about.high:g}" if about.high is not None else f"{about.low:g} or more"


def _opening() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield OPENING


def _models() -> Iterator[str]:
    yield from _heading(2, "Models")
    for name in ("mllm", "sam", "device", "dtype"):
        yield from _preference(PREFERENCES[name])
    yield ""
    yield "| model | kind | licence | download | for |"
    yield "|---|---|---|---|---|"
    yield from map(_model, CARDS)
    yield ""
    yield OTHER_MODELS


def _model(card: ModelCard) -> str:
    kind = "multimodal LLM" if card.kind == "mllm" else "SAM2"
    size = size_words(card.size_bytes) if card.hub else "comes with the program"
    return f"| `{card.id}` | {kind} | {card.licence} | {size} | {card.purpose} |"


def _method() -> Iterator[str]:
    yield from _heading(2, "Method")
    yield from _preference(PREFERENCES["preset"])
    yield ""
    yield SOURCES
    others = {preset: {row.name: row for row in setting_rows(preset)} for preset in WORDS["preset"]}
    for room, (title, sentence) in ROOMS.items():
        yield from _heading(3, title)
        yield sentence
        yield ""
        yield "| setting | what it is | default | values | paper |"
        yield "|---|---|---|---|---|"
        yield from (_setting(row, others) for row in setting_rows() if row.room == room)
        yield ""


def _setting(row: SettingRow, presets: Mapping[str, Mapping[str, SettingRow]]) -> str:
    default = value_words(row, row.default)
    others = {preset: rows[row.name].default for preset, rows in presets.items()}
    told = [f"{preset}: {value_words(row, other)}" for preset, other in others.items() if other != row.default]
    if told:
        default += f" ({', '.join(told)})"
    values = "on, off" if row.kind == "bool" else range_words(row.about, row.choices)
    if row.about.unit == "bytes":
        values = "bytes"
    return f"| `{row.name}` | {row.about.title}. {row.about.help} | {default} | {values} | {row.about.source} |"


def _look() -> Iterator[str]:
    yield from _heading(2, "Look")
    for name in LOOK:
        yield from _preference(PREFERENCES[name])
    yield ""


def _keys() -> Iterator[str]:
    yield from _heading(2, "Keys")
    yield from _preference(PREFERENCES["key_preset"])
    yield "- Each action can have other keys (page Keys); F1 in the window lists all of them."
    yield ""


def keys_markdown() -> str:
    """What the mouse does, and the keys of all actions in each preset, as Markdown."""
    lines = ["# Keys and mouse", "", KEYS, "| mouse | what it does |", "|---|---|"]
    lines += [f"| {how} | {what} |" for what, how in MOUSE]
    for menu in MENUS:
        lines += ["", f"## {menu}", "", f"| action | {' | '.join(PRESETS.values())} |", f"|---|{'---|' * len(PRESETS)}"]
        lines += [f"| {deed.text} | {_keys_of(deed)} |" for deed in DEEDS if deed.menu == menu]
    return "\n".join(lines) + "\n"


def _keys_of(deed: Deed) -> str:
    if deed.name == "play":
        return " | ".join("`Space` (tapped)" for _ in PRESETS)
    return " | ".join(", ".join(f"`{key}`" for key in deed.keys_of(preset)) for preset in PRESETS)


def _preference(row: PreferenceRow) -> Iterator[str]:
    yield f"- **{row.about.title}** (`{row.name}`): {row.about.help}{_default(row)}"
    yield from (f"  - `{value}`: {words}" for value, words in WORDS.get(row.name, {}).items())


def _default(row: PreferenceRow) -> str:
    if isinstance(row.default, float):
        return f" Default: {row.default:.0%}."
    return f" Default: `{row.default}`." if row.default else ""


def _heading(depth: int, title: str) -> Iterator[str]:
    yield f"{'#' * depth} {title}"
    yield ""
