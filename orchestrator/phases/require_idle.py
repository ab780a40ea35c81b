"""Refuses hosts on which a unit of this cluster exists: an engine there may be in use."""

from __future__ import annotations

from collections.abc import Callable

from cluster.errors import UsageError
from cluster.values import Presence
from orchestrator.run.phase import Phase, Stage


class RequireIdle(Phase):
    title = "See that nothing runs"
    acts = False

    def __init__(self, passed: Callable[[], None]) -> None:
        """`passed` is called once the hosts are idle: this run may stop whatever starts later."""
        self._passed = passed

    def run(self, stage: Stage) -> None:
        """Raises UsageError where a unit of this cluster exists, running or not, and what makes a host
        unreachable."""
        there = [
            f"{unit} on {name}"
            for name in stage.fleet.names
            for unit, sighting in (("ray", stage.facts(name).ray), ("vllm", stage.facts(name).vllm))
            if sighting.presence is not Presence.ABSENT
        ]
        if there:
            cause = f"there is {', '.join(there)}"
            cure = "run `orchestrator down` first; each layout is started and stopped by itself"
            raise UsageError(f"{stage.inventory.cluster} is in use", cause=cause, cure=cure)
        self._passed()
