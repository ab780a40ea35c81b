"""The table of all figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cluster.bench.summary import Row
from orchestrator.report.series import Series

#: What stands above the columns of a table, and above how many of them.
GROUPS = (
    ("", 2), ("Requests", 2), ("Tokens a second", 2), ("TTFT, ms", 3), ("TPOT, ms", 3), ("ITL, ms", 3), ("", 1),
)  # fmt: skip
COLUMNS = (
    "Prompts", "Runs", "s", "/s", "generated", "in all", *("mean", "median", "P99") * 3, "Cached",
)  # fmt: skip


def groups(series: Series) -> Iterator[dict[str, Any]]:
    """The rows of each workload, as words."""
    for workload in dict.fromkeys(row.workload for row in series.rows):
        rows = [_cells(row) for row in series.rows if row.workload == workload]
        yield {"name": workload.shown, "rows": rows}


def _cells(row: Row) -> list[str]:
    figures = row.figures
    head = [str(row.num_prompts), str(len(row.valid))]
    if figures is None:
        return [*head, *["–"] * (len(COLUMNS) - len(head))]
    latencies = (figures.ttft, figures.tpot, figures.itl)
    times = [f"{ms:,.2f}" for latency in latencies for ms in (latency.mean, latency.median, latency.p99)]
    rates = (figures.seconds, figures.requests_per_second, figures.output_per_second, figures.total_per_second)
    return [*head, *(f"{rate:,.2f}" for rate in rates), *times, _cached(row)]


def _cached(row: Row) -> str:
    """The largest share of a run."""
    shares = [run.counts.hit_share for run in row.valid if run.counts]
    return f"{100 * max(shares):.2g} %" if shares else "–"
