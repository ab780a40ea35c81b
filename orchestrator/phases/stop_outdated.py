"""Stops units that are outdated: changed, exited, or bound to a Ray that stops."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from cluster.diagnosis.unit_failure import exit_cause
from cluster.launch import unit
from cluster.state.desired import Renew, outdated, vllm_runs
from cluster.transport.fleet import all_of
from cluster.transport.host import Host
from cluster.values import Presence
from orchestrator.events import HostMessage
from orchestrator.run.consent import Consent
from orchestrator.run.phase import Phase, Situation, Stage
from orchestrator.run.stopping import stop


class StopOutdated(Phase):
    title = "Stop what is outdated"
    only = "a unit is outdated"

    def __init__(self, renew: Renew = None, consent: Consent | None = None) -> None:
        """`renew` are units to restart although they are up to date. `consent` is asked before a unit of another
        operator is stopped."""
        self._wanted = renew
        self._consent = consent

    def skip(self, situation: Situation) -> str | None:
        return None if self._outdated(situation) else "no unit is outdated"

    def run(self, stage: Stage) -> None:
        """Stops in the order of `outdated`, the hosts of one kind at once. Raises NotReleased when something
        keeps running, and InUse before anything is stopped. If a host was lost after preflight, its error is
        raised and nothing is stopped."""
        stage.need_all()
        if self._consent:
            self._consent.require(stage, self._outdated(stage))
        head = stage.head.name
        for (name, _), wave in groupby(self._outdated(stage), key=lambda pair: (pair[1], pair[0] == head)):
            stage.guard()
            self._stop(stage, name, [host for host, _ in wave])

    def _outdated(self, situation: Situation) -> Sequence[tuple[str, unit.Name]]:
        return outdated(situation.inventory, situation.seen, self._renew(situation))

    def _renew(self, situation: Situation) -> Renew:
        """All units where Ray may still have a removed host: only a new Ray starts without it."""
        keeps_removed = situation.removed and not vllm_runs(situation.inventory, situation.seen)
        return "all" if keeps_removed else self._wanted

    def _stop(self, stage: Stage, name: unit.Name, hosts: Sequence[str]) -> None:
        for host, why in stage.fleet.all(lambda host: self._why(stage, name, host), among=hosts).items():
            stage.sink(HostMessage(host, f"{name} {why}; stopping it"))
        stopped = stop(stage, name, hosts)
        all_of(stopped.answers)  # raises what kept a host from stopping it
        stopped.require_released()

    def _why(self, stage: Stage, name: unit.Name, host: Host) -> str:
        """Adds the cause of an exit from the log, because the next launch begins a new log."""
        view = stage.seen[host.name]
        state = view.ray if name == "ray" else view.vllm
        if state.presence is Presence.DEAD:
            folder = stage.facts(host.name).state
            return f"has exited: {exit_cause(stage.inventory, host, name, state, folder).cause}"
        return "must be restarted" if self._renew(stage) else "runs with an outdated configuration"
