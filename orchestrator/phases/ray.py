"""Ray on the head, then on all workers at once. A later phase proves both."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.inventory import HostSpec, Inventory
from cluster.launch import ray, unit
from cluster.state.desired import ray_runs, ray_unit
from cluster.transport.host import Host
from cluster.values import Presence
from cluster.views import Observed
from orchestrator.run.phase import Phase, Situation, Stage
from orchestrator.run.stopping import take_back


class StartHead(Phase):
    title = "Start Ray on the head"
    starts = True

    def skip(self, situation: Situation) -> str | None:
        if not situation.inventory.uses_ray:
            return "one host needs no Ray"
        head = situation.seen[situation.inventory.head.name]
        return "it runs as wanted" if ray_runs(situation.inventory, head) else None

    def run(self, stage: Stage) -> None:
        """Raises CommandFailed when the head cannot launch it."""
        stage.head.ask(ray.token(stage.facts(stage.head.name).state, stage.venv))
        _launch(stage, stage.head)

    def undo(self, stage: Stage) -> None:
        _take_back(stage, [stage.inventory.head])


class JoinWorkers(Phase):
    title = "Start Ray on the workers"
    starts = True

    def skip(self, situation: Situation) -> str | None:
        if not situation.inventory.uses_ray:
            return "one host needs no Ray"
        return None if _missing(situation.inventory, situation.seen) else "it runs as wanted on all of them"

    def run(self, stage: Stage) -> None:
        """Starts all workers at once; each waits for the head itself. Raises the errors of every failed host."""
        token = stage.head.ask(ray.token(stage.facts(stage.head.name).state, stage.venv))

        def join(host: Host) -> None:
            host.ask(ray.token(stage.facts(host.name).state, stage.venv, token))
            _launch(stage, host)

        stage.fleet.all(join, among=[spec.name for spec in _missing(stage.inventory, stage.seen)])

    def undo(self, stage: Stage) -> None:
        _take_back(stage, _missing(stage.inventory, stage.seen))


def _missing(inventory: Inventory, seen: Observed) -> Sequence[HostSpec]:
    return [spec for spec in inventory.workers if not ray_runs(inventory, seen[spec.name])]


def _launch(stage: Stage, host: Host) -> None:
    wanted = ray_unit(stage.inventory, stage.seen[host.name])
    host.run(unit.launch(wanted, stage.venv, stage.launcher, stage.run_id))


def _take_back(stage: Stage, specs: Sequence[HostSpec]) -> None:
    """Stops Ray where none ran before this run."""
    launched = [spec.name for spec in specs if stage.seen[spec.name].ray.presence is Presence.ABSENT]
    take_back(stage, "ray", launched)
