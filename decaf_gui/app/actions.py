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
    gap: bool = False
    """Whether a line stands above it in its menu."""

    def keys_of(self, preset: str) -> tuple[str, ...]:
        """Keys in a preset."""
        return self.cvat if preset == "cvat" and self.cvat is not None else self.keys


PRESETS: Mapping[str, str] = MappingProxyType({"default": "Default", "cvat": "Close to CVAT"})
MENUS = ("File", "Edit", "View", "Go", "Object", "Help")
DEEDS: tuple[Deed, ...] = (
    Deed("open", "File", "Open clips or a project...", ("Ctrl+O",)),
    Deed("open_folder", "File", "Open a folder of images...", ("Ctrl+Shift+O",)),
    Deed("open_set", "File", "Open a pre-labelled set..."),
    Deed("relink", "File", "Say where the clip lies now..."),
    Deed("remove_clip", "File", "Remove the clip from the project"),
    Deed("save_copy", "File", "Save a copy...", ("Ctrl+S",), gap=True),
    Deed("import_labels", "File", "Import labels...", ("Ctrl+I",)),
    Deed("export", "File", "Export labels...", ("Ctrl+E",), ("Ctrl+Shift+E",)),
    Deed("close_project", "File", "Close the project", ("Ctrl+W",), gap=True),
    Deed("quit", "File", "Quit", ("Ctrl+Q",)),
    Deed("undo", "Edit", "Undo", ("Ctrl+Z",)),
    Deed("redo", "Edit", "Redo", ("Ctrl+Shift+Z", "Ctrl+Y")),
    Deed("expression", "Edit", "Write an expression", ("Ctrl+F", "/"), gap=True),
    Deed("propose", "Edit", "Propose masks for the expression", ("Ctrl+Return", "Ctrl+Enter")),
    Deed("method", "Edit", "The other method: DecAF or SteerSeg"),
    Deed("compare", "Edit", "Compare methods..."),
    Deed("no_target", "Edit", "Nothing in the clip answers to the expression (or: something does)", ("Shift+X",)),
    Deed("remove_expression", "Edit", "Remove the expression and its candidates"),
    Deed("stop", "Edit", "Stop what is being worked on", ("Esc",), gap=True),
    Deed("settings", "Edit", "Settings...", ("Ctrl+,",), gap=True),
    Deed("fit", "View", "Show the whole frame", ("0",)),
    Deed("zoom_in", "View", "Zoom in", ("Ctrl++", "Ctrl+=")),
    Deed("zoom_out", "View", "Zoom out", ("Ctrl+-",)),
    Deed("zoom_time_in", "View", "Zoom in on the timeline", ("+", "="), gap=True),
    Deed("zoom_time_out", "View", "Zoom out on the timeline", ("-",)),
    Deed("next_mode", "View", "Masks, contours, masks only, none", ("M",), gap=True),
    Deed("attention", "View", "Attention on and off", ("T",)),
    Deed("next_attention", "View", "Next of the attention maps", ("Shift+T",)),
    Deed("hide", "View", "Hide or show the object", ("H",)),
    Deed("panels", "View", "Only the frame, or all panels", ("F11",), gap=True),
    Deed("play", "Go", "Play and pause"),
    Deed("next", "Go", "Next frame", ("D", "Right"), ("F", "Right"), gap=True),
    Deed("previous", "Go", "Previous frame", ("A", "Left"), ("D", "Left")),
    Deed("next_ten", "Go", "Ten frames on", ("Shift+D", "Shift+Right"), ("V", "Shift+Right")),
    Deed("previous_ten", "Go", "Ten frames back", ("Shift+A", "Shift+Left"), ("C", "Shift+Left")),
    Deed("first", "Go", "First frame", ("Home",)),
    Deed("last", "Go", "Last frame", ("End",)),
    Deed("next_prompt", "Go", "Next prompt", ("PgDown",), ("R", "PgDown"), gap=True),
    Deed("previous_prompt", "Go", "Previous prompt", ("PgUp",), ("E", "PgUp")),
    Deed("next_doubtful", "Go", "Next doubtful frame", ("N",)),
    Deed("range_in", "Go", "Range begins here", ("[",), gap=True),
    Deed("range_out", "Go", "Range ends here", ("]",)),
    Deed("range_none", "Go", "No range", ("Shift+[", "{")),
    Deed("work_range", "Go", "Work on the range alone (without one: on the whole clip)"),
    Deed("next_expression", "Go", "Next expression", ("Alt+Down",), gap=True),
    Deed("previous_expression", "Go", "Previous expression", ("Alt+Up",)),
    Deed("next_clip", "Go", "Next clip", ("Ctrl+PgDown",), gap=True),
    Deed("previous_clip", "Go", "Previous clip", ("Ctrl+PgUp",)),
    Deed("next_entry", "Go", "Next entry to review", ("Shift+PgDown",), gap=True),
    Deed("previous_entry", "Go", "Previous entry to review", ("Shift+PgUp",)),
    Deed("entry_before", "Go", "Back to the entry that was looked at before", ("Alt+Left",)),
    Deed("calibration", "Go", "Calibration: what scores are worth...", ("Ctrl+K",)),
    Deed("next_candidate", "Object", "Next candidate", ("Down",)),
    Deed("previous_candidate", "Object", "Previous candidate", ("Up",)),
    Deed("threshold_up", "Object", "Higher threshold: fewer candidates", ("Ctrl+Up",)),
    Deed("threshold_down", "Object", "Lower threshold: more candidates", ("Ctrl+Down",)),
    Deed("accept", "Object", "Accept the candidate", ("Return", "Enter")),
    Deed("reject", "Object", "Reject the candidate", ("X", "Backspace")),
    Deed("next_object", "Object", "Next object", ("Tab",), gap=True),
    Deed("new_object", "Object", "New object", ("Shift+N",), ("Shift+N", "Ctrl+N")),
    Deed("rename", "Object", "Rename...", ("F2",)),
    Deed("relabel", "Object", "Label...", ("Shift+L",)),
    Deed("recolour", "Object", "Colour..."),
    Deed("remove_object", "Object", "Remove the object", ("Ctrl+Delete",)),
    Deed("track_forward", "Object", "Track forward; again: stop", ("F",), ("Ctrl+E",), gap=True),
    Deed("track_backward", "Object", "Track backward; again: stop", ("B",), ("Ctrl+B",)),
    Deed("track_both", "Object", "Track both ways; again: stop", ("Shift+F",)),
    Deed("review", "Object", "Reviewed: the range, or this frame", ("Q",), gap=True),
    Deed("lock", "Object", "Lock or unlock the range, or this frame", ("L",)),
    Deed("absent", "Object", "Absent on the range, or on this frame", ("O",)),
    Deed("delete", "Object", "Delete masks of the range, or of this frame", ("Delete",)),
    Deed("copy_next", "Object", "Copy the mask to the next frame", ("Shift+C",)),
    Deed("revert", "Object", "Revert what the last correction changed here", ("Shift+Z",)),
    Deed("split", "Object", "Another object from this frame on", ("Shift+S",), gap=True),
    Deed("tool_select", "Object", "Select", ("V",), ("S",), gap=True),
    Deed("tool_point", "Object", "Points", ("P",)),
    Deed("tool_box", "Object", "Box", ("R",), ("W",)),
    Deed("tool_brush", "Object", "Brush", ("G",)),
    Deed("tool_eraser", "Object", "Eraser", ("Shift+G",)),
    *(Deed(f"object_{i}", "Object", f"Object {i}", (str(i),)) for i in range(1, 10)),
    Deed("keys", "Help", "What can be pressed here", ("F1", "?")),
    Deed("settings_help", "Help", "What the settings mean"),
    Deed("diagnostics", "Help", "Copy diagnostics"),
    Deed("about", "Help", "About DecAF GUI"),
)
"""All actions, in the order of their menus."""
MOUSE: tuple[tuple[str, str], ...] = (
    ("Positive point: this belongs to the object", "left click"),
    ("Negative point: this does not", "right click"),
    ("See the mask of a click before it (with Alt: of a negative one)", "Shift held"),
    ("Move a point, or take it away", "drag it, click on it"),
    ("Box", "Shift and drag, or the box tool"),
    ("Brush, eraser", "left drag; right drag does the other one"),
    ("Brush size", "Ctrl and wheel"),
    ("Zoom at the pointer", "wheel"),
    ("Pan", "middle drag, or Space and drag"),
    ("Show the whole frame", "middle double click"),
    ("Timeline: go to a frame", "left click or drag"),
    ("Timeline: choose a range", "Shift and drag, or right drag"),
    ("Timeline: what can be done to the object", "right click on its lane"),
    ("Timeline: zoom in time, go along it", "Ctrl and wheel, Shift and wheel"),
)
"""What the mouse does: (what, how)."""


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
