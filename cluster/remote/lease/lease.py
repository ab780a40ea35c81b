"""Holds the cluster for one operator: a lock that lives as long as its holder's heartbeat.

Data:
- folder
- lease: owner, machine, since, reason
- silence: the seconds without a heartbeat after which the lease is released

Prints one line of JSON: `taken` with `unwritten`, or `held`. `taken` is the lease of a holder without a heartbeat
(or null). `unwritten` is the reason why others cannot read the new holder (or ""). `held` is the lease of the
present holder.

It then answers each line of stdin with the same words as `heard`. It holds the lease until stdin brings "bye",
ends or falls silent, or until SIGTERM. After SIGTERM the file lease.broken beside it names the breaker, and the
program prints it.
"""

import fcntl
import json
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.files import is_lease, open_lease
    from cluster.remote.common.owned_folder import OpenFolder, made, split
    from cluster.remote.common.processes import payload

FIELDS = {"owner", "machine", "since", "reason"}


def read(lock: int) -> Any:
    """Returns the holder as written; None where the file is empty or incomplete."""
    try:
        lease = json.loads(os.pread(lock, 65536, 0))
    except (ValueError, OSError):
        return None
    return lease if isinstance(lease, dict) and set(lease) >= FIELDS else None


def write(lock: int, text: bytes) -> str:
    """Writes the holder. Returns why others cannot read it; the lock holds in any case."""
    try:
        if fcntl.fcntl(lock, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            return "the state directory is read-only"
        os.ftruncate(lock, 0)
        os.pwrite(lock, text, 0)
    except OSError as problem:
        return str(problem.strerror)
    return ""


def take(path: str) -> "tuple[OpenFolder, int, bool]":
    """Returns the folder of this path, the file of the lease in it, and whether we hold the lock on it.

    A holder that exits removes both. A lock on a removed file has no meaning, so the file is opened again.
    """
    while True:
        try:
            folder = made(*split(path, 2))
            lock = open_lease(folder, os.O_RDWR | os.O_CREAT)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return folder, lock, False
        if is_lease(lock, folder):
            return folder, lock, True
        os.close(lock)


def holder(lock: int) -> Any:
    """Returns the holder of the lock; for an instant it may not be written yet."""
    end = time.monotonic() + 2
    while read(lock) is None and time.monotonic() < end:
        time.sleep(0.02)
    return read(lock)


def hold(silence: float) -> None:
    """Returns when the holder releases the lease.

    A holder that falls silent, or closes stdin without a release, ends the program at once. The lock is then free,
    and the file names the holder.
    """
    heard = [time.monotonic()]
    parted = threading.Event()

    def listen() -> None:
        try:
            for line in sys.stdin.buffer:
                heard[0] = time.monotonic()
                if line == b"bye\n":
                    parted.set()
                    return
                answer(line)
        finally:
            if not parted.is_set():
                os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    while not parted.wait(0.1):
        if time.monotonic() - heard[0] > silence:
            os._exit(1)


def answer(line: bytes) -> None:
    """Answers in one write: the main thread may print at the same time."""
    message = json.dumps({"heard": line.decode(errors="replace").strip()})
    os.write(1, f"{message}\n".encode())


def tell_who_broke_it(folder: "list[OpenFolder]") -> None:
    try:
        for opened in folder:
            print(json.dumps({"broken": json.loads(opened.read("lease.broken"))}), flush=True)
    finally:
        os._exit(1)


def main() -> None:
    data = payload()
    folders: list[OpenFolder] = []
    signal.signal(signal.SIGTERM, lambda *_: tell_who_broke_it(folders))
    folder, lock, ours = take(data["folder"])
    folders.append(folder)
    if not ours:
        print(json.dumps({"held": holder(lock)}), flush=True)
        return
    left = read(lock)
    unwritten = write(lock, json.dumps({**data["lease"], "pid": os.getpid()}).encode())
    print(json.dumps({"taken": left, "unwritten": unwritten}), flush=True)
    hold(data["silence"])
    folder.discard("lease")
    folder.leave()


try:
    main()
except OSError as problem:
    sys.exit(f"{problem.filename or 'lease'}: {problem.strerror}")
