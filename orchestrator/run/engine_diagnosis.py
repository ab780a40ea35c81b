"""Why an engine crashed or stalled: from its log, and from what every host knows of its ranks."""

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

#: Seconds for hosts to answer: a crash is explained within five of its happening, and who has waited for a quarter
#: of an hour can wait for stacks.
_OF_A_CRASH, _OF_A_STALL, _GRACE = 1.5, 6.0, 1.0
#: Lines that are shown of the log of a Ray that has exited.
_LINES = 6


def crash_error(stage: Stage, engine: UnitLog, status: UnitStatus) -> EngineDied:
    """Explains a crash of the engine, without the hosts that do not answer in time."""
    request = rank_logs.request(_age(stage), _OF_A_CRASH)
    collected, rays = both(lambda: _collected(stage, _OF_A_CRASH, lambda host: request), lambda: _rays(stage))
    for host, ray_status in rays.items():
        if not ray_status.alive:
            return ray_loss_error(stage, host, ray_status)
    logs = {name: rank_logs.read(answer) for name, answer in collected.items()}
    # The last lines of ranks take a moment to come through Ray into this log.
    with suppress(HostError):
        status = engine.look()
    return engine_failed(stage.inventory, status, engine.log, logs)


def ray_loss_error(stage: Stage, host: str, status: UnitStatus) -> EngineDied:
    """Explains a crash by the Ray of a host: its ranks are lost with it, whatever the engine's log says."""
    end = ray_end(stage, host, status, _LINES, ", and its ranks with it")
    return EngineDied(host, end.cause, end.cure, end.last)


@dataclass(frozen=True)
class RayEnd:
    """Why the Ray of a host has exited, what to do, and the end of its log."""

    cause: str
    cure: str
    last: str


def ray_end(stage: Stage, host: str, status: UnitStatus, lines: int, consequence: str = "") -> RayEnd:
    """Explains the end of a Ray, with the last `lines` of its log."""
    why = ray.exit_cause(status.text, status.lost)
    cause = f"Ray on {host} has exited{consequence}{f': {why.cause}' if why.cause else ''}"
    return RayEnd(cause, why.cure, stage.public(ray.last_lines(status.text, lines)))


def ray_status(stage: Stage, host: Host) -> UnitStatus:
    """Asks a host for its Ray, and for the log of it."""
    return host.ask(unit.status("ray", stage.state_folder(host.name), stage.venv))


def _rays(stage: Stage) -> dict[str, UnitStatus]:
    """Ray on the hosts that answer in time."""
    if not stage.inventory.uses_ray:
        return {}

    answers = stage.fleet.within(_OF_A_CRASH, lambda host: ray_status(stage, host))
    return {name: answer for name, answer in answers.items() if isinstance(answer, UnitStatus)}


@dataclass(frozen=True)
class Advice:
    """Where to look, why it may be, and what to do, where no pattern is known."""

    host: str
    cause: str
    cure: str


def stall_error(stage: Stage, engine: UnitLog, error: TimedOut, advice: Advice) -> NotReady:
    """Explains a wait that timed out by what every rank is at; by `advice` where no pattern is known."""
    stage.sink(HostMessage("", "no progress: asking every host what its ranks are doing"))
    age = _age(stage)

    def request(host: str) -> CollectRequest:
        return stall.request(stage.inventory, host, stage.state_folder(host), age, _OF_A_STALL)

    evidence = stall.evidence(_collected(stage, _OF_A_STALL, request))
    last = "\n".join([error.last, *stall.summarize(stage.inventory, evidence)])
    if known := stall.explain(stage.inventory, evidence, engine.log):
        advice = Advice(known.host, f"{known.cause}\n{advice.cause}", known.cure)
    return error.explained(advice.host, advice.cause, advice.cure, last)


def _age(stage: Stage) -> float:
    """Seconds since the engine was launched."""
    return stage.seen[stage.inventory.head.name].vllm.age + time.monotonic() - stage.since


def _collected(stage: Stage, seconds: float, request: Callable[[str], CollectRequest]) -> dict[str, Collected]:
    """What the hosts bring that answer in time."""
    answers = stage.fleet.within(seconds + _GRACE, lambda host: collect(host, stage.inventory, request(host.name)))
    return {name: answer for name, answer in answers.items() if isinstance(answer, Collected)}
