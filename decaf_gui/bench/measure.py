"""Measuring: seconds of ways that take turns, peak memory of a fresh process, and the machine's own description."""

from __future__ import annotations

import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import psutil
import torch

from decaf_gui import __version__
from decaf_gui.core.memory import peak_bytes

Given = TypeVar("Given")
Name = TypeVar("Name", bound=str)
MIB = 1 << 20
VERSIONS = ("torch", "torchvision", "transformers", "sam2", "av", "numpy")


def machine(device: str) -> dict[str, Any]:
    """Where and with what a run took place."""
    cuda = torch.cuda.get_device_name(device) if device.startswith("cuda") else None
    return {
        "program": f"decaf-gui {__version__}",
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": cuda or device,
        "versions": {name: version(name) for name in VERSIONS},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Torch computes with `count` threads while this is open."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds(work: Callable[[], object], device: str = "cpu") -> float:
    """How long `work` takes once, what it queued on the device included."""
    _wait(device)
    start = time.perf_counter()
    work()
    _wait(device)
    return time.perf_counter() - start


def alternate(ways: Mapping[Name, Callable[[], object]], rounds: int, device: str = "cpu") -> dict[Name, float]:
    """Median seconds of every way; the ways take turns, so that a machine that slows down slows all of them."""
    taken: dict[Name, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, work in ways.items():
            taken[name].append(seconds(work, device))
    return {name: statistics.median(values) for name, values in taken.items()}


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def fresh(work: Callable[..., Given], *given: Any) -> Given:
    """`work(*given)` in a process of its own: what ran before has no share in its memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *given).result()


def extra_memory(work: Callable[[], object], device: str = "cpu") -> int:
    """Peak bytes that `work` takes beyond what was taken before it: of the process, or of the card."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    before = reset_peak()
    work()
    return peak_bytes() - before


def reset_peak() -> int:
    """Begins a new measurement of this process's peak memory where the system can; the present peak in bytes."""
    control = Path("/proc/self/clear_refs")
    if control.exists():
        control.write_text("5", encoding="ascii")
    return peak_bytes()


def total_memory() -> int:
    """Main memory in bytes."""
    return int(psutil.virtual_memory().total)
