"""Several runs on one machine: one at a time, and nobody for long."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

#: Seconds for which one holds the machine at most, between two of its steps.
_MOST = 500.0


class Turns:
    """Whoever locks this file has the machine; None: it is ours alone."""

    def __init__(self, path: Path | None) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666) if path else None
        self._since = -_MOST

    @property
    def over(self) -> bool:
        """Whether others are to have theirs, with nothing of ours on the machine, before we go on."""
        return self._file is not None and time.monotonic() - self._since >= _MOST

    def take(self) -> None:
        """Goes on with our turn, or lets others go first."""
        if self._file is not None and self.over:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._since = time.monotonic()
