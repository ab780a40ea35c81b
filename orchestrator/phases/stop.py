"""Stopping: vLLM first, then Ray on the workers, then on the head. A host that is lost does not stop the rest."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.errors import HostError
from cluster.inventory import Inventory
from cluster.launch import unit
from cluster.values import Presence, UnitState
from cluster.views import HostView, Observed
from orchestrator.events import HostMessage
from orchestrator.run.phase import Phase, Stage


class StopVllm(Phase):
    title = "Stop vLLM"

    def skip(self, inventory: Inventory, seen: Observed) -> str | None:
        return None if _with("vllm", seen) else _runs_nowhere(seen)

    def run(self, stage: Stage) -> None:
        _stop(stage, "vllm", _with("vllm", stage.seen))


class StopRay(Phase):
    title = "Stop Ray"

    def skip(self, inventory: Inventory, seen: Observed) -> str | None:
        return None if _with("ray", seen) else _runs_nowhere(seen)

    def run(self, stage: Stage) -> None:
        head = stage.inventory.head.name
        present = _with("ray", stage.seen)
        _stop(stage, "ray", [name for name in present if name != head])
        _stop(stage, "ray", [name for name in present if name == head])


def _runs_nowhere(seen: Observed) -> str:
    lost = [host for host, view in seen.items() if view.problem]
    return f"it runs nowhere else, and {', '.join(lost)} could not be looked at" if lost else "it does not run"


def _sighting(name: unit.Name, view: HostView) -> UnitState:
    return view.ray if name == "ray" else view.vllm


def _with(name: unit.Name, seen: Observed) -> list[str]:
    """Hosts where the unit has left anything, alive or dead."""
    return [host for host, view in seen.items() if _sighting(name, view).presence is not Presence.ABSENT]


def _stop(stage: Stage, name: unit.Name, hosts: Sequence[str]) -> None:
    """What cannot be stopped is said here and judged at the end, by looking. Raises LeaseLost."""
    stage.guard()
    answers = stage.fleet.each(
        lambda host: host.ask(unit.stop(name, host.name, stage.facts(host.name).state, stage.venv)), among=hosts
    )
    for host, answer in answers.items():
        if isinstance(answer, HostError):
            stage.sink(HostMessage(host, f"{name} could not be stopped: {answer.reason}"))
        else:
            for one in answer:
                stage.sink(HostMessage(host, f"still there after SIGKILL: {one.what}"))
