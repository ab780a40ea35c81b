"""Runs phases in their order, times them, and rolls them back when one fails. Decides nothing else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace

from cluster.errors import ClusterError
from cluster.inventory import Inventory
from cluster.state.observe import observe
from cluster.transport.fleet import Fleet
from cluster.values import Launcher
from cluster.views import Observed
from orchestrator.events import PhaseDone, PhaseFailed, PhaseSkipped, PhaseStarted, Sink
from orchestrator.local.settings import Patience
from orchestrator.run.interrupts import Interrupted, Interrupts
from orchestrator.run.phase import Handover, Phase, Stage
from orchestrator.run.rollback import Rollback


@dataclass(frozen=True)
class Engine:
    """One run over one cluster.

    `reason` is what the lease shows to others. `cleaning` is the command that removes what a run leaves. If
    `keep` is set, a failed run leaves everything. `skip` are names of checks whose findings do not count.
    `failed` is called before a rollback, when a failed run may have changed something. `rolled_back` gets the
    first facts, once nothing is left of what a run under the lease started. `launcher` is this operator.
    """

    inventory: Inventory
    fleet: Fleet
    sink: Sink
    patience: Patience
    reason: str
    cleaning: str
    keep: bool = False
    interrupts: Interrupts = field(default_factory=Interrupts)
    skip: tuple[str, ...] = ()
    launcher: Launcher | None = None
    failed: Callable[[Stage, BaseException], None] = lambda stage, error: None
    rolled_back: Callable[[Observed], None] = lambda seen: None

    def run(self, phases: Sequence[Phase]) -> None:
        """Runs every phase. Raises the error of one that fails, after the rollback; Interrupted for Ctrl-C."""
        with ExitStack() as end:
            entered: list[tuple[Phase, Stage]] = []
            try:
                self._forward(phases, entered, end)
            except KeyboardInterrupt:
                interrupted = Interrupted("interrupted")
                self._undo(entered, interrupted)
                raise interrupted from None
            except BaseException as error:
                if any(phase.acts for phase, _ in entered):
                    self._call_failed(entered[-1][1], error)
                self._undo(entered, error)
                raise

    def _call_failed(self, stage: Stage, error: BaseException) -> None:
        """Ctrl-C ends this alone: an operator who is tired of waiting still wants the rollback."""
        with suppress(KeyboardInterrupt):
            self.failed(stage, error)

    def _forward(self, phases: Sequence[Phase], entered: list[tuple[Phase, Stage]], end: ExitStack) -> None:
        stage = self._stage(end)
        for phase in phases:
            reason = phase.skip(stage)
            if reason is not None:
                self.sink(PhaseSkipped(phase.title, reason))
                continue
            stage.guard()
            entered.append((phase, stage))
            stage = stage.after(self._enter(phase, stage))
            if phase.acts:
                stage = replace(stage, seen=observe(self.inventory, self.fleet), since=time.monotonic())

    def _stage(self, end: ExitStack) -> Stage:
        def at_end(release: Callable[[], None]) -> None:
            end.callback(lambda: None if self.interrupts.leaving else release())

        seen = observe(self.inventory, self.fleet)
        return Stage(
            self.inventory,
            seen,
            self.fleet,
            self.sink,
            self.patience,
            self.reason,
            at_end,
            skip=self.skip,
            launcher=self.launcher,
            run_id=secrets.token_hex(8),
        )

    def _enter(self, phase: Phase, stage: Stage) -> Handover:
        begun = time.monotonic()
        self.sink(PhaseStarted(phase.title))
        try:
            # An undo beside a launch under way would look for what is not there yet.
            with self.interrupts.deferred() if phase.starts else nullcontext():
                handover = phase.run(stage)
        except ClusterError as error:
            self.sink(PhaseFailed(phase.title, time.monotonic() - begun, error))
            raise
        self.sink(PhaseDone(phase.title, time.monotonic() - begun))
        return handover or Handover()

    def _undo(self, entered: list[tuple[Phase, Stage]], error: BaseException) -> None:
        whole = Rollback(self.sink, self.interrupts, self.cleaning, self.keep)(entered, error)
        # Before the lease is ours, what is left is that of others.
        if whole and entered and entered[-1][1].guards:
            self.rolled_back(entered[0][1].seen)
