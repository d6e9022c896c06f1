"""One file from the hub, with progress as a generator: huggingface_hub works in a thread and reports through tqdm."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

from huggingface_hub import hf_hub_download
from tqdm import tqdm

PATIENCE = 0.2
"""Seconds between two looks at the progress."""


class Stopped(Exception):
    """Raised inside of the download's thread when nobody reads its progress any more."""


class Meter:
    """Bytes so far, written by the thread and read by the generator."""

    def __init__(self) -> None:
        self.done = 0
        self.stop = False
        self.failure: BaseException | None = None


def fetch_file(repository: str, name: str, revision: str) -> Generator[int]:
    """Yields the bytes fetched so far; closing it stops the transfer at its next chunk, to be taken up later."""
    meter = Meter()
    thread = threading.Thread(target=_work, args=(meter, repository, name, revision), name=f"fetch {name}")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(PATIENCE)
            yield meter.done
    finally:
        meter.stop = True
        thread.join()
    if meter.failure is not None:
        raise meter.failure


def _work(meter: Meter, repository: str, name: str, revision: str) -> None:
    try:
        hf_hub_download(repository, name, revision=revision, tqdm_class=_reporting(meter))
    except Stopped:
        pass
    except BaseException as error:  # handed to the thread that reads the generator
        meter.failure = error


def _reporting(meter: Meter) -> type[Any]:
    """A silent progress bar that counts into `meter` and ends the transfer when it is told to."""

    class Bar(tqdm):  # type: ignore[misc]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)
            super().__init__(*args, **{**kwargs, "disable": False, "file": _Nowhere()})

        def update(self, n: float | None = 1) -> Any:
            if meter.stop:
                raise Stopped
            meter.done += int(n or 0)
            return super().update(n)

    return Bar


class _Nowhere:
    """Where the bar draws itself."""

    def write(self, _text: str) -> None: ...

    def flush(self) -> None: ...
