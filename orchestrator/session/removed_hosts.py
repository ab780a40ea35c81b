"""Removed hosts: how they are found, and cleaned by the plan of `down`, each alone."""

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
from orchestrator.phases.removed_hosts import Teardown
from orchestrator.plans import down
from orchestrator.run.engine import Engine
from orchestrator.session.session import Session


def removed_hosts(state: Path, inventory: Inventory) -> tuple[Inventory, ...]:
    """The removed hosts that may still hold something of this cluster, as single-host inventories. Raises
    UsageError where the two inventories share no host: that is another cluster by the same name, perhaps a
    copy. Nothing there is removed."""
    used = used_hosts.known(state, inventory.cluster)
    removed = tuple(host for host in used if not is_of(host, inventory))
    if used and len(removed) == len(used):
        raise _another(inventory, removed)
    return removed


def _another(inventory: Inventory, used: Sequence[Inventory]) -> UsageError:
    hosts = ", ".join(f"{host.head.name} ({host.head.address})" for host in used)
    cluster = inventory.cluster
    cure = f"`orchestrator down --cluster {cluster}` removes that cluster; otherwise choose another `cluster:`"
    return UsageError(f"{cluster} is in use from here on other hosts: {hosts}", cure=cure)


def teardown(session: Session) -> Teardown:
    """How the phase for removed hosts connects to one and takes it down."""
    path = used_hosts.path(session.settings.state, session.inventory.cluster)
    cure = f"run `down` again once it answers; if it never returns, remove {path}"
    return Teardown(session.connect, partial(_take_down, session), session.local_state.remember_hosts, cure)


def _take_down(session: Session, host: Inventory, fleet: Fleet, sink: Sink) -> None:
    """Holds the lease of that host too: an earlier head may serve another cluster."""
    reason = f"take {host.head.name} out of {host.cluster}"
    interrupts = session.interrupts
    with interrupts.nested():
        Engine(host, fleet, sink, Patience(), reason, session.cleaning, interrupts=interrupts).run(down())
