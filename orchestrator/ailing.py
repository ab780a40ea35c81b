"""Why something of ours on a host is not as it must be, and what to do: out of what is left there."""

from __future__ import annotations

from typing import NamedTuple

from cluster import ray, unit
from cluster.command import Hint
from cluster.errors import HostError
from cluster.host import Host
from cluster.inventory import Inventory
from cluster.values import HostView, Presence, Sighting
from cluster.vllm.failure import engine_failed

_ANEW = "`up` launches it anew"


class Ailment(NamedTuple):
    cause: str
    cure: str


WELL = Ailment("", "")


def ailment(inventory: Inventory, host: Host, view: HostView) -> Ailment:
    """Of a host as it was seen; where a unit died, its log is read."""
    if view.facts is None:
        problem = view.problem
        return Ailment(problem.cause or problem.said, problem.cure) if problem else WELL
    if view.facts.gpu_problem:
        return Ailment(view.facts.gpu_problem, "see what nvidia-smi says there")
    dead: list[tuple[unit.Name, Sighting]] = [("ray", view.ray), ("vllm", view.vllm)]
    state = view.facts.state
    found = [_of(inventory, host, name, seen, state) for name, seen in dead if _is_dead(seen)]
    return Ailment("; ".join(one.cause for one in found), "; ".join(dict.fromkeys(one.cure for one in found)))


def _is_dead(seen: Sighting) -> bool:
    return seen.presence is Presence.DEAD


def _of(inventory: Inventory, host: Host, name: unit.Name, seen: Sighting, state: str) -> Ailment:
    left = f", but {len(seen.pids)} of its processes live" if seen.pids else ""
    if not seen.argv:
        return Ailment(f"the record of {name} is gone{left}", _ANEW)
    try:
        look = host.ask(unit.look(name, state, inventory.runtime.venv))
    except HostError as error:
        return Ailment(f"{name} has ended{left}; its log could not be read: {error.cause}", _ANEW)
    if name == "ray":
        return _of_ray(seen, ray.ending(look.text), left)
    failed = engine_failed(inventory, look, look.text)
    return Ailment(failed.cause.replace("\n", ": ") + left, f"{failed.cure}; {_ANEW}")


def _of_ray(seen: Sighting, why: Hint, left: str) -> Ailment:
    cause = f": {why.cause}" if why.cause else ""
    cure = f"{why.cure}; {_ANEW}" if why.cause else _ANEW
    return Ailment(f"Ray has ended{_status(seen)}{cause}{left}", cure)


def _status(seen: Sighting) -> str:
    return "" if seen.status is None else f" (exit status {seen.status})"
