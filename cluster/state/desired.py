"""What should run on each host, and what runs that should not: what was seen of one unit never stands alone."""

from __future__ import annotations

from typing import Literal

from cluster.inventory import Inventory
from cluster.launch import ray, vllm
from cluster.launch.unit import Name, Unit
from cluster.values import Presence
from cluster.views import HostView, Observed

#: What is to be launched anew although it runs as wanted: vLLM alone, or everything. None: nothing.
Renew = Literal["vllm", "all"] | None


def ray_unit(inventory: Inventory, view: HostView) -> Unit:
    """The Ray of a host that could be looked at."""
    assert view.facts is not None
    return ray.unit(inventory, inventory.host(view.name), view.facts)


def vllm_unit(inventory: Inventory, seen: Observed) -> Unit:
    """The vLLM of the head, which could be looked at."""
    facts = seen[inventory.head.name].facts
    assert facts is not None
    return vllm.unit(inventory, facts)


def ray_runs(inventory: Inventory, view: HostView) -> bool:
    return view.facts is not None and ray_unit(inventory, view).runs(view.ray)


def vllm_runs(inventory: Inventory, seen: Observed) -> bool:
    """Whether the wanted vLLM runs, on a Ray that is wanted on every host."""
    head = seen[inventory.head.name]
    if head.facts is None or not vllm_unit(inventory, seen).runs(head.vllm):
        return False
    return not inventory.uses_ray or all(ray_runs(inventory, view) for view in seen.values())


def outdated(inventory: Inventory, seen: Observed, renew: Renew = None) -> tuple[tuple[str, Name], ...]:
    """What must be stopped before anything is launched, vLLM first, the head's Ray last.

    A worker keeps the raylet of a dead head looking alive for a while, so a new head means new workers, and a
    worker that was lost a new head; and an engine has lost its ranks as soon as one Ray goes.
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
    """Every Ray that is there, once one of them, or that of the head, is not the wanted one.

    A head that has lost a raylet can hold the GPUs of an engine that is gone, for those that come after (seen with
    Ray 2.60: 2 of 4 for three minutes). All start at once, so that this takes no longer.
    """
    present = [name for name, view in seen.items() if view.ray.presence is not Presence.ABSENT]
    wanted = {*present, inventory.head.name} if inventory.uses_ray else set()
    if renew != "all" and wanted and all(ray_runs(inventory, seen[name]) for name in wanted):
        return []
    return present
