"""The same results for other programs: one JSON document, a CSV row a run, or Markdown tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from cluster.bench import published_guide
from cluster.bench.record import Run
from cluster.bench.summary import Row
from orchestrator.render.bench import row_document
from orchestrator.report.guide_comparison import Line, beside, ours
from orchestrator.report.series import Kept, Series

_LATENCIES = ("ttft", "tpot", "itl")
_KINDS = ("mean", "median", "p99")

COLUMNS = (
    "series", "workload", "input_len", "output_len", "num_prompts", "repeat", "attempt",
    "outcome", "reasons", "seed", "cold", "rate", "began",
    "seconds", "completed", "failed", "input_tokens", "output_tokens",
    "requests_per_second", "output_per_second", "total_per_second",
    *(f"{name}_{kind}_ms" for name in _LATENCIES for kind in _KINDS),
    "cache_queries", "cache_hits",
)  # fmt: skip


def document(series: Sequence[Series]) -> dict[str, Any]:
    """Everything: figures, counters, samples and requests of each run, and the guide's printed result."""
    printed = {
        "model": published_guide.MODEL,
        "hardware": published_guide.HARDWARE,
        "workload": published_guide.WORKLOAD.lengths,
    }
    return {
        "guide": {
            **printed,
            "num_prompts": published_guide.NUM_PROMPTS,
            "figures": published_guide.PRINTED.model_dump(),
        },
        "series": [_series(one) for one in series],
    }


def _series(one: Series) -> dict[str, Any]:
    rows = [row_document(row) for row in one.rows]
    return {"name": one.name, "rows": rows, "runs": [_kept(kept) for kept in one.runs]}


def _kept(one: Kept) -> dict[str, Any]:
    return {**one.run.model_dump(mode="json"), "requests": [request.model_dump() for request in one.requests]}


def as_csv(series: Sequence[Series]) -> str:
    """A row a run, those that do not count among them; empty where there is no figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in series:
        writer.writerows(_cells(one.name, kept.run) for kept in one.runs)
    return text.getvalue()


def _cells(name: str, run: Run) -> list[Any]:
    found, counted = run.figures, run.counts
    head = [name, run.of.name, run.of.input_len, run.of.output_len, run.num_prompts, run.repeat, run.attempt]
    how = [run.verdict.outcome, "; ".join(run.verdict.reasons), run.seed, run.cold, run.rate, run.began]
    cache = [counted.queries, counted.hits] if counted else [None, None]
    if found is None:
        return [*head, *how, *[None] * (len(COLUMNS) - len(head) - len(how) - 2), *cache]
    tokens = [found.seconds, found.completed, found.failed, found.input_tokens, found.output_tokens]
    rates = [found.requests_per_second, found.output_per_second, found.total_per_second]
    times = [getattr(getattr(found, latency), kind) for latency in _LATENCIES for kind in _KINDS]
    return [*head, *how, *tokens, *rates, *times, *cache]


def as_markdown(series: Sequence[Series]) -> str:
    """A table of the averages for each series, and one beside the guide where its work was measured."""
    parts = [f"## {one.name}\n\n{_table(one.rows)}" for one in series]
    if any(ours(one) for one in series):
        parts.append(f"## Beside the published guide\n\n{_beside(series)}")
    return "\n\n".join(parts) + "\n"


def _table(rows: Iterable[Row]) -> str:
    head = (
        "workload",
        "prompts",
        "runs",
        "output tok/s",
        "total tok/s",
        *(f"{name.upper()} ms" for name in _LATENCIES),
    )
    return _markdown(head, [_averages(row) for row in rows])


def _averages(row: Row) -> list[str]:
    found = row.figures
    head = [row.workload.shown, str(row.num_prompts), str(len(row.valid))]
    if found is None:
        return [*head, *["–"] * 5]
    times = [getattr(found, name) for name in _LATENCIES]
    shown = [f"{one.mean:,.2f} / {one.median:,.2f} / {one.p99:,.2f}" for one in times]
    return [*head, f"{found.output_per_second:,.2f}", f"{found.total_per_second:,.2f}", *shown]


def _beside(series: Sequence[Series]) -> str:
    head = ("figure", f"the guide, {published_guide.HARDWARE}", *(one.name for one in series))
    return _markdown(head, [[labelled(line), *cells(line)] for line in beside(series)])


def labelled(line: Line) -> str:
    return f"{line.label}, {line.unit}" if line.unit else line.label


def cells(line: Line) -> list[str]:
    """The guide's figure and ours, as they are shown."""
    return ["–" if one is None else f"{one:,.{line.digits}f}" for one in (line.printed, *line.ours)]


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
