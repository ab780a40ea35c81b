"""Breaks the lease of a cluster: ends the program that holds it, which tells its holder who broke it, and the
reason.

Data: folder, by (owner, machine, since, reason of the breaker). Prints held: the lease that was broken, or null
when it was free.
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
    """Returns the process that holds the lock; 0 where this host shows none.

    Files of other disks have the same inode numbers, so it must have this very file open. A process that we have
    no permission to read is named, not ended.
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
    """Returns the processes with a lock on a file of this number, on any disk."""
    with open("/proc/locks") as table:
        rows = [line.split() for line in table]
    return [int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == str(inode)]


def has_open(pid: int, file: int) -> "bool | None":
    """Returns whether it has the file open; None without permission to read this."""
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
        return f"pid {pid} held the lease and has just exited; run the same command again"
    return f"pid {pid} of {user_name(user)} holds the lease: ask them, or run `kill {pid}` as root on this host"


def end(pid: int, file: int) -> None:
    """Ends the holder. SIGTERM lets it inform its operator; one that ignores it is killed. Another operator may
    take the lease at once."""
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
    raise SystemExit(f"pid {pid} holds the lease and does not exit")


def remove(folder: "OpenFolder", file: int) -> None:
    """Removes only the very file that we have locked: its path may already hold a new lease.

    A file that stays, as on a read-only disk, has no holder once this program exits.
    """
    if locked(file) and is_lease(file, folder):
        folder.discard("lease")


def tell(folder: "OpenFolder", by: dict[str, Any]) -> None:
    """Writes who broke the lease, for its holder. On a full disk the holder learns only that it is broken."""
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
            raise SystemExit(
                "the process that holds the lease is not visible here; it may run in another container"
            )
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
