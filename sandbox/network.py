"""Two networks: management (SSH, reachable from this machine) and cluster (Ray and NCCL, hosts alone).

The bridges live in the supervisor's own network namespace. This machine sees one end of one cable into it.
"""

import ipaddress
import json
import os
import shutil
import subprocess
from collections.abc import Iterable

from .errors import SandboxError
from .layout import HostLayout, Layout, Order

_SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"
_EXISTS = "File exists"


def tool(name: str) -> str:
    """The absolute path of a program that a plain shell's PATH may miss."""
    found = shutil.which(name, path=f"{_SBIN}:{os.environ.get('PATH', '')}")
    if found is None:
        raise SandboxError(f"{name} is missing: the sandbox needs openssh-server, iproute2 and util-linux")
    return found


def ip(lines: Iterable[str]) -> None:
    batch = "\n".join(lines)
    _accepted(_run([tool("ip"), "-batch", "-"], batch))


def link_exists(name: str) -> bool:
    return _run([tool("ip"), "link", "show", name]).returncode == 0


def plug_into_machine(order: Order, outside: int) -> Layout:
    """Lay the cable whose far end is in the namespace of process `outside`. Its name claims the addresses."""
    occupied = _occupied(outside)
    for number in range(256):
        layout = Layout(order, number)
        if _overlaps(layout, occupied) or not _cable(layout, outside):
            continue
        _in_namespace_of(outside, ["addr", "add", f"{layout.gateway}/24", "dev", layout.link])
        _in_namespace_of(outside, ["link", "set", layout.link, "up"])
        return layout
    raise SandboxError("no free network between 10.66.0.0/24 and 10.66.255.0/24 on this machine")


def _cable(layout: Layout, outside: int) -> bool:
    """Whether the cable could be laid under its name: two sandboxes cannot both win."""
    words = f"link add machine type veth peer name {layout.link} netns {outside}".split()
    done = _run([tool("ip"), *words])
    if done.returncode != 0 and _EXISTS in done.stderr:
        return False
    _accepted(done)
    return True


def _occupied(outside: int) -> list[ipaddress.IPv4Network]:
    routes = json.loads(_in_namespace_of(outside, ["-json", "-4", "route", "show", "table", "all"]))
    networks = [ipaddress.ip_network(r["dst"], strict=False) for r in routes if r["dst"] != "default"]
    return [network for network in networks if isinstance(network, ipaddress.IPv4Network)]


def _overlaps(layout: Layout, occupied: list[ipaddress.IPv4Network]) -> bool:
    # A broad route (a VPN's 10.0.0.0/8) loses against ours, which is narrower.
    ours = [ipaddress.IPv4Network(f"10.{net}.{layout.number}.0/24") for net in (66, 67)]
    return any(network.prefixlen > 16 and network.overlaps(own) for network in occupied for own in ours)


def _in_namespace_of(process: int, words: list[str]) -> str:
    return _accepted(_run([tool("nsenter"), f"--net=/proc/{process}/ns/net", tool("ip"), *words]))


def _run(argv: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, input=stdin, text=True, capture_output=True, check=False)


def _accepted(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode != 0:
        raise SandboxError(f"ip refused: {done.stderr.strip()}")
    return done.stdout


def build_bridges() -> None:
    ip(["link add management type bridge", "link set management up",
        "link add cluster type bridge", "link set cluster up",
        "link set machine master management", "link set machine up"])  # fmt: skip


def plug_in(hosts: Iterable[tuple[HostLayout, int]]) -> None:
    ip(line for host, pid in hosts for line in _cables(host, pid))


def _cables(host: HostLayout, pid: int) -> list[str]:
    return [
        f"link add {host.name}-m type veth peer name eth0 netns {pid}",
        f"link set {host.name}-m master management up",
        f"link add {host.name}-c type veth peer name fab0 netns {pid}",
        f"link set {host.name}-c master cluster up",
    ]


def configure(host: HostLayout) -> None:
    """Called on the host itself."""
    ip([
        "link set lo up",
        f"addr add {host.address}/24 dev eth0", "link set eth0 up",
        f"addr add {host.cluster_address}/24 dev fab0", "link set fab0 up",
    ])  # fmt: skip
