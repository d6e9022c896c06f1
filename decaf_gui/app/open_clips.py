"""The clips that a thread reads: opened when they are asked for, a few at a time."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

from decaf_gui.core.clip import Clip

MOST = 2


class OpenClips:
    """Clips by path; the least recently used ones are closed. Each thread has its own: none disturbs another's reading.

    `cache_bytes` bounds the decoded frames kept of each clip.
    """

    def __init__(self, cache_bytes: int) -> None:
        self._cache_bytes = cache_bytes
        self._clips: OrderedDict[Path, Clip] = OrderedDict()

    def get(self, path: Path) -> Clip:
        """The clip of a path, opened when it is not. Raises BadInput as `Clip.open` does."""
        if path not in self._clips:
            self._clips[path] = Clip.open(path, cache_bytes=self._cache_bytes)
            while len(self._clips) > MOST:
                _, oldest = self._clips.popitem(last=False)
                oldest.close()
        self._clips.move_to_end(path)
        return self._clips[path]

    def close(self) -> None:
        """Closes all of them."""
        for clip in self._clips.values():
            clip.close()
        self._clips.clear()
