"""The addresses of this host, and the listeners on its ports, from the kernel's own tables."""

import array
import fcntl
import ipaddress
import os
import pwd
import socket
import struct
import time
from typing import TYPE_CHECKING, Any, Iterator

if TYPE_CHECKING:
    from cluster.remote.common.processes import links, process
    from cluster.remote.common.tcp import tcp_sockets

SIOCGIFCONF = 0x8912
#: Seconds in which a process that exits, with a GPU or much memory, closes its files.
ENDING = 1.0


def addresses() -> dict[str, list[str]]:
    """Returns the lists of addresses by interface, IPv4 and IPv6."""
    by_interface: dict[str, list[str]] = {}
    for name, address in [*ipv4(), *ipv6()]:
        by_interface.setdefault(name, []).append(address)
    return by_interface


def ipv4() -> Iterator[tuple[str, str]]:
    room = array.array("B", bytes(40 * 256))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("iL", len(room), room.buffer_info()[0])
        used = struct.unpack("iL", fcntl.ioctl(probe.fileno(), SIOCGIFCONF, request))[0]
    raw = room.tobytes()
    for start in range(0, used, 40):
        name = raw[start : start + 16].split(b"\0", 1)[0].decode()
        yield name.partition(":")[0], socket.inet_ntoa(raw[start + 20 : start + 24])


def ipv6() -> Iterator[tuple[str, str]]:
    try:
        with open("/proc/net/if_inet6") as file:
            lines = file.read().splitlines()
    except OSError:
        return
    for line in lines:
        words = line.split()
        yield words[5], str(ipaddress.IPv6Address(bytes.fromhex(words[0])))


def listeners(ports: list[int]) -> list[dict[str, Any]]:
    """Returns the listeners on these ports; pid 0 where the process belongs to another user."""
    wanted = {inode: (port, uid) for inode, port, uid in _listening() if port in ports}
    owners = _owners(set(wanted)) if wanted else {}
    there = set(owners) | _staying(set(wanted) - set(owners))
    return [
        {"port": port, "pid": owners.get(inode, 0), "user": _user(uid), "age": _age(owners.get(inode, 0))}
        for inode, (port, uid) in sorted(wanted.items())
        if inode in there
    ]


def _staying(inodes: set[str]) -> set[str]:
    """Returns sockets without a visible process that stay longer than a process takes to exit.

    A process releases its files before they are closed.
    """
    end = time.monotonic() + ENDING
    while inodes and time.monotonic() < end:
        time.sleep(0.05)
        inodes = inodes & {inode for inode, _, _ in _listening()}
    return inodes


def _listening() -> Iterator[tuple[str, int, int]]:
    """Yields the inode, the port, and the user of each listener."""
    for each in tcp_sockets():
        if each.state == "LISTEN":
            yield each.inode, int(each.local.rpartition(":")[2], 16), each.user


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _age(pid: int) -> "float | None":
    """Returns the age in seconds."""
    entry = process(pid)
    try:
        with open("/proc/uptime") as file:
            up = float(file.read().split()[0])
    except OSError:
        return None
    return max(0.0, up - entry.ticks / os.sysconf("SC_CLK_TCK")) if entry else None


def _owners(inodes: set[str]) -> dict[str, int]:
    names = {f"socket:[{inode}]": inode for inode in inodes}
    pids: dict[str, int] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        for link, _ in links(f"/proc/{pid}/fd"):
            if link in names:
                pids.setdefault(names[link], int(pid))
    return pids
