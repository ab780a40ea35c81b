"""How hosts that have left the inventory are found, and cleaned by the plan of `down`, each alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from cluster.errors import UsageError
from cluster.inventory import Inventory, is_of
from cluster.transport.fleet import Fleet
from orchestrator.events import Sink
from orchestrator.local import used_hosts
from orchestrator.local.settings import Patience
from orchestrator.phases.removed_hosts import CleanRemovedHosts, Teardown
from orchestrator.plans import DOWN
from orchestrator.run.engine import Engine
from orchestrator.session.session import Session


def former_hosts(one: Session) -> tuple[Inventory, ...]:
    return known_former_hosts(one.settings.state, one.inventory)


def known_former_hosts(state: Path, inventory: Inventory) -> tuple[Inventory, ...]:
    """Where something of this cluster may be, though its inventory does not have it.

    Raises UsageError where not one host is the same: that is another cluster by the same name, perhaps a copy of
    an inventory, and what runs on those hosts is not to be taken away for it.
    """
    known = used_hosts.known(state, inventory.cluster)
    former = tuple(each for each in known if not is_of(each, inventory))
    if known and len(former) == len(known):
        raise _another(inventory, former)
    return former


def _another(inventory: Inventory, former: Sequence[Inventory]) -> UsageError:
    cluster, hosts = inventory.cluster, ", ".join(each.head.name for each in former)
    cure = f"`orchestrator down --cluster {cluster}` takes that one away; otherwise choose another `cluster:`"
    return UsageError(f"{cluster} is in use from here on other hosts: {hosts}", cure=cure)


def leaving(one: Session) -> CleanRemovedHosts:
    """The phase that cleans them."""
    path = used_hosts.path(one.settings.state, one.inventory.cluster)
    cure = f"`down` again once it answers; if it is gone for good, remove {path}"
    parting = Teardown(one.connect, partial(_take_down, one), one.memory.remember_places, cure)
    return CleanRemovedHosts(former_hosts(one), parting)


def _take_down(one: Session, host: Inventory, fleet: Fleet, sink: Sink) -> None:
    """Under the lease of that host as well: one that was a head may be somebody's cluster still."""
    reason = f"take {host.head.name} out of {host.cluster}"
    with one.interrupts.aside():
        Engine(host, fleet, sink, Patience(), reason, one.cleaning, interrupts=one.interrupts).run(DOWN)
