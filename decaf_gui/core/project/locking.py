"""One writer per project: a lock file beside it that says who."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Lock:
    """The right to write a project, until released."""

    file: Path

    @classmethod
    def try_take(cls, project: Path) -> Lock | None:
        """The lock, or None when a living process has it. What a dead process of this host left is taken over."""
        file = _file(project)
        for _ in range(2):
            try:
                with file.open("x", encoding="utf-8") as stream:
                    json.dump(
                        {"host": socket.gethostname(), "process": os.getpid(), "since": _since(os.getpid())}, stream
                    )
                return cls(file)
            except FileExistsError:
                if _alive(file):
                    return None
                file.unlink(missing_ok=True)
        return None

    @staticmethod
    def drop(project: Path) -> None:
        """Forgets a lock of another host, for who knows that nobody works there any more: that host cannot be asked."""
        file = _file(project)
        if _said(file).get("host") != socket.gethostname():
            file.unlink(missing_ok=True)

    @staticmethod
    def holder(project: Path) -> str:
        """Who has the lock, for people."""
        found = _said(_file(project))
        return f"process {found.get('process', '?')} on {found.get('host', 'an unknown host')}"

    def release(self) -> None:
        """Others may write now."""
        self.file.unlink(missing_ok=True)


def _file(project: Path) -> Path:
    return project.with_name(f".{project.name}.lock")


def _said(file: Path) -> dict[str, object]:
    with suppress(OSError, ValueError):
        found = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


def _alive(file: Path) -> bool:
    """Whether the lock's owner may still be working; another host's cannot be asked."""
    found = _said(file)
    process, host = found.get("process"), found.get("host")
    if host != socket.gethostname() or not isinstance(process, int):
        return file.exists() and bool(found)
    since = _since(process)
    return since is not None and found.get("since", since) == since  # else its number belongs to another one by now


def _since(process: int) -> float | None:
    """When a process began; None when there is none of this number."""
    try:
        return float(psutil.Process(process).create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.Error:  # it is there, but may not be looked at
        return 0.0
