"""Breaks the lease of a cluster: ends the program that holds it, which then reports to its owner who broke it and
why.

Data: folder, by (owner, machine, since and reason of the operator who breaks it). Prints held: the broken lease,
or null without a holder.
"""

import fcntl
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.files import is_lease, open_lease, write_private
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder, cluster_folder, user_name
    from cluster.remote.common.processes import payload


def locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def holder(file: int) -> int:
    """The process that holds the lock; 0 without one that this host shows.

    Files of other disks have the same inode numbers, so the process must have this very file open. A process of
    another user cannot be checked: it is named, not ended.
    """
    asked = {pid: has_open(pid, file) for pid in locking(os.fstat(file).st_ino)}
    for pid, has in asked.items():
        if has:
            return pid
    for pid, has in asked.items():
        if has is None:
            raise SystemExit(not_ours(pid))
    return 0


def locking(inode: int) -> "list[int]":
    """Processes that have a lock on a file of this number, on whatever disk."""
    with open("/proc/locks") as table:
        rows = [line.split() for line in table]
    return [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode)]


def has_open(pid: int, file: int) -> "bool | None":
    """None where we may not ask."""
    folder = f"/proc/{pid}/fd"
    try:
        return any(is_same(os.path.join(folder, name), file) for name in os.listdir(folder))
    except PermissionError:
        return None
    except OSError:
        return False


def is_same(path: str, file: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(file))
    except OSError:
        return False  # closed meanwhile


def not_ours(pid: int) -> str:
    try:
        user = os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return f"pid {pid} held the lease and has just left; run the same command again"
    return f"pid {pid} of {user_name(user)} holds the lease: ask them, or have root run `kill {pid}` on this host"


def end(pid: int, file: int) -> None:
    """Ends the holder. SIGTERM lets it inform its owner; a holder that does not react is killed. Another operator
    may take the lease at once."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError:
            raise SystemExit(not_ours(pid)) from None
        until = time.monotonic() + 3
        while time.monotonic() < until:
            if locked(file) or holder(file) not in (0, pid):
                return
            time.sleep(0.02)
    raise SystemExit(f"pid {pid} holds the lease and cannot be ended")


def remove(folder: "OpenFolder", file: int) -> None:
    """Removes only the very file that this program has locked: the path may be a new lease by now.

    A file that stays, as on a read-only disk, has no holder after this program.
    """
    if locked(file) and is_lease(file, folder):
        folder.discard("lease")


def tell(folder: "OpenFolder", by: dict[str, Any]) -> None:
    """Informs the owner who broke the lease; on a full disk only that it ended."""
    try:
        write_private(folder, "lease.broken", json.dumps(by))
    except OSError:
        pass


def unlock(folder: "OpenFolder", by: dict[str, Any]) -> Any:
    try:
        file = open_lease(folder, os.O_RDWR)
    except FileNotFoundError:
        return None
    pid = 0 if locked(file) else holder(file)
    if not pid:
        remove(folder, file)
        if not locked(file):
            raise SystemExit("whoever holds the lease cannot be seen from here, as in another container")
        return None
    held = read(file) or {"owner": f"pid {pid}", "machine": "this host", "since": "", "reason": "unknown"}
    tell(folder, by)
    try:
        end(pid, file)
    finally:
        folder.discard("lease.broken")
    remove(folder, file)
    return held


def read(file: int) -> Any:
    try:
        return json.loads(os.pread(file, 65536, 0))
    except (ValueError, OSError):
        return None


def main() -> None:
    data = payload()
    folder = cluster_folder(data["folder"])
    if isinstance(folder, NotOurs):
        raise SystemExit(folder.words())
    print(json.dumps({"held": unlock(folder, data["by"]) if isinstance(folder, OpenFolder) else None}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'unlock'}: {problem.strerror}")
