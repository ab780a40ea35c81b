"""What runs but is not wanted any more goes first: changed, dead, or bound to a Ray that goes."""

from __future__ import annotations

from cluster import unit
from cluster.desired import outdated
from cluster.errors import NotFreed
from cluster.inventory import Inventory
from cluster.observe import Observed
from orchestrator.events import HostSaid
from orchestrator.phase import Phase, Stage


class Clear(Phase):
    title = "Stop what is outdated"

    def skip(self, inventory: Inventory, seen: Observed) -> str | None:
        return None if outdated(inventory, seen) else "nothing of ours is outdated"

    def run(self, stage: Stage) -> None:
        """One after another, in the order of `outdated`: an engine must not lose its Ray while it stops."""
        for host, name in outdated(stage.inventory, stage.seen):
            stage.sink(HostSaid(host, f"{name} is not what it must be: stopping it"))
            left = stage.fleet[host].ask(unit.stop(name, host, stage.facts(host).state, stage.venv))
            if left:
                raise NotFreed(left)
