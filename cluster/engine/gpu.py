"""The GPUs of a host by its facts: those that this cluster uses, and those that are free."""

from __future__ import annotations

from cluster.inventory import HostSpec
from cluster.values import Facts, Gpu, GpuProcess

#: A driver with its context holds some hundred MiB on an idle GPU (H100, H200: up to about 600).
IDLE_MIB = 1024


def selected(spec: HostSpec, facts: Facts) -> tuple[Gpu, ...]:
    """Returns the GPUs that the inventory assigns on this host: those of `gpu_ids`, otherwise all."""
    if spec.gpu_ids is None:
        return facts.gpus
    return tuple(gpu for gpu in facts.gpus if gpu.index in spec.gpu_ids)


def foreign(gpu: Gpu) -> tuple[GpuProcess, ...]:
    """Returns the processes on this GPU that belong to none of our units."""
    return tuple(process for process in gpu.processes if not process.ours)


def unexplained_mib(gpu: Gpu) -> int:
    """Returns the memory in use that no listed process holds, above that of an idle driver. It is 0 where it is
    unknown."""
    listed = sum(process.used_mib or 0 for process in gpu.processes)
    return max(0, (gpu.used_mib or 0) - listed - IDLE_MIB)
