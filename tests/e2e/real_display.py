"""A real X server without a screen, and what is needed for it: in continuous integration nothing may be missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CI = "DECAF_GUI_CI"
LINES = ("HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME")


def need(*programs: str) -> None:
    """Skips the test where a program is not installed; fails it there with DECAF_GUI_CI=1."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        word = pytest.fail if os.environ.get(CI) == "1" else pytest.skip
        word(f"not installed: {', '.join(missing)}")


@contextmanager
def x_server(size: str = "1400x900") -> Iterator[str]:
    """The DISPLAY of a server of its own, on a number that is free."""
    command = ["Xvfb", "-displayfd", "1", "-screen", "0", f"{size}x24", "-nolisten", "tcp", "-noreset"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            assert server.stdout is not None
            number = server.stdout.readline().strip()
            assert number, f"Xvfb ended with {server.wait(10)}"
            yield f":{number}"
        finally:
            server.terminate()
            server.wait(10)


def clean_environment(folder: Path, **more: str) -> dict[str, str]:
    """This environment without any display, with a home of its own in `folder`."""
    shown = ("DISPLAY", "XAUTHORITY", "XDG_SESSION_TYPE")
    kept = {
        name: v
        for name, v in os.environ.items()
        if not name.startswith(("QT_", "WAYLAND_", "DECAF_GUI_")) and name not in shown
    }
    for name in LINES:
        (folder / name.lower()).mkdir(mode=0o700, exist_ok=True)
        kept[name] = str(folder / name.lower())
    return {**kept, **more}
