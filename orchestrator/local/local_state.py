"""The local record of a cluster in use. A machine that cannot write it can still start a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.inventory import Inventory, single_host
from orchestrator.events import HostMessage, Sink
from orchestrator.local import last_inventory, used_hosts


@dataclass(frozen=True)
class LocalState:
    """The record below `state`; problems are reported."""

    state: Path
    inventory: Inventory
    sink: Sink

    def remember(self, path: Path, removed: Sequence[Inventory] = ()) -> Callable[[], None]:
        """Lets later commands work without an inventory file. `removed` are the removed hosts, each as a
        single-host inventory. The inventory is read now; the returned function saves it once this cluster
        holds the lease."""
        try:
            keep = last_inventory.remembering(self.state, self.inventory.cluster, path)
        except OSError as error:
            self._cannot(error)
            return lambda: None
        # The hosts first: a run that is killed in between must not forget a host.
        return lambda: self._try(lambda: self._keep_hosts(removed), keep)

    def remember_hosts(self, removed: Sequence[Inventory]) -> None:
        """Saves every host of the inventory, and the `removed` ones, which are not clean yet."""
        self._try(lambda: self._keep_hosts(removed))

    @property
    def knows(self) -> bool:
        """Whether this machine has the cluster on record as one in use."""
        cluster = self.inventory.cluster
        return last_inventory.path(self.state, cluster).exists() or used_hosts.path(self.state, cluster).exists()

    def forget(self) -> None:
        try:
            last_inventory.forget(self.state, self.inventory.cluster)
            used_hosts.forget(self.state, self.inventory.cluster)
        except OSError as error:
            self.sink(HostMessage("", "failed to remove the local record of the cluster", cause=str(error)))

    def _keep_hosts(self, removed: Sequence[Inventory]) -> None:
        own = (single_host(self.inventory, spec.name) for spec in self.inventory.hosts)
        used_hosts.keep(self.state, self.inventory.cluster, (*own, *removed))

    def _try(self, *keeping: Callable[[], None]) -> None:
        try:
            for keep in keeping:
                keep()
        except OSError as error:
            self._cannot(error)

    def _cannot(self, error: OSError) -> None:
        message = "failed to save the inventory here; `down` will need the inventory file"
        self.sink(HostMessage("", message, cause=str(error)))
