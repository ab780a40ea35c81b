"""The state directory: ours, writable, with room for logs, on a disk of the host itself."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_each, warning
from cluster.values import Facts, Finding
from cluster.values.machine import Machine

_FREE_MIB = 1024
_DISK = "vllm#3568, ray#44966"
#: Ray's own threshold, local_fs_capacity_threshold.
_FULL = 0.95
_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "9p", "afs", "glusterfs",
    "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.juicefs", "wekafs",
)  # fmt: skip


def directory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """The worst thing about it, and no more."""
    state, other = inventory.runtime.state_directory, "choose another `runtime: state_directory:`"
    if facts.state_problem:
        yield blocking(
            facts.state_problem,
            wanted=f"{state}/o-{facts.uid} for {facts.user} alone",
            why="records, logs and Ray's sockets lie there",
            cure=other,
        )
    elif facts.free_mib < _FREE_MIB:
        yield blocking(
            f"{facts.free_mib} MiB free",
            wanted=f"{_FREE_MIB} MiB free",
            why="Ray refuses to work on a full disk, and logs would be lost",
            cure=f"free space for {state}, or {other}",
            source=_DISK,
        )
    else:
        yield from _filesystem(facts.machine, state, other)


def _filesystem(machine: Machine, state: str, other: str) -> Iterator[Finding]:
    if machine.state_noexec:
        yield blocking(
            "mounted noexec",
            wanted="a filesystem that lets programs run",
            why="compiled kernels lie there: `failed to map segment from shared object`",
            cure=other,
            source="mmap(2): EPERM",
        )
    elif machine.state_system in _NETWORK:
        yield warning(
            f"on {machine.state_system}",
            wanted=f"{state} on a disk of the host itself",
            why="Ray's sockets, our locks and the compile caches do not go well with a network's filesystem",
            cure=other,
        )
    elif machine.state_used > _FULL:
        yield warning(
            f"a disk that is {machine.state_used:.0%} full",
            wanted=f"{_FULL:.0%} at most",
            why="Ray complains of it without end, and does not spill objects",
            cure=other,
            source=_DISK,
        )


CHECKS = (of_each("state-directory", directory),)
