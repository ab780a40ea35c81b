"""Exit codes. Each number is a promise to scripts."""

from __future__ import annotations

from cluster import errors
from orchestrator.bench.not_kept import NotKept
from orchestrator.run.interrupts import Interrupted

DONE = 0
FAULT = 1
USAGE = 2
PREFLIGHT = 3
UNREACHABLE = 4
COMMAND = 5
NOT_READY = 6
NOT_FREED = 7
LOCKED = 8
INTERRUPTED = 130

_CODES: dict[type[BaseException], int] = {
    errors.UsageError: USAGE,
    errors.InventoryError: USAGE,
    errors.PreflightFailed: PREFLIGHT,
    errors.Unreachable: UNREACHABLE,
    errors.HostError: COMMAND,
    NotKept: COMMAND,
    errors.NotReady: NOT_READY,
    errors.NotReleased: NOT_FREED,
    errors.LeaseHeld: LOCKED,
    errors.InUse: LOCKED,
    Interrupted: INTERRUPTED,
    KeyboardInterrupt: INTERRUPTED,
}


def exit_code(error: BaseException) -> int:
    """The code of what ended the run; FAULT for an error that is not a known way to fail: it is a bug."""
    if isinstance(error, errors.FleetError):
        lost = any(isinstance(each, errors.Unreachable) for each in error.errors)
        return UNREACHABLE if lost else COMMAND
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), FAULT)
