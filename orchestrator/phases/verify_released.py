"""The proof of a `down`: no process of ours, our ports free, and no memory of ours on any GPU."""

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
class _Left:
    things: tuple[Leftover, ...]

    def __str__(self) -> str:
        return "; ".join(f"{one.host}: {one.what}" for one in self.things)

    def is_final(self) -> bool:
        """Whether time will not change it: nothing is left, or only what nobody could look at."""
        return not any(one.provable for one in self.things)


class VerifyReleased(Phase):
    title = "Prove that everything is free"
    waits = Waits("everything to be free", lambda patience: patience.free)

    def run(self, stage: Stage) -> None:
        """Raises NotReleased that names host, pid and MiB, and the hosts that could not be looked at, also those
        that left the inventory."""
        left = self._wait(stage)
        # The lease lies on the head: it goes last.
        head = stage.head.name
        left += self._sweep(stage, [name for name in stage.fleet.names if name != head])
        left += self._sweep(stage, [head])
        if not left:
            stage.sink(HostMessage("", "no process of ours, our ports free, and no memory of ours on any GPU"))
        if left or stage.removed:
            raise NotReleased((*left, *stage.removed))

    def _wait(self, stage: Stage) -> tuple[Leftover, ...]:
        """Patience for GPUs alone: a rank can stay in the driver for a while after SIGKILL (vllm#25127)."""
        last = _Left(())

        def look() -> _Left:
            nonlocal last
            last = _Left(leftovers(stage.inventory, observe(stage.inventory, stage.fleet)))
            return last

        with suppress(TimedOut):
            stage.until(self.waits.what, look, _Left.is_final, self.waits.patience(stage.patience))
        return last.things

    def _sweep(self, stage: Stage, hosts: Sequence[str]) -> tuple[Leftover, ...]:
        """Of hosts that were seen; files that cannot be removed come back."""
        known = [name for name in hosts if stage.seen[name].facts]
        answers = stage.fleet.each(
            lambda host: host.run(unit.remove_state(stage.facts(host.name).state, stage.venv)), among=known
        )
        failed = [answer for answer in answers.values() if isinstance(answer, HostError)]
        return tuple(left for answer in failed for left in _files(answer, stage.facts(answer.host).state))


def _files(error: HostError, state: str) -> Iterator[Leftover]:
    """Each is on a line of its own; where the host says nothing of them, they are in the folder of the cluster."""
    lines = error.output.splitlines() if isinstance(error, CommandFailed) else []
    for line in lines or [f"files in {state}: {error.reason}"]:
        yield Leftover(error.host, f"could not be removed: {line}", "run `down` again once it can be", False)
