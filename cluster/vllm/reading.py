"""Whether ranks load, from the bytes that they have read."""

from __future__ import annotations

import time
from collections.abc import Callable

#: What must be read within so many seconds. 848 GB at 4 MiB a second would take more than two days.
_WORTH, _WITHIN = 64 << 20, 16.0


class Reading:
    """Counts how often much was read in little time. Ranks that wait for each other read as well: four that hung
    on H200s read at most 0.6 MiB a second of sockets, so bytes alone would look like progress for ever."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: tuple[float, int] | None = None
        self._loads = 0

    def loads(self, read: int) -> int:
        """The count so far; `read` is in bytes, by all ranks since they began."""
        now = self._now()
        since, before = self._last or (now, read)
        much, long_ago = read - before >= _WORTH, now - since >= _WITHIN
        self._loads += much
        if self._last is None or much or long_ago or read < before:
            self._last = now, read
        return self._loads
