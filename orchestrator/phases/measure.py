"""One run of a benchmark: a cold cache, the client on its host, the server counted before, during and after."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from cluster.bench import client
from cluster.bench.client import Heard
from cluster.bench.command import RESULT
from cluster.bench.conditions import with_clocks
from cluster.bench.evaluate import Evaluation, concluded
from cluster.bench.record import Conditions, Run
from cluster.bench.verdict import failed
from cluster.bench.workload import Cell
from cluster.engine.requests import RESET_PREFIX_CACHE
from cluster.errors import ClusterError, HostError, NotReady
from orchestrator.bench.current_conditions import present
from orchestrator.bench.estimate import left
from orchestrator.bench.launch import Launch, launch
from orchestrator.bench.results import INVENTORY, LOG, Results
from orchestrator.bench.run_summary import about, told
from orchestrator.bench.settings import BenchSettings
from orchestrator.bench.watch import Watch
from orchestrator.events import HostMessage
from orchestrator.run.phase import Phase, Situation, Stage

#: Seconds for the server to empty its prefix cache.
_RESET = 30.0


@dataclass(frozen=True)
class _Attempt:
    """One try at a cell, from when it began."""

    cell: Cell
    number: int
    seed: int
    how: BenchSettings
    launch: Launch
    conditions: Conditions
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(self, found: Evaluation, heard: Heard, conditions: Conditions) -> Run:
        return Run(
            workload=self.cell.workload.lengths,
            num_prompts=self.cell.num_prompts,
            repeat=self.cell.repeat,
            attempt=self.number,
            rate=self.how.rate,
            seed=self.seed,
            cold=self.how.cold,
            origin=self.launch.host.name,
            began=self.began.isoformat("T", "seconds"),
            seconds=(datetime.now(UTC) - self.began).total_seconds(),
            command=self.launch.argv,
            verdict=found.verdict,
            conditions=conditions,
            counts=found.counts,
            figures=found.figures,
            samples=tuple(heard.samples),
        )


class Measure(Phase):
    acts = False

    def __init__(self, cell: Cell, cells: Sequence[Cell], results: Results, scratch: Path) -> None:
        """`cells` are all of the benchmark, in order; `scratch` is a private folder of this machine."""
        self.title = f"Measure {cell.shown}"
        self._cell = cell
        self._cells = tuple(cells)
        self._results = results
        self._scratch = scratch

    def skip(self, situation: Situation) -> str | None:
        return "measured already" if self._results.valid(self._cell) else None

    def run(self, stage: Stage) -> None:
        """A run that fails, or proves nothing, is kept as such and said. Raises NotReady where no other run can do
        better (the server is dead, hangs, or answers nothing), and what keeps us from the client's host."""
        self._cool(stage)
        one, heard = self._attempt(stage), Heard()
        watch = Watch(stage, heard, self._cell.num_prompts, self._progress())
        found, problem = _measured(one.launch, heard, watch, self._cell.num_prompts)
        clocked = with_clocks(one.conditions, stage.inventory, stage.seen, watch.clocks)
        run = one.record(found, heard, clocked)
        stage.sink(HostMessage("", told(run)))
        self._keep(stage, run, heard)
        if problem:
            raise problem

    def _attempt(self, stage: Stage) -> _Attempt:
        number, how = self._results.attempt(self._cell), self._results.how
        seed = self._cell.seed(how.seed, number)
        ready = launch(stage, self._cell, how, seed, self._scratch)
        return _Attempt(self._cell, number, seed, how, ready, present(stage))

    def _cool(self, stage: Stage) -> None:
        if self._results.how.cold != "reset":
            return
        answer = stage.endpoint().ask(RESET_PREFIX_CACHE, _RESET)
        if answer.status != 200:
            cause = answer.text.strip() if answer.status == 0 else f"HTTP {answer.status}"
            cure = "see `orchestrator status`, then give the same command again: it goes on"
            raise NotReady("a reset of the prefix cache", host=stage.head.name, cause=cause, cure=cure)

    def _progress(self) -> str:
        """Which run of how many, and how long all that are left may take."""
        at = self._cells.index(self._cell)
        rest = left(self._cells[at:], self._results.runs())
        time_left = f", {about(rest)} left in all" if rest is not None else ""
        return f"run {at + 1} of {len(self._cells)}{time_left}"

    def _keep(self, stage: Stage, run: Run, heard: Heard) -> None:
        files = {LOG: heard.log, INVENTORY: stage.inventory.model_dump_json(indent=1)}
        with suppress(ValueError):  # The verdict has said that it came torn.
            files |= {RESULT: heard.result} if heard.packed else {}
        self._results.keep(run, files)


def _measured(one: Launch, heard: Heard, watch: Watch, wanted: int) -> tuple[Evaluation, ClusterError | None]:
    """What it came to, and why nothing else need be tried."""
    found: Evaluation | None = None
    try:
        client.run(one.host, one.command, heard, watch.news)
        found = concluded(heard, wanted)
        if found.verdict.outcome == "failed":
            watch.fail_if_dead()
        if not (found.figures and found.figures.completed):
            raise _nothing_answered(one, found, heard)
    except ClusterError as error:
        cause = error.cause.partition("\n")[0]
        return found or Evaluation(failed(f"{error}: {cause}" if cause else str(error))), error
    return found, None


def _nothing_answered(one: Launch, found: Evaluation, heard: Heard) -> HostError:
    cause = "; ".join(found.verdict.reasons)
    cure = "mend that, then give the same command again: it goes on"
    return HostError(one.host.name, "measure", heard.log, cause=cause, cure=cure)
