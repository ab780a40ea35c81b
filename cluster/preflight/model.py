"""The model: the same files on every host, or space to fetch them, and whether it fits these GPUs."""

from __future__ import annotations

from collections.abc import Iterator

from cluster.inventory import HostSpec, Inventory
from cluster.model import Fit, architecture, known_config
from cluster.model.fit import checkpoint_bytes
from cluster.model.layout import BYTES
from cluster.plan.results import Plan
from cluster.preflight.check import (
    Check,
    Evidence,
    blocking,
    finding,
    of_all,
    of_each,
    unchecked,
    untried,
    warning,
)
from cluster.remote.facts.model import WEIGHTS
from cluster.values import Facts, Finding, is_read

Sizes = dict[str, int]


def present(inventory: Inventory, spec: HostSpec, facts: Facts) -> Iterator[Finding]:
    if not facts.model.problem:
        return
    if inventory.model.download:
        yield warning(
            facts.model.problem,
            wanted="the model on this host",
            why="with `download: true`, every rank of this host waits for the download without a message",
            cure=f"hf download {inventory.model.id}  (on {spec.name})",
            source="vllm#881, vllm#10886",
        )
        return
    yield blocking(
        facts.model.problem,
        wanted="the whole model on this host",
        why="each rank reads the model on its own host, and would download it without a message",
        cure=f"hf download {inventory.model.id}  (on {spec.name}), or `download: true`"
        if not inventory.model.id.startswith("/")
        else f"copy {inventory.model.id} to {spec.name}",
        source="vllm#881, vllm#10886",
    )


def equal(facts: dict[str, Facts]) -> Iterator[Finding]:
    """Compares each host with the files that most hosts have; of equal groups, the first one counts."""
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
        f"{who}the files differ from {_several(others)}: {shown}{more}",
        host=hosts[0] if len(hosts) == 1 else "",
        wanted="the same files and sizes on every host",
        why="ranks would compute with different weights, or fail to load",
        cure=f"copy the model from {others[0]} again",
        source="dynamo#4941, vLLM docs: parallelism and scaling",
    )


def _difference(name: str, sizes: Sizes, best: Sizes) -> str:
    if name not in sizes:
        return f"{name} (missing)"
    return f"{name} ({sizes[name]} bytes, not {best[name]})" if name in best else f"{name} (only on this host)"


def _several(hosts: list[str]) -> str:
    more = f" and {len(hosts) - 4} more" if len(hosts) > 4 else ""
    return ", ".join(hosts[:4]) + more


def space(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Checks the free space where the model will be downloaded."""
    if inventory.model.download:
        size = _whole_mib(inventory, evidence.facts)
        for host, facts in evidence.facts.items():
            if facts.model.problem:
                yield from _room(inventory, host, facts, size)


def _whole_mib(inventory: Inventory, facts: dict[str, Facts]) -> int | None:
    """Returns the size on a host that has the whole model, or the known size of the model."""
    sizes = [sum(host.model.sizes.values()) >> 20 for host in facts.values() if not host.model.problem]
    # A size of 0 MiB is not known.
    return max(sizes, default=0) or _known_mib(inventory.model.id)


def _known_mib(model_id: str) -> int | None:
    config = known_config(model_id)
    shape = architecture(config) if config else None
    return checkpoint_bytes(shape, BYTES[shape.dtype]) >> 20 if shape else None


def _room(inventory: Inventory, host: str, facts: Facts, size: int | None) -> Iterator[Finding]:
    hub = facts.machine.hub
    if hub is None:
        return
    if size is None or hub.free_mib is None:
        room = "an unknown number of GiB free" if hub.free_mib is None else f"{hub.free_mib >> 10} GiB free"
        yield unchecked(
            f"{room} at {hub.path}; the size of the model is unknown",
            host=host,
            wanted=f"space for all of {inventory.model.id}",
            why="a download that fills the disk fails after hours",
            cure=f"compare the space with `hf download --dry-run {inventory.model.id}`",
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


_WANTED = "the same bytes on every host"
_WHY = "ranks would compute with different weights, and no error would show it"


def same(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Compares the files that all hosts have: `model-equal` reports missing files."""
    results = {host: trials.hashes for host, trials in evidence.trials.items()}
    known = {host: hashes for host, hashes in results.items() if isinstance(hashes, dict) and hashes}
    everywhere = set.intersection(*map(set, known.values())) if known else set[str]()
    for host, hashes in known.items():
        wrong = [name for name in sorted(everywhere) if hashes[name] != _usual(name, inventory, known)]
        if wrong:
            yield _other_hashes(host, wrong, hashes)


def _usual(name: str, inventory: Inventory, known: dict[str, dict[str, str]]) -> str:
    """Returns the hash that most hosts have; of equally frequent hashes, the head's."""
    values = [hashes[name] for hashes in known.values()]
    most = max(map(values.count, values))
    usual = [value for value in values if values.count(value) == most]
    of_head = known.get(inventory.head.name, {}).get(name, "")
    return of_head if of_head in usual else usual[0]


def _other_hashes(host: str, wrong: list[str], hashes: dict[str, str]) -> Finding:
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    return blocking(
        ", ".join(f"{name} ({hashes[name][:12]}…)" for name in wrong[:3]) + more,
        host=host,
        wanted=_WANTED,
        why=_WHY,
        cure=f"download or copy these files to {host} again",
    )


#: Limits for vLLM's share of a GPU: a share, and a minimum in bytes. In nine starts on H100s and H200s the plan
#: was above the real use by 3 % or 1.9 GiB at most. Part of that does not shrink with the GPU.
_DOUBT, _DOUBT_AT_LEAST = 0.05, 5 << 29
#: Weights files that are smaller than the plan by this factor are quantized, but the configuration does not show
#: how.
_SMALLER = 0.8


def layout(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    """Repeats the plan's findings about the layout."""
    for planned in evidence.plan.findings if evidence.plan else ():
        if planned.name == "layout":
            yield planned


def room(inventory: Inventory, evidence: Evidence) -> Iterator[Finding]:
    fit = evidence.plan.fit if evidence.plan else None
    if evidence.plan is None or fit is None or fit.fits is not False:
        return
    lacking = fit.lacking or 0
    yield finding(
        "blocking" if _certain(inventory, evidence, evidence.plan, fit) else "warning",
        f"{lacking / (1 << 30):,.1f} GiB are missing on a GPU",
        wanted=f"memory for the weights and the KV cache of a request of {fit.service.max_model_len:,} tokens",
        why="vLLM would load for minutes, and then fail out of memory",
        cure=_cure(evidence.plan),
        source="compared with vLLM's log on H100s and H200s: docs/benchmarks.md",
    )


def _certain(inventory: Inventory, evidence: Evidence, plan: Plan, fit: Fit) -> bool:
    """Returns whether the plan left nothing out that counts, and the shortage exceeds the plan's error."""
    doubt = max(_DOUBT * (fit.budget or 0), _DOUBT_AT_LEAST)
    certain = plan.exact and plan.measured and (fit.lacking or 0) > doubt
    return certain and not _quantized(inventory, evidence, plan)


def _quantized(inventory: Inventory, evidence: Evidence, plan: Plan) -> bool:
    head = evidence.facts.get(inventory.head.name)
    sizes = head.model.sizes if head else {}
    weights = sum(size for name, size in sizes.items() if name.endswith(WEIGHTS))
    return 0 < weights < _SMALLER * (plan.model.checkpoint or 0)


def _cure(plan: Plan) -> str:
    lever = next((lever for lever in plan.levers if not lever.fit.lacking), None)
    change = f"{lever.what} ({lever.change})" if lever else "no computed change helps"
    return f"{change}; `orchestrator plan` shows all changes; `--skip model-fits` starts without this check"


CHECKS = (
    of_each("model", present),
    of_all("model-equal", equal),
    Check("model-space", space),
    Check("model-hashes", same, "hashed"),
    untried("model-hashes", lambda trials: trials.hashes, wanted=_WANTED, why=_WHY),
    Check("model-layout", layout, "planned"),
    Check("model-fits", room, "weighed"),
)
