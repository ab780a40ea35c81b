"""What runs but is not wanted any more goes first: changed, dead, or bound to a Ray that goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from cluster.diagnosis.unit_failure import ending
from cluster.errors import NotReleased
from cluster.inventory import Inventory
from cluster.launch import unit
from cluster.state.desired import Renew, outdated
from cluster.transport.host import Host
from cluster.values import Presence
from cluster.views import Observed
from orchestrator.events import HostMessage
from orchestrator.run.phase import Phase, Stage


class StopOutdated(Phase):
    title = "Stop what is outdated"
    only = "something of ours is outdated"

    def __init__(self, renew: Callable[[Inventory, Observed], Renew] = lambda inventory, seen: None) -> None:
        """`renew` says what goes although it runs as wanted."""
        self._renew = renew

    def skip(self, inventory: Inventory, seen: Observed) -> str | None:
        return None if self._outdated(inventory, seen) else "nothing of ours is outdated"

    def run(self, stage: Stage) -> None:
        """In the order of `outdated`, the hosts of one kind at once. Raises NotReleased when something stays.

        Where a host was lost after preflight, its error is raised and nothing is stopped.
        """
        stage.need_all()
        head = stage.head.name
        stale = self._outdated(stage.inventory, stage.seen)
        for (name, _), wave in groupby(stale, key=lambda one: (one[1], one[0] == head)):
            stage.guard()
            self._stop(stage, name, [host for host, _ in wave])

    def _outdated(self, inventory: Inventory, seen: Observed) -> Sequence[tuple[str, unit.Name]]:
        return outdated(inventory, seen, self._renew(inventory, seen))

    def _stop(self, stage: Stage, name: unit.Name, hosts: Sequence[str]) -> None:
        for host, why in stage.fleet.all(lambda host: self._why(stage, name, host), among=hosts).items():
            stage.sink(HostMessage(host, f"{name} {why}; stopping it"))
        answers = stage.fleet.all(
            lambda host: host.ask(unit.stop(name, host.name, stage.facts(host.name).state, stage.venv)),
            among=hosts,
        )
        left = [one for answer in answers.values() for one in answer]
        if left:
            raise NotReleased(left)

    def _why(self, stage: Stage, name: unit.Name, host: Host) -> str:
        """Of one that has died what it died of, out of its log: the next launch has a new one."""
        view = stage.seen[host.name]
        seen = view.ray if name == "ray" else view.vllm
        if seen.presence is Presence.DEAD:
            return "has died: " + ending(stage.inventory, host, name, seen, stage.facts(host.name).state).cause
        return "is to be launched anew" if self._renew(stage.inventory, stage.seen) else "is not what it must be"
