"""The proof of a `down`: no process left, all ports free, and no GPU memory held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from cluster.errors import CommandFailed, HostError, NotReleased, TimedOut
from cluster.launch import unit
from cluster.state.leftovers import leftovers
from cluster.state.observe import observe
from cluster.values import Leftover
from orchestrator.events import HostMessage
from orchestrator.run.phase import Phase, Stage, Waits


@dataclass(frozen=True)
class _Leftovers:
    items: tuple[Leftover, ...]

    def __str__(self) -> str:
        return "; ".join(f"{leftover.host}: {leftover.what}" for leftover in self.items)

    def is_final(self) -> bool:
        """Whether waiting cannot change the result: nothing is left, or only hosts that could not be inspected."""
        return not any(leftover.provable for leftover in self.items)


class VerifyReleased(Phase):
    title = "Prove that everything is free"
    waits = Waits("all resources to be released", lambda patience: patience.free)

    def run(self, stage: Stage) -> None:
        """Raises NotReleased that names host, pid and MiB, and the hosts that could not be inspected, removed
        hosts included."""
        remaining = self._wait(stage)
        # The lease lies on the head: it goes last.
        head = stage.head.name
        remaining += self._remove_state(stage, [name for name in stage.fleet.names if name != head])
        remaining += self._remove_state(stage, [head])
        if not remaining:
            stage.sink(HostMessage("", "no process is left, all ports are free, and no GPU memory is held"))
        if remaining or stage.removed:
            raise NotReleased((*remaining, *stage.removed))

    def _wait(self, stage: Stage) -> tuple[Leftover, ...]:
        """Waits for GPUs alone: a rank can stay in the driver for a while after SIGKILL (vllm#25127)."""
        last = _Leftovers(())

        def look() -> _Leftovers:
            nonlocal last
            last = _Leftovers(leftovers(stage.inventory, observe(stage.inventory, stage.fleet)))
            return last

        with suppress(TimedOut):
            stage.until(self.waits.what, look, _Leftovers.is_final, self.waits.patience(stage.patience))
        return last.items

    def _remove_state(self, stage: Stage, hosts: Sequence[str]) -> tuple[Leftover, ...]:
        """Returns the files that could not be removed. Hosts without facts, or with a folder of another user, are
        left alone."""
        seen = [name for name in hosts if (facts := stage.seen[name].facts) and not facts.state_taken]
        answers = stage.fleet.each(
            lambda host: host.run(unit.remove_state(stage.facts(host.name).state, stage.venv)), among=seen
        )
        failed = [answer for answer in answers.values() if isinstance(answer, HostError)]
        return tuple(leftover for error in failed for leftover in _files(error, stage.facts(error.host).state))


def _files(error: HostError, state: str) -> Iterator[Leftover]:
    """One line for each file that the host names; otherwise one line for the folder of the cluster."""
    lines = error.output.splitlines() if isinstance(error, CommandFailed) else []
    for line in lines or [f"files in {state}: {error.reason}"]:
        yield Leftover(
            error.host, f"could not be removed: {line}", "run `down` again once they can be removed", False
        )
