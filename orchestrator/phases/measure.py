"""One run of a benchmark: a cold cache, the client on its host, the server counted before, during and after."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cluster.bench.workload import Cell
from cluster.engine.requests import RESET_PREFIX_CACHE
from cluster.errors import NotReady
from orchestrator.bench.attempt import begin
from orchestrator.bench.estimate import remaining_seconds
from orchestrator.bench.results import Results
from orchestrator.bench.run_summary import duration, summary_line
from orchestrator.events import HostMessage
from orchestrator.run.phase import Phase, Situation, Stage

#: Seconds for the server to empty its prefix cache.
_RESET = 30.0


class Measure(Phase):
    acts = False

    def __init__(self, cell: Cell, cells: Sequence[Cell], results: Results, scratch: Path) -> None:
        """`cells` are all cells of the benchmark, in order; `scratch` is a private folder of this machine."""
        self.title = f"Measure {cell.shown}"
        self._cell = cell
        self._cells = tuple(cells)
        self._results = results
        self._scratch = scratch

    def skip(self, situation: Situation) -> str | None:
        return "measured already" if self._results.valid(self._cell) else None

    def run(self, stage: Stage) -> None:
        """Saves and reports a run that fails or proves nothing. Raises NotReady where no later run can do better:
        the server crashed, hangs, or answers nothing. Raises what makes the client's host unreachable."""
        self._cool(stage)
        attempt = begin(stage, self._cell, self._results, self._scratch)
        run, problem = attempt.measure(stage, self._progress())
        stage.sink(HostMessage("", summary_line(run)))
        self._results.keep(run, attempt.files(stage))
        if problem:
            raise problem

    def _cool(self, stage: Stage) -> None:
        if self._results.settings.cold != "reset":
            return
        answer = stage.endpoint().ask(RESET_PREFIX_CACHE, _RESET)
        if answer.status != 200:
            cause = answer.text.strip() if answer.status == 0 else f"HTTP {answer.status}"
            cure = "run `orchestrator status`, then run the same command again to resume"
            raise NotReady("a reset of the prefix cache", host=stage.head.name, cause=cause, cure=cure)

    def _progress(self) -> str:
        """Reports the number of the run, and how long the remaining runs may take."""
        index = self._cells.index(self._cell)
        seconds = remaining_seconds(self._cells[index:], self._results.runs())
        time_left = f", {duration(seconds)} left in all" if seconds is not None else ""
        return f"run {index + 1} of {len(self._cells)}{time_left}"
