"""Why something of ours on a host is not as it must be, and what to do: out of what is left there."""

from __future__ import annotations

import re
from typing import NamedTuple

from cluster.command import Hint
from cluster.diagnosis.engine_failure import engine_failed
from cluster.errors import EngineDied, HostError
from cluster.inventory import Inventory
from cluster.launch import ray, unit
from cluster.transport.host import Host
from cluster.values import Presence, UnitState
from cluster.views import HostView

_ANEW = "`up` launches it anew"
_A_RANK = re.compile(r"rank \d+|a rank")


class UnitFailure(NamedTuple):
    cause: str
    cure: str


WELL = UnitFailure("", "")


def ailment(inventory: Inventory, host: Host, view: HostView) -> UnitFailure:
    """Of a host as it was seen; where a unit died, its log is read."""
    if view.facts is None:
        problem = view.problem
        return UnitFailure(problem.reason, problem.cure) if problem else WELL
    if view.facts.gpu_problem:
        return UnitFailure(view.facts.gpu_problem, "see what nvidia-smi says there")
    units: list[tuple[unit.Name, UnitState]] = [("ray", view.ray), ("vllm", view.vllm)]
    state = view.facts.state
    found = [ending(inventory, host, name, seen, state) for name, seen in units if _is_dead(seen)]
    cures = dict.fromkeys([*filter(None, (one.cure for one in found)), *([_ANEW] if found else [])])
    return UnitFailure("; ".join(one.cause for one in found), "; ".join(cures))


def _is_dead(seen: UnitState) -> bool:
    return seen.presence is Presence.DEAD


def ending(inventory: Inventory, host: Host, name: unit.Name, seen: UnitState, state: str) -> UnitFailure:
    """Why a unit that was seen dead has died, in one line, as its log says it; `state` is our
    folder there. The cure is what to do besides launching it anew."""
    left = f", but {len(seen.pids)} of its processes live" if seen.pids else ""
    if not seen.argv:
        return UnitFailure(f"the record of {name} is gone{left}", "")
    try:
        look = host.ask(unit.status(name, state, inventory.runtime.venv))
    except HostError as error:
        return UnitFailure(f"{name} has ended{left}; its log could not be read: {error.cause}", error.cure)
    if seen.status is None and seen.pids and not (look.alive or look.lost):
        return UnitFailure(f"the keeper of {name} is gone{left}", "")
    if name == "ray":
        return _of_ray(seen, ray.exit_cause(look.text, look.lost), left)
    failed = engine_failed(inventory, look, look.text)
    return UnitFailure(_placed(failed, host) + left, failed.cure)


def _placed(failed: EngineDied, host: Host) -> str:
    """In one line; with its host where it is another than the one of which it is told."""
    cause = failed.cause.replace("\n", ": ")
    if failed.host == host.name:
        return cause
    who, colon, what = cause.partition(": ")
    return f"{who} on {failed.host}{colon}{what}" if _A_RANK.fullmatch(who) else f"on {failed.host}: {cause}"


def _of_ray(seen: UnitState, why: Hint, left: str) -> UnitFailure:
    cause = f": {why.cause}" if why.cause else ""
    return UnitFailure(f"Ray has ended{_status(seen)}{cause}{left}", why.cure if why.cause else "")


def _status(seen: UnitState) -> str:
    return "" if seen.status is None else f" (exit status {seen.status})"
