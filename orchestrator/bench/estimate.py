"""How long the rest of a benchmark may take: a guess from what was measured, better with every run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from cluster.bench.record import Run
from cluster.bench.workload import Cell

#: How the time of a run grows with the number of its requests before two sizes are known: a server answers many at
#: once, yet not all at the price of one.
_GROWTH = 0.5


def remaining_seconds(cells: Iterable[Cell], runs: Sequence[Run]) -> float | None:
    """Seconds for `cells`; None before the first run has ended well."""
    known = [run for run in runs if run.figures and run.figures.completed]
    if not known:
        return None
    return sum(_seconds(cell, known) for cell in cells)


def _seconds(cell: Cell, known: Sequence[Run]) -> float:
    """Goes by the runs of the same workload, or of the nearest in length of the answers, which take the time."""
    lengths = {run.cell.workload.output_len for run in known}
    length = min(lengths, key=lambda known_length: abs(known_length - cell.workload.output_len))
    alike = {run.num_prompts: run.seconds for run in known if run.cell.workload.output_len == length}
    return _power(alike, cell.num_prompts) * cell.workload.output_len / length


def _power(seconds: dict[int, float], number: int) -> float:
    """Follows a power law through the two nearest sizes, never faster than in proportion."""
    nearest = sorted(seconds, key=lambda known_number: abs(math.log(known_number / number)))[:2]
    growth = _GROWTH
    if len(nearest) == 2:
        first, second = nearest
        growth = math.log(seconds[first] / seconds[second]) / math.log(first / second)
    return seconds[nearest[0]] * math.pow(number / nearest[0], min(max(growth, 0.0), 1.0))
