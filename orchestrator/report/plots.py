"""The plots of the page, by plotly: figures with their values, styled by the page for light, dark and paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cluster.bench.figures import Figures
from cluster.bench.summary import Row
from cluster.bench.workload import Workload
from orchestrator.report.series import KeptRun, Series
from orchestrator.report.style import colour, figure, logarithmic

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def throughput(series: Sequence[Series], workload: Workload) -> Figure:
    """Tokens generated a second against the number of prompts; a bar spans the runs of a size where there are
    several."""
    chart = figure("Prompts sent", "Tokens generated a second")
    for name, rows, tone in _lines(series, workload):
        ranges = [row.output_range for row in rows]
        means = [_figure(row, lambda figures: figures.output_per_second) for row in rows]
        chart.add_scatter(
            name=name, x=[row.num_prompts for row in rows], y=means, mode="lines+markers",
            line={"color": tone, "width": 2}, marker={"size": 7},
            error_y=_bars(means, ranges) if any(ranges) else None,
            hovertemplate="%{x} prompts: %{y:,.2f} tokens/s<extra>" + name + "</extra>",
        )  # fmt: skip
    return _against_prompts(chart, series, workload)


def trade(series: Sequence[Series], workload: Workload) -> Figure:
    """What one reader sees (tokens a second, by the median time per token) against what all see together."""
    chart = figure("Tokens a second of one request (median)", "Tokens generated a second")
    for name, rows, tone in _lines(series, workload):
        chart.add_scatter(
            name=name, x=[_figure(row, _pace) for row in rows],
            y=[_figure(row, lambda figures: figures.output_per_second) for row in rows],
            mode="lines+markers+text", text=[str(row.num_prompts) for row in rows], textposition="top center",
            line={"color": tone, "width": 2}, marker={"size": 7}, textfont={"size": 11},
            hovertemplate="%{text} prompts: %{x:,.1f} and %{y:,.1f} tokens/s<extra>" + name + "</extra>",
        )  # fmt: skip
    return chart.update_xaxes(rangemode="tozero").update_layout(showlegend=len(series) > 1)


def _part(name: str, kind: str, figures: Figures) -> float:
    value: float = getattr(getattr(figures, name), kind)
    return value


def _pace(figures: Figures) -> float:
    return 1000 / figures.tpot.median if figures.tpot.median else 0.0


def latency(series: Sequence[Series], workload: Workload, name: str) -> Figure:
    """The median of `name` (ttft, tpot) against the number of prompts, and its 99th percentile dashed."""
    chart = figure("Prompts sent", f"{name.upper()}, ms")
    for label, rows, tone in _lines(series, workload):
        for kind, dash, point in (("median", "solid", "circle"), ("p99", "dot", "circle-open")):
            title = kind.replace("p99", "P99")
            title = f"{label} {title}" if len(series) > 1 else title
            chart.add_scatter(
                name=title, x=[row.num_prompts for row in rows], mode="lines+markers",
                y=[_figure(row, partial(_part, name, kind)) for row in rows],
                line={"color": tone, "width": 2, "dash": dash}, marker={"size": 7, "symbol": point},
                hovertemplate="%{x} prompts: %{y:,.2f} ms<extra>" + title + "</extra>",
            )  # fmt: skip
    logarithmic(chart, [value for trace in chart.data for value in trace.y])
    return _against_prompts(chart, series, workload)


def distribution(series: Sequence[Series], workload: Workload, name: str) -> Figure:
    """Every request's `name` (ttft, tpot): a box for each number of prompts, of all valid runs together."""
    chart = figure("Prompts sent", f"{name.upper()} of each request, ms")
    for at, each in enumerate(series):
        points = [(kept.run.num_prompts, value) for kept in each.valid(workload) for value in _values(kept, name)]
        chart.add_box(
            name=each.name, x=[str(number) for number, _ in points], y=[value for _, value in points],
            boxpoints="outliers", marker={"color": colour(at), "size": 3}, line={"width": 1.5},
            hovertemplate="%{y:,.2f} ms<extra>" + each.name + "</extra>",
        )  # fmt: skip
    sizes = sorted({kept.run.num_prompts for each in series for kept in each.valid(workload)})
    chart.update_xaxes(type="category", categoryorder="array", categoryarray=[str(size) for size in sizes])
    logarithmic(chart, [value for trace in chart.data for value in trace.y])
    return chart.update_layout(boxmode="group", showlegend=len(series) > 1)


def _lines(series: Sequence[Series], workload: Workload) -> Iterator[tuple[str, list[Row], str]]:
    for at, each in enumerate(series):
        rows = [row for row in each.rows if row.workload == workload and row.figures]
        if rows:
            yield each.name, rows, colour(at)


def _figure(row: Row, take: Callable[[Figures], float]) -> float | None:
    return take(row.figures) if row.figures else None


def _bars(means: Sequence[float | None], ranges: Sequence[tuple[float, float] | None]) -> dict[str, Any]:
    pairs = [(mean, spread) for mean, spread in zip(means, ranges, strict=True)]
    up = [spread[1] - mean if spread and mean is not None else 0 for mean, spread in pairs]
    down = [mean - spread[0] if spread and mean is not None else 0 for mean, spread in pairs]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1}


def _values(kept: KeptRun, name: str) -> list[float]:
    values = [request.ttft if name == "ttft" else request.tpot for request in kept.requests]
    return [value for value in values if value is not None]


def _against_prompts(chart: Figure, series: Sequence[Series], workload: Workload) -> Figure:
    """Sizes are powers of two: a logarithmic axis, and the sizes themselves on it."""
    sizes = sorted({row.num_prompts for each in series for row in each.rows if row.workload == workload})
    chart.update_xaxes(type="log", tickmode="array", tickvals=sizes, ticktext=[str(size) for size in sizes])
    return chart.update_layout(showlegend=len(chart.data) > 1)
