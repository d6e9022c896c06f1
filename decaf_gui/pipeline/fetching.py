"""Downloading from the model hub in a process of its own, so that it can be stopped at any moment.

Neither the hub's HTTP loop nor its native transfer library can be interrupted from another thread; a process can.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from decaf_gui.core.errors import DecafError
from decaf_gui.core.events import Stage

SPARE_BYTES = 1 << 30
"""Room that must stay on the disk."""
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.1
"""How often it is asked whether to stop."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The files of one commit of a repository, with their sizes in bytes."""

    repo: str
    commit: str
    sizes: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        """Bytes of all files."""
        return sum(size for _, size in self.sizes)


def never() -> bool:
    """Nobody wants to stop."""
    return False


def fetch(
    repo: str, patterns: Sequence[str], revision: str | None = None, stop: Callable[[], bool] = never
) -> Iterator[Stage]:
    """Downloads the files of `repo` that match `patterns` into the hub's cache; yields bytes done of the total.

    Closing it ends the download; complete files stay, the file in work is removed. A thread that waits inside of it
    cannot close it: once `stop` says so, it ends in the same way. Raises DecafError in one line.
    """
    from huggingface_hub import is_offline_mode

    if is_offline_mode():
        raise DecafError(f"{repo} cannot be downloaded: offline mode is on (unset HF_HUB_OFFLINE).")
    # a process of a fresh interpreter: forking one that runs threads (torch, a window) is not safe
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(theirs, repo, tuple(patterns), revision), daemon=True)
    process.start()
    theirs.close()
    try:
        yield from _stages(ours, repo, stop)
    finally:
        process.terminate()
        process.join(STOP_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        ours.close()


def _stages(messages: Connection, repo: str, stop: Callable[[], bool]) -> Iterator[Stage]:
    """The child's messages as events: (done, total), an error's text, or None at the end."""
    while True:
        try:
            message = _awaited(messages, stop)
        except (EOFError, OSError):
            raise DecafError(f"{repo} could not be downloaded: the downloading process ended early.") from None
        if message is None:
            return
        if isinstance(message, str):
            raise DecafError(message)
        done, total = message
        yield Stage("download", done, total, repo)


def _awaited(messages: Connection, stop: Callable[[], bool]) -> Any:
    """The next message; None, the end, once the download is broken off."""
    while not messages.poll(LOOK_SECONDS):
        if stop():
            return None
    return messages.recv()


def _work(messages: Connection, repo: str, patterns: tuple[str, ...], revision: str | None) -> None:
    """What the child process does. SIGTERM becomes an exception, so that the hub removes its unfinished file."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    with suppress(KeyboardInterrupt, BrokenPipeError):
        messages.send(_outcome(messages, repo, patterns, revision))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is nothing left to tidy up


def _outcome(messages: Connection, repo: str, patterns: tuple[str, ...], revision: str | None) -> str | None:
    """None when all went well, else one line for people."""
    try:
        wanted = _wanted(repo, patterns, revision)
        _check_room(wanted)
        _fetch_files(messages, wanted, revision)
    except DecafError as error:
        return str(error)
    except BrokenPipeError:
        raise
    except Exception as error:  # the hub's, the HTTP library's and the disk's errors share no base
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        return f"{repo} could not be downloaded: {reason}. Check the network and try again; complete files are kept."
    return None


def _wanted(repo: str, patterns: tuple[str, ...], revision: str | None) -> Wanted:
    from huggingface_hub import HfApi

    info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=30)
    sizes = tuple(
        (file.rfilename, int(file.size or 0))
        for file in info.siblings or ()
        if any(fnmatch(file.rfilename, pattern) for pattern in patterns)
    )
    if not sizes or info.sha is None:
        raise DecafError(f"{repo} holds no files of the wanted kind ({', '.join(patterns)}).")
    return Wanted(repo, info.sha, sizes)


def _check_room(wanted: Wanted) -> None:
    """Raises DecafError when what is not yet in the cache does not fit on its disk."""
    missing = sum(size for name, size in wanted.sizes if not _cached(wanted, name))
    place = cache_folder()
    free = shutil.disk_usage(existing_parent(place)).free
    if free < missing + SPARE_BYTES:
        raise DecafError(
            f"{wanted.repo} needs {(missing + SPARE_BYTES) / 1e9:.1f} GB in {place}, {free / 1e9:.1f} GB are free: "
            "make room, or set HF_HOME to a folder on another disk."
        )


def _fetch_files(messages: Connection, wanted: Wanted, revision: str | None) -> None:
    from huggingface_hub import hf_hub_download

    done = 0
    for name, size in wanted.sizes:
        messages.send((done, wanted.total))
        bar = _bar_class(messages, done, size, wanted.total)
        hf_hub_download(wanted.repo, name, revision=wanted.commit, tqdm_class=bar)
        done += size
    # so far the cache knows the commit only; later looks into it ask for the branch
    hf_hub_download(wanted.repo, wanted.sizes[0][0], revision=revision)
    messages.send((done, wanted.total))


def _bar_class(messages: Connection, before: int, size: int, total: int) -> Any:
    """A stand-in for tqdm, as the hub's functions accept it, that sends how many bytes are there.

    One file may have two bars (bytes fetched, bytes put together): the one that is ahead counts.
    """
    ahead = 0

    class Bar:
        def __init__(self, *_: Any, initial: float = 0, **__: Any) -> None:
            self.n = initial

        def update(self, count: float | None = 1) -> None:
            nonlocal ahead
            self.n += count or 0
            if self.n > ahead:
                ahead = min(int(self.n), size)
                messages.send((before + ahead, total))

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            return None

        def __getattr__(self, name: str) -> Any:
            return lambda *_, **__: None

    return Bar


def cache_folder() -> Path:
    """The hub's cache on this machine (HF_HOME and HF_HUB_CACHE move it); it may not be there yet."""
    from huggingface_hub.constants import HF_HUB_CACHE

    return Path(HF_HUB_CACHE)


def existing_parent(path: Path) -> Path:
    """The nearest folder on the way to `path` that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())


def _cached(wanted: Wanted, name: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(wanted.repo, name, revision=wanted.commit), str)
