"""The processes that belong to a unit of this user."""

import os
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder
    from cluster.remote.common.processes import Process, below, boot_id, is_ours, links
    from cluster.remote.common.records import folder_path, is_keeper, keeper_lives, read_record


def unit_pids(unit: Any, table: "dict[int, Process]") -> "set[int]":
    """Returns the running processes of the unit in this folder: keeper, leader and all descendants.

    It is empty where the folder is not private. There are three traces, because each can be missing. The first is
    the tree below the keeper, a child subreaper, so orphans stay below it. The second is its session. The third
    are the processes that write to a file of the unit; it counts once the keeper has exited or its record is
    missing.
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
    """Returns the rest of the session of a keeper that has exited.

    Its pid may now belong to another session; no process of that session writes to a file of the unit. The kernel
    does not reuse a pid that is a session's id while the session has members.
    """
    members = {entry.pid for entry in table.values() if entry.session == keeper and is_ours(entry.pid)}
    return members if keeper not in table and members & writing else set()


def writers(unit: Any) -> "Iterator[int]":
    """Yields the processes of this user that have a file below the folder open for writing.

    If the folder was removed under them, any user may have made one of this name. Then a process must be the
    keeper by its name, or must have started in the folder, as a leader and its descendants do.
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
    """Returns whether it works in this user's folder of this path.

    Other users can move a folder of their own, with its processes, to any free path, and remove it there.
    """
    folder = f"/proc/{pid}/cwd"
    try:
        path, owner = os.readlink(folder) + "/", os.stat(folder).st_uid
    except OSError:
        return False
    return owner == os.getuid() and path.startswith((top, top[:-1] + " (deleted)/"))
