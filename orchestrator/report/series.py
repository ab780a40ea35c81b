"""Series of runs, each of one engine, as they are shown side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.bench.figures import RequestFigures, parse_result
from cluster.bench.record import Conditions, Run
from cluster.bench.summary import Row, rows
from cluster.bench.workload import Workload
from cluster.errors import UsageError
from orchestrator.bench.results import kept_runs, read_result


@dataclass(frozen=True)
class KeptRun:
    """One run, and every request of it that was answered."""

    run: Run
    requests: tuple[RequestFigures, ...]


@dataclass(frozen=True)
class Series:
    """The runs of one folder; `name` is what they go by in plots and tables."""

    name: str
    folder: Path
    runs: tuple[KeptRun, ...]

    @property
    def conditions(self) -> Conditions:
        """The conditions of the last run: a folder holds runs of one engine, and clocks may differ."""
        return self.runs[-1].run.conditions

    @property
    def rows(self) -> tuple[Row, ...]:
        return rows(kept.run for kept in self.runs)

    def valid(self, workload: Workload) -> tuple[KeptRun, ...]:
        """The valid runs of this workload."""
        return tuple(kept for kept in self.runs if kept.run.valid and kept.run.cell.workload == workload)


def load(folders: Iterable[Path]) -> tuple[Series, ...]:
    """Every folder that holds runs, at or below those given. Raises UsageError where there is none."""
    by_folder: dict[Path, dict[Path, KeptRun]] = {}
    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a results folder", cure="give one that `bench` wrote")
        runs = [(path.resolve(), run) for path, run in kept_runs(folder)]
        if not runs:
            raise UsageError(f"{folder} holds no run", cure="give a folder that `bench` wrote")
        for path, run in runs:
            by_folder.setdefault(path.parent, {})[path] = KeptRun(run, _requests(path))
    series = {folder: tuple(runs.values()) for folder, runs in by_folder.items()}
    names = _names([(folder, runs[-1].run) for folder, runs in series.items()])
    return tuple(Series(name, folder, runs) for name, (folder, runs) in zip(names, series.items(), strict=True))


def _requests(folder: Path) -> tuple[RequestFigures, ...]:
    """None of a run whose result is not there or not whole: its verdict says so already."""
    try:
        return parse_result(read_result(folder) or "").requests
    except ValueError:
        return ()


def _names(series: Sequence[tuple[Path, Run]]) -> list[str]:
    """The layout where that tells them apart, otherwise the folder."""
    layouts = [run.conditions.layout for _, run in series]
    if len(set(layouts)) == len(layouts):
        return layouts
    short = [folder.name for folder, _ in series]
    return short if len(set(short)) == len(short) else [str(folder) for folder, _ in series]
