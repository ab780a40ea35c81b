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
    from cluster.remote.common.files import write_private
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder, unit_folder
    from cluster.remote.common.processes import command_line, payload, processes
    from cluster.remote.common.records import read_record
    from cluster.remote.common.unit_processes import unit_pids
    from cluster.remote.units.shared_memory import note_shared, remove_unused

KILL_PATIENCE = 10.0


def send(pids: set[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            pass


def gone_within(unit: Any, patience: float, again: "Callable[[set[int]], None] | None" = None) -> bool:
    """Whether the unit is gone before `patience` ends; `again` is done to what is left of it meanwhile."""
    end = time.monotonic() + patience
    while True:
        left = unit_pids(unit, processes())
        if not left:
            return True
        if again:
            again(left)
        if time.monotonic() > end:
            return False
        time.sleep(0.05)


def killed(unit: Any, shared: "dict[str, int]") -> bool:
    """Whether the unit is gone now. Each process is asked for what it shares before it is killed."""
    asked: set[int] = set()

    def kill(left: "set[int]") -> None:
        note_shared(left - asked, shared)
        asked.update(left)
        send(left, signal.SIGKILL)

    return gone_within(unit, KILL_PATIENCE, kill)


def mark(unit: "OpenFolder", record: "dict[str, Any]") -> None:
    """Whoever looks while it drains must not take it for one that runs. On a full disk it is stopped unmarked."""
    try:
        write_private(unit, "record.json", json.dumps({**record, "stopping": True}))
    except OSError:
        pass


def stop(unit: Any, patience: float) -> set[int]:
    table = processes()
    pids = unit_pids(unit, table)
    record = read_record(unit) or {}
    keeper = record.get("keeper")
    if record and pids:
        mark(unit, record)
    shared: dict[str, int] = {}
    note_shared(pids, shared)
    # Without its keeper the tree has nobody to pass the signal on.
    send({keeper} if keeper in pids else pids, signal.SIGTERM)
    if gone_within(unit, patience) or killed(unit, shared):
        remove_unused(shared)
        return set()
    return unit_pids(unit, processes())


def take_turn(unit: "OpenFolder") -> None:
    """Nobody launches the unit before this has ended: what came meanwhile would be stopped with it. A launch may
    follow while the stop of somebody who was killed still runs."""
    try:
        fcntl.flock(unit.file, fcntl.LOCK_EX)
    except OSError:
        pass  # a disk of another host that gives no locks


def main() -> None:
    data = payload()
    unit = unit_folder(data["folder"])
    if isinstance(unit, NotOurs):
        raise SystemExit(unit.words())
    if isinstance(unit, OpenFolder):
        take_turn(unit)
    left = stop(unit, data["patience"])
    if not left and isinstance(unit, OpenFolder):
        # A record that stays, as on a read-only disk, is of a process that is gone; the sweep names it.
        unit.discard("record.json")
    print(json.dumps({"left": [{"pid": pid, "command": command_line(pid)} for pid in sorted(left)]}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'stop'}: {problem.strerror}")
