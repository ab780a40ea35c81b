"""Lists the ports on which this host's units listen, and runs a stand-in for them: a rank would treat a test as a
peer.

Data:
- units: folders
- but: ports that are meant for all
- nonce: the answer to each connection
- limit, in seconds

Prints one line of JSON: port, where the stand-in listens on every address, and listening. Each entry of listening
is the port, address and process name of a socket of the units. It ends when its stdin does, or at the limit.
"""

import ipaddress
import json
import os
import selectors
import socket
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.owned_folder import unit_folder
    from cluster.remote.common.processes import links, payload, process_name, processes
    from cluster.remote.common.tcp import tcp_sockets
    from cluster.remote.common.unit_processes import unit_pids

#: A host of eight ranks has some dozens.
MOST_LISTENING = 512
MOST_GUESTS = 64


def listening_sockets(folders: "list[str]", but: "list[int]") -> "list[dict[str, Any]]":
    """Returns each socket on which a process of these units listens for other hosts too."""
    table = processes()
    pids = {pid for folder in folders for pid in unit_pids(unit_folder(folder), table)}
    owners = {link: pid for pid in pids for link, _ in links(f"/proc/{pid}/fd")}
    rows = []
    for each in tcp_sockets():
        pid = owners.get(f"socket:[{each.inode}]")
        address, port = local_end(each.local)
        if each.state == "LISTEN" and pid and port not in but and not address.is_loopback:
            rows.append({"port": port, "address": str(address), "name": process_name(pid)})
    return sorted(rows, key=lambda row: (row["port"], row["address"]))[:MOST_LISTENING]


def local_end(words: str) -> "tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]":
    """Returns the address and the port, from numbers in the byte order of this host."""
    digits, port = words.split(":")
    raw = bytes.fromhex(digits)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    address = ipaddress.ip_address(raw)
    return getattr(address, "ipv4_mapped", None) or address, int(port, 16)


def stand_in() -> socket.socket:
    """Listens like torch: on every address of IPv4 and IPv6, where the kernel allows it."""
    if socket.has_dualstack_ipv6():
        return socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server(("", 0))


def greet(door: socket.socket, nonce: bytes, end: float) -> None:
    """Answers each connection until the end."""
    selector = selectors.PollSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(door, selectors.EVENT_READ)
    guests: list[socket.socket] = []
    while time.monotonic() < end and len(guests) < MOST_GUESTS:
        for key, _ in selector.select(max(0.0, end - time.monotonic())):
            if key.fileobj == 0:
                if not os.read(0, 1 << 16):
                    return
                continue
            try:
                guests.append(door.accept()[0])
                guests[-1].sendall(nonce)
            except OSError:
                continue


def main() -> None:
    data = payload()
    end = time.monotonic() + data["limit"]
    with stand_in() as door:
        rows = listening_sockets(data["units"], data["but"])
        print(json.dumps({"port": door.getsockname()[1], "listening": rows}), flush=True)
        greet(door, data["nonce"].encode(), end)


main()
