"""What the hosts know about a start that failed, brought in one round trip and in bounded time."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
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
    """Texts by name; `left_out` are names, `problem` says why there may be less than was request."""

    host: str
    texts: dict[str, str]
    left_out: tuple[str, ...] = ()
    problem: HostError | None = None


def collect(host: Host, inventory: Inventory, request: CollectRequest) -> Collected:
    """Never raises a HostError: what came until it went wrong is kept."""
    output: list[str] = []
    problem: HostError | None = None
    try:
        host.run(_command(inventory, host.name, request), output.append)
    except HostError as error:
        problem = error
    return collected(host.name, "\n".join(output), problem)


def collected(host: str, output: str, problem: HostError | None = None) -> Collected:
    """Reads the output of the program."""
    texts, left_out = dict(_texts(output)), list[str]()
    for row in json_lines(output):
        left_out += row.get("left_out", [])
    return Collected(host, texts, tuple(left_out), problem)


def _texts(output: str) -> Iterator[tuple[str, str]]:
    """Each text with its name; a line that was cut off, or is a greeting, is passed over."""
    for row in json_lines(output):
        if {"name", "packed"} <= set(row):
            try:
                yield str(row["name"]), zlib.decompress(base64.b64decode(row["packed"])).decode(errors="replace")
            except (ValueError, zlib.error):
                continue


def _command(inventory: Inventory, host: str, request: CollectRequest) -> Command:
    payload = {
        "state": inventory.runtime.state_directory,
        "folder": folder_name(inventory.cluster, host),
        "files": [asdict(files) for files in request.files],
        "commands": request.commands,
        "processes": request.processes,
        "versions": request.versions,
        "kernel": request.kernel,
        "kernel_within": request.kernel_within,
        "ray_state": {"program": remote_source("diagnosis.ray_state"), "data": request.ray_state}
        if request.ray_state
        else None,
        "secret_names": SECRET_NAMES,
        "seconds": request.seconds,
        "most": request.most,
    }
    # Beyond its own time it has something to pack still, and a hung disk is no reason to wait.
    timeout = request.seconds + 3
    title = "collect what it says"
    command = program("diagnosis.collect", payload, title=title, venv=inventory.runtime.venv, timeout=timeout)
    # Its output is packed: nobody can read it, nor take secrets out of it.
    return replace(command, secret=True)
