"""How hosts that have left the inventory are found, and cleaned by the plan of `down`, each alone."""

from __future__ import annotations

from functools import partial

from cluster.fleet import Fleet
from cluster.inventory import Inventory, is_of
from orchestrator import places
from orchestrator.engine import Engine
from orchestrator.events import Sink
from orchestrator.phases.former import Former, Parting
from orchestrator.plans import DOWN
from orchestrator.session import Session
from orchestrator.settings import Patience


def former_hosts(one: Session) -> tuple[Inventory, ...]:
    """Where something of this cluster may be, though its inventory does not have it. Raises UsageError."""
    known = places.known(one.settings.state, one.inventory.cluster)
    return tuple(each for each in known if not is_of(each, one.inventory))


def leaving(one: Session) -> Former:
    """The phase that cleans them."""
    path = places.path(one.settings.state, one.inventory.cluster)
    cure = f"`down` again once it answers; if it is gone for good, remove {path}"
    parting = Parting(one.connect, partial(_take_down, one), one.memory.remember_places, cure)
    return Former(former_hosts(one), parting)


def _take_down(one: Session, host: Inventory, fleet: Fleet, sink: Sink) -> None:
    """Under the lease of that host as well: one that was a head may be somebody's cluster still."""
    reason = f"take {host.head.name} out of {host.cluster}"
    Engine(host, fleet, sink, Patience(), reason, one.cleaning, interrupts=one.interrupts).run(DOWN)
