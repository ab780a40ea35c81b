"""The plots of the page, by plotly: figures with their values, styled by the page for light, dark and paper."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cluster.bench.figures import Figures, RequestFigures
from cluster.bench.summary import Row
from cluster.bench.workload import Workload
from orchestrator.report.series import Kept, Series
from orchestrator.report.style import colour, figure, logarithmic

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def throughput(series: Sequence[Series], workload: Workload) -> Figure:
    """Tokens generated a second against the number of prompts; a bar spans the runs of a size where there are
    several."""
    found = figure("Prompts sent", "Tokens generated a second")
    for name, rows, tone in _lines(series, workload):
        ranges = [row.output_range for row in rows]
        means = [_of(row, lambda one: one.output_per_second) for row in rows]
        found.add_scatter(
            name=name, x=[row.num_prompts for row in rows], y=means, mode="lines+markers",
            line={"color": tone, "width": 2}, marker={"size": 7},
            error_y=_bars(means, ranges) if any(ranges) else None,
            hovertemplate="%{x} prompts: %{y:,.2f} tokens/s<extra>" + name + "</extra>",
        )  # fmt: skip
    return _against_prompts(found, series, workload)


def trade(series: Sequence[Series], workload: Workload) -> Figure:
    """What one reader sees (tokens a second, by the median time per token) against what all see together."""
    found = figure("Tokens a second of one request (median)", "Tokens generated a second")
    for name, rows, tone in _lines(series, workload):
        found.add_scatter(
            name=name, x=[_of(row, _pace) for row in rows],
            y=[_of(row, lambda one: one.output_per_second) for row in rows],
            mode="lines+markers+text", text=[str(row.num_prompts) for row in rows], textposition="top center",
            line={"color": tone, "width": 2}, marker={"size": 7}, textfont={"size": 11},
            hovertemplate="%{text} prompts: %{x:,.1f} and %{y:,.1f} tokens/s<extra>" + name + "</extra>",
        )  # fmt: skip
    return found.update_xaxes(rangemode="tozero").update_layout(showlegend=len(series) > 1)


def _part(name: str, kind: str, figures: Figures) -> float:
    found: float = getattr(getattr(figures, name), kind)
    return found


def _pace(figures: Figures) -> float:
    return 1000 / figures.tpot.median if figures.tpot.median else 0.0


def latency(series: Sequence[Series], workload: Workload, name: str) -> Figure:
    """The median of `name` (ttft, tpot) against the number of prompts, and its 99th percentile dashed."""
    found = figure("Prompts sent", f"{name.upper()}, ms")
    for label, rows, tone in _lines(series, workload):
        for kind, dash, point in (("median", "solid", "circle"), ("p99", "dot", "circle-open")):
            said = f"{label} {kind.replace('p99', 'P99')}" if len(series) > 1 else kind.replace("p99", "P99")
            found.add_scatter(
                name=said, x=[row.num_prompts for row in rows], mode="lines+markers",
                y=[_of(row, partial(_part, name, kind)) for row in rows],
                line={"color": tone, "width": 2, "dash": dash}, marker={"size": 7, "symbol": point},
                hovertemplate="%{x} prompts: %{y:,.2f} ms<extra>" + said + "</extra>",
            )  # fmt: skip
    logarithmic(found, [value for trace in found.data for value in trace.y])
    return _against_prompts(found, series, workload)


def distribution(series: Sequence[Series], workload: Workload, name: str) -> Figure:
    """Every request's `name` (ttft, tpot): a box for each number of prompts, of all valid runs together."""
    found = figure("Prompts sent", f"{name.upper()} of each request, ms")
    for at, one in enumerate(series):
        runs = [kept for kept in one.valid if kept.run.of == workload]
        points = [(kept.run.num_prompts, value) for kept in runs for value in _values(kept, name)]
        found.add_box(
            name=one.name, x=[str(number) for number, _ in points], y=[value for _, value in points],
            boxpoints="outliers", marker={"color": colour(at), "size": 3}, line={"width": 1.5},
            hovertemplate="%{y:,.2f} ms<extra>" + one.name + "</extra>",
        )  # fmt: skip
    sizes = sorted({kept.run.num_prompts for one in series for kept in one.valid if kept.run.of == workload})
    found.update_xaxes(type="category", categoryorder="array", categoryarray=[str(size) for size in sizes])
    logarithmic(found, [value for trace in found.data for value in trace.y])
    return found.update_layout(boxmode="group", showlegend=len(series) > 1)


def _lines(series: Sequence[Series], workload: Workload) -> Iterator[tuple[str, list[Row], str]]:
    for at, one in enumerate(series):
        rows = [row for row in one.rows if row.workload == workload and row.figures]
        if rows:
            yield one.name, rows, colour(at)


def _of(row: Row, take: Callable[[Figures], float]) -> float | None:
    return take(row.figures) if row.figures else None


def _bars(means: Sequence[float | None], ranges: Sequence[tuple[float, float] | None]) -> dict[str, Any]:
    pairs = [(mean, spread) for mean, spread in zip(means, ranges, strict=True)]
    up = [spread[1] - mean if spread and mean is not None else 0 for mean, spread in pairs]
    down = [mean - spread[0] if spread and mean is not None else 0 for mean, spread in pairs]
    return {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1}


def _values(kept: Kept, name: str) -> list[float]:
    found: list[float | None] = [_value(one, name) for one in kept.requests]
    return [value for value in found if value is not None]


def _value(one: RequestFigures, name: str) -> float | None:
    return one.ttft if name == "ttft" else one.tpot


def _against_prompts(found: Figure, series: Sequence[Series], workload: Workload) -> Figure:
    """Sizes are powers of two: a logarithmic axis, and the sizes themselves on it."""
    sizes = sorted({row.num_prompts for one in series for row in one.rows if row.workload == workload})
    found.update_xaxes(type="log", tickmode="array", tickvals=sizes, ticktext=[str(size) for size in sizes])
    return found.update_layout(showlegend=len(found.data) > 1)
