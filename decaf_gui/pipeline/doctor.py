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

import psutil

from decaf_gui import __version__
from decaf_gui.pipeline.fetching import cache_folder, existing_parent
from decaf_gui.pipeline.logs import log_file
from decaf_gui.pipeline.models import CARDS, locate

PACKAGES = (
    "av",
    "huggingface-hub",
    "matplotlib",
    "numpy",
    "opencv-python-headless",
    "pillow",
    "platformdirs",
    "psutil",
    "pycocotools",
    "pyside6-essentials",
    "rich",
    "safetensors",
    "sam2",
    "tokenizers",
    "torch",
    "torchvision",
    "transformers",
    "typer",
)
"""What the program is built on, as in pyproject.toml."""
CLASHING = ("opencv-python", "opencv-contrib-python")
"""Packages that overwrite files of opencv-python-headless and bring a Qt of their own."""
GIB = 1 << 30
LEAST_MEMORY, LEAST_DISK = 4 * GIB, GIB
REINSTALL = "install decaf-gui again: `uv sync --reinstall`, or `pip install --force-reinstall decaf-gui`"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: fine (True), wrong (False) or merely told (None); `mend` says what to do."""

    name: str
    ok: bool | None
    detail: str
    mend: str = ""


def examine() -> tuple[Finding, ...]:
    """Everything, in the order a person reads it. Takes seconds: torch is imported to see the devices.

    Never raises for what is broken: telling that is its work.
    """
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _program,
        _packages,
        _devices,
        _memory,
        _disks,
        _models,
        _encoder,
        _log,
    )
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
    clashes = [f"{name} {_version(name)}" for name in CLASHING if _version(name)]
    mend = f"`pip uninstall {' '.join(CLASHING)}`, then {REINSTALL}"
    found = f"{', '.join(clashes)} beside opencv-python-headless" if clashes else "none"
    yield Finding("opencv-python clash", not clashes, found, mend)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> Iterator[Finding]:
    yield Finding("processor", None, f"{os.cpu_count()} cores")
    try:
        import torch
    except Exception as error:  # a broken torch is what the doctor is there to tell
        yield Finding("GPU", False, f"torch cannot be imported: {_first_line(error)}", REINSTALL)
        return
    try:
        for index in range(torch.cuda.device_count()):
            seen = torch.cuda.get_device_properties(index)
            yield Finding(f"cuda:{index}", True, f"{seen.name}, {seen.total_memory / GIB:.0f} GiB")
    except Exception as error:  # so is a driver that does not fit
        yield Finding("cuda", False, _first_line(error), "install a driver that fits torch's CUDA version")
    if torch.backends.mps.is_available():
        yield Finding("mps", True, "available")
    elif not torch.cuda.is_available():
        yield Finding("GPU", None, "none found", "not needed for the demo models; released models are slow without one")


def _memory() -> Iterator[Finding]:
    memory = psutil.virtual_memory()
    mend = f"{LEAST_MEMORY // GIB} GiB are needed at least: use another machine"
    detail = f"{memory.available / GIB:.1f} of {memory.total / GIB:.1f} GiB free"
    yield Finding("memory", memory.total >= LEAST_MEMORY, detail, mend)


def _disks() -> Iterator[Finding]:
    places = [("disk here", Path.cwd(), "make room: labels and videos need space")]
    try:
        mend = "make room before downloading models, or set HF_HOME to a folder on another disk"
        places.append(("disk of the model cache", cache_folder(), mend))
    except ImportError:  # told among the packages
        pass
    for name, place, mend in places:
        free = shutil.disk_usage(existing_parent(place)).free
        yield Finding(name, free >= LEAST_DISK, f"{free / GIB:.1f} GiB free in {place}", mend)


def _models() -> Iterator[Finding]:
    try:
        here = {card: locate(card) for card in CARDS}
    except ImportError as error:
        yield Finding("models", False, _first_line(error), REINSTALL)
        return
    for card, path in here.items():
        if card.id == "demo":
            yield Finding(card.title, path is not None, str(path or f"missing in {card.source}"), REINSTALL)
    others = [card.id for card, path in here.items() if path is not None and card.id != "demo"]
    mend = "`decaf-gui models list` shows them, `decaf-gui models download ID` fetches one"
    yield Finding("released models", True if others else None, ", ".join(others) or "none on this machine", mend)


def _encoder() -> Iterator[Finding]:
    """Overlay videos are H.264."""
    try:
        from av.codec import Codec

        found = Codec("libx264", "w").long_name
    except Exception as error:  # not installed, its libraries broken, built without the encoder
        yield Finding("H.264 encoder", False, f"not in PyAV: {_first_line(error)}", REINSTALL)
        return
    yield Finding("H.264 encoder", True, found)


def _log() -> Iterator[Finding]:
    path = log_file()
    parent = existing_parent(path.parent)
    writable = os.access(path if path.exists() else parent, os.W_OK)
    yield Finding("log file", writable, str(path), f"make {parent} writable: until then nothing is logged")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
