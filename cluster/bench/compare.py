"""Two series, compared run by run: the difference, its spread, and whether it proves anything."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from cluster.bench.figures import Figures
from cluster.bench.record import Run
from cluster.bench.summary import order
from cluster.bench.workload import Cell, Workload

#: Student's t for 95 % (two-sided) by degrees of freedom, from 1 on. Above 30 it is a little too large, which
#: leads to no verdict rather than to a wrong one.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip

Pair = tuple[Run, Run]


@dataclass(frozen=True)
class Metric:
    """A figure that is compared; `more_is_better` gives the direction."""

    name: str
    unit: str
    more_is_better: bool
    take: Callable[[Figures], float]


METRICS = (
    Metric("output tokens", "/s", True, lambda figures: figures.output_per_second),
    Metric("TTFT median", "ms", False, lambda figures: figures.ttft.median),
    Metric("TTFT P99", "ms", False, lambda figures: figures.ttft.p99),
    Metric("TPOT median", "ms", False, lambda figures: figures.tpot.median),
)


@dataclass(frozen=True)
class Difference:
    """The difference of one figure over `pairs`; `first` and `second` are its means.

    `change` from the first to the second (0.1: a tenth more) is the geometric mean of the pairs. The true value
    lies between `low` and `high` with a confidence of 95 %. Both are None for a single pair, which shows no
    spread.
    """

    metric: Metric
    pairs: int
    first: float
    second: float
    change: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        """Returns which series is better, only where the difference is larger than its spread."""
        if self.low is None or self.high is None:
            return "one pair: no verdict"
        if self.low <= 0 <= self.high:
            return "no difference shown"
        return "B is better" if (self.change > 0) == self.metric.more_is_better else "A is better"


@dataclass(frozen=True)
class Group:
    """Pairs of one workload and number of prompts; `num_prompts` None: all of them together."""

    workload: Workload | None
    num_prompts: int | None
    pairs: int
    same_seed: int
    differences: tuple[Difference, ...]

    @property
    def shown(self) -> str:
        if self.workload is None:
            return "all together"
        return Cell(self.workload, self.num_prompts).shown if self.num_prompts else self.workload.shown


def paired(first: Iterable[Run], second: Iterable[Run]) -> tuple[Pair, ...]:
    """Returns the valid runs of both with the same workload, number of prompts and repeat."""
    by_cell = {run.cell: run for run in second if run.valid and run.figures}
    return tuple((run, by_cell[run.cell]) for run in first if run.valid and run.figures and run.cell in by_cell)


def compare(pairs: Sequence[Pair]) -> tuple[Group, ...]:
    """Returns a group for each cell of the matrix; then, where there are several, one group of all."""
    cells: dict[tuple[Workload, int], list[Pair]] = {}
    for pair in pairs:
        cells.setdefault((pair[0].cell.workload, pair[0].num_prompts), []).append(pair)
    groups = [_group(workload, number, cells[workload, number]) for workload, number in sorted(cells, key=order)]
    return (*groups, _group(None, None, pairs)) if len(groups) > 1 else tuple(groups)


def _group(workload: Workload | None, number: int | None, pairs: Sequence[Pair]) -> Group:
    same_seed = sum(ours.seed == theirs.seed for ours, theirs in pairs)
    return Group(workload, number, len(pairs), same_seed, tuple(_differences(pairs)))


def _differences(pairs: Sequence[Pair]) -> Iterator[Difference]:
    for metric in METRICS:
        values = [(metric.take(ours.figures), metric.take(theirs.figures)) for ours, theirs in pairs
                  if ours.figures and theirs.figures]  # fmt: skip
        if values and all(ours > 0 and theirs > 0 for ours, theirs in values):
            yield _difference(metric, values)


def _difference(metric: Metric, values: Sequence[tuple[float, float]]) -> Difference:
    """Returns the difference, computed in logarithms: twice and half are then equally far."""
    logs = [math.log(theirs / ours) for ours, theirs in values]
    mean, width = fmean(logs), _half_width(logs)
    return Difference(
        metric,
        len(values),
        fmean(ours for ours, _ in values),
        fmean(theirs for _, theirs in values),
        math.expm1(mean),
        None if width is None else math.expm1(mean - width),
        None if width is None else math.expm1(mean + width),
    )


def _half_width(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    return _T[min(len(values) - 1, len(_T)) - 1] * stdev(values) / math.sqrt(len(values))
