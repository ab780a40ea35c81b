"""The state directory: ours, writable, with room for logs."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.catalogue import of_each
from cluster.values import Facts, Finding

_FREE_MIB = 1024


def directory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if facts.state_problem:
        yield Finding(
            "state-directory", spec.name, "blocking", facts.state_problem, f"{facts.state} for {facts.user} alone",
            why="records, logs and Ray's sockets lie there",
            cure="choose another `runtime: state_directory:`, on a disk of the host itself",
        )  # fmt: skip
    elif facts.free_mib < _FREE_MIB:
        yield Finding(
            "state-directory", spec.name, "blocking", f"{facts.free_mib} MiB free", f"{_FREE_MIB} MiB free",
            why="Ray refuses to work on a full disk, and logs would be lost",
            cure=f"free space for {facts.state}",
        )  # fmt: skip


CHECKS = (of_each("state-directory", directory),)
