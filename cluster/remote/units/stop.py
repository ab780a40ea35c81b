"""Stops a unit: SIGTERM to its keeper, patience, SIGKILL for whatever is left, and a look that none is. Then what
it kept in shared memory goes.

Data: folder, patience (seconds). Says, as JSON: left, the processes that are still there.
"""

import fcntl
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from cluster.remote.common.files import discard, write_private
    from cluster.remote.common.processes import command_line, payload, processes, read_record, unit_pids
    from cluster.remote.units.shared_memory import note_shared, remove_unused

KILL_PATIENCE = 10.0


def send(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def gone_within(folder: str, patience: float, again: "Callable[[set[int]], None] | None" = None) -> bool:
    """Whether the unit is gone before `patience` ends; `again` is done to what is left of it meanwhile."""
    end = time.monotonic() + patience
    while True:
        left = unit_pids(folder, processes())
        if not left:
            return True
        if again:
            again(left)
        if time.monotonic() > end:
            return False
        time.sleep(0.05)


def killed(folder: str, shared: "dict[str, int]") -> bool:
    """Whether the unit is gone now. Each process is asked for what it shares before it is killed."""
    asked: set[int] = set()

    def kill(left: "set[int]") -> None:
        note_shared(left - asked, shared)
        asked.update(left)
        send(left, signal.SIGKILL)

    return gone_within(folder, KILL_PATIENCE, kill)


def mark(folder: str, record: "dict[str, Any]") -> None:
    """Whoever looks while it drains must not take it for one that runs. On a full disk it is stopped unmarked."""
    try:
        write_private(os.path.join(folder, "record.json"), json.dumps({**record, "stopping": True}))
    except OSError:
        pass


def stop(folder: str, patience: float) -> set[int]:
    table = processes()
    pids = unit_pids(folder, table)
    record = read_record(folder) or {}
    keeper = record.get("keeper")
    if record and pids:
        mark(folder, record)
    shared: dict[str, int] = {}
    note_shared(pids, shared)
    # Without its keeper the tree has nobody to pass the signal on.
    send({keeper} if keeper in pids else pids, signal.SIGTERM)
    if gone_within(folder, patience) or killed(folder, shared):
        remove_unused(shared)
        return set()
    return unit_pids(folder, processes())


def take_turn(folder: str) -> None:
    """Nobody launches the unit before this has ended: what came meanwhile would be stopped with it. A launch may
    follow while the stop of somebody who was killed still runs."""
    try:
        fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)
    except OSError:
        pass  # there is no folder, so there is nothing that could be launched in it


def main() -> None:
    data = payload()
    take_turn(data["folder"])
    left = stop(data["folder"], data["patience"])
    if not left:
        # A record that stays, as on a read-only disk, is of a process that is gone; the sweep names it.
        discard(os.path.join(data["folder"], "record.json"))
    print(json.dumps({"left": [{"pid": pid, "command": command_line(pid)} for pid in sorted(left)]}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'stop'}: {problem.strerror}")
