"""Stops a unit: SIGTERM to its keeper, patience, SIGKILL for whatever is left, and a look that none is. Then what
it kept in shared memory goes.

Data: folder, patience (seconds), and launch, which may be left out: the run whose unit alone is to be stopped.
Says, as JSON: left, the processes that are still there, and another, whether the unit is that of another run.
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
    from cluster.remote.common.port_reservations import remove_claims
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


def is_anothers(unit: Any, launch: str) -> bool:
    """Whether what is there is of another launch than the one to stop: somebody else may be at work by now."""
    record = read_record(unit)
    if record is None and unit_pids(unit, processes()):
        raise SystemExit("its record is gone: nobody can tell who has launched it")
    return record is not None and record.get("launch") != launch


def release_ports(unit: "OpenFolder") -> None:
    """A keeper that was killed leaves the files of its claims."""
    if unit.parent and unit.parent.parent:
        remove_claims(unit.parent.parent)


def main() -> None:
    data = payload()
    unit = unit_folder(data["folder"])
    if isinstance(unit, NotOurs):
        raise SystemExit(unit.words())
    if isinstance(unit, OpenFolder):
        take_turn(unit)
    another = bool(data.get("launch")) and is_anothers(unit, data["launch"])
    left = set() if another else stop(unit, data["patience"])
    if not left and not another and isinstance(unit, OpenFolder):
        # A record that stays, as on a read-only disk, is of a process that is gone; the sweep names it.
        unit.discard("record.json")
        release_ports(unit)
    said = [{"pid": pid, "command": command_line(pid)} for pid in sorted(left)]
    print(json.dumps({"left": said, "another": another}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'stop'}: {problem.strerror}")
