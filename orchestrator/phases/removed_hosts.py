"""Hosts that have left the inventory: what ran there of this cluster goes, or is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from cluster.errors import HostError, NotReleased
from cluster.inventory import Inventory
from cluster.state.observe import observe
from cluster.transport.fleet import Fleet
from cluster.values import Facts, Leftover
from cluster.views import Observed
from orchestrator.events import Event, HostMessage, Sink, Waiting
from orchestrator.run.phase import Phase, Stage


@dataclass(frozen=True)
class Teardown:
    """How a host alone is left: `connect` to it, take it `down` (raises NotReleased), `keep` in mind which are not
    clean; `cure` is what to do about one that is gone for good."""

    connect: Callable[[Inventory], Fleet]
    down: Callable[[Inventory, Fleet, Sink], None]
    keep: Callable[[Sequence[Inventory]], None]
    cure: str


class CleanRemovedHosts(Phase):
    title = "Clean former hosts"
    only = "a host has left the inventory"

    def __init__(self, hosts: Sequence[Inventory] = (), parting: Teardown | None = None) -> None:
        """`hosts`, each alone; `left` is what could not be proved gone there."""
        self._hosts = hosts
        self._parting = parting
        self.left: list[Leftover] = []

    def skip(self, inventory: Inventory, seen: Observed) -> str | None:
        return None if self._hosts else "no host has left the inventory"

    def run(self, stage: Stage) -> None:
        """A host that is lost stops nothing: it may have left the inventory for just that. Raises Held."""
        assert self._parting
        unclean = []
        for one in self._hosts:
            stage.guard()
            if found := self._clean(one, stage, self._parting):
                self.left += found
                unclean.append(one)
        self._parting.keep(unclean)

    def _clean(self, one: Inventory, stage: Stage, parting: Teardown) -> Sequence[Leftover]:
        fleet = parting.connect(one)
        try:
            left = _take_down(one, fleet, stage, parting)
        except NotReleased as error:
            left = error.leftovers
        except HostError as error:
            left = (_unseen(error.host, error.reason),)
        finally:
            fleet.close()
        found = [replace(each, cure=parting.cure) if not each.provable else each for each in left]
        for each in found:
            said = f"warning: it has left the inventory, and {each.what} ({each.cure})"
            stage.sink(HostMessage(each.host, said))
        return found


def _take_down(one: Inventory, fleet: Fleet, stage: Stage, parting: Teardown) -> Sequence[Leftover]:
    name = one.head.name
    view = observe(one, fleet)[name]
    if view.facts is None:
        problem = view.problem
        return (_unseen(name, problem.reason if problem else ""),)
    if any(_same(view.facts, other.facts) for other in stage.seen.values() if other.facts):
        return ()  # another way to a host that is in the inventory
    stage.sink(HostMessage(name, "it has left the inventory: taking away what is there of this cluster"))
    parting.down(one, fleet, _quiet(stage.sink, name))
    return ()


def _same(one: Facts, other: Facts) -> bool:
    """Whether both are of one folder on one host. Containers of one machine share its boot, not its name."""
    return (one.boot_id, one.hostname, one.state) == (other.boot_id, other.hostname, other.state)


def _unseen(host: str, why: str) -> Leftover:
    return Leftover(host, f"could not be looked at{f': {why}' if why else ''}", provable=False)


def _quiet(sink: Sink, host: str) -> Sink:
    """The phases of another plan would look like ours: what they say is said, of this host."""

    def heard(event: Event) -> None:
        match event:
            case HostMessage():
                sink(HostMessage(host, event.line))
            case Waiting():
                sink(event)

    return heard
