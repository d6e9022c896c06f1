"""What a report of a failure needs, as text; and how much memory is in use. Nothing heavy is imported for it."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from decaf_gui import __version__
from decaf_gui.pipeline.doctor import PACKAGES
from decaf_gui.pipeline.logs import log_file

GIB = 1 << 30
LINES = 60
"""Of the log's end."""


def diagnostics(models: str, detail: str = "") -> str:
    """Program, system, packages, memory, the failure's `detail` and the end of the log."""
    parts = [
        f"decaf-gui {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"models: {models}",
        f"memory: {memory_in_use('cpu')}",
        f"packages: {', '.join(f'{name} {_version(name)}' for name in PACKAGES)}",
    ]
    if detail:
        parts.append(f"what happened:\n{detail.rstrip()}")
    parts.append(f"end of the log:\n{_log_end(log_file())}")
    return "\n\n".join(parts) + "\n"


def memory_in_use(device: str) -> str:
    """Of the device where it is a GPU that is in use already, else of this process; as people say it."""
    torch = sys.modules.get("torch")
    if device.startswith("cuda") and torch is not None and torch.cuda.is_initialized():
        free, total = torch.cuda.mem_get_info(device)
        return f"{(total - free) / GIB:.1f} / {total / GIB:.0f} GB"
    used, total = psutil.Process().memory_info().rss, psutil.virtual_memory().total
    return f"{used / GIB:.1f} / {total / GIB:.0f} GB"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _log_end(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - 64 * 1024))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        return f"({error.strerror})"
    return "\n".join(lines[-LINES:])
