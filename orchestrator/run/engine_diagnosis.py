"""Why an engine died or does not move, out of its own log and of what every host has to say of the ranks there."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from cluster.diagnosis import rank_logs, stall
from cluster.diagnosis.collect import Collected, CollectRequest, collect
from cluster.diagnosis.engine_failure import engine_failed
from cluster.engine.unit_log import UnitLog
from cluster.errors import EngineDied, HostError, NotReady, TimedOut
from cluster.launch import ray, unit
from cluster.launch.unit import UnitStatus
from cluster.transport.fleet import both
from cluster.transport.host import Host
from orchestrator.events import HostMessage
from orchestrator.run.phase import Stage

#: Seconds for hosts to say it: a crash is explained within five of its happening, and who has waited for a quarter
#: of an hour can wait for stacks.
_OF_A_CRASH, _OF_A_STALL, _GRACE = 1.5, 6.0, 1.0
#: Of the log of a Ray that has ended.
_LINES = 6


def died(stage: Stage, engine: UnitLog, seen: UnitStatus) -> EngineDied:
    """The error for a person. Hosts that do not answer in time are done without."""
    wanted = rank_logs.wanted(_age(stage), _OF_A_CRASH)
    collected, rays = both(lambda: _collected(stage, _OF_A_CRASH, lambda host: wanted), lambda: _rays(stage))
    fallen = [(host, look) for host, look in rays.items() if not look.alive]
    if fallen:
        return ray_ended(stage, *fallen[0])
    words = {name: rank_logs.words(one) for name, one in collected.items()}
    # The words of ranks take a moment to come through Ray into this log.
    with suppress(HostError):
        seen = engine.look()
    return engine_failed(stage.inventory, seen, engine.log, words)


def ray_ended(stage: Stage, host: str, status: UnitStatus) -> EngineDied:
    """An engine has lost the ranks of a host as soon as its Ray goes, whatever it says itself."""
    end = ray_end(stage, host, status, _LINES, ", and the ranks there with it")
    return EngineDied(host, end.cause, end.cure, end.last)


@dataclass(frozen=True)
class RayEnd:
    """Why the Ray of a host has ended, what to do, and the end of its log."""

    cause: str
    cure: str
    last: str


def ray_end(stage: Stage, host: str, status: UnitStatus, lines: int, consequence: str = "") -> RayEnd:
    """The end of a Ray with the last `lines` of its log."""
    why = ray.exit_cause(status.text, status.lost)
    cause = f"Ray on {host} has ended{consequence}{f': {why.cause}' if why.cause else ''}"
    return RayEnd(cause, why.cure, stage.public(ray.last_lines(status.text, lines)))


def _rays(stage: Stage) -> dict[str, UnitStatus]:
    """Ray on the hosts that answer in time."""
    if not stage.inventory.uses_ray:
        return {}

    def look(host: Host) -> UnitStatus:
        return host.ask(unit.status("ray", stage.state_folder(host.name), stage.venv))

    found = stage.fleet.within(_OF_A_CRASH, look)
    return {name: one for name, one in found.items() if isinstance(one, UnitStatus)}


@dataclass(frozen=True)
class Advice:
    """Where to look, why it may be, and what to do, where no pattern is known."""

    host: str
    cause: str
    cure: str


def stalled(stage: Stage, engine: UnitLog, error: TimedOut, advice: Advice) -> NotReady:
    """The error with what every rank is at, and what that means; `advice` where no pattern is known."""
    stage.sink(HostMessage("", "nothing moves any more: asking every host what its ranks are at"))
    age = _age(stage)

    def wanted(host: str) -> CollectRequest:
        return stall.wanted(stage.inventory, host, stage.state_folder(host), age, _OF_A_STALL)

    found = stall.evidence(_collected(stage, _OF_A_STALL, wanted))
    last = "\n".join([error.last, *stall.told(stage.inventory, found)])
    means = stall.meaning(stage.inventory, found, engine.log)
    if means:
        advice = Advice(means.host, f"{means.cause}\n{advice.cause}", means.cure)
    return error.explained(advice.host, advice.cause, advice.cure, last)


def _age(stage: Stage) -> float:
    """Seconds since the engine was launched."""
    return stage.seen[stage.inventory.head.name].vllm.age + time.monotonic() - stage.since


def _collected(stage: Stage, seconds: float, wanted: Callable[[str], CollectRequest]) -> dict[str, Collected]:
    found = stage.fleet.within(seconds + _GRACE, lambda host: collect(host, stage.inventory, wanted(host.name)))
    return {name: one for name, one in found.items() if isinstance(one, Collected)}
