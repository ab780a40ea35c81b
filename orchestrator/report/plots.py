"""The plots of the page, by plotly: figures with their values, styled by the page for light, dark and paper."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cluster.bench.figures import Figures, Request
from cluster.bench.record import Run
from cluster.bench.summary import Row
from cluster.bench.workload import Workload
from orchestrator.report.series import Kept, Series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

#: Told apart by everybody, after Okabe and Ito; as bright as reads on white and on black.
_COLOURS = ("#2f86d1", "#e06c1f", "#1fa187", "#c76aa5", "#d9a514", "#8a6fd8")
#: From few prompts to many.
_STEPS = ("#8c959f", "#6ab0f0", "#2f86d1", "#1fa187", "#d9a514", "#e06c1f", "#c76aa5")
_DASHES = ("solid", "dash", "dot", "dashdot")
_HEIGHT = 340


def throughput(series: Sequence[Series], workload: Workload) -> Figure:
    """Tokens generated a second against the number of prompts; a bar spans the runs of a size where there are
    several."""
    found = _figure("Prompts sent", "Tokens generated a second")
    for name, rows, colour in _lines(series, workload):
        ranges = [row.output_range for row in rows]
        means = [_of(row, lambda one: one.output_per_second) for row in rows]
        found.add_scatter(
            name=name, x=[row.num_prompts for row in rows], y=means, mode="lines+markers",
            line={"color": colour, "width": 2}, marker={"size": 7},
            error_y=_bars(means, ranges) if any(ranges) else None,
            hovertemplate="%{x} prompts: %{y:,.2f} tokens/s<extra>" + name + "</extra>",
        )  # fmt: skip
    return _against_prompts(found, series, workload)


def trade(series: Sequence[Series], workload: Workload) -> Figure:
    """What one reader sees (tokens a second, by the median time per token) against what all see together."""
    found = _figure("Tokens a second of one request (median)", "Tokens generated a second")
    for name, rows, colour in _lines(series, workload):
        found.add_scatter(
            name=name, x=[_of(row, _pace) for row in rows],
            y=[_of(row, lambda one: one.output_per_second) for row in rows],
            mode="lines+markers+text", text=[str(row.num_prompts) for row in rows], textposition="top center",
            line={"color": colour, "width": 2}, marker={"size": 7}, textfont={"size": 11},
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
    found = _figure("Prompts sent", f"{name.upper()}, ms")
    for label, rows, colour in _lines(series, workload):
        for kind, dash in (("median", "solid"), ("p99", "dot")):
            said = f"{label} {kind.replace('p99', 'P99')}" if len(series) > 1 else kind.replace("p99", "P99")
            found.add_scatter(
                name=said, x=[row.num_prompts for row in rows], mode="lines+markers",
                y=[_of(row, partial(_part, name, kind)) for row in rows],
                line={"color": colour, "width": 2, "dash": dash}, marker={"size": 6},
                hovertemplate="%{x} prompts: %{y:,.2f} ms<extra>" + said + "</extra>",
            )  # fmt: skip
    _logarithmic(found, [value for trace in found.data for value in trace.y])
    return _against_prompts(found, series, workload)


def distribution(series: Sequence[Series], workload: Workload, name: str) -> Figure:
    """Every request's `name` (ttft, tpot): a box for each number of prompts, of all valid runs together."""
    found = _figure("Prompts sent", f"{name.upper()} of each request, ms")
    for at, one in enumerate(series):
        runs = [kept for kept in one.valid if kept.run.of == workload]
        points = [(kept.run.num_prompts, value) for kept in runs for value in _values(kept, name)]
        found.add_box(
            name=one.name, x=[str(number) for number, _ in points], y=[value for _, value in points],
            boxpoints="outliers", marker={"color": _colour(at), "size": 3}, line={"width": 1.5},
            hovertemplate="%{y:,.2f} ms<extra>" + one.name + "</extra>",
        )  # fmt: skip
    sizes = sorted({kept.run.num_prompts for one in series for kept in one.valid if kept.run.of == workload})
    found.update_xaxes(type="category", categoryorder="array", categoryarray=[str(size) for size in sizes])
    _logarithmic(found, [value for trace in found.data for value in trace.y])
    return found.update_layout(boxmode="group", showlegend=len(series) > 1)


def over_time(series: Sequence[Series], workload: Workload) -> Figure | None:
    """Requests in hand, KV cache in use and tokens generated a second, each run from its own beginning. None where
    no run was long enough for two samples."""
    from plotly.subplots import make_subplots

    runs = [(at, kept.run) for at, one in enumerate(series) for kept in one.valid if kept.run.of == workload]
    runs = [(at, run) for at, run in runs if len(run.samples) > 1]
    if not runs:
        return None
    titles = ("Requests running (dotted: waiting)", "KV cache in use, %", "Tokens generated a second")
    found = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07, subplot_titles=titles)
    sizes = sorted({run.num_prompts for _, run in runs})
    for at, run in runs:
        name = f"{run.num_prompts}, {series[at].name}" if len(series) > 1 else str(run.num_prompts)
        colour = _STEPS[sizes.index(run.num_prompts) % len(_STEPS)]
        _add_run(found, run, name, {"color": colour, "dash": _DASHES[at % len(_DASHES)]})
    found.update_xaxes(title_text="Seconds since the run began", row=3, col=1)
    legend = {"title": {"text": "Prompts"}, "orientation": "v", "x": 1.01, "y": 1, "yanchor": "top"}
    return _styled(found).update_layout(height=640, showlegend=True, legend=legend)


def _add_run(found: Figure, run: Run, name: str, line: dict[str, Any]) -> None:
    """Runs of a name have one line in the legend, which hides and shows them."""
    first = not any(trace.name == name for trace in found.data)
    at = [one.at for one in run.samples]
    share = [None if one.kv_usage is None else 100 * one.kv_usage for one in run.samples]
    waiting = {**line, "dash": "dot", "width": 1}
    panels: tuple[tuple[int, Sequence[Any], Sequence[Any], dict[str, Any]], ...] = (
        (1, at, [one.running for one in run.samples], line),
        (1, at, [one.waiting for one in run.samples], waiting),
        (2, at, share, line),
        (3, at[1:], list(_rates(run)), line),
    )
    for number, (row, x, y, style) in enumerate(panels):
        found.add_scatter(
            row=row, col=1, x=x, y=y, name=name, legendgroup=name, showlegend=first and number == 0, mode="lines",
            line={"width": 1.8, **style}, hovertemplate="%{x:.0f} s: %{y:,.1f}<extra>" + name + "</extra>",
        )  # fmt: skip


def _rates(run: Run) -> Iterator[float | None]:
    """Between two samples."""
    for before, after in zip(run.samples, run.samples[1:], strict=False):
        if before.generated_tokens is None or after.generated_tokens is None:
            yield None
        else:
            yield (after.generated_tokens - before.generated_tokens) / max(after.at - before.at, 1e-6)


def _lines(series: Sequence[Series], workload: Workload) -> Iterator[tuple[str, list[Row], str]]:
    for at, one in enumerate(series):
        rows = [row for row in one.rows if row.workload == workload and row.figures]
        if rows:
            yield one.name, rows, _colour(at)


def _colour(at: int) -> str:
    return _COLOURS[at % len(_COLOURS)]


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


def _value(one: Request, name: str) -> float | None:
    return one.ttft if name == "ttft" else one.tpot


def _figure(x: str, y: str) -> Figure:
    from plotly.graph_objects import Figure

    return _styled(Figure().update_xaxes(title_text=x).update_yaxes(title_text=y))


def _against_prompts(found: Figure, series: Sequence[Series], workload: Workload) -> Figure:
    """Sizes are powers of two: a logarithmic axis, and the sizes themselves on it."""
    sizes = sorted({row.num_prompts for one in series for row in one.rows if row.workload == workload})
    found.update_xaxes(type="log", tickmode="array", tickvals=sizes, ticktext=[str(size) for size in sizes])
    return found.update_layout(showlegend=len(found.data) > 1)


def _logarithmic(found: Figure, values: Sequence[float | None]) -> None:
    """Ticks at 1, 2 and 5 of each power of ten; at the powers alone where there are many."""
    known = [value for value in values if value]
    if not known:
        return
    low, high = math.log10(min(known)), math.log10(max(known))
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    margin = max(0.08 * (high - low), 0.1)
    found.update_yaxes(
        type="log", rangemode="normal", range=[low - margin, high + margin],
        tickmode="array", tickvals=ticks, ticktext=[f"{tick:,.10g}" for tick in ticks],
    )  # fmt: skip


def _styled(found: Figure) -> Figure:
    """Without colours of its own: the page has those of whoever looks at it."""
    found.update_xaxes(zeroline=False, automargin=True)
    found.update_yaxes(zeroline=False, rangemode="tozero", automargin=True, tickformat=",")
    return found.update_layout(
        template="none",
        height=_HEIGHT,
        margin={"l": 60, "r": 16, "t": 28, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
    )
