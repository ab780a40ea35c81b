"""A lock with which several runs share a machine: one at a time, and none for long."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

#: Seconds after which a run lets others have the machine, between two of its steps.
_LONGEST = 500.0


class ExclusiveLock:
    """The run that locks this file has the machine; None: it is ours alone."""

    def __init__(self, path: Path | None) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666) if path else None
        self._since = -_LONGEST

    @property
    def expired(self) -> bool:
        """Whether others go first now, with nothing of ours on the machine."""
        return self._file is not None and time.monotonic() - self._since >= _LONGEST

    def renew(self) -> None:
        """Keeps the lock, or lets others go first where it has expired."""
        if self._file is not None and self.expired:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            self._since = time.monotonic()
