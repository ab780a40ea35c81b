"""What this machine keeps of a cluster in use. A machine that cannot remember can still bring one up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.inventory import Inventory, alone
from orchestrator.events import HostSaid, Sink
from orchestrator.local import places, pointer


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
            keep = pointer.remembering(self.state, self.inventory.cluster, path)
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
            pointer.forget(self.state, self.inventory.cluster)
            places.forget(self.state, self.inventory.cluster)
        except OSError as error:
            self.sink(HostSaid("", f"this machine cannot forget the cluster: {error}"))

    def _keep_places(self, former: Sequence[Inventory]) -> None:
        own = (alone(self.inventory, spec.name) for spec in self.inventory.hosts)
        places.keep(self.state, self.inventory.cluster, (*own, *former))

    def _try(self, *keeping: Callable[[], None]) -> None:
        try:
            for keep in keeping:
                keep()
        except OSError as error:
            self._cannot(error)

    def _cannot(self, error: OSError) -> None:
        self.sink(HostSaid("", f"`down` will need the inventory: it cannot be remembered here: {error}"))
