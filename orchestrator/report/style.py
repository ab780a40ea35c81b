"""How plots look, but for the colours of whoever looks at them: those the page gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

#: Told apart by everybody, after Okabe and Ito; as bright as reads on white and on black.
_COLOURS = ("#2f86d1", "#e06c1f", "#1fa187", "#c76aa5", "#d9a514", "#8a6fd8")
_HEIGHT = 340
#: How many times the least the most must be for a logarithmic axis.
_FAR = 5


def colour(at: int) -> str:
    """The colour of the series at this place."""
    return _COLOURS[at % len(_COLOURS)]


def figure(x: str, y: str) -> Figure:
    """An empty one, with the titles of its axes."""
    from plotly.graph_objects import Figure

    return styled(Figure().update_xaxes(title_text=x).update_yaxes(title_text=y))


def logarithmic(chart: Figure, values: Sequence[float | None]) -> None:
    """Ticks at 1, 2 and 5 of each power of ten; at the powers alone where there are many. Values that lie close
    together keep a linear axis."""
    known = [value for value in values if value]
    if not known or max(known) < _FAR * min(known):
        return
    low, high = math.log10(min(known)), math.log10(max(known))
    steps = (1, 2, 5) if high - low < 2.5 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    margin = max(0.08 * (high - low), 0.1)
    chart.update_yaxes(
        type="log", rangemode="normal", range=[low - margin, high + margin],
        tickmode="array", tickvals=ticks, ticktext=[f"{tick:,.10g}" for tick in ticks],
    )  # fmt: skip


def styled(chart: Figure) -> Figure:
    """Without colours of its own: the page has those of whoever looks at it."""
    chart.update_xaxes(zeroline=False, automargin=True)
    chart.update_yaxes(zeroline=False, rangemode="tozero", automargin=True, tickformat=",")
    return chart.update_layout(
        template="none",
        height=_HEIGHT,
        margin={"l": 60, "r": 16, "t": 28, "b": 48},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 13},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        hovermode="closest",
    )
