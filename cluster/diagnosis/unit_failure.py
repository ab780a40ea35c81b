"""The failure of a unit on a host, and its fix, from the evidence there."""

from __future__ import annotations

from typing import NamedTuple

from cluster.command import Hint
from cluster.diagnosis.engine_failure import engine_failed
from cluster.errors import EngineDied, HostError
from cluster.inventory import Inventory
from cluster.launch import ray, unit
from cluster.launch.state_folder import obstacle_of
from cluster.transport.host import Host
from cluster.values import Presence, UnitState
from cluster.views import HostView

_ANEW = "`up` starts it again"


class UnitFailure(NamedTuple):
    cause: str
    cure: str


NONE = UnitFailure("", "")


def unit_failure(inventory: Inventory, host: Host, view: HostView) -> UnitFailure:
    """Returns the failures on a host by its view; reads the log of each failed unit."""
    if view.facts is None:
        problem = view.problem
        return UnitFailure(problem.reason, problem.cure) if problem else NONE
    if taken := obstacle_of(inventory, view.name, view.facts):
        return UnitFailure(taken.cause, taken.cure)
    if view.facts.gpu_problem:
        return UnitFailure(view.facts.gpu_problem, "run nvidia-smi on that host")
    units: list[tuple[unit.Name, UnitState]] = [("ray", view.ray), ("vllm", view.vllm)]
    state = view.facts.state
    dead = [(name, unit_state) for name, unit_state in units if unit_state.presence is Presence.DEAD]
    failures = [exit_cause(inventory, host, name, unit_state, state) for name, unit_state in dead]
    cures = dict.fromkeys([*filter(None, (failure.cure for failure in failures)), *([_ANEW] if failures else [])])
    return UnitFailure("; ".join(failure.cause for failure in failures), "; ".join(cures))


def exit_cause(inventory: Inventory, host: Host, name: unit.Name, dead: UnitState, state: str) -> UnitFailure:
    """Returns why a unit failed, in one line, from its log.

    `state` is the cluster's folder there. The fix is an action besides a new launch.
    """
    remaining = f", but {len(dead.pids)} of its processes still run" if dead.pids else ""
    if not dead.argv:
        return UnitFailure(f"the record of {name} is missing{remaining}", "")
    try:
        status = host.ask(unit.status(name, state, inventory.runtime.venv))
    except HostError as error:
        return UnitFailure(f"{name} has exited{remaining}; its log could not be read: {error.reason}", error.cure)
    if dead.status is None and dead.pids and not (status.alive or status.lost):
        return UnitFailure(f"the keeper of {name} has exited{remaining}", "")
    if name == "ray":
        return _ray_failure(dead, ray.exit_cause(status.text, status.lost), remaining)
    death = engine_failed(inventory, status, status.text)
    return UnitFailure(_on_one_line(death, host) + remaining, death.cure)


def _on_one_line(error: EngineDied, host: Host) -> str:
    """Returns the cause, with its host where that is not `host`."""
    cause = error.cause.replace("\n", ": ")
    if error.host == host.name:
        return cause
    if error.rank:
        return f"{error.rank} on {error.host}{cause.removeprefix(error.rank)}"
    return f"on {error.host}: {cause}"


def _ray_failure(dead: UnitState, why: Hint, remaining: str) -> UnitFailure:
    status = "" if dead.status is None else f" (exit status {dead.status})"
    cause = f": {why.cause}" if why.cause else ""
    return UnitFailure(f"Ray has exited{status}{cause}{remaining}", why.cure if why.cause else "")
