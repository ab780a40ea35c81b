"""GPUs: their number and memory as declared, and no use by other processes."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.engine import gpu
from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import blocking, of_each, unchecked
from cluster.values import Facts, Finding, GpuProcess


def number(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if facts.gpu_problem:
        yield blocking(
            facts.gpu_problem,
            wanted=f"{spec.gpus} GPUs",
            why="the state of the GPUs is unknown without nvidia-smi",
            cure="reboot this host: its driver was updated, but the old kernel module still runs"
            if "version mismatch" in facts.gpu_problem
            else "install or repair the driver until `nvidia-smi` works",
        )
    elif len(gpu.selected(spec, facts)) < spec.gpus or (spec.gpu_ids is None and len(facts.gpus) != spec.gpus):
        yield blocking(
            _counted(spec, facts),
            wanted=_wanted(spec),
            why="vLLM would wait half an hour for the missing GPUs",
            cure="find the missing GPU with `dmesg | grep -i xid`, or correct `gpus:` and `gpu_ids:`",
        )


def _counted(spec: HostSpec, facts: Facts) -> str:
    indices = ", ".join(str(card.index) for card in facts.gpus) or "none"
    return f"{len(facts.gpus)} GPUs (index {indices})"


def _wanted(spec: HostSpec) -> str:
    if spec.gpu_ids is None:
        return f"{spec.gpus} GPUs"
    return "GPUs " + ", ".join(map(str, spec.gpu_ids))


def memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    known = [(card.index, card.memory_mib) for card in gpu.selected(spec, facts) if card.memory_mib is not None]
    small = [(index, mib) for index, mib in known if mib < spec.min_gpu_memory_mib]
    if small:
        yield blocking(
            f"GPU {', '.join(str(index) for index, _ in small)}: {min(mib for _, mib in small)} MiB",
            wanted=f"{spec.min_gpu_memory_mib} MiB each",
            why="every GPU gets an equal share of the model",
            cure="correct `min_gpu_memory_mib:`, or use other GPUs",
        )


def reported(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Yields a finding for GPUs without a reported memory: they have not passed."""
    silent = [card.index for card in gpu.selected(spec, facts) if None in (card.memory_mib, card.used_mib)]
    if silent:
        yield unchecked(
            f"GPU {', '.join(map(str, silent))}: nvidia-smi reports neither the size of the memory nor its use",
            why="the size and the use of these GPUs are unknown",
            cure="check on the host that no other process uses them",
        )


def idle(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for card in gpu.selected(spec, facts):
        others = gpu.foreign(card)
        if others:
            names = ", ".join(f"pid {process.pid} {process.name} ({_known(process)})" for process in others)
            yield _busy(f"GPU {card.index}: {names}", "end these processes, or choose other GPUs with `gpu_ids:`")
        elif gpu.unexplained_mib(card) and not any(process.ours for process in card.processes):
            unexplained = f"GPU {card.index}: {card.used_mib} MiB are in use, but nvidia-smi shows no process"
            yield _busy(
                unexplained, "look for processes in other containers, and for a rank that hangs in the driver"
            )


def _known(process: GpuProcess) -> str:
    """Returns the size and the owner of a process.

    A process without a user runs in another container or outside this one, or it is about to exit.
    """
    size = "unknown size" if process.used_mib is None else f"{process.used_mib} MiB"
    return f"{size}, {f'of {process.user}{_since(process.age)}' if process.user else 'not visible in /proc'}"


def _since(seconds: float | None) -> str:
    if seconds is None:
        return ""
    sizes = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    name, size = next((unit for unit in sizes if seconds >= 2 * unit[1]), sizes[-1])
    return f" for {seconds // size:.0f} {name}"


def _busy(found: str, cure: str) -> Finding:
    why = "vLLM needs the whole memory of the GPU, and fails while it loads"
    return blocking(found, wanted="no process of others", why=why, cure=cure, source="vllm#20860, ray#64035")


CHECKS = (
    of_each("gpu-number", number),
    of_each("gpu-memory", memory),
    of_each("gpu-memory", reported),
    of_each("gpu-idle", idle),
)
