"""Which processes belong to a unit."""

import os
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder
    from cluster.remote.common.processes import Process, below, boot_id, is_ours, links
    from cluster.remote.common.records import folder_path, is_keeper, keeper_lives, read_record


def unit_pids(unit: Any, table: "dict[int, Process]") -> "set[int]":
    """The running processes of the unit in this folder: keeper, leader and all descendants; empty where the
    folder is not private.

    Three traces count, since each can be lost. The first is the tree below the keeper: it is a child subreaper,
    so orphans stay below it. The second is its session. The third counts without a keeper or record: processes
    that write to a file of the unit.
    """
    if isinstance(unit, NotOurs):
        return set()
    record = read_record(unit)
    if record is None or record["boot"] != boot_id():
        return below(table, set(writers(unit)))
    if keeper_lives(record, unit):
        return below(table, {record["keeper"]})
    writing = set(writers(unit))
    return below(table, session(record["keeper"], table, writing) | writing)


def session(keeper: int, table: "dict[int, Process]", writing: "set[int]") -> "set[int]":
    """The rest of the session of a keeper that has exited. Its pid may be that of another session by now, in
    which no process writes to a file of the unit.

    The kernel does not reuse the pid of a session while it has members.
    """
    members = {entry.pid for entry in table.values() if entry.session == keeper and is_ours(entry.pid)}
    return members if keeper not in table and members & writing else set()


def writers(unit: Any) -> "Iterator[int]":
    """Processes of this user that hold a file below the folder open for writing.

    Where the folder was removed meanwhile, any user may have created one of this name. There, a process counts by
    the keeper's name, or if it started in the folder, as a leader and its descendants do.
    """
    top = folder_path(unit) + "/"
    for name in os.listdir("/proc"):
        pid = int(name) if name.isdigit() else os.getpid()
        if pid != os.getpid() and is_ours(pid) and writes_below(pid, top) and belongs(pid, unit, top):
            yield pid


def belongs(pid: int, unit: Any, top: str) -> bool:
    return isinstance(unit, OpenFolder) or is_keeper(pid, unit) or began_in(pid, top)


def writes_below(pid: int, top: str) -> bool:
    return any(writable and target.startswith(top) for target, writable in links(f"/proc/{pid}/fd"))


def began_in(pid: int, top: str) -> bool:
    """Whether it works in a folder of ours of this path. Others can move one of theirs, with all who work in it,
    to any path that is free, and remove it there."""
    folder = f"/proc/{pid}/cwd"
    try:
        path, owner = os.readlink(folder) + "/", os.stat(folder).st_uid
    except OSError:
        return False
    return owner == os.getuid() and path.startswith((top, top[:-1] + " (deleted)/"))
