"""Rolls back what a run started, in reverse, and reports what is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cluster.errors import ClusterError, FleetError, HostError, LeaseLost, NotReleased
from orchestrator.events import HostMessage, RolledBack, Sink
from orchestrator.run.interrupts import Interrupted, Interrupts
from orchestrator.run.phase import Phase, Stage

Entered = Sequence[tuple[Phase, Stage]]
_Lease = Literal["ours", "theirs", "unknown"]


@dataclass(frozen=True)
class Rollback:
    """`keep` leaves everything running for inspection; `cleaning` is the command that removes what is left."""

    sink: Sink
    interrupts: Interrupts
    cleaning: str
    keep: bool

    def __call__(self, entered: Entered, error: BaseException) -> bool:
        """Returns whether nothing is left of what the run started. It takes no longer than the timeouts of the
        commands. What is left becomes notes on `error`. Raises Interrupted when an operator stops the
        rollback."""
        self.interrupts.ignore_first()
        started = [(phase, stage) for phase, stage in reversed(entered) if phase.starts]
        try:
            return self._roll_back(started, entered, error)
        except KeyboardInterrupt:
            raise self._interrupted_twice() if started else Interrupted("interrupted") from error

    def _roll_back(self, started: Entered, entered: Entered, error: BaseException) -> bool:
        lease: _Lease = "theirs" if isinstance(error, LeaseLost) else self._lease(entered)
        if lease == "theirs":
            self._note_cleaning(error, "another operator may hold the lease, so nothing was rolled back")
            return False
        if not started:
            return True
        if self.interrupts.leaving:
            raise self._interrupted_twice() from error
        if self.keep:
            self._note_cleaning(error, "everything was left running for inspection (--keep)")
            return False
        self.sink(HostMessage("", _opening(error)))
        whole = self._undo_all(started, entered, error, lease)
        if not whole:
            self._note_cleaning(error, "this run left something behind")
        return whole

    def _undo_all(self, started: Entered, entered: Entered, error: BaseException, lease: _Lease) -> bool:
        """Whether everything was rolled back. This machine may sleep meanwhile, and wake without its lease."""
        undone = []
        for phase, stage in started:
            # A head that did not answer is not waited for again: an operator waits for the end of this.
            lease = self._lease(entered) if lease == "ours" else lease
            undone.append(lease != "theirs" and self._undo(phase, stage, error))
        return all(undone)

    def _lease(self, entered: Entered) -> _Lease:
        """Who holds the lease now: another operator may own what this run started."""
        try:
            for _, stage in entered[-1:]:
                stage.guard()
        except LeaseLost:
            return "theirs"
        except ClusterError:
            return "unknown"  # a head that is lost gives no lease to anybody
        return "ours"

    def _undo(self, phase: Phase, stage: Stage, error: BaseException) -> bool:
        problem: ClusterError | None = None
        try:
            phase.undo(stage)
        except ClusterError as expected:
            problem = expected
        except Exception as defect:
            # A defect in one phase must not keep the others from being rolled back.
            problem = ClusterError(f"{type(defect).__name__}: {defect}")
        if problem:
            error.add_note("\n".join((f"could not be rolled back: {phase.title}", *_leftovers(problem))))
        self.sink(RolledBack(phase.title, problem))
        return problem is None

    def _note_cleaning(self, error: BaseException, what: str) -> None:
        error.add_note(f"{what}: `{self.cleaning}` removes it")

    def _interrupted_twice(self) -> Interrupted:
        cure = f"`{self.cleaning}` removes it"
        return Interrupted("interrupted twice: what this run started may still be running", cure=cure)


def _leftovers(problem: ClusterError) -> Iterator[str]:
    """Yields a line for each thing that is left, with its fix."""
    match problem:
        case NotReleased():
            for leftover in problem.leftovers:
                yield f"{leftover.host}: {leftover.what}{_cure(leftover.cure)}"
        case FleetError():
            for error in problem.errors:
                yield from _leftovers(error)
        case HostError():
            yield f"{problem.host}: {problem.reason}{_cure(problem.cure)}"
        case _:
            yield f"{problem.message}{_cure(problem.cure)}"


def _cure(cure: str) -> str:
    return f" ({cure})" if cure else ""


def _opening(error: BaseException) -> str:
    if isinstance(error, Interrupted):
        return "interrupted: rolling back (press Ctrl-C again to stop the rollback)"
    return "rolling back (press Ctrl-C twice to stop the rollback)"
