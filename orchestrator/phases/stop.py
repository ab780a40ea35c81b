"""Stops vLLM first, then Ray on the workers, then Ray on the head. An unreachable host does not stop the rest."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.launch import unit
from cluster.values import Presence
from cluster.views import Observed
from orchestrator.events import HostMessage
from orchestrator.run.phase import Phase, Situation, Stage
from orchestrator.run.stopping import stop


class StopVllm(Phase):
    title = "Stop vLLM"

    def skip(self, situation: Situation) -> str | None:
        return None if _hosts_with("vllm", situation.seen) else _runs_nowhere(situation.seen)

    def run(self, stage: Stage) -> None:
        _stop(stage, "vllm", _hosts_with("vllm", stage.seen))


class StopRay(Phase):
    title = "Stop Ray"

    def skip(self, situation: Situation) -> str | None:
        return None if _hosts_with("ray", situation.seen) else _runs_nowhere(situation.seen)

    def run(self, stage: Stage) -> None:
        head = stage.inventory.head.name
        present = _hosts_with("ray", stage.seen)
        _stop(stage, "ray", [name for name in present if name != head])
        _stop(stage, "ray", [name for name in present if name == head])


def _runs_nowhere(seen: Observed) -> str:
    lost = [host for host, view in seen.items() if view.problem]
    return f"it runs on no other host, and {', '.join(lost)} could not be inspected" if lost else "it does not run"


def _hosts_with(name: unit.Name, seen: Observed) -> list[str]:
    """The hosts where the unit left anything, running or not."""
    states = {host: view.ray if name == "ray" else view.vllm for host, view in seen.items()}
    return [host for host, state in states.items() if state.presence is not Presence.ABSENT]


def _stop(stage: Stage, name: unit.Name, hosts: Sequence[str]) -> None:
    """Reports what could not be stopped; a later phase inspects the hosts. Raises LeaseLost."""
    stage.guard()
    for leftover in stop(stage, name, hosts).leftovers:
        message = f"still running after SIGKILL: {leftover.what}" if leftover.provable else leftover.what
        stage.sink(HostMessage(leftover.host, message))
