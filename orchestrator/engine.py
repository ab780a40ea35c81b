"""Runs phases in their order, times them, and undoes them in reverse. Decides nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from cluster.errors import ClusterError
from cluster.fleet import Fleet
from cluster.inventory import Inventory
from cluster.observe import observe
from orchestrator.events import PhaseDone, PhaseFailed, PhaseSkipped, PhaseStarted, Sink, Undone
from orchestrator.phase import Phase, Stage
from orchestrator.settings import Patience


@dataclass(frozen=True)
class Engine:
    """One run over one cluster; `reason` is what the lease shows to others."""

    inventory: Inventory
    fleet: Fleet
    sink: Sink
    patience: Patience
    reason: str

    def run(self, phases: Sequence[Phase]) -> None:
        """Every phase, or an error after what this run did was taken back."""
        with ExitStack() as end:
            entered: list[tuple[Phase, Stage]] = []
            try:
                self._forward(phases, entered, end)
            except BaseException as error:
                self._undo(entered, error)
                raise

    def _forward(self, phases: Sequence[Phase], entered: list[tuple[Phase, Stage]], end: ExitStack) -> None:
        stage = self._stage(end)
        for phase in phases:
            reason = phase.skip(self.inventory, stage.seen)
            if reason is not None:
                self.sink(PhaseSkipped(phase.title, reason))
                continue
            entered.append((phase, stage))
            self._enter(phase, stage)
            stage = self._stage(end) if phase.acts else stage

    def _stage(self, end: ExitStack) -> Stage:
        def at_end(release: Callable[[], None]) -> None:
            end.callback(release)

        seen = observe(self.inventory, self.fleet)
        return Stage(self.inventory, self.fleet, seen, self.sink, self.patience, self.reason, at_end)

    def _enter(self, phase: Phase, stage: Stage) -> None:
        begun = time.monotonic()
        self.sink(PhaseStarted(phase.title))
        try:
            phase.run(stage)
        except ClusterError as error:
            self.sink(PhaseFailed(phase.title, time.monotonic() - begun, error))
            raise
        self.sink(PhaseDone(phase.title, time.monotonic() - begun))

    def _undo(self, entered: list[tuple[Phase, Stage]], error: BaseException) -> None:
        """An undo that fails is a note on the first error, never its replacement."""
        for phase, stage in reversed(entered):
            if type(phase).undo is Phase.undo:
                continue
            try:
                phase.undo(stage)
                self.sink(Undone(phase.title))
            except ClusterError as problem:
                self.sink(Undone(phase.title, problem))
                error.add_note(f"could not be undone: {phase.title}: {problem} {problem.cure}".strip())
