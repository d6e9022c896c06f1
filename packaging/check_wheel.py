"""Fails when a wheel lacks what the program needs at run time: the code, the demo models, the licence."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

WANTED = (
    "decaf_gui/cli.py",
    "decaf_gui/resources/models/demo-mllm/model.safetensors",
    "decaf_gui/resources/models/demo-sam/model.safetensors",
    "decaf_gui/resources/translations/decaf_gui_de.qm",
    *(f"decaf_gui/{path.as_posix()}" for path in sorted(Path("resources/models").rglob("*")) if path.is_file()),
)
"""The few that there must be in any case, and all files of the models that this source tree has (soft prompts, too)."""


def missing_files(wheel: str) -> list[str]:
    """What `WANTED` names and the wheel does not hold."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    return [name for name in WANTED if name not in names]


if __name__ == "__main__":
    lacking = {wheel: missing_files(wheel) for wheel in sys.argv[1:]}
    sys.exit("\n".join(f"{wheel} lacks {', '.join(names)}" for wheel, names in lacking.items() if names) or 0)
