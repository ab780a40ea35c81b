"""The TCP connections of the cluster's processes."""

import ipaddress
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.common.processes import links
    from cluster.remote.common.tcp import tcp_sockets

#: A host of eight ranks has a few hundred; a table of all on a busy host would not help.
MOST_SOCKETS = 4000


def sockets(pids: "set[int]") -> "list[dict[str, Any]]":
    """Returns the sockets of these processes: pid, state, both ends, and the bytes that wait in each direction."""
    owners = {}
    for pid in pids:
        for target, _ in links(f"/proc/{pid}/fd"):
            if target.startswith("socket:["):
                owners[target[8:-1]] = pid
    rows = [
        {
            "pid": owners[each.inode],
            "state": each.state,
            "local": end_of(each.local),
            "remote": end_of(each.remote),
            "to_send": each.to_send,
            "to_read": each.to_read,
        }
        for each in tcp_sockets()
        if each.inode in owners
    ]
    return sorted(rows, key=lambda row: (row["state"], row["pid"]))[:MOST_SOCKETS]


def end_of(words: str) -> str:
    """Returns 10.0.0.2:6379, from numbers in the byte order of this host."""
    address, port = words.split(":")
    raw = bytes.fromhex(address)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    ip = ipaddress.ip_address(raw)
    mapped = getattr(ip, "ipv4_mapped", None)
    return f"[{ip}]:{int(port, 16)}" if ip.version == 6 and not mapped else f"{mapped or ip}:{int(port, 16)}"
