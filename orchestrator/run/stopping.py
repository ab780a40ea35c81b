"""Stops a unit on several hosts at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cluster.errors import HostError, NotReleased
from cluster.launch import unit
from cluster.transport.host import Host
from cluster.values import Leftover
from orchestrator.events import HostMessage
from orchestrator.run.phase import Stage


@dataclass(frozen=True)
class Stopped:
    """What is left of a unit on each host, or why it could not be stopped there."""

    name: unit.Name
    answers: Mapping[str, unit.StopResult | HostError]

    @property
    def leftovers(self) -> tuple[Leftover, ...]:
        """What is left on all hosts. A unit that could not be stopped may still be in use."""
        return tuple(leftover for answer in self.answers.values() for leftover in self._leftovers(answer))

    def require_released(self) -> None:
        """Raises NotReleased where anything is left."""
        if self.leftovers:
            raise NotReleased(self.leftovers)

    @property
    def others(self) -> tuple[str, ...]:
        """The hosts where the unit is that of another run, and keeps running."""
        results = self.answers.items()
        return tuple(host for host, result in results if isinstance(result, unit.StopResult) and result.others)

    def _leftovers(self, answer: unit.StopResult | HostError) -> tuple[Leftover, ...]:
        if not isinstance(answer, HostError):
            return answer.left
        what = f"{self.name} could not be stopped: {answer.reason}"
        return (Leftover(answer.host, what, answer.cure, provable=False),)


def take_back(stage: Stage, name: unit.Name, hosts: Sequence[str]) -> None:
    """Stops what this very run launched: another operator may have begun while the lease was unreachable. Raises
    NotReleased."""
    stopped = stop(stage, name, hosts, stage.run_id)
    for host in stopped.others:
        message, cause = f"{name} was not stopped", "another run launched it, and it may serve"
        cure = "see with `orchestrator status` what runs; `orchestrator down` stops it"
        stage.sink(HostMessage(host, message, "warning", cause, cure))
    stopped.require_released()


def stop(stage: Stage, name: unit.Name, hosts: Sequence[str], run: str = "") -> Stopped:
    """Stops the unit on every host that answers; `run` limits it to units that this run launched."""

    def ask(host: Host) -> unit.StopResult:
        spec = stage.inventory.host(host.name)
        return host.ask(unit.stop(name, spec, stage.state_folder(host.name), stage.venv, run))

    return Stopped(name, stage.fleet.each(ask, among=hosts))
