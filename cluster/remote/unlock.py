"""Breaks the lease of a cluster: ends the program that holds it, which tells its owner who did it and why.

Data: folder, by (owner, machine, since, reason: of whoever breaks it). Says held: the lease that was broken, or
null when nobody held it.
"""

import fcntl
import json
import os
import signal
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.files import write_private
    from cluster.remote.processes import payload


def locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def end(holder: int, file: int) -> None:
    """SIGTERM lets it tell its owner; one that does not hear it is killed."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.kill(holder, number)
        except ProcessLookupError:
            pass
        until = time.monotonic() + 3
        while time.monotonic() < until:
            if locked(file):
                return
            time.sleep(0.02)
    raise SystemExit(f"pid {holder} holds the lease and cannot be ended")


def unlock(folder: str, by: dict[str, Any]) -> Any:
    path = os.path.join(folder, "lease")
    try:
        file = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    if locked(file):
        os.unlink(path)
        return None
    held = json.loads(os.pread(file, 65536, 0))
    write_private(f"{path}.broken", json.dumps(by))
    end(held["pid"], file)
    os.unlink(f"{path}.broken")
    os.unlink(path)
    return held


def main() -> None:
    data = payload()
    print(json.dumps({"held": unlock(data["folder"], data["by"])}))


main()
