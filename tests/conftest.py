"""What all tests share: no network, quiet libraries, no leaked threads."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

# Where the suite runs in the background SIGINT is ignored, and what a test starts would inherit that: a handler of our
# own becomes the default again in every process that is started.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def no_leaked_threads() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    new = [t for t in threading.enumerate() if t not in before and not t.daemon]
    # transformers closes the pool that reads weights without waiting for it: its threads have
    # their order to stop and may be caught on the way out. A leaked thread has no such order.
    deadline = time.monotonic() + 5
    for thread in new:
        thread.join(max(0.0, deadline - time.monotonic()))
    leaked = [thread for thread in new if thread.is_alive()]
    assert not leaked, f"leaked threads: {leaked}"
