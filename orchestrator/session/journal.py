"""The journal of a run: every event as a JSON line in a file, whatever else is shown."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from orchestrator.events import Event, HostActivity, HostMessage, LastLogLine, Sink
from orchestrator.local.private_folder import private_folder
from orchestrator.render.jsonl import line, utc

_APPENDED = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class Journal:
    """A sink that never fails: a full disk costs the record, not the run. The file is opened for each event, so
    that nothing is left open however the run ends. A journal that was rotated away, or whose disk has room
    again, comes back. `complain` is called once."""

    def __init__(self, path: Path, complain: Sink, now: Callable[[], datetime] = utc) -> None:
        self._path = path
        self._complain = complain
        self._now = now
        self._complained = False
        self._torn = False

    def __call__(self, event: Event) -> None:
        """Skips events that pass by the second, and lines that the hosts' logs keep themselves."""
        if isinstance(event, HostActivity | LastLogLine):
            return
        try:
            self._append((line(event, self._now()) + "\n").encode())
        except OSError as error:
            self._give_up(error)

    def _append(self, record: bytes) -> None:
        """Ends a line that a full disk cut short, so that the next line is readable."""
        with private_folder(self._path.parent) as folder:
            file = os.open(self._path.name, _APPENDED, 0o600, dir_fd=folder)
        try:
            whole = b"\n" + record if self._torn else record
            written = os.write(file, whole)
            self._torn = written != len(whole)
            if self._torn:
                raise OSError("only part of a line was written")
        finally:
            os.close(file)

    def _give_up(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            reason = error.strerror or str(error)
            cause = f"{self._path} cannot be written: {reason}"
            self._complain(HostMessage("", "this run has no journal", cause=cause))
