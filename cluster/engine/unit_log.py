"""A unit that is read again and again: its log is transferred only once."""

from __future__ import annotations

from cluster.launch import unit
from cluster.transport.host import Host

#: The number of characters of a log that are kept. A start writes some hundred thousand.
_BEGINNING, _END = 1 << 20, 3 << 20


class UnitLog:
    """Keeps the log of one unit that was read so far, and asks for the new part."""

    def __init__(self, host: Host, name: unit.Name, state: str, venv: str) -> None:
        self._host = host
        self._name: unit.Name = name
        self._state = state
        self._venv = venv
        self._offset = 0
        self.log = ""

    @property
    def host(self) -> str:
        return self._host.name

    def look(self, health: str = "") -> unit.UnitStatus:
        """Returns the status of the unit. `health` is a URL that the host asks itself. A new launch starts a new
        log."""
        status = self._host.ask(unit.status(self._name, self._state, self._venv, self._offset, health))
        begun_anew = status.offset < self._offset
        self._offset = status.offset
        self.log = status.text if begun_anew else _bounded(self.log + status.text)
        return status


def _bounded(log: str) -> str:
    """Keeps the start and the end of a log that is too long: a host may write any amount."""
    if len(log) <= _BEGINNING + _END:
        return log
    begun = log[:_BEGINNING].rpartition("\n")[0]
    return f"{begun}\n[a part of the log was left out here]\n{log[-_END:].partition(chr(10))[2]}"
