"""Breaks the lease of a cluster: ends the program that holds it, which tells its owner who did it and why.

Data: folder, by (owner, machine, since, reason: of whoever breaks it). Says held: the lease that was broken, or
null when nobody held it.
"""

import fcntl
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.files import discard, is_lease, open_lease, write_private
    from cluster.remote.processes import payload


def locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def holder(file: int) -> int:
    """The process that has the lock, as the kernel knows it; 0 when nobody has."""
    inode = str(os.fstat(file).st_ino)
    with open("/proc/locks") as table:
        rows = [line.split() for line in table]
    return next((int(row[4]) for row in rows if row[1] == "FLOCK" and row[5].rpartition(":")[2] == inode), 0)


def end(pid: int, file: int) -> None:
    """SIGTERM lets it tell its owner; one that does not hear it is killed. Somebody else may have it at once."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        until = time.monotonic() + 3
        while time.monotonic() < until:
            if locked(file) or holder(file) not in (0, pid):
                return
            time.sleep(0.02)
    raise SystemExit(f"pid {pid} holds the lease and cannot be ended")


def remove(folder: str, file: int) -> None:
    """Only the very file that we have locked: the path may be somebody's new lease by now.

    One that stays, as on a read-only disk, is nobody's once we are gone.
    """
    if locked(file) and is_lease(file, folder):
        discard(os.path.join(folder, "lease"))


def tell(path: str, by: dict[str, Any]) -> None:
    """The owner hears who it was; on a full disk only that it is gone."""
    try:
        write_private(path, json.dumps(by))
    except OSError:
        pass


def unlock(folder: str, by: dict[str, Any]) -> Any:
    try:
        file = open_lease(folder, os.O_RDWR)
    except FileNotFoundError:
        return None
    pid = 0 if locked(file) else holder(file)
    if not pid:
        remove(folder, file)
        return None
    held = read(file) or {"owner": f"pid {pid}", "machine": "this host", "since": "", "reason": "unknown"}
    why = os.path.join(folder, "lease.broken")
    tell(why, by)
    end(pid, file)
    discard(why)
    remove(folder, file)
    return held


def read(file: int) -> Any:
    try:
        return json.loads(os.pread(file, 65536, 0))
    except (ValueError, OSError):
        return None


def main() -> None:
    data = payload()
    print(json.dumps({"held": unlock(data["folder"], data["by"])}))


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'unlock'}: {problem.strerror}")
