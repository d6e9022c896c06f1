"""The log: a rotating file in the user's state folder, faults of the interpreter beside it, stderr on request."""

from __future__ import annotations

import faulthandler
import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

import platformdirs

QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}
FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def log_folder() -> Path:
    """Where the log lies."""
    return Path(platformdirs.user_state_dir("decaf-gui", appauthor=False))


def start_logging(*, verbose: bool, debug: bool) -> Path | None:
    """Begins logging to `log_folder()`; with `verbose` or `debug` to stderr, too. The file's path.

    A folder that cannot be written to means no file (None), not a failure. Libraries are told to be quiet:
    progress is shown by events.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    root = logging.getLogger()
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    if verbose or debug:
        console = logging.StreamHandler()
        console.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        root.addHandler(console)
    for noisy in ("httpx", "urllib3", "filelock", "PIL", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    return _log_to_file(root)


def _log_to_file(root: logging.Logger) -> Path | None:
    path = log_folder() / "decaf-gui.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=2 << 20, backupCount=3, encoding="utf-8", delay=False)
        faults = (path.parent / "faults.log").open("a", encoding="utf-8")
    except OSError:
        faulthandler.enable()
        return None
    handler.setFormatter(logging.Formatter(FORMAT))
    root.addHandler(handler)
    faulthandler.enable(faults)
    return path
