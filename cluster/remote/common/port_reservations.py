"""The owner of a port on this host before a process listens on it.

Each is a lock on a file in this user's own folder, so other users cannot take it. A lock ends with its holder in
every case.

A starting Ray binds its ports for seconds, one after the other. If a check listens on one of them at that moment,
its raylet crashes. `ray start` reports half a minute later that the raylet did not start (measured).
So a unit holds a shared lock on each of its ports, and a check holds an exclusive one.

Programs of older versions have names of abstract sockets instead of locks. These names are also taken and checked.
Any user can take such a name, so only names of this user count.
"""

import fcntl
import os
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.files import has_name, open_or_make
    from cluster.remote.common.owned_folder import TRIES, OpenFolder
    from cluster.remote.common.processes import is_ours, links

#: Seconds for a check to finish with a port.
CHECKED = 10.0
#: The folder of the locks, below the folder of this user.
PORTS = "ports"


class Claim:
    """The reservation of a port, which lasts as long as it is kept."""

    def __init__(self, ours: Any, port: int) -> None:
        self.ours = ours
        self.port = port
        self.file = -1
        self.name: Any = None

    def take(self, how: int) -> None:
        """Takes the lock. Raises BlockingIOError where another program of this user holds it, unless `how`
        waits."""
        for _ in range(TRIES if self.ours else 0):
            try:
                if self.lock(how):
                    return
            except FileNotFoundError:
                continue  # another program of this user has removed an empty folder

    def lock(self, how: int) -> bool:
        """Returns whether the lock is now held; its last holder may remove the file meanwhile."""
        ports = self.ours.make(PORTS)
        self.file = open_or_make(ports, str(self.port), os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self.file, how)
            if has_name(self.file, ports, str(self.port)):
                return True
        except OSError:
            self.release()
            raise
        self.release()
        return False

    def release(self) -> None:
        file, self.file = self.file, -1
        os.close(file)

    def give_name(self, words: str) -> None:
        self.name = name(f"{words} {self.port}")

    def close(self) -> None:
        if self.name:
            self.name.close()
        if self.file >= 0:
            self.release()


def for_unit(ports: "list[int]", ours: "OpenFolder") -> "list[Claim]":
    """Returns the reservations of these ports.

    No check then listens on any of them, except one that hangs. Other units may have reserved the same ports:
    another check compares that.
    """
    claims = [Claim(ours, port) for port in dict.fromkeys(ports)]
    for claim in claims:
        claim.give_name("unit")
    waiting = [threading.Thread(target=waited_for, args=(claim,), daemon=True) for claim in claims]
    end = time.monotonic() + CHECKED
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join(max(0.0, end - time.monotonic()))
    while any(given_by_us(f"check {port}") for port in ports) and time.monotonic() < end:
        time.sleep(0.05)
    return claims


def waited_for(claim: Claim) -> None:
    """Waits for the lock.

    A check that hangs ends some time. A unit runs without the lock on a full disk, or where this user's folder is
    not private.
    """
    try:
        claim.take(fcntl.LOCK_SH)
    except (OSError, SystemExit):
        pass


def for_check(port: int, ours: Any) -> "Claim | None":
    """Returns the reservation of this port; None where a unit or another check holds it.

    Where no folder of this user can exist, no unit of this user can start either.
    """
    claim = Claim(ours, port)
    try:
        claim.take(fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except (OSError, SystemExit):
        pass
    claim.give_name("check")
    if given_by_us(f"unit {port}") or (claim.name is None and given_by_us(f"check {port}")):
        claim.close()
        return None
    return claim


def remove_claims(ours: "OpenFolder") -> None:
    """Removes the files of locks that no program holds."""
    ports = ours.folder(PORTS)
    if isinstance(ports, OpenFolder):
        for port in ports.names():
            remove_claim(ports, port)
        ours.remove_if_empty(PORTS)


def remove_claim(ports: "OpenFolder", port: str) -> None:
    try:
        file = ports.open(port, os.O_RDWR)
    except OSError:
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ports.unlink(port)
    except OSError:
        pass
    finally:
        os.close(file)


def name(words: str) -> "socket.socket | None":
    """Takes a name within this host's network, which also holds its ports. Returns None where the name is
    taken."""
    endpoint = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        endpoint.bind(f"\0orchestrator {words}")
    except OSError:
        endpoint.close()
        return None
    return endpoint


def given_by_us(words: str) -> bool:
    """Returns whether a process of this user holds the name."""
    try:
        with open("/proc/net/unix", errors="replace") as table:
            rows = [line.split(None, 7) for line in table]
    except OSError:
        return False
    sockets = {f"socket:[{row[6]}]" for row in rows if row[7:] == [f"@orchestrator {words}\n"]}
    return bool(sockets) and any(has_socket(int(pid), sockets) for pid in os.listdir("/proc") if pid.isdigit())


def has_socket(pid: int, sockets: "set[str]") -> bool:
    return is_ours(pid) and any(target in sockets for target, _ in links(f"/proc/{pid}/fd"))
