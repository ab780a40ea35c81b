"""One attempt at a cell of a benchmark: its client on a host, and the record of what it came to."""

from __future__ import annotations

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
from cluster.errors import ClusterError, HostError
from orchestrator.bench.launch import Launch, launch
from orchestrator.bench.results import INVENTORY, LOG, BenchSettings, Results
from orchestrator.bench.watch import Watch, current_conditions
from orchestrator.run.phase import Stage


@dataclass(frozen=True)
class Attempt:
    """An attempt from when it began; `heard` is what the client's host has said so far."""

    cell: Cell
    number: int
    seed: int
    settings: BenchSettings
    launch: Launch
    conditions: Conditions
    heard: Heard = field(default_factory=Heard)
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def measure(self, stage: Stage, progress: str) -> tuple[Run, ClusterError | None]:
        """Runs the client to its end. Returns the record, and the error after which nothing else need be tried."""
        watch = Watch(stage, self.heard, self.cell.num_prompts, progress)
        evaluation, problem = self._evaluate(watch)
        conditions = with_clocks(self.conditions, stage.inventory, stage.seen, watch.clocks)
        return self._record(evaluation, conditions), problem

    def files(self, stage: Stage) -> dict[str, str]:
        """What is kept beside the record, by name of the file."""
        files = {LOG: self.heard.log, INVENTORY: stage.inventory.model_dump_json(indent=1)}
        with suppress(ValueError):  # the verdict says that the result came torn
            files |= {RESULT: self.heard.result} if self.heard.packed else {}
        return files

    def _evaluate(self, watch: Watch) -> tuple[Evaluation, ClusterError | None]:
        evaluation: Evaluation | None = None
        try:
            client.run(self.launch.host, self.launch.command, self.heard, watch.news)
            evaluation = evaluate(self.heard, self.cell.num_prompts)
            if evaluation.verdict.outcome == "failed":
                watch.fail_if_dead()
            if not (evaluation.figures and evaluation.figures.completed):
                raise self._nothing_answered(evaluation)
        except ClusterError as error:
            cause = error.cause.partition("\n")[0]
            return evaluation or Evaluation(failed(f"{error}: {cause}" if cause else str(error))), error
        return evaluation, None

    def _nothing_answered(self, evaluation: Evaluation) -> HostError:
        cause = "; ".join(evaluation.verdict.reasons)
        cure = "correct that, then run the same command again to resume"
        return HostError(self.launch.host.name, "measure", self.heard.log, cause=cause, cure=cure)

    def _record(self, evaluation: Evaluation, conditions: Conditions) -> Run:
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
            samples=tuple(self.heard.samples),
        )


def begin(stage: Stage, cell: Cell, results: Results, scratch: Path) -> Attempt:
    """The next attempt at this cell, with a seed of its own."""
    number, settings = results.attempt(cell), results.settings
    seed = cell.seed(settings.seed, number)
    prepared = launch(stage, cell, settings, seed, scratch)
    return Attempt(cell, number, seed, settings, prepared, current_conditions(stage))
