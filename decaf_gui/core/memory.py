"""How much memory this process has taken."""

from __future__ import annotations

from pathlib import Path

from decaf_gui.core.errors import DecafError


def peak_bytes() -> int:
    """Most memory that this process had resident so far. Raises DecafError where the system does not tell."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent's memory from before the new program was started
        line = next(line for line in status.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    try:
        import resource
    except ImportError:
        raise DecafError("Peak memory can be measured on Linux and macOS only.") from None
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS
