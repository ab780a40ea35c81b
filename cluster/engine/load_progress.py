"""The detector of loading ranks, by the bytes that they have read."""

from __future__ import annotations

import time
from collections.abc import Callable

#: The minimum to read, and the seconds for it, to count as loading.
_WORTH, _WITHIN = 64 << 20, 16.0
#: Bytes a second for each GPU: three times the rate of ranks that hang. One slow rank of sixteen may load alone,
#: with 8 MiB a second.
_PACE = 1 << 19


class LoadDetector:
    """Counts how often the ranks read much in little time.

    Ranks that wait for each other read as well. Four ranks that hung on H200s read at most 0.15 MiB a second each,
    from sockets. So bytes alone would look like progress for ever.
    """

    def __init__(self, gpus: int, now: Callable[[], float] = time.monotonic) -> None:
        self._pace = gpus * _PACE
        self._now = now
        self._last: tuple[float, int] | None = None
        self._loads = 0

    def loads(self, read: int) -> int:
        """Returns the count so far; `read` is the bytes that all ranks have read since they started."""
        now = self._now()
        since, before = self._last or (now, read)
        much = read - before >= max(_WORTH, self._pace * (now - since))
        self._loads += much
        if self._last is None or much or now - since >= _WITHIN or read < before:
            self._last = now, read
        return self._loads
