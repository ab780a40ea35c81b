"""All checks over all hosts at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cluster.errors import HostError
from cluster.inventory import HostSpec, Inventory
from cluster.observe import Observed
from cluster.preflight import gpus, limits, model, network, state, versions
from cluster.values import Facts, Finding

#: What is checked of each host by itself, in the order in which a person would look.
_OF_ONE_HOST: tuple[Callable[[Inventory, HostSpec, Facts], Iterator[Finding]], ...] = (
    gpus.number,
    gpus.memory,
    gpus.reported,
    gpus.idle,
    versions.installed,
    network.cluster_address,
    network.ports,
    model.present,
    state.directory,
    limits.open_files,
    limits.locked_memory,
    limits.left_alone,
)

#: What only all hosts together can show.
_OF_ALL_HOSTS: tuple[Callable[[dict[str, Facts]], Iterator[Finding]], ...] = (versions.equal, model.equal)


def check(inventory: Inventory, seen: Observed) -> tuple[Finding, ...]:
    """Every finding of every host. A host that could not be looked at is one finding, blocking."""
    facts = {name: view.facts for name, view in seen.items() if view.facts}
    unseen = (_unseen(name, view.problem) for name, view in seen.items() if view.problem)
    alone = (
        finding
        for name, known in facts.items()
        for one in _OF_ONE_HOST
        for finding in one(inventory, inventory.host(name), known)
    )
    together = (finding for one in _OF_ALL_HOSTS for finding in one(facts))
    return (*unseen, *alone, *together)


def _unseen(host: str, problem: HostError) -> Finding:
    found = f"{problem.doing}: {problem.cause or problem.said}"
    return Finding("reachable", host, "blocking", found, "an answer over SSH", cure=problem.cure)
