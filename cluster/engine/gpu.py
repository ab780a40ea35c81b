"""What the facts say of a host's GPUs: which are ours to use, and which are free."""

from __future__ import annotations

from cluster.inventory import HostSpec
from cluster.values import Facts, Gpu, GpuProcess

#: A driver with its context in place holds some hundred MiB on an idle GPU (H100, H200: up to about 600).
IDLE_MIB = 1024


def selected(spec: HostSpec, facts: Facts) -> tuple[Gpu, ...]:
    """The GPUs that the inventory gives us on this host: those of `gpu_ids`, otherwise all."""
    if spec.gpu_ids is None:
        return facts.gpus
    return tuple(gpu for gpu in facts.gpus if gpu.index in spec.gpu_ids)


def foreign(gpu: Gpu) -> tuple[GpuProcess, ...]:
    """Processes on this GPU that are not in the tree of a unit of ours."""
    return tuple(process for process in gpu.processes if not process.ours)


def unexplained_mib(gpu: Gpu) -> int:
    """Memory in use that no listed process accounts for, above what an idle driver holds; 0 where nobody says."""
    listed = sum(process.used_mib or 0 for process in gpu.processes)
    return max(0, (gpu.used_mib or 0) - listed - IDLE_MIB)
