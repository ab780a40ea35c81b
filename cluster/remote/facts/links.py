"""Names, routes, links and proxies between the hosts."""

import fcntl
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cluster.remote.facts.network import addresses
    from cluster.remote.facts.rdma import peer_memory, rdma_ports

SIOCGIFMTU = 0x8921
#: Seconds that a name server may take.
RESOLVED_WITHIN = 2.0
#: UDP sends no packet when it connects: any port is right.
DISCARD = 9

PROXIES = ("grpc_proxy", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
WATCHED = (
    "no_grpc_proxy", "no_proxy", "NO_PROXY", "RAY_grpc_enable_http_proxy",
    "NCCL_IB_HCA", "NCCL_IB_GID_INDEX", "NCCL_IB_DISABLE",
)  # fmt: skip


def links_between(data: dict[str, Any]) -> dict[str, Any]:
    return {
        "resolved": resolved(socket.gethostname()),
        "sources": {peer: source(address) for peer, address in data["peers"].items()},
        "mtu": mtu(data["cluster_address"]),
        "environment": environment(dict(os.environ)),
        "rdma": rdma_ports("/sys"),
        "peer_memory": peer_memory("/proc"),
    }


def resolved(name: str) -> "list[str] | None":
    """Returns the addresses of this name, in order; None without an answer in time."""
    answers: list[list[str]] = []
    thread = threading.Thread(target=lambda: answers.append(look_up(name)), daemon=True)
    thread.start()
    thread.join(RESOLVED_WITHIN)
    return answers[0] if answers else None


def look_up(name: str) -> list[str]:
    try:
        answers = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


def source(address: str) -> str:
    """Returns our address on the route to `address`, as the kernel routes; empty without a route."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, DISCARD))
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return ""


def mtu(address: str) -> "int | None":
    """Returns the MTU of the interface that holds `address`."""
    name = next((name for name, held in addresses().items() if address in held), "")
    if not name:
        return None
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            answer = fcntl.ioctl(probe.fileno(), SIOCGIFMTU, struct.pack("16sI12x", name.encode(), 0))
        return int(struct.unpack("16sI12x", answer)[1])
    except OSError:
        return None


def environment(variables: dict[str, str]) -> dict[str, str]:
    """Returns the network variables. A proxy's URL may hold a password: that it is set is enough."""
    watched = {name: "set" for name in PROXIES if variables.get(name)}
    watched.update((name, variables[name]) for name in WATCHED if variables.get(name))
    return watched
