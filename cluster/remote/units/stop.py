"""Stops a unit: SIGTERM to its keeper, a wait, SIGKILL for the remaining processes, and a check that none is left.
Then its shared memory is removed.

Data:
- folder
- `patience`, in seconds
- launch, optional: stop the unit only if this run launched it

Prints one line of JSON: left, the processes that still run, and another, whether the unit belongs to another run.
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
    """Returns whether the unit has exited before `patience` ends; `again` is called on its remaining processes
    meanwhile."""
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
    """Returns whether the unit has exited now. Each process is asked for its shared names before it is killed."""
    asked: set[int] = set()

    def kill(left: "set[int]") -> None:
        note_shared(left - asked, shared)
        asked.update(left)
        send(left, signal.SIGKILL)

    return gone_within(unit, KILL_PATIENCE, kill)


def mark(unit: "OpenFolder", record: "dict[str, Any]") -> None:
    """Marks the record: a reader must not treat a unit that stops as one that runs. On a full disk it stays
    unmarked."""
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
    # Without its keeper, no process of the tree passes the signal on.
    send({keeper} if keeper in pids else pids, signal.SIGTERM)
    if gone_within(unit, patience) or killed(unit, shared):
        remove_unused(shared)
        return set()
    return unit_pids(unit, processes())


def take_turn(unit: "OpenFolder") -> None:
    """Blocks a launch of the unit until this program ends: otherwise the stop would also end the new unit.

    A stop may still run after its operator was killed, and a launch may follow it.
    """
    try:
        fcntl.flock(unit.file, fcntl.LOCK_EX)
    except OSError:
        pass  # a network disk without locks


def is_anothers(unit: Any, launch: str) -> bool:
    """Returns whether the unit belongs to another launch than the one to stop: another operator may be at work."""
    record = read_record(unit)
    if record is None and unit_pids(unit, processes()):
        raise SystemExit("its record is missing: it is unknown which run has launched it")
    return record is not None and record.get("launch") != launch


def release_ports(unit: "OpenFolder") -> None:
    """Removes the files of reservations, which a killed keeper leaves."""
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
        # A record that stays, as on a read-only disk, belongs to an exited process; `remove_state` names it.
        unit.discard("record.json")
        release_ports(unit)
    said = [{"pid": pid, "command": command_line(pid)} for pid in sorted(left)]
    print(json.dumps({"left": said, "another": another}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'stop'}: {problem.strerror}")
