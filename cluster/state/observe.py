"""The observed state of all hosts, read anew each time: no stored state is used."""

from __future__ import annotations

import time

from cluster.errors import HostError
from cluster.inventory import Inventory
from cluster.probes.facts import facts
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.views import HostView, Observed


def observe(inventory: Inventory, fleet: Fleet) -> Observed:
    """Reads every host at once. A host that does not answer is a view with its problem."""
    answers = fleet.each(lambda host: _look(host, inventory))
    return {
        name: HostView(name, problem=answer) if isinstance(answer, HostError) else answer
        for name, answer in answers.items()
    }


def _look(host: Host, inventory: Inventory) -> HostView:
    """Asks a host for its facts and bounds its clock.

    The host read its clock after we asked, and before we had the answer. So the difference has certain bounds.
    """
    asked = time.time()
    known = host.ask(facts(inventory, inventory.host(host.name)))
    began, ended = known.clock
    return HostView(host.name, known, clock=(ended - time.time(), began - asked))
