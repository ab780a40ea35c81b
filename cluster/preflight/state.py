"""The state directory: ours, writable, with room for logs, on a disk of the host itself."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import of_each
from cluster.values import Facts, Finding, Severity

_FREE_MIB = 1024
_DISK = "vllm#3568, ray#44966"
_EXEC = "mmap(2): EPERM"
#: Ray's own threshold, local_fs_capacity_threshold.
_FULL = 0.95
_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "9p", "afs", "glusterfs",
    "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.juicefs", "wekafs",
)  # fmt: skip


def directory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """The worst thing about it, and no more."""
    free, machine, other = facts.free_mib, facts.machine, "choose another `runtime: state_directory:`"
    place = f"{inventory.runtime.state_directory} on a disk of the host itself"
    if facts.state_problem:
        wanted = f"{inventory.runtime.state_directory}/o-{facts.uid} for {facts.user} alone"
        yield _finding(
            spec, "blocking", facts.state_problem, wanted, "records, logs and Ray's sockets lie there", other
        )
    elif free < _FREE_MIB:
        why = "Ray refuses to work on a full disk, and logs would be lost"
        cure = f"free space for {inventory.runtime.state_directory}, or {other}"
        yield _finding(spec, "blocking", f"{free} MiB free", f"{_FREE_MIB} MiB free", why, cure, _DISK)
    elif machine.state_noexec:
        why = "compiled kernels lie there: `failed to map segment from shared object`"
        yield _finding(
            spec, "blocking", "mounted noexec", "a filesystem that lets programs run", why, other, _EXEC
        )
    elif machine.state_system in _NETWORK:
        why = "Ray's sockets, our locks and the compile caches do not go well with a network's filesystem"
        yield _finding(spec, "warning", f"on {machine.state_system}", place, why, other)
    elif machine.state_used > _FULL:
        why = "Ray complains of it without end, and does not spill objects"
        found = f"a disk that is {machine.state_used:.0%} full"
        yield _finding(spec, "warning", found, f"{_FULL:.0%} at most", why, other, _DISK)


def _finding(spec: HostSpec, severity: Severity, *words: str) -> Finding:
    """`words`: found, wanted, why, cure and source, as a finding has them."""
    return Finding("state-directory", spec.name, severity, *words)


CHECKS = (of_each("state-directory", directory),)
