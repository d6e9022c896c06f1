"""Everything that can be done by key, as data: names, texts, keys of the two presets. The window binds the deeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Deed:
    """One action: `name` for settings, `text` for people (`menu` it stands in), keys by preset."""

    name: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    cvat: tuple[str, ...] | None = None
    """The keys of the preset close to CVAT; None: the same."""

    def keys_of(self, preset: str) -> tuple[str, ...]:
        """Keys in a preset."""
        return self.cvat if preset == "cvat" and self.cvat is not None else self.keys


PRESETS: Mapping[str, str] = MappingProxyType({"default": "Default", "cvat": "Close to CVAT"})
MENUS = ("File", "Edit", "View", "Go", "Object")
DEEDS: tuple[Deed, ...] = (
    Deed("add_clip", "File", "Add clips...", ("Ctrl+O",)),
    Deed("add_folder", "File", "Add a folder of images...", ("Ctrl+Shift+O",)),
    Deed("save_copy", "File", "Save a copy...", ("Ctrl+S",)),
    Deed("export", "File", "Export labels...", ("Ctrl+E",), ("Ctrl+Shift+E",)),
    Deed("quit", "File", "Quit", ("Ctrl+Q",)),
    Deed("undo", "Edit", "Undo", ("Ctrl+Z",)),
    Deed("redo", "Edit", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y")),
    Deed("stop", "Edit", "Stop what is being worked on", ("Esc",)),
    Deed("propose", "Edit", "Propose masks for the expression", ("Ctrl+Return", "Ctrl+Enter")),
    Deed("no_target", "Edit", "Nothing in the clip answers to the expression (or: something does)", ("Shift+X",)),
    Deed("fit", "View", "Show the whole frame", ("0",)),
    Deed("zoom_in", "View", "Zoom in", ("Ctrl++", "Ctrl+=")),
    Deed("zoom_out", "View", "Zoom out", ("Ctrl+-",)),
    Deed("next_mode", "View", "Masks, contours, masks only, none", ("M",)),
    Deed("attention", "View", "Attention on and off", ("T",)),
    Deed("hide", "View", "Hide or show the object", ("H",)),
    Deed("keys", "View", "What can be pressed here", ("F1", "?")),
    Deed("play", "Go", "Play and pause"),
    Deed("next", "Go", "Next frame", ("D", "Right"), ("F", "Right")),
    Deed("previous", "Go", "Previous frame", ("A", "Left"), ("D", "Left")),
    Deed("next_ten", "Go", "Ten frames on", ("Shift+D", "Shift+Right"), ("V", "Shift+Right")),
    Deed("previous_ten", "Go", "Ten frames back", ("Shift+A", "Shift+Left"), ("C", "Shift+Left")),
    Deed("first", "Go", "First frame", ("Home",)),
    Deed("last", "Go", "Last frame", ("End",)),
    Deed("next_prompt", "Go", "Next prompt", ("PgDown",), ("R", "PgDown")),
    Deed("previous_prompt", "Go", "Previous prompt", ("PgUp",), ("E", "PgUp")),
    Deed("next_doubtful", "Go", "Next doubtful frame", ("N",)),
    Deed("range_in", "Go", "Range begins here", ("[",)),
    Deed("range_out", "Go", "Range ends here", ("]",)),
    Deed("next_candidate", "Object", "Next candidate", ("Down",)),
    Deed("previous_candidate", "Object", "Previous candidate", ("Up",)),
    Deed("accept", "Object", "Accept the candidate", ("Return", "Enter")),
    Deed("reject", "Object", "Reject the candidate", ("X", "Backspace")),
    Deed("next_object", "Object", "Next object", ("Tab",)),
    Deed("new_object", "Object", "New object", ("Shift+N",), ("Shift+N", "Ctrl+N")),
    Deed("track_forward", "Object", "Track forward; again: stop", ("F",), ("Ctrl+E",)),
    Deed("track_backward", "Object", "Track backward; again: stop", ("B",), ("Ctrl+B",)),
    Deed("track_both", "Object", "Track both ways; again: stop", ("Shift+F",)),
    Deed("review", "Object", "Reviewed: the range, or this frame", ("Q",)),
    Deed("lock", "Object", "Lock or unlock the range, or this frame", ("L",)),
    Deed("absent", "Object", "Absent on the range, or on this frame", ("O",)),
    Deed("delete", "Object", "Delete masks of the range, or of this frame", ("Delete",)),
    Deed("copy_next", "Object", "Copy the mask to the next frame", ("Shift+C",)),
    Deed("tool_select", "Object", "Select", ("V",), ("S",)),
    Deed("tool_point", "Object", "Points", ("P",)),
    Deed("tool_box", "Object", "Box", ("R",), ("W",)),
    Deed("tool_brush", "Object", "Brush", ("G",)),
    Deed("tool_eraser", "Object", "Eraser", ("Shift+G",)),
    *(Deed(f"object_{i}", "Object", f"Object {i}", (str(i),)) for i in range(1, 10)),
)
"""All actions, in the order of their menus."""


def deed_named(name: str) -> Deed:
    """The action called `name`."""
    return next(deed for deed in DEEDS if deed.name == name)


def conflicts(keys: Mapping[str, tuple[str, ...]]) -> list[tuple[str, list[str]]]:
    """Keys that more than one action has: (key, the actions' names)."""
    owners: dict[str, list[str]] = {}
    for name, listed in keys.items():
        for key in listed:
            owners.setdefault(key.lower(), []).append(name)
    return [(key, names) for key, names in owners.items() if len(names) > 1]
