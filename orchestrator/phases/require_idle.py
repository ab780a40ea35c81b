"""Whether the hosts are free of us: what is there may be in use, and is not ours to replace."""

from __future__ import annotations

from collections.abc import Callable

from cluster.errors import UsageError
from cluster.values import Presence
from orchestrator.run.phase import Phase, Stage


class RequireIdle(Phase):
    title = "See that nothing runs"
    acts = False

    def __init__(self, passed: Callable[[], None]) -> None:
        """`passed` is called once it is so: what runs from then on is ours to take down."""
        self._passed = passed

    def run(self, stage: Stage) -> None:
        """Raises UsageError where a unit of this cluster is there, dead or alive; what kept us from looking."""
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
