"""Holds the cluster for one operator: a lock that lives as long as its owner is heard from.

Data: folder, lease (owner, machine, since, reason), silence (seconds without a heartbeat after which the owner
counts as gone). Says one line of JSON: taken with the lease of an owner who left without a word (or null), or
held with the lease of who has it. Then holds until stdin ends or falls silent.
"""

import fcntl
import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.files import secure_folder
    from cluster.remote.processes import payload


def read(lock: int) -> Any:
    try:
        return json.loads(os.pread(lock, 65536, 0))
    except ValueError:
        return None


def write(lock: int, text: bytes) -> None:
    os.ftruncate(lock, 0)
    os.pwrite(lock, text, 0)


def take(path: str) -> "tuple[int, bool]":
    """The file that the path names now, and whether the lock on it is ours.

    A holder that leaves removes the file: a lock on a removed file is nobody's, so it is opened again.
    """
    while True:
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return lock, False
        try:
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                return lock, True
        except FileNotFoundError:
            pass
        os.close(lock)


def holder(lock: int) -> Any:
    """Whoever has the lock; they may have it for an instant before they have written who they are."""
    end = time.monotonic() + 2
    while read(lock) is None and time.monotonic() < end:
        time.sleep(0.02)
    return read(lock)


def hold(silence: float) -> None:
    """Returns when the owner says good-bye by closing stdin; a silent owner ends the program at once."""
    heard = [time.monotonic()]

    def listen() -> None:
        while sys.stdin.buffer.readline():
            heard[0] = time.monotonic()
        heard[0] = -1.0

    threading.Thread(target=listen, daemon=True).start()
    while heard[0] >= 0.0:
        if time.monotonic() - heard[0] > silence:
            os._exit(1)
        time.sleep(0.1)


def main() -> None:
    data = payload()
    secure_folder(data["folder"])
    path = os.path.join(data["folder"], "lease")
    lock, ours = take(path)
    if not ours:
        print(json.dumps({"held": holder(lock)}), flush=True)
        return
    left = read(lock)
    write(lock, json.dumps({**data["lease"], "pid": os.getpid()}).encode())
    print(json.dumps({"taken": left}), flush=True)
    hold(data["silence"])
    os.unlink(path)


main()
