"""The model: on every host, the same files of the same sizes, or room to fetch it."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.model import architecture, known_config
from cluster.model.fit import checkpoint_bytes
from cluster.model.layout import BYTES
from cluster.preflight.check import Check, Evidence, blocking, of_all, of_each, unchecked, warning
from cluster.values import Facts, Finding, is_read

Sizes = dict[str, int]


def present(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if not facts.model.problem:
        return
    if inventory.model.download:
        yield warning(
            facts.model.problem,
            wanted="the model on this host",
            why="`download: true`: every rank of this host waits for the download, which nobody shows",
            cure=f"hf download {inventory.model.id}  (on {spec.name})",
            source="vllm#881, vllm#10886",
        )
        return
    yield blocking(
        facts.model.problem,
        wanted="the whole model on this host",
        why="each rank reads it from its own host, and would fetch it there in silence",
        cure=f"hf download {inventory.model.id}  (on {spec.name}), or `download: true`"
        if not inventory.model.id.startswith("/")
        else f"copy {inventory.model.id} to {spec.name}",
        source="vllm#881, vllm#10886",
    )


def equal(facts: dict[str, Facts]) -> Iterator[Finding]:
    """Compares with what most hosts have, among equals with the first that is complete."""
    groups: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for host, known in facts.items():
        if not known.model.problem:
            sizes = sorted((name, size) for name, size in known.model.sizes.items() if is_read(name))
            groups.setdefault(tuple(sizes), []).append(host)
    if len(groups) < 2:
        return
    best = max(groups, key=lambda files: len(groups[files]))
    for files, hosts in groups.items():
        if files != best:
            yield _differs(hosts, dict(files), groups[best], dict(best))


def _differs(hosts: list[str], sizes: Sizes, others: list[str], best: Sizes) -> Finding:
    names = sorted(name for name in {*sizes, *best} if sizes.get(name) != best.get(name))
    shown = ", ".join(_difference(name, sizes, best) for name in names[:3])
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    who = f"{_several(hosts)}: " if len(hosts) > 1 else ""
    return blocking(
        f"{who}differs from {_several(others)} in {shown}{more}",
        host=hosts[0] if len(hosts) == 1 else "",
        wanted="the same files and sizes on every host",
        why="ranks would compute with different weights, or fail while they load",
        cure=f"copy the model from {others[0]} again",
        source="dynamo#4941, vLLM docs: parallelism and scaling",
    )


def _difference(name: str, sizes: Sizes, best: Sizes) -> str:
    if name not in sizes:
        return f"{name} (missing)"
    return f"{name} ({sizes[name]} bytes, not {best[name]})" if name in best else f"{name} (only there)"


def _several(hosts: list[str]) -> str:
    more = f" and {len(hosts) - 4} more" if len(hosts) > 4 else ""
    return ", ".join(hosts[:4]) + more


def space(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Room is needed only where the model will be fetched."""
    if inventory.model.download:
        size = _whole_mib(inventory, evidence.facts)
        for host, facts in evidence.facts.items():
            if facts.model.problem:
                yield from _room(inventory, host, facts, size)


def _whole_mib(inventory: Inventory, facts: dict[str, Facts]) -> int | None:
    """Returns the size on a host that has all of it, or the size of a model that is known without its files."""
    sizes = [sum(host.model.sizes.values()) >> 20 for host in facts.values() if not host.model.problem]
    # 0 MiB is no size.
    return max(sizes, default=0) or _known_mib(inventory.model.id)


def _known_mib(model_id: str) -> int | None:
    config = known_config(model_id)
    if config is None:
        return None
    shape = architecture(config)
    return checkpoint_bytes(shape, BYTES[shape.dtype]) >> 20


def _room(inventory: Inventory, host: str, facts: Facts, size: int | None) -> Iterator[Finding]:
    hub = facts.machine.hub
    if hub is None:
        return
    if size is None or hub.free_mib is None:
        room = "an unknown room" if hub.free_mib is None else f"{hub.free_mib >> 10} GiB free"
        yield unchecked(
            f"{room} at {hub.path}, for a model of unknown size",
            host=host,
            wanted=f"room for all of {inventory.model.id}",
            why="a download that fills the disk fails after hours",
            cure=f"compare it with `hf download --dry-run {inventory.model.id}`",
        )
    elif hub.free_mib < size - hub.held_mib:
        yield blocking(
            f"{hub.free_mib >> 10} GiB free at {hub.path}",
            host=host,
            wanted=f"{(size - hub.held_mib >> 10) + 1} GiB free",
            why="a download that fills the disk fails after hours",
            cure="free space there, or set HF_HOME to a larger disk under `environment:`",
            source=f"{inventory.model.id} takes {size >> 10} GiB",
        )


CHECKS = (of_each("model", present), of_all("model-equal", equal), Check("model-space", space))
