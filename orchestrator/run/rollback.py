"""Taking back what a run started, in reverse; and saying what could not be taken back."""

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
    """`keep`: leave everything for a look; `cleaning` is the command that takes away what is left."""

    sink: Sink
    interrupts: Interrupts
    cleaning: str
    keep: bool

    def __call__(self, entered: Entered, error: BaseException) -> None:
        """Bounded by the time limits of the commands. What is left becomes notes on `error`, not its replacement.

        Raises Interrupted when a person will not wait for it.
        """
        self.interrupts.no_more()
        started = [(phase, stage) for phase, stage in reversed(entered) if phase.starts]
        try:
            self._take_back(started, entered, error)
        except KeyboardInterrupt:
            raise self._left() if started else Interrupted("interrupted") from error

    def _take_back(self, started: Entered, entered: Entered, error: BaseException) -> None:
        lease: _Lease = "theirs" if isinstance(error, LeaseLost) else self._lease(entered)
        if lease == "theirs":
            self._clean(error, "somebody else may be at work, so nothing was taken back")
            return
        if not started:
            return
        if self.interrupts.leaving:
            raise self._left() from error
        if self.keep:
            self._clean(error, "what this run started was left for a look")
            return
        self.sink(HostMessage("", _told(error)))
        if not self._all(started, entered, error, lease):
            self._clean(error, "something of this run is left")

    def _all(self, started: Entered, entered: Entered, error: BaseException, lease: _Lease) -> bool:
        """Whether all of it was taken back; this machine may sleep over it, and wake without its lease."""
        undone = []
        for phase, stage in started:
            # A head that did not answer is not waited for again: a person waits for the end of this.
            lease = self._lease(entered) if lease == "ours" else lease
            undone.append(lease != "theirs" and self._undo(phase, stage, error))
        return all(undone)

    def _lease(self, entered: Entered) -> _Lease:
        """Whose it is now: what this run started may be somebody else's."""
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
        except ClusterError as known:
            problem = known
        except Exception as defect:
            # A fault of ours in one phase must not keep the others from being taken back.
            problem = ClusterError(f"{type(defect).__name__}: {defect}")
        if problem:
            error.add_note("\n".join((f"could not be taken back: {phase.title}", *remains(problem))))
        self.sink(RolledBack(phase.title, problem))
        return problem is None

    def _clean(self, error: BaseException, what: str) -> None:
        error.add_note(f"{what}: `{self.cleaning}` takes it away")

    def _left(self) -> Interrupted:
        cure = f"`{self.cleaning}` takes it away"
        return Interrupted("interrupted twice: what this run started may still be there", cure=cure)


def remains(problem: ClusterError) -> Iterator[str]:
    """What is left where something could not be taken back, and what to do about it, a line each."""
    match problem:
        case NotReleased():
            for left in problem.leftovers:
                yield f"{left.host}: {left.what}{_cure(left.cure)}"
        case FleetError():
            for one in problem.errors:
                yield from remains(one)
        case HostError():
            yield f"{problem.host}: {problem.reason}{_cure(problem.cure)}"
        case _:
            yield f"{problem.message}{_cure(problem.cure)}"


def _cure(cure: str) -> str:
    return f" ({cure})" if cure else ""


def _told(error: BaseException) -> str:
    if isinstance(error, Interrupted):
        return "interrupted: taking back what this run started (Ctrl-C again leaves it)"
    return "taking back what this run started (Ctrl-C twice leaves it)"
