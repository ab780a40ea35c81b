"""The units that should run on each host, and the outdated ones: the state of one unit decides about others
too."""

from __future__ import annotations

from typing import Literal

from cluster.inventory import Inventory
from cluster.launch import ray, vllm
from cluster.launch.unit import Name, Unit
from cluster.values import Presence
from cluster.views import HostView, Observed

#: The units to launch again although they are not outdated: vLLM alone, or all. None: no unit.
Renew = Literal["vllm", "all"] | None


def ray_unit(inventory: Inventory, view: HostView) -> Unit:
    """Returns the Ray unit of a host that answered."""
    assert view.facts is not None
    return ray.unit(inventory, inventory.host(view.name), view.facts)


def vllm_unit(inventory: Inventory, seen: Observed) -> Unit:
    """Returns the vLLM unit of the head, which must have answered."""
    facts = seen[inventory.head.name].facts
    assert facts is not None
    return vllm.unit(inventory, facts)


def ray_runs(inventory: Inventory, view: HostView) -> bool:
    return view.facts is not None and ray_unit(inventory, view).runs(view.ray)


def vllm_runs(inventory: Inventory, seen: Observed) -> bool:
    """Returns whether the desired vLLM runs, on Ray units that are desired on every host."""
    head = seen[inventory.head.name]
    if head.facts is None or not vllm_unit(inventory, seen).runs(head.vllm):
        return False
    return not inventory.uses_ray or all(ray_runs(inventory, view) for view in seen.values())


def outdated(inventory: Inventory, seen: Observed, renew: Renew = None) -> tuple[tuple[str, Name], ...]:
    """Returns the units to stop before any launch, vLLM first, the head's Ray last.

    A worker makes the raylet of a failed head look alive for a while. So a new head needs new workers, and a
    failed worker needs a new head. An engine loses its ranks as soon as one Ray exits.
    """
    stale = _stale_ray(inventory, seen, renew)
    vllm = [(name, view) for name, view in seen.items() if view.vllm.presence is not Presence.ABSENT]
    engines: list[tuple[str, Name]] = [
        (name, "vllm")
        for name, _ in vllm
        if renew or stale or name != inventory.head.name or not vllm_runs(inventory, seen)
    ]
    workers_first = sorted(stale, key=lambda name: name == inventory.head.name)
    return (*engines, *((name, "ray") for name in workers_first))


def _stale_ray(inventory: Inventory, seen: Observed, renew: Renew) -> list[str]:
    """Returns every running Ray, if one of them, or the head's, is outdated.

    A head without one of its raylets can hold the GPUs of an engine that has exited. Ray 2.60 held 2 of 4 for
    three minutes. The next engine then lacks them. All start at once, so this takes no longer.
    """
    present = [name for name, view in seen.items() if view.ray.presence is not Presence.ABSENT]
    wanted = {*present, inventory.head.name} if inventory.uses_ray else set()
    if renew != "all" and wanted and all(ray_runs(inventory, seen[name]) for name in wanted):
        return []
    return present
