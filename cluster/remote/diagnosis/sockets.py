"""The TCP connections of our processes, out of the kernel's own tables."""

import ipaddress
import sys
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.processes import links

#: In the numbers of the kernel's tables.
STATES = {
    "01": "ESTABLISHED", "02": "SYN_SENT", "03": "SYN_RECV", "04": "FIN_WAIT1", "05": "FIN_WAIT2",
    "06": "TIME_WAIT", "07": "CLOSE", "08": "CLOSE_WAIT", "09": "LAST_ACK", "0A": "LISTEN", "0B": "CLOSING",
}  # fmt: skip
#: A host of eight ranks has a few hundred; a table of all on a busy host would be no help.
MOST_SOCKETS = 4000


def sockets(pids: "set[int]") -> "list[dict[str, Any]]":
    """Of these processes: pid, state, both ends, and how many bytes wait to be sent and to be read."""
    owners = {}
    for pid in pids:
        for target, _ in links(f"/proc/{pid}/fd"):
            if target.startswith("socket:["):
                owners[target[8:-1]] = pid
    rows = [{"pid": owners[inode], **row} for inode, row in connections() if inode in owners]
    return sorted(rows, key=lambda row: (row["state"], row["pid"]))[:MOST_SOCKETS]


def connections() -> "Iterator[tuple[str, dict[str, Any]]]":
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            sending, reading = row[4].split(":")
            yield (
                row[9],
                {
                    "state": STATES.get(row[3], row[3]),
                    "local": end_of(row[1]),
                    "remote": end_of(row[2]),
                    "to_send": int(sending, 16),
                    "to_read": int(reading, 16),
                },
            )


def end_of(words: str) -> str:
    """10.0.0.2:6379, out of numbers in the order of this machine's bytes."""
    address, port = words.split(":")
    raw = bytes.fromhex(address)
    if sys.byteorder == "little":
        raw = b"".join(raw[at : at + 4][::-1] for at in range(0, len(raw), 4))
    one = ipaddress.ip_address(raw)
    mapped = getattr(one, "ipv4_mapped", None)
    return f"[{one}]:{int(port, 16)}" if one.version == 6 and not mapped else f"{mapped or one}:{int(port, 16)}"
