"""What this machine has and lacks: versions, devices, memory, models, and how to mend what is wrong."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from decaf_gui import __version__
from decaf_gui.pipeline.logs import log_file
from decaf_gui.pipeline.models import MIB, cards, locate

PACKAGES = ("torch", "torchvision", "transformers", "sam2", "av", "opencv-python-headless", "pycocotools")
GIB = 1 << 30
REINSTALL = "set the environment up again: uv sync --reinstall"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: fine (True), wrong (False) or merely told (None); `mend` says what to do."""

    name: str
    ok: bool | None
    detail: str
    mend: str = ""


def examine() -> tuple[Finding, ...]:
    """Everything, in the order a person reads it. Takes seconds: torch is imported to see the devices."""
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (_program, _packages, _devices, _memory, _models, _places)
    return tuple(finding for look in looks for finding in look())


def _program() -> Iterator[Finding]:
    yield Finding("decaf-gui", None, __version__)
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("Python", supported, platform.python_version(), "use Python 3.11, 3.12 or 3.13")
    yield Finding("system", None, f"{platform.system()} {platform.release()}, {platform.machine()}")


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        found = _version(name)
        yield Finding(name, found is not None, found or "not installed", REINSTALL)
    clash = _version("opencv-python")
    if clash is not None:
        mend = "uninstall opencv-python: it brings a Qt of its own beside opencv-python-headless"
        yield Finding("opencv-python", False, f"{clash} is installed, too", mend)
    encoder = _can_encode("libx264")
    yield Finding("H.264 encoder", encoder, "libx264" if encoder else "missing in PyAV", REINSTALL)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _can_encode(codec: str) -> bool:
    try:
        from av.codec import Codec

        Codec(codec, "w")
    except Exception:  # whatever is wrong with PyAV, the doctor goes on and says that it is
        return False
    return True


def _devices() -> Iterator[Finding]:
    yield Finding("processor", None, f"{os.cpu_count()} cores")
    try:
        import torch
    except Exception as error:  # a broken torch is what the doctor is there to tell
        yield Finding("devices", False, str(error).split("\n")[0], REINSTALL)
        return
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        yield Finding(f"cuda:{index}", True, f"{properties.name}, {properties.total_memory / GIB:.0f} GiB")
    if torch.backends.mps.is_available():
        yield Finding("mps", True, "available")
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        yield Finding("GPU", None, "none found: the demo models are fine on the CPU, released models are slow there")


def _memory() -> Iterator[Finding]:
    page, names = os.sysconf("SC_PAGE_SIZE"), os.sysconf_names
    if "SC_PHYS_PAGES" in names and "SC_AVPHYS_PAGES" in names:
        total, free = os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
        enough = total > 4 * GIB
        yield Finding("memory", enough, f"{free / GIB:.1f} of {total / GIB:.1f} GiB free", "4 GiB are needed at least")
    usage = shutil.disk_usage(Path.cwd())
    yield Finding("disk here", usage.free > GIB, f"{usage.free / GIB:.1f} GiB free", "make room: labels need space")


def _models() -> Iterator[Finding]:
    for card in cards():
        path = locate(card)
        if card.is_local:
            mend = "install decaf-gui again: its bundled models are missing"
            yield Finding(f"{card.id} {card.kind}", path is not None, f"{card.size_bytes / MIB:.1f} MiB", mend)
        elif path is not None:
            yield Finding(card.id, True, str(path))


def _places() -> Iterator[Finding]:
    folder = log_file().parent
    parent = next(p for p in (folder, *folder.parents) if p.exists())
    writable = os.access(parent, os.W_OK)
    yield Finding("log", writable, str(folder), f"make {parent} writable, or nothing is logged")
