"""Whether ranks load, from the bytes that they have read."""

from __future__ import annotations

import time
from collections.abc import Callable

#: What must be read at least, and within how many seconds, to be a load.
_WORTH, _WITHIN = 64 << 20, 16.0
#: Bytes a second for each GPU: three times what was seen of ranks that hang. One slow rank of sixteen may load
#: alone, with 8 MiB a second.
_PACE = 1 << 19


class LoadDetector:
    """Counts how often much was read in little time. Ranks that wait for each other read as well: four that hung
    on H200s read at most 0.15 MiB a second each of sockets, so bytes alone would look like progress for ever."""

    def __init__(self, gpus: int, now: Callable[[], float] = time.monotonic) -> None:
        self._pace = gpus * _PACE
        self._now = now
        self._last: tuple[float, int] | None = None
        self._loads = 0

    def loads(self, read: int) -> int:
        """The count so far; `read` is in bytes, by all ranks since they began."""
        now = self._now()
        since, before = self._last or (now, read)
        much = read - before >= max(_WORTH, self._pace * (now - since))
        self._loads += much
        if self._last is None or much or now - since >= _WITHIN or read < before:
            self._last = now, read
        return self._loads
