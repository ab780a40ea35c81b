"""Removed hosts: what ran there of this cluster is stopped, or reported."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cluster.errors import HostError, NotReleased
from cluster.inventory import Inventory
from cluster.state.observe import observe
from cluster.transport.fleet import Fleet
from cluster.values import Facts, Leftover
from orchestrator.events import Event, HostMessage, Sink, Waiting
from orchestrator.run.phase import Handover, Phase, Situation, Stage


@dataclass(frozen=True)
class Teardown:
    """How to clean a removed host: `connect` to it alone, then take it `down`, which raises NotReleased. `keep`
    saves which hosts are not clean; `cure` is the fix for a host that never returns."""

    connect: Callable[[Inventory], Fleet]
    down: Callable[[Inventory, Fleet, Sink], None]
    keep: Callable[[Sequence[Inventory]], None]
    cure: str


class CleanRemovedHosts(Phase):
    title = "Clean removed hosts"
    only = "a host was removed from the inventory"

    def __init__(self, hosts: Sequence[Inventory] = (), teardown: Teardown | None = None) -> None:
        """`hosts` are single-host inventories. A plan that is only shown has no `teardown`."""
        self._hosts = hosts
        self._teardown = teardown

    def skip(self, situation: Situation) -> str | None:
        return None if self._hosts else "no host was removed from the inventory"

    def run(self, stage: Stage) -> Handover:
        """Cleans each host. An unreachable host stops nothing, since it may have been removed for that reason.
        Raises LeaseLost."""
        assert self._teardown
        unclean: list[Inventory] = []
        leftovers: list[Leftover] = []
        for host in self._hosts:
            stage.guard()
            if here := _clean(host, stage, self._teardown):
                unclean.append(host)
                leftovers += here
        self._teardown.keep(unclean)
        return Handover(removed=tuple(leftovers))


def _clean(host: Inventory, stage: Stage, teardown: Teardown) -> Sequence[Leftover]:
    """Returns what may still be in use, with its fix, and warns of it."""
    cured = [
        leftover if leftover.provable else replace(leftover, cure=teardown.cure)
        for leftover in _leftovers(host, stage, teardown)
    ]
    for leftover in cured:
        message = f"it was removed from the inventory, and {leftover.what}"
        stage.sink(HostMessage(leftover.host, message, "warning", cure=leftover.cure))
    return cured


def _leftovers(host: Inventory, stage: Stage, teardown: Teardown) -> Sequence[Leftover]:
    fleet = teardown.connect(host)
    try:
        return _take_down(host, fleet, stage, teardown)
    except NotReleased as error:
        return error.leftovers
    except HostError as error:
        return (_unseen(error.host, error.reason),)
    finally:
        fleet.close()


def _take_down(host: Inventory, fleet: Fleet, stage: Stage, teardown: Teardown) -> Sequence[Leftover]:
    name = host.head.name
    view = observe(host, fleet)[name]
    if view.facts is None:
        problem = view.problem
        return (_unseen(name, problem.reason if problem else ""),)
    if any(_same(view.facts, other.facts) for other in stage.seen.values() if other.facts):
        return ()  # another way to a host that is in the inventory
    stage.sink(HostMessage(name, "it was removed from the inventory; removing this cluster from it"))
    teardown.down(host, fleet, _quiet(stage.sink, name))
    return ()


def _same(facts: Facts, others: Facts) -> bool:
    """Whether both describe one folder on one host. Containers of one machine share its boot, not its name."""
    return (facts.boot_id, facts.hostname, facts.state) == (others.boot_id, others.hostname, others.state)


def _unseen(host: str, why: str) -> Leftover:
    return Leftover(host, f"could not be inspected{f': {why}' if why else ''}", provable=False)


def _quiet(sink: Sink, host: str) -> Sink:
    """Passes on messages alone, as messages of this host: phases of another plan would look like phases of this
    run."""

    def pass_on(event: Event) -> None:
        match event:
            case HostMessage():
                sink(replace(event, host=host))
            case Waiting():
                sink(event)

    return pass_on
