"""Memory of the machine, and who else works on it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from cluster.inventory import HostSpec, Inventory
from cluster.preflight.check import finding, of_each, unchecked, warning
from cluster.values import Facts, Finding, Presence
from cluster.values.machine import Stranger

#: In MiB, read in vLLM 0.32.0: the queue to the ranks (10 chunks of 16) and that of the group (6 of 4), both on
#: the head, and there a queue back from each rank (10 of 24). vLLM does not start where one of them does not fit.
_QUEUES, _QUEUE_OF_RANK = 160 + 24, 240
#: As our `ray start` asks for it.
_OBJECT_STORE = 256
#: What NVIDIA recommends for a container.
_NCCL = 1024
#: A rank of an almost empty model took 0.7 GiB on CPUs (measured); with CUDA it is more.
_RANK = 1024


def shared_memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """Units of ours that run have their share already: then only the size tells."""
    size, free = facts.machine.shm_mib, facts.machine.shm_free_mib
    if size is None or free is None:
        yield unchecked("/dev/shm cannot be read", wanted="a tmpfs at /dev/shm")
        return
    room, needed = size if _runs(facts) else free, _needed(inventory, spec)
    if room < needed + _NCCL:
        full = size >= needed + _NCCL
        yield finding(
            "blocking" if room < needed else "warning",
            f"/dev/shm has {size} MiB" + (f", {free} of them free" if free < size else ""),
            wanted=f"{needed + _NCCL} MiB free",
            why=f"vLLM's queues and Ray's object store take {needed} MiB of it, NCCL up to {_NCCL}: "
            "`No space left on device`, or a bus error",
            cure="see `ls -l /dev/shm`: what programs left there that have ended can be removed"
            if full
            else "mount -o remount,size=16G /dev/shm  (a container: `--shm-size=16g` or `--ipc=host`)",
            source="vllm#1710, nccl#290, NCCL troubleshooting: shared memory",
        )


def _runs(facts: Facts) -> bool:
    return Presence.ABSENT is not facts.ray.presence or Presence.ABSENT is not facts.vllm.presence


def _needed(inventory: Inventory, spec: HostSpec) -> int:
    queues = _QUEUES + _QUEUE_OF_RANK * spec.gpus if spec.role == "head" else 0
    return queues + (_OBJECT_STORE if inventory.uses_ray else 0)


def memory(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """The checkpoint is no part of it: it is mapped, and its pages make way."""
    free = facts.machine.memory_free_mib
    offloaded = _offloaded_gib(inventory)
    needed = spec.gpus * (_RANK + int(offloaded * 1024)) + _OBJECT_STORE
    if free is None:
        yield unchecked("/proc/meminfo does not say", wanted=f"{needed} MiB free")
    elif free < needed and not _runs(facts):
        yield warning(
            f"{free} MiB can be had",
            wanted=f"{needed} MiB",
            why=f"{spec.gpus} ranks"
            + (f" with {offloaded:g} GiB offloaded by each" if offloaded else "")
            + ": the kernel would kill one of them while it loads",
            cure="see what holds it: `ps -eo rss,user,args --sort -rss | head`, and the container's limit",
            source="measured: TP16 of an almost empty model took 11.5 GiB; vllm#2669",
        )


def _offloaded_gib(inventory: Inventory) -> float:
    """Returns what every rank keeps in the host's memory, by the arguments of `vllm serve`."""
    name, words = "--cpu-offload-gb", inventory.serve.arguments
    given = [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]
    given += [value for word, value in pairwise(words) if word == name]
    try:
        return float(given[-1]) if given else 0.0
    except ValueError:
        return 0.0


def leftovers(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    """A warning: another Ray works beside ours, unless it holds ports or GPUs, which other checks see."""
    groups: dict[tuple[str, str], list[Stranger]] = {}
    for stranger in facts.machine.strangers:
        groups.setdefault((stranger.cluster, stranger.user), []).append(stranger)
    for (cluster, user), strangers in groups.items():
        pids = " ".join(str(stranger.pid) for stranger in strangers[:8])
        whose = f"cluster {cluster}, which is ours too" if cluster else user
        yield warning(
            f"of {whose}: {_shown(strangers)}",
            wanted="no other Ray or vLLM",
            why="it may hold GPUs, memory and ports",
            cure=f"`down` with the inventory of cluster {cluster}, if it is not wanted any more"
            if cluster
            else f"if it is not wanted any more: ssh {spec.name} kill {pids}",
            source="vllm#15385, kuberay#139",
        )


def _shown(strangers: list[Stranger]) -> str:
    more = f" and {len(strangers) - 4} more" if len(strangers) > 4 else ""
    return ", ".join(f"{each.kind} (pid {each.pid}, {_age(each.age)})" for each in strangers[:4]) + more


def _age(seconds: float) -> str:
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {name} old"
    return f"{seconds:.0f} s old"


CHECKS = (
    of_each("shared-memory", shared_memory),
    of_each("memory", memory),
    of_each("leftovers", leftovers),
)
