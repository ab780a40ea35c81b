"""What this machine keeps of a cluster in use. A machine that cannot remember can still bring one up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.inventory import Inventory, single_host
from orchestrator.events import HostMessage, Sink
from orchestrator.local import last_inventory, used_hosts


@dataclass(frozen=True)
class Memory:
    """Below `state`; what goes wrong is said."""

    state: Path
    inventory: Inventory
    sink: Sink

    def remember(self, path: Path, former: Sequence[Inventory] = ()) -> Callable[[], None]:
        """So that later commands need no inventory; one that cannot be remembered has to be given. `former` are
        hosts that have left it, each alone.

        It is read now, as it was loaded, and kept by what comes back: for when the cluster is ours.
        """
        try:
            keep = last_inventory.remembering(self.state, self.inventory.cluster, path)
        except OSError as error:
            self._cannot(error)
            return lambda: None
        # The places first: a run that is killed in between must not forget a host.
        return lambda: self._try(lambda: self._keep_places(former), keep)

    def remember_places(self, former: Sequence[Inventory]) -> None:
        """Every host of the inventory, and `former`, which are not clean."""
        self._try(lambda: self._keep_places(former))

    def forget(self) -> None:
        try:
            last_inventory.forget(self.state, self.inventory.cluster)
            used_hosts.forget(self.state, self.inventory.cluster)
        except OSError as error:
            self.sink(HostMessage("", "this machine cannot forget the cluster", cause=str(error)))

    def _keep_places(self, former: Sequence[Inventory]) -> None:
        own = (single_host(self.inventory, spec.name) for spec in self.inventory.hosts)
        used_hosts.keep(self.state, self.inventory.cluster, (*own, *former))

    def _try(self, *keeping: Callable[[], None]) -> None:
        try:
            for keep in keeping:
                keep()
        except OSError as error:
            self._cannot(error)

    def _cannot(self, error: OSError) -> None:
        message = "`down` will need the inventory: it cannot be remembered here"
        self.sink(HostMessage("", message, cause=str(error)))
