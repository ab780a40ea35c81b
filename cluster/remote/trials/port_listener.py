"""Listens on ports of this host, so that its peers can try to connect.

Data:
- address
- ports: 0 is a port of the kernel's choice
- limit, in seconds
- length, in bytes
- state: the root of the state directory

Prints one line of JSON: listening, those ports that were free and that no Ray of this user is about to bind.
A client that sends `length` bytes gets one byte back. The program ends when its stdin does, or at the limit: no
listener stays behind.
"""

import json
import os
import selectors
import socket
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import NotOurs, OpenFolder, own_name, shared_folder, user_folder
    from cluster.remote.common.port_reservations import for_check, remove_claims
    from cluster.remote.common.processes import payload

BLOCK = 1 << 16


def doors(address: str, ports: list[int]) -> list[socket.socket]:
    """Returns the sockets that could be opened; a port that another process holds is not tried."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sockets = []
    for port in ports:
        try:
            sockets.append(socket.create_server((address, port), family=family, backlog=1024))
        except OSError:
            continue
    return sockets


def welcome(selector: selectors.BaseSelector, door: socket.socket, length: int) -> None:
    try:
        guest = door.accept()[0]
    except OSError:
        return
    guest.setblocking(False)
    selector.register(guest, selectors.EVENT_READ, length)


def hear(selector: selectors.BaseSelector, guest: socket.socket, missing: int) -> None:
    """Reads from a client; `missing` is the number of bytes that it must still send."""
    try:
        received = guest.recv(BLOCK)
        if received and len(received) >= missing > 0:
            guest.send(b".")
    except OSError:
        received = b""
    if received:
        selector.modify(guest, selectors.EVENT_READ, missing - len(received))
    else:
        selector.unregister(guest)
        guest.close()


def serve(open_doors: list[socket.socket], length: int, end: float) -> None:
    selector = selectors.PollSelector()
    selector.register(0, selectors.EVENT_READ)
    for door in open_doors:
        door.setblocking(False)
        selector.register(door, selectors.EVENT_READ)
    while time.monotonic() < end:
        for key, _ in selector.select(end - time.monotonic()):
            ready: Any = key.fileobj
            if ready == 0:
                if not os.read(0, BLOCK):
                    return
            elif key.data is None:
                welcome(selector, ready, length)
            else:
                hear(selector, ready, key.data)


def claiming(root: str) -> "OpenFolder | None":
    """Returns this user's folder, made only for this time.

    It is None where the folder cannot exist, and so no unit of this user either. A folder that other users may
    write in is left alone: `facts` reports it.
    """
    if not root or isinstance(user_folder(root), NotOurs):
        return None
    shared = shared_folder(root)
    try:
        return shared.make(own_name()) if isinstance(shared, OpenFolder) else None
    except (OSError, SystemExit):
        return None


def leave(ours: "OpenFolder | None", claims: "list[Any]") -> None:
    for claim in claims:
        claim.close()
    if ours:
        remove_claims(ours)
        ours.leave()


def main() -> None:
    data = payload()
    end = time.monotonic() + data["limit"]
    ours = claiming(data.get("state", ""))
    claims = {port: for_check(port, ours) for port in data["ports"] if port}
    listening = doors(data["address"], [port for port in data["ports"] if not port or claims[port]])
    try:
        # The operator may have left by now, and stdout then has no reader.
        print(json.dumps({"listening": [door.getsockname()[1] for door in listening]}), flush=True)
        serve(listening, data["length"], end)
    finally:
        leave(ours, [claim for claim in claims.values() if claim])


main()
