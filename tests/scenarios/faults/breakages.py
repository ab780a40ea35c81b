"""Ways to make trouble on sandbox hosts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.scenarios.hosts import Hosts, wait_for

_CGROUPS = Path("/sys/fs/cgroup/memory")
_SIGNAL = 'number=$1; shift; for pid; do kill "-$number" "$pid" || [ ! -e "/proc/$pid" ] || exit 1; done'
_RELAY = Path(__file__).with_name("relay.py")


def network(pid: int, *words: str) -> None:
    """A command in the network namespace of this process: at once, without a Python that starts first."""
    subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", *words], check=True)


def cut(hosts: Hosts, host: str, device: str = "eth0") -> None:
    """The management network of the host, or fab0: that of the cluster."""
    network(hosts.init(host), "ip", "link", "set", device, "down")


def heal(hosts: Hosts, host: str, device: str = "eth0") -> None:
    network(hosts.init(host), "ip", "link", "set", device, "up")


def signal(hosts: Hosts, host: str, number: str, *pids: int) -> None:
    """A process that has ended meanwhile is no failure: many end with one that was signalled before them."""
    hosts.run(host, "sh", "-c", _SIGNAL, "sh", number, *map(str, pids))


def record(hosts: Hosts, host: str, unit: str) -> tuple[str, dict[str, object]]:
    """Where the record of a unit is, and what it says."""
    (path,) = hosts.run(host, "find", "/var/tmp", "-path", f"*/{unit}/record.json").split()
    return path, json.loads(hosts.run(host, "cat", path))


def keeper(hosts: Hosts, host: str, unit: str) -> int:
    return int(str(record(hosts, host, unit)[1]["keeper"]))


def leader(hosts: Hosts, host: str, unit: str) -> int:
    """The first child of the keeper: `ray start`, or `vllm serve`."""
    found = hosts.run(host, "ps", "-o", "pid=", "--ppid", str(keeper(hosts, host, unit))).split()
    return min(map(int, found))


def detached(hosts: Hosts, host: str, *argv: str) -> int:
    """A process that is none of ours; its pid."""
    before = set(hosts.processes(host))
    hosts.run(host, "sh", "-c", 'exec setsid -f "$@" >/dev/null 2>&1 </dev/null', "sh", *argv)
    wait_for("it to run", lambda: set(hosts.processes(host)) - before)
    return min(set(hosts.processes(host)) - before)


@contextmanager
def slow_link(hosts: Hosts, host: str, delay: float, loss: float) -> Iterator[None]:
    """Every packet to and from the host takes `delay` seconds each way, and one in 1/`loss` is lost.

    The kernel's netem is not everywhere, so a program carries the packets, between the host's port of the bridge
    and a cable in its place.
    """
    state = json.loads((hosts.inventory.parent / "supervisor.json").read_text())
    pid, port = int(state["pid"]), f"{host}-m"
    for words in (
        "link add relay-a type veth peer name relay-b",
        "link set relay-b master management up",
        f"link set {port} nomaster",
        "link set relay-a up",
    ):
        network(pid, "ip", *words.split())
    argv = [
        "nsenter",
        f"--net=/proc/{pid}/ns/net",
        sys.executable,
        str(_RELAY),
        port,
        "relay-a",
        str(delay),
        str(loss),
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as relay:
        assert relay.stdout
        assert relay.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            relay.kill()
            network(pid, "ip", "link", "set", port, "master", "management")
            network(pid, "ip", "link", "del", "relay-a")


def rank_pid(hosts: Hosts, host: str) -> int:
    """The rank on this host: whoever holds its GPU."""
    said = hosts.run(host, "nvidia-smi", "--query-compute-apps=pid", "--format=csv,noheader")
    return int(said.split()[0])


@contextmanager
def short_of_memory(hosts: Hosts, host: str) -> Iterator[Callable[[int], object]]:
    """Moves a process to where the kernel has no memory for it: the OOM killer ends it when it wants any."""
    group, inside = _CGROUPS / f"fault-{hosts.name}", "/run/memory"
    if not _CGROUPS.is_dir():
        pytest.skip("no memory cgroup of version 1 here")
    group.mkdir()
    (group / "memory.limit_in_bytes").write_text(str(512 << 10))
    mount = f"mkdir -p {inside} && mount -t cgroup -o memory none {inside}"
    move = f'{mount} && echo "$1" > {inside}/{group.name}/cgroup.procs; umount {inside}'
    try:
        yield lambda pid: hosts.run(host, "sh", "-c", move, "sh", str(pid))
    finally:
        wait_for("the group to be empty", lambda: not (group / "cgroup.procs").read_text())
        group.rmdir()


def mount_read_only(hosts: Hosts, host: str, path: str) -> None:
    """What is mounted below it (the sandbox's Python may be) stays as it is."""
    hosts.run(host, "mount", "--rbind", path, path)
    hosts.run(host, "mount", "-o", "remount,bind,ro", path)
