"""The units to launch on each host, by the same builders that `up` uses."""

from __future__ import annotations

from dataclasses import dataclass, field

from cluster.inventory import HostSpec, Inventory
from cluster.launch import ray, vllm
from cluster.launch.shown import shown
from cluster.launch.unit import Unit, folder_name
from cluster.plan.results import PlannedHost, PlannedUnit
from cluster.values import LaunchTarget
from cluster.views import Observed

#: Only the host knows these: the user's number there, and the interface with its cluster address.
UID, INTERFACE = "UID", "INTERFACE"


@dataclass(frozen=True)
class Unseen:
    """Stands for the facts of a host that was not asked."""

    state: str
    python: str = ""
    versions: dict[str, str] = field(default_factory=dict)

    def interface(self, address: str) -> str:
        return INTERFACE


def planned_hosts(inventory: Inventory, seen: Observed) -> tuple[PlannedHost, ...]:
    """Returns the hosts of the plan. `seen` is empty where no host was asked."""
    return tuple(_host(inventory, spec, seen) for spec in inventory.hosts)


def _host(inventory: Inventory, spec: HostSpec, seen: Observed) -> PlannedHost:
    view = seen.get(spec.name)
    target: LaunchTarget = view.facts if view and view.facts else _unseen(inventory, spec)
    # The reason why the host could not be asked, and the fix.
    problem, cure = (view.problem.reason, view.problem.cure) if view and view.problem else ("", "")
    units = [ray.unit(inventory, spec, target)] if inventory.uses_ray else []
    if spec.role == "head":
        units.append(vllm.unit(inventory, target))
    return PlannedHost(spec.name, spec.role, tuple(map(_unit, units)), problem, cure)


def _unseen(inventory: Inventory, spec: HostSpec) -> Unseen:
    folder = folder_name(inventory.cluster, spec.name)
    return Unseen(f"{inventory.runtime.state_directory}/o-{UID}/{folder}")


def _unit(unit: Unit) -> PlannedUnit:
    return PlannedUnit(unit.name, shown(unit.argv), unit.env, tuple(name for name, _ in unit.secrets))
