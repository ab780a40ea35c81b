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
from cluster.bench.evaluate import Evaluation, evaluate
from cluster.bench.record import Conditions, Run
from cluster.bench.verdict import failed
from cluster.bench.workload import Cell
from cluster.engine.requests import RESET_PREFIX_CACHE
from cluster.errors import ClusterError, HostError, NotReady
from orchestrator.bench.estimate import remaining_seconds
from orchestrator.bench.launch import Launch, launch
from orchestrator.bench.results import INVENTORY, LOG, BenchSettings, Results
from orchestrator.bench.run_summary import duration, summary_line
from orchestrator.bench.watch import Watch, current_conditions
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
    settings: BenchSettings
    launch: Launch
    conditions: Conditions
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def record(self, evaluation: Evaluation, heard: Heard, conditions: Conditions) -> Run:
        return Run(
            workload=self.cell.workload.lengths,
            num_prompts=self.cell.num_prompts,
            repeat=self.cell.repeat,
            attempt=self.number,
            rate=self.settings.rate,
            seed=self.seed,
            cold=self.settings.cold,
            origin=self.launch.host.name,
            began=self.began.isoformat("T", "seconds"),
            seconds=(datetime.now(UTC) - self.began).total_seconds(),
            command=self.launch.argv,
            verdict=evaluation.verdict,
            conditions=conditions,
            counts=evaluation.counts,
            figures=evaluation.figures,
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
        """Keeps and reports a run that fails, or proves nothing, as such. Raises NotReady where no other run can
        do better (the server is dead, hangs, or answers nothing), and what keeps us from the client's host."""
        self._cool(stage)
        attempt, heard = self._attempt(stage), Heard()
        watch = Watch(stage, heard, self._cell.num_prompts, self._progress())
        evaluation, problem = _measured(attempt.launch, heard, watch, self._cell.num_prompts)
        clocked = with_clocks(attempt.conditions, stage.inventory, stage.seen, watch.clocks)
        run = attempt.record(evaluation, heard, clocked)
        stage.sink(HostMessage("", summary_line(run)))
        self._keep(stage, run, heard)
        if problem:
            raise problem

    def _attempt(self, stage: Stage) -> _Attempt:
        number, settings = self._results.attempt(self._cell), self._results.settings
        seed = self._cell.seed(settings.seed, number)
        ready = launch(stage, self._cell, settings, seed, self._scratch)
        return _Attempt(self._cell, number, seed, settings, ready, current_conditions(stage))

    def _cool(self, stage: Stage) -> None:
        if self._results.settings.cold != "reset":
            return
        answer = stage.endpoint().ask(RESET_PREFIX_CACHE, _RESET)
        if answer.status != 200:
            cause = answer.text.strip() if answer.status == 0 else f"HTTP {answer.status}"
            cure = "see `orchestrator status`, then give the same command again: it goes on"
            raise NotReady("a reset of the prefix cache", host=stage.head.name, cause=cause, cure=cure)

    def _progress(self) -> str:
        """Says which run of how many it is, and how long all that are left may take."""
        index = self._cells.index(self._cell)
        seconds = remaining_seconds(self._cells[index:], self._results.runs())
        time_left = f", {duration(seconds)} left in all" if seconds is not None else ""
        return f"run {index + 1} of {len(self._cells)}{time_left}"

    def _keep(self, stage: Stage, run: Run, heard: Heard) -> None:
        files = {LOG: heard.log, INVENTORY: stage.inventory.model_dump_json(indent=1)}
        with suppress(ValueError):  # the verdict says that the result came torn
            files |= {RESULT: heard.result} if heard.packed else {}
        self._results.keep(run, files)


def _measured(launch: Launch, heard: Heard, watch: Watch, requests: int) -> tuple[Evaluation, ClusterError | None]:
    """Returns what the run came to, and why nothing else need be tried."""
    evaluation: Evaluation | None = None
    try:
        client.run(launch.host, launch.command, heard, watch.news)
        evaluation = evaluate(heard, requests)
        if evaluation.verdict.outcome == "failed":
            watch.fail_if_dead()
        if not (evaluation.figures and evaluation.figures.completed):
            raise _nothing_answered(launch, evaluation, heard)
    except ClusterError as error:
        cause = error.cause.partition("\n")[0]
        return evaluation or Evaluation(failed(f"{error}: {cause}" if cause else str(error))), error
    return evaluation, None


def _nothing_answered(launch: Launch, evaluation: Evaluation, heard: Heard) -> HostError:
    cause = "; ".join(evaluation.verdict.reasons)
    cure = "mend that, then give the same command again: it goes on"
    return HostError(launch.host.name, "measure", heard.log, cause=cause, cure=cure)
