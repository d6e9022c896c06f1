"""DecAF GUI: find objects in video by language, track them with SAM2, review and export the masks.

`Clip` and `Engine` are the stable Python interface; they are imported when first asked for, because torch and
transformers take seconds.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

# Before torch comes: threads that wait for each other sleep instead of spinning. Beside another busy process, spinning
# made SAM2's small steps a hundred times slower (2 cores, 2 threads).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__all__ = ["Clip", "Engine", "__version__"]

if TYPE_CHECKING:
    from decaf_gui.core.clip import Clip
    from decaf_gui.pipeline.engine import Engine


def __getattr__(name: str) -> Any:
    if name == "Clip":
        from decaf_gui.core.clip import Clip

        return Clip
    if name == "Engine":
        from decaf_gui.pipeline.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
