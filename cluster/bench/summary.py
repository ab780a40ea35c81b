"""The summary of one series: a row for each workload and number of prompts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cluster.bench.figures import Figures, average
from cluster.bench.record import Run
from cluster.bench.workload import GUIDE, Workload


@dataclass(frozen=True)
class Row:
    """One row. `figures` are the means of the `valid` runs, or None where there are none. Runs in `left_out` prove
    nothing."""

    workload: Workload
    num_prompts: int
    valid: tuple[Run, ...]
    left_out: tuple[Run, ...]
    figures: Figures | None

    @property
    def output_range(self) -> tuple[float, float] | None:
        """Returns the least and the most tokens generated per second; None for a single run, which shows no
        spread."""
        rates = [run.figures.output_per_second for run in self.valid if run.figures]
        return (min(rates), max(rates)) if len(rates) > 1 else None


def rows(runs: Iterable[Run]) -> tuple[Row, ...]:
    """Returns the rows: the guide's workloads in its order, then others by their lengths, few prompts first."""
    groups: dict[tuple[Workload, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.cell.workload, run.num_prompts), []).append(run)
    return tuple(_row(*key, groups[key]) for key in sorted(groups, key=order))


def order(key: tuple[Workload, int]) -> tuple[int, int, int, int]:
    """Returns the key by which a workload and a number of prompts are sorted."""
    workload, number = key
    at = GUIDE.index(workload) if workload in GUIDE else len(GUIDE)
    return at, workload.input_len, workload.output_len, number


def _row(workload: Workload, num_prompts: int, runs: Sequence[Run]) -> Row:
    valid = tuple(run for run in runs if run.valid)
    figures = [run.figures for run in valid if run.figures]
    return Row(
        workload,
        num_prompts,
        valid,
        tuple(run for run in runs if not run.valid),
        average(figures) if figures else None,
    )
