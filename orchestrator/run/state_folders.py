"""The state folder of the cluster on each host, from the facts or from a host that is back."""

from __future__ import annotations

from cluster.inventory import Inventory
from cluster.probes.facts import facts
from cluster.transport.fleet import Fleet
from cluster.views import Observed


class StateFolders:
    """Remembers the answer of each host that is asked again. Units on such a host are not read from it: a new
    inspection of all hosts shows them."""

    def __init__(self, inventory: Inventory, fleet: Fleet, seen: Observed) -> None:
        self._inventory = inventory
        self._fleet = fleet
        self._folders = {name: view.facts.state for name, view in seen.items() if view.facts}

    def __getitem__(self, host: str) -> str:
        """Raises what makes a host without facts unreachable."""
        if host not in self._folders:
            answer = self._fleet[host].ask(facts(self._inventory, self._inventory.host(host)))
            self._folders[host] = answer.state
        return self._folders[host]
