"""One operator at a time: the lease on the head, for as long as the run takes."""

from __future__ import annotations

from collections.abc import Callable

from cluster.errors import LeaseHeld
from cluster.inventory import Inventory
from cluster.lease import lease
from cluster.values import Lease
from cluster.views import Observed
from orchestrator.events import HostMessage
from orchestrator.local import operator
from orchestrator.run.phase import Phase, Stage, Waits


class AcquireLease(Phase):
    title = "Take the lease"
    waits = Waits("the lease, which somebody else holds", lambda patience: patience.lease)

    def __init__(self, taken: Callable[[], None] = lambda: None) -> None:
        """`taken` is called once the lease is ours."""
        self._taken = taken

    def skip(self, inventory: Inventory, seen: Observed) -> str | None:
        """A head that is lost cannot give a lease."""
        head = inventory.head.name
        return None if seen[head].problem is None else f"no lease: {head} could not be looked at"

    def run(self, stage: Stage) -> None:
        """Raises Held when somebody else works on this cluster."""
        head = stage.inventory.head.name
        held = self._take(stage, operator.lease(stage.reason), stage.facts(head).state)
        stage.at_end(held.release)
        stage.guards.append(held.check)
        if held.left_by:
            before = held.left_by
            stage.sink(
                HostMessage(head, f"took over the lease of {before.owner} on {before.machine}, who is gone")
            )
        if held.unwritten:
            stage.sink(HostMessage(head, f"nobody else can read who holds the lease: {held.unwritten}"))
        self._taken()

    def _take(self, stage: Stage, mine: Lease, state: str) -> lease.HeldLease:
        """Raises Held at once, or waits until whoever has it is done, where patience for that was asked for."""
        patience = self.waits.patience(stage.patience)

        def take() -> lease.HeldLease:
            return lease.take(stage.head, stage.inventory.cluster, mine, state, stage.venv)

        return self._wait(stage, take, patience) if patience else take()

    def _wait(self, stage: Stage, take: Callable[[], lease.HeldLease], patience: float) -> lease.HeldLease:
        found: list[lease.HeldLease] = []

        def look() -> str:
            try:
                found.append(take())
                return ""
            except LeaseHeld as error:
                return str(error)

        stage.until(self.waits.what, look, lambda held: not held, patience)
        return found[0]
