"""GPUs: as many as declared, as large, and idle but for our own work."""

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
            why="without nvidia-smi nothing can be known of the GPUs",
            cure="reboot this host: its driver was updated under a running kernel module"
            if "version mismatch" in facts.gpu_problem
            else "install the driver, or repair it until `nvidia-smi` answers",
        )
    elif len(gpu.selected(spec, facts)) < spec.gpus or (spec.gpu_ids is None and len(facts.gpus) != spec.gpus):
        yield blocking(
            _counted(spec, facts),
            wanted=_wanted(spec),
            why="vLLM would wait half an hour for the missing ones",
            cure="look for the lost GPU in `dmesg | grep -i xid`, or correct `gpus:` and `gpu_ids:`",
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
            why="the share of the model that each GPU gets is equal",
            cure="correct `min_gpu_memory_mib:`, or use other GPUs",
        )


def reported(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """GPUs of which nvidia-smi tells no memory have not passed."""
    silent = [card.index for card in gpu.selected(spec, facts) if None in (card.memory_mib, card.used_mib)]
    if silent:
        yield unchecked(
            f"GPU {', '.join(map(str, silent))}: nvidia-smi does not say how much memory there is or is in use",
            why="neither their size nor whether they are idle could be checked",
            cure="see on the host that nothing else uses them",
        )


def idle(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    for card in gpu.selected(spec, facts):
        others = gpu.foreign(card)
        if others:
            names = ", ".join(f"pid {process.pid} {process.name} ({_known(process)})" for process in others)
            yield _busy(f"GPU {card.index}: {names}", "end these processes, or choose others: `gpu_ids:`")
        elif gpu.unexplained_mib(card) and not any(process.ours for process in card.processes):
            unexplained = f"GPU {card.index}: {card.used_mib} MiB in use, by no process that nvidia-smi shows"
            yield _busy(unexplained, "look in other containers, and for a rank that hangs in the driver")


def _known(process: GpuProcess) -> str:
    """A process without a user is another container's, or the machine's below, or just leaves."""
    size = "of unknown size" if process.used_mib is None else f"{process.used_mib} MiB"
    return f"{size}, {f'of {process.user}{_since(process.age)}' if process.user else 'in no /proc here'}"


def _since(seconds: float | None) -> str:
    if seconds is None:
        return ""
    sizes = (("days", 86400), ("hours", 3600), ("minutes", 60), ("seconds", 1))
    name, size = next((unit for unit in sizes if seconds >= 2 * unit[1]), sizes[-1])
    return f" for {seconds // size:.0f} {name}"


def _busy(found: str, cure: str) -> Finding:
    why = "vLLM takes the free memory of a GPU for granted and fails at load"
    return blocking(found, wanted="no foreign process", why=why, cure=cure, source="vllm#20860, ray#64035")


CHECKS = (
    of_each("gpu-number", number),
    of_each("gpu-memory", memory),
    of_each("gpu-memory", reported),
    of_each("gpu-idle", idle),
)
