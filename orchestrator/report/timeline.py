"""The server while it was measured: its counters over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from cluster.bench.record import Run
from cluster.bench.workload import Workload
from orchestrator.report.series import Series
from orchestrator.report.style import styled

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

#: From few prompts to many.
_STEPS = ("#8c959f", "#6ab0f0", "#2f86d1", "#1fa187", "#d9a514", "#e06c1f", "#c76aa5")
_DASHES = ("solid", "dash", "dot", "dashdot")


def over_time(series: Sequence[Series], workload: Workload) -> Figure | None:
    """Requests in hand, KV cache in use and tokens generated a second, each run from its own beginning. None where
    no run was long enough for two samples."""
    from plotly.subplots import make_subplots

    runs = [(at, kept.run) for at, each in enumerate(series) for kept in each.valid(workload)]
    runs = [(at, run) for at, run in runs if len(run.samples) > 1]
    if not runs:
        return None
    titles = ("Requests running (dotted: waiting)", "KV cache in use, %", "Tokens generated a second")
    chart = make_subplots(rows=3, cols=1, shared_xaxes=True, vertical_spacing=0.07, subplot_titles=titles)
    sizes = sorted({run.num_prompts for _, run in runs})
    for at, run in runs:
        name = f"{run.num_prompts}, {series[at].name}" if len(series) > 1 else str(run.num_prompts)
        colour = _STEPS[sizes.index(run.num_prompts) % len(_STEPS)]
        _add_run(chart, run, name, {"color": colour, "dash": _DASHES[at % len(_DASHES)]})
    chart.update_xaxes(title_text="Seconds since the run began", row=3, col=1)
    legend = {"title": {"text": "Prompts"}, "orientation": "v", "x": 1.01, "y": 1, "yanchor": "top"}
    return styled(chart).update_layout(height=640, showlegend=True, legend=legend)


def _add_run(chart: Figure, run: Run, name: str, line: dict[str, Any]) -> None:
    """Runs of a name have one line in the legend, which hides and shows them."""
    first = not any(trace.name == name for trace in chart.data)
    at = [sample.at for sample in run.samples]
    share = [None if sample.kv_usage is None else 100 * sample.kv_usage for sample in run.samples]
    waiting = {**line, "dash": "dot", "width": 1}
    panels: tuple[tuple[int, Sequence[Any], Sequence[Any], dict[str, Any]], ...] = (
        (1, at, [sample.running for sample in run.samples], line),
        (1, at, [sample.waiting for sample in run.samples], waiting),
        (2, at, share, line),
        (3, at[1:], list(_rates(run)), line),
    )
    for number, (row, x, y, style) in enumerate(panels):
        chart.add_scatter(
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
