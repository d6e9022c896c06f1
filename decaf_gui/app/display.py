"""Whether a window can be shown, asked before Qt is: Qt itself ends the process when it finds no platform.

What Qt will do is looked up where Qt looks; where that cannot be known, it is left to Qt.
"""

from __future__ import annotations

import ctypes
import os
import re
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from decaf_gui.core.errors import DecafError

BASE_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "libEGL.so.1": "libegl1",
        "libGL.so.1": "libgl1",
        "libX11.so.6": "libx11-6",
        "libdbus-1.so.3": "libdbus-1-3",
        "libfontconfig.so.1": "libfontconfig1",
        "libfreetype.so.6": "libfreetype6",
        "libglib-2.0.so.0": "libglib2.0-0",
        "libgthread-2.0.so.0": "libglib2.0-0",
        "libxkbcommon.so.0": "libxkbcommon0",
        "libzstd.so.1": "libzstd1",
    }
)
"""What every window needs: Debian's package of each library."""
PLATFORM_PACKAGES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "xcb": {
            "libX11-xcb.so.1": "libx11-xcb1",
            "libxcb.so.1": "libxcb1",
            "libxcb-cursor.so.0": "libxcb-cursor0",
            "libxcb-icccm.so.4": "libxcb-icccm4",
            "libxcb-image.so.0": "libxcb-image0",
            "libxcb-keysyms.so.1": "libxcb-keysyms1",
            "libxcb-randr.so.0": "libxcb-randr0",
            "libxcb-render.so.0": "libxcb-render0",
            "libxcb-render-util.so.0": "libxcb-render-util0",
            "libxcb-shape.so.0": "libxcb-shape0",
            "libxcb-shm.so.0": "libxcb-shm0",
            "libxcb-sync.so.1": "libxcb-sync1",
            "libxcb-util.so.1": "libxcb-util1",
            "libxcb-xfixes.so.0": "libxcb-xfixes0",
            "libxcb-xkb.so.1": "libxcb-xkb1",
            "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
        },
        "wayland": {
            "libwayland-client.so.0": "libwayland-client0",
            "libwayland-cursor.so.0": "libwayland-cursor0",
        },
    }
)
"""What a platform needs beyond that."""
_MISSING = re.compile(r"(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")


UNSEEN = frozenset(("offscreen", "minimal", "minimalegl"))
"""Platforms whose windows nobody sees."""


def check_display() -> None:
    """Raises DecafError when no window can be shown."""
    problem = display_problem()
    if problem:
        raise DecafError(f"No window can be shown: {problem}")


def display_problem() -> str:
    """One sentence that says what a window lacks and what to do, "" when it can be shown."""
    if not sys.platform.startswith("linux"):
        return _qt_problem()
    platforms = tried_platforms()
    if not platforms:
        return (
            "there is no display, neither DISPLAY nor WAYLAND_DISPLAY is set: "
            "use `decaf-gui propose` and `decaf-gui export` here."
        )
    return _qt_problem() or _platforms_problem(platforms)


def tried_platforms() -> list[str]:
    """The platforms that Qt will try on Linux, the first one that works being taken."""
    told = os.environ.get("QT_QPA_PLATFORM")
    if told:
        return [name.partition(":")[0].lower() for name in told.split(";") if name]
    wayland = bool(os.environ.get("WAYLAND_DISPLAY")) or os.environ.get("XDG_SESSION_TYPE") == "wayland"
    return ["wayland"] * wayland + ["xcb"] * bool(os.environ.get("DISPLAY"))


def screen_problem() -> str:
    """Like `display_problem`, for a window that a person is to see: platforms without a screen do not count."""
    if sys.platform.startswith("linux") and set(tried_platforms()) <= UNSEEN:
        platforms = ", ".join(tried_platforms())
        return f"the platform {platforms} has no screen." if platforms else display_problem()
    return display_problem()


def plugin_folder() -> Path:
    """Where Qt's own platform plugins lie."""
    from PySide6.QtCore import QLibraryInfo

    return Path(QLibraryInfo.path(QLibraryInfo.LibraryPath.PluginsPath)) / "platforms"


def _qt_problem() -> str:
    try:
        import PySide6.QtWidgets  # noqa: F401
    except ImportError as error:
        return _library_problem(str(error), BASE_PACKAGES)
    return ""


def _platforms_problem(platforms: Iterable[str]) -> str:
    problems = []
    for name in platforms:
        problem = _plugin_problem(name) or _SERVERS.get(name, lambda: "")()
        if not problem:
            return ""
        problems.append(problem)
    return f"{'; '.join(dict.fromkeys(problems))}."


def _plugin_problem(name: str) -> str:
    """What keeps a platform's plugin from being loaded; "" for one that is unknown or comes from elsewhere."""
    plugin = plugin_folder() / f"libq{name}.so"
    if not plugin.exists() or any((folder / plugin.name).exists() for folder in _foreign_folders()):
        return ""
    try:
        ctypes.CDLL(str(plugin))
    except OSError as error:
        if _MISSING.search(str(error)):  # anything else may come from how it was loaded here
            return _library_problem(str(error), {**BASE_PACKAGES, **PLATFORM_PACKAGES.get(name, {})}).rstrip(".")
    return ""


def _foreign_folders() -> list[Path]:
    """Where the environment makes Qt look for plugins first; those of other builds must not be loaded here."""
    listed = os.environ.get("QT_PLUGIN_PATH", "").split(os.pathsep)
    direct = os.environ.get("QT_QPA_PLATFORM_PLUGIN_PATH", "")
    return [Path(path) / "platforms" for path in (*listed, direct) if path] + ([Path(direct)] if direct else [])


def _library_problem(text: str, packages: Mapping[str, str]) -> str:
    """What a loader's message means. The loader names one library: of the known ones all that are missing are told."""
    named = _MISSING.search(text)
    if named is None:
        return f"Qt cannot be loaded ({text})."
    missing = sorted({named[1], *filter(_is_missing, packages)})
    known = sorted({packages[library] for library in missing if library in packages})
    what = f"the system {'libraries' if missing[1:] else 'library'} {', '.join(missing)} cannot be found"
    if not known:
        return f"{what}: install what provides it."
    return f"{what}: install it, on Debian and Ubuntu with `sudo apt install {' '.join(known)}`."


def _is_missing(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError as error:
        return _MISSING.match(str(error)) is not None
    return False


def _x_problem() -> str:
    """Whether the X server answers, asked as Qt asks it."""
    try:
        xcb = ctypes.CDLL("libxcb.so.1")
    except OSError:
        return ""
    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = bool(xcb.xcb_connection_has_error(connection))
    xcb.xcb_disconnect(connection)
    if not failed:
        return ""
    name = os.environ.get("DISPLAY")
    what = f"the X server of DISPLAY={name} does not answer" if name else "DISPLAY is not set"
    return f"{what}: start the program on the desktop, or connect with `ssh -X`"


def _wayland_problem() -> str:
    """Whether the compositor answers."""
    if os.environ.get("WAYLAND_SOCKET"):  # an open connection that was handed down: asking would use it up
        return ""
    name = os.environ.get("WAYLAND_DISPLAY") or "wayland-0"
    path = Path(os.environ.get("XDG_RUNTIME_DIR") or "/") / name
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.connect(str(path))
    except OSError:
        return f"no Wayland compositor answers at {path}: check WAYLAND_DISPLAY and XDG_RUNTIME_DIR"
    return ""


_SERVERS: Mapping[str, Callable[[], str]] = MappingProxyType({"xcb": _x_problem, "wayland": _wayland_problem})
"""Whom a platform needs an answer from."""
