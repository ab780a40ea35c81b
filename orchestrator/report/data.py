"""The same results for other programs: one JSON document, a CSV row a run, or Markdown tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from typing_extensions import TypedDict

from cluster.bench import published_guide
from cluster.bench.figures import Figures, RequestFigures
from cluster.bench.record import Run
from cluster.bench.summary import Row
from orchestrator.render.bench import RowDocument, row_document
from orchestrator.report.guide_comparison import GuideFigure, guide_figures, own_figures
from orchestrator.report.series import KeptRun, Series

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


class GuideDocument(TypedDict):
    """What the published guide printed of its one run."""

    model: str
    hardware: str
    workload: str
    num_prompts: int
    figures: Figures


class RunWithRequests(Run):
    """A run with each request that was answered."""

    requests: tuple[RequestFigures, ...]


class SeriesDocument(TypedDict):
    """The runs of one folder, and their means."""

    name: str
    rows: Sequence[RowDocument]
    runs: Sequence[RunWithRequests]


class ReportDocument(TypedDict):
    """Everything: figures, counters, samples and requests of each run, and the guide's printed result."""

    guide: GuideDocument
    series: Sequence[SeriesDocument]


def document(series: Sequence[Series]) -> ReportDocument:
    return {"guide": _guide(), "series": [_series(each) for each in series]}


def _guide() -> GuideDocument:
    return {
        "model": published_guide.MODEL,
        "hardware": published_guide.HARDWARE,
        "workload": published_guide.WORKLOAD.lengths,
        "num_prompts": published_guide.NUM_PROMPTS,
        "figures": published_guide.PRINTED,
    }


def _series(series: Series) -> SeriesDocument:
    rows = [row_document(row) for row in series.rows]
    return {"name": series.name, "rows": rows, "runs": [_run(kept) for kept in series.runs]}


def _run(kept: KeptRun) -> RunWithRequests:
    return RunWithRequests(**dict(kept.run), requests=kept.requests)


def as_csv(series: Sequence[Series]) -> str:
    """A row a run, those that do not count among them; empty where there is no figure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in series:
        writer.writerows(_cells(each.name, kept.run) for kept in each.runs)
    return text.getvalue()


def _cells(name: str, run: Run) -> list[Any]:
    figures, counts = run.figures, run.counts
    work = run.cell.workload
    head = [name, work.name, work.input_len, work.output_len, run.num_prompts, run.repeat, run.attempt]
    how = [run.verdict.outcome, "; ".join(run.verdict.reasons), run.seed, run.cold, run.rate, run.began]
    cache = [counts.queries, counts.hits] if counts else [None, None]
    if figures is None:
        return [*head, *how, *[None] * (len(COLUMNS) - len(head) - len(how) - 2), *cache]
    tokens = [figures.seconds, figures.completed, figures.failed, figures.input_tokens, figures.output_tokens]
    rates = [figures.requests_per_second, figures.output_per_second, figures.total_per_second]
    times = [getattr(getattr(figures, latency), kind) for latency in _LATENCIES for kind in _KINDS]
    return [*head, *how, *tokens, *rates, *times, *cache]


def as_markdown(series: Sequence[Series]) -> str:
    """A table of the averages for each series, and one beside the guide where its work was measured."""
    parts = [f"## {each.name}\n\n{_table(each.rows)}" for each in series]
    if any(own_figures(each) for each in series):
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
    figures = row.figures
    head = [row.workload.shown, str(row.num_prompts), str(len(row.valid))]
    if figures is None:
        return [*head, *["–"] * 5]
    times = [getattr(figures, name) for name in _LATENCIES]
    shown = [f"{latency.mean:,.2f} / {latency.median:,.2f} / {latency.p99:,.2f}" for latency in times]
    return [*head, f"{figures.output_per_second:,.2f}", f"{figures.total_per_second:,.2f}", *shown]


def _beside(series: Sequence[Series]) -> str:
    head = ("figure", f"the guide, {published_guide.HARDWARE}", *(each.name for each in series))
    return _markdown(head, [[labelled(line), *cells(line)] for line in guide_figures(series)])


def labelled(line: GuideFigure) -> str:
    return f"{line.label}, {line.unit}" if line.unit else line.label


def cells(line: GuideFigure) -> list[str]:
    """The guide's figure and ours, as they are shown."""
    return ["–" if value is None else f"{value:,.{line.digits}f}" for value in (line.printed, *line.ours)]


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, rule, *rows))
