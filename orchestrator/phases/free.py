"""The proof of a `down`: no process of ours, our ports free, and no memory of ours on any GPU."""

from __future__ import annotations

from contextlib import suppress

from cluster import unit
from cluster.errors import NotFreed, NotReady
from cluster.host import Host
from cluster.leftovers import leftovers
from cluster.observe import observe
from cluster.values import Leftover
from orchestrator.events import HostSaid
from orchestrator.phase import Phase, Stage


class Free(Phase):
    title = "Prove that everything is free"

    def run(self, stage: Stage) -> None:
        """Raises NotFreed that names host, pid and MiB, and the hosts that could not be looked at."""
        left = self._wait(stage)
        stage.fleet.each(lambda host: self._sweep(stage, host))
        if left:
            raise NotFreed(left)
        stage.sink(HostSaid("", "no process of ours, our ports free, and no memory of ours on any GPU"))

    def _wait(self, stage: Stage) -> tuple[Leftover, ...]:
        """Patience for GPUs alone: a rank can stay in the driver for a while after SIGKILL (vllm#25127)."""
        last: list[tuple[Leftover, ...]] = [()]

        def look() -> tuple[Leftover, ...]:
            last[0] = leftovers(stage.inventory, observe(stage.inventory, stage.fleet))
            return last[0]

        with suppress(NotReady):
            stage.until(
                "the GPUs to be free",
                look,
                lambda left: not any(one.provable for one in left),
                stage.patience.free,
            )
        return last[0]

    def _sweep(self, stage: Stage, host: Host) -> None:
        facts = stage.seen[host.name].facts
        if facts is not None:
            host.run(unit.sweep(facts.state, stage.venv))
