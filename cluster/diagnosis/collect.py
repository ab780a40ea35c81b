"""What the hosts can say about a start that went wrong, brought in one round trip and in bounded time."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cluster.command import Command, json_lines, program, remote_source
from cluster.errors import HostError
from cluster.inventory import SECRET_NAMES, Inventory
from cluster.launch.unit import folder_name
from cluster.transport.host import Host

#: What the kernel says of processes that it killed for want of memory, of GPUs, and of InfiniBand.
KERNEL = r"(?i)out of memory|oom-kill|killed process|NVRM|Xid|nvidia|mlx5|segfault|general protection|I/O error"

#: Seconds, without end for our purposes.
_EVER = 10 * 365 * 86400.0


@dataclass(frozen=True)
class Files:
    """Files below the cluster's folder on a host: `head` and `tail` are bytes of each; those that nobody has
    written to `within` so many seconds are left out."""

    pattern: str
    head: int = 64 << 10
    tail: int = 256 << 10
    within: float = _EVER


@dataclass(frozen=True)
class CollectRequest:
    """What to bring. `ray_state`: of the head, what its Ray knows; `seconds` and `most` (bytes) bound it all."""

    files: Sequence[Files]
    processes: bool = False
    versions: bool = False
    kernel: str = KERNEL
    kernel_within: float = _EVER
    commands: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ray_state: dict[str, Any] | None = None
    seconds: float = 5.0
    most: int = 8 << 20


@dataclass(frozen=True)
class Collected:
    """Texts by name; `left_out` are names, `problem` says why there may be less than was wanted."""

    host: str
    texts: dict[str, str]
    left_out: tuple[str, ...] = ()
    problem: HostError | None = None


def collect(host: Host, inventory: Inventory, wanted: CollectRequest) -> Collected:
    """Never raises a HostError: what came until it went wrong is kept."""
    heard: list[str] = []
    problem: HostError | None = None
    try:
        host.run(_command(inventory, host.name, wanted), heard.append)
    except HostError as error:
        problem = error
    return collected(host.name, "\n".join(heard), problem)


def collected(host: str, said: str, problem: HostError | None = None) -> Collected:
    """Out of what the program said."""
    texts, left_out = dict(_texts(said)), list[str]()
    for one in json_lines(said):
        left_out += one.get("left_out", [])
    return Collected(host, texts, tuple(left_out), problem)


def _texts(said: str) -> Iterator[tuple[str, str]]:
    """A line that was cut off, or is somebody's greeting, is passed over."""
    for one in json_lines(said):
        if {"name", "packed"} <= set(one):
            try:
                yield str(one["name"]), zlib.decompress(base64.b64decode(one["packed"])).decode(errors="replace")
            except (ValueError, zlib.error):
                continue


def _command(inventory: Inventory, host: str, wanted: CollectRequest) -> Command:
    payload = {
        "state": inventory.runtime.state_directory,
        "folder": folder_name(inventory.cluster, host),
        "files": [asdict(one) for one in wanted.files],
        "commands": wanted.commands,
        "processes": wanted.processes,
        "versions": wanted.versions,
        "kernel": wanted.kernel,
        "kernel_within": wanted.kernel_within,
        "ray_state": {"program": remote_source("diagnosis.ray_state"), "data": wanted.ray_state}
        if wanted.ray_state
        else None,
        "secret_names": SECRET_NAMES,
        "seconds": wanted.seconds,
        "most": wanted.most,
    }
    # Beyond its own time it has something to pack still, and a hung disk is no reason to wait.
    timeout = wanted.seconds + 3
    title = "collect what it says"
    return program("diagnosis.collect", payload, title=title, venv=inventory.runtime.venv, timeout=timeout)
