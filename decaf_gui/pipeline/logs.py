"""Where the program writes what happened: a rotating log file, a crash file beside it, stderr on request.

Runs before every command, so it imports nothing heavy; it also quietens the libraries that come later.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import sys
from contextlib import suppress
from pathlib import Path

from platformdirs import user_state_dir

LOG_NAME, CRASH_NAME = "decaf-gui.log", "crash.log"
MAX_BYTES, OLD_FILES = 2_000_000, 3
FILE_FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
CONSOLE_FORMAT = "%(levelname)s %(name)s: %(message)s"
QUIET = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
"""Environment of the model libraries: our own events show the progress. What the user has set stays."""


def start_logging(*, verbose: bool, debug: bool) -> Path | None:
    """Starts logging and returns the log file, or None where the state folder cannot be written.

    The file gets INFO and above (DEBUG with `debug`) of the program, WARNING and above of the libraries. stderr gets
    INFO with `verbose`, DEBUG with `debug`, else nothing. A crash in native code leaves its Python stack in
    "crash.log" beside it. Calling it again replaces what the first call set up.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    _remove_own_handlers()
    level = logging.DEBUG if debug else logging.INFO
    logging.getLogger("decaf_gui").setLevel(level)
    if verbose or debug:
        _add(logging.StreamHandler(sys.stderr), level, CONSOLE_FORMAT)
    file = _file_handler(log_file())
    if file is None:
        _add(logging.NullHandler(), level, FILE_FORMAT)  # else logging prints errors on stderr by itself
        return None
    _add(file, level, FILE_FORMAT)
    with suppress(OSError):
        # faulthandler holds the file; line buffering keeps it complete whatever comes
        faulthandler.enable((log_file().parent / CRASH_NAME).open("a", buffering=1, encoding="utf-8"))
    return log_file()


def log_file() -> Path:
    """The place of the log file, whether or not it is there."""
    return Path(user_state_dir("decaf-gui", appauthor=False)) / LOG_NAME


def _file_handler(path: Path) -> logging.Handler | None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return logging.handlers.RotatingFileHandler(
            path, maxBytes=MAX_BYTES, backupCount=OLD_FILES, encoding="utf-8", errors="backslashreplace"
        )
    except OSError:
        return None


def _add(handler: logging.Handler, level: int, form: str) -> None:
    handler.set_name(f"decaf-gui {type(handler).__name__}")
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter(form))
    logging.getLogger().addHandler(handler)


def _remove_own_handlers() -> None:
    root = logging.getLogger()
    for handler in [h for h in root.handlers if (h.get_name() or "").startswith("decaf-gui ")]:
        root.removeHandler(handler)
        handler.close()
