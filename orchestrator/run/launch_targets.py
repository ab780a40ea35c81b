"""Where things lie on each host, as it was seen, or as it says once it is back."""

from __future__ import annotations

from cluster.inventory import Inventory
from cluster.probes.facts import facts
from cluster.transport.fleet import Fleet
from cluster.values import LaunchTarget
from cluster.views import Observed


class LaunchTargets:
    """Remembers the answer of each host that is asked again. What runs on such a host is not taken from it: a new
    look at all hosts tells that."""

    def __init__(self, inventory: Inventory, fleet: Fleet, seen: Observed) -> None:
        self._inventory = inventory
        self._fleet = fleet
        self._targets: dict[str, LaunchTarget] = {name: view.facts for name, view in seen.items() if view.facts}

    def __getitem__(self, host: str) -> LaunchTarget:
        """Raises what keeps a host that was not seen from an answer."""
        if host not in self._targets:
            self._targets[host] = self._fleet[host].ask(facts(self._inventory, self._inventory.host(host)))
        return self._targets[host]
