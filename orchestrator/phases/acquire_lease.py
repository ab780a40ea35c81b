"""The lease on the head: one operator at a time, for the whole run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cluster.errors import LeaseHeld
from cluster.lease import lease
from cluster.state.observe import observe
from cluster.values import Lease
from orchestrator.events import HostMessage
from orchestrator.local import operator
from orchestrator.run.check_hosts import check_hosts
from orchestrator.run.phase import Handover, Phase, Situation, Stage, Waits

#: The lease lies in the folder of the cluster.
_ABOVE_THE_LEASE = ("parent", "user", "cluster")


class AcquireLease(Phase):
    title = "Take the lease"
    waits = Waits("the lease, which another operator holds", lambda patience: patience.lease)

    def __init__(
        self, taken: Callable[[], None] = lambda: None, *, recheck: bool = False, needed: bool = True
    ) -> None:
        """`taken` is called once this run holds the lease. If `recheck` is set, the hosts are checked again after
        a wait, because earlier facts are old. If `needed` is false, a head that cannot hold a lease does not
        stop the run."""
        self._taken = taken
        self._recheck = recheck
        self._needed = needed

    def skip(self, situation: Situation) -> str | None:
        """Skips a head that is unreachable, or whose folder belongs to another user: it cannot hold a lease."""
        view = situation.seen[situation.inventory.head.name]
        if view.problem:
            return f"no lease: {view.name} could not be inspected"
        taken = view.facts and view.facts.state_taken
        if taken and taken.level in _ABOVE_THE_LEASE and not self._needed:
            return f"no lease: its folder on {view.name} is not private to this user"
        return None

    def run(self, stage: Stage) -> Handover:
        """Raises LeaseHeld when another operator holds the lease, and the blocking findings after a wait."""
        head = stage.inventory.head.name
        held, waited = self._take(stage, operator.lease(stage.reason), stage.facts(head).state)
        stage.at_end(held.release)
        if held.left_by:
            before = held.left_by
            stage.sink(
                HostMessage(
                    head, f"took over the lease of {before.owner} on {before.machine}, whose heartbeat has stopped"
                )
            )
        if held.unwritten:
            stage.sink(HostMessage(head, "other operators cannot read who holds the lease", cause=held.unwritten))
        if waited and self._recheck:
            stage.sink(HostMessage("", "another operator held the lease; checking the hosts again"))
            check_hosts(replace(stage, seen=observe(stage.inventory, stage.fleet)))
        self._taken()
        return Handover(guards=(held.check,))

    def _take(self, stage: Stage, mine: Lease, state: str) -> tuple[lease.HeldLease, bool]:
        """Returns the lease, and whether this run waited for it. Raises LeaseHeld at once, or after the timeout
        that was asked for."""
        patience = self.waits.patience(stage.patience)

        def take() -> lease.HeldLease:
            return lease.take(stage.head, stage.inventory.cluster, mine, state, stage.venv)

        return self._wait(stage, take, patience) if patience else (take(), False)

    def _wait(
        self, stage: Stage, take: Callable[[], lease.HeldLease], patience: float
    ) -> tuple[lease.HeldLease, bool]:
        taken: list[lease.HeldLease] = []
        looks = 0

        def look() -> str:
            nonlocal looks
            looks += 1
            try:
                taken.append(take())
                return ""
            except LeaseHeld as error:
                return str(error)

        stage.until(self.waits.what, look, lambda holder: not holder, patience)
        return taken[0], looks > 1
