"""One page that needs nothing else: no network, no other file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.bench import published_guide
from cluster.bench.workload import Workload
from cluster.errors import UsageError
from orchestrator.local.atomic_write import write_output
from orchestrator.render.json_text import to_json
from orchestrator.report import data, narrative, plots, tables, timeline
from orchestrator.report.conditions import series_conditions
from orchestrator.report.guide_comparison import differences, guide_figures, own_figures
from orchestrator.report.series import Series

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class Plot:
    """`html` is a plotly figure; `wide` ones take the whole width."""

    title: str
    caption: str
    html: str
    wide: bool = False


def write_page(path: Path, series: Sequence[Series]) -> None:
    """Raises UsageError where it cannot be written, or what draws it is not installed."""
    text = page(series, f"Page made on {datetime.now(UTC).strftime('%Y-%m-%d %H:%M')} UTC")
    try:
        write_output(path, text.encode())
    except OSError as error:
        cure = "make room there, or give another file with --to"
        raise UsageError(f"{path} cannot be written", cause=error.strerror or str(error), cure=cure) from None


def page(series: Sequence[Series], when: str) -> str:
    """The HTML. Raises UsageError where what draws it is not installed."""
    try:
        import jinja2
        from markupsafe import Markup
        from plotly.offline import get_plotlyjs
    except ImportError as missing:
        cure = "pip install '.[report]' in the environment of this program"
        raise UsageError(f"a page needs {missing.name}, which is not installed", cure=cure) from None
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string(_file("page.html.j2"))
    raw = {name: Markup(text) for name, text in _unescaped(series, get_plotlyjs()).items()}
    shown = {"workloads": [_workload(series, workload, Markup) for workload in _workloads(series)]}
    return template.render(**raw, **shown, **_content(series, when))


def _unescaped(series: Sequence[Series], plotly: str) -> dict[str, str]:
    """What stands in script and style: `<` of data would end them."""
    raw = to_json(data.document(series)).replace("<", "\\u003c")
    return {"plotly": plotly, "style": _file("style.css"), "script": _file("theme.js"), "data": raw}


def _file(name: str) -> str:
    return (resources.files("orchestrator.report") / "template" / name).read_text(encoding="utf-8")


def _content(series: Sequence[Series], when: str) -> dict[str, Any]:
    compared = [each for each in series if own_figures(each)]
    runs = [(each.name, kept.run) for each in series for kept in each.runs]
    return {
        "title": narrative.title(series),
        "when": when,
        "contents": list(_contents(series)),
        "tiles": list(narrative.tiles(series)),
        "summary": narrative.summary(series),
        "findings": list(narrative.findings(series)),
        "compared": bool(compared),
        "guide_work": f"{_lengths(published_guide.WORKLOAD)}, {published_guide.NUM_PROMPTS} prompts",
        "guide_hardware": published_guide.HARDWARE,
        "names": [each.name for each in compared],
        "lines": list(_lines(compared)),
        "otherwise": [f"{each.name}: {message}" for each in compared for message in differences(each)],
        "figure_groups": tables.GROUPS,
        "figure_columns": tables.COLUMNS,
        "tables": [{"name": each.name, "groups": list(tables.groups(each))} for each in series],
        "left_out": [
            {
                "what": f"{name}: {run.cell.shown}",
                "outcome": run.verdict.outcome,
                "why": "; ".join(run.verdict.reasons),
            }
            for name, run in runs
            if not run.valid
        ],
        "notes": [
            {"what": f"{name}: {run.cell.shown}:", "why": "; ".join(run.notes)}
            for name, run in runs
            if run.valid and run.notes
        ],
        "conditions": [series_conditions(each) for each in series],
        "data_name": "benchmark.json",
    }


def _contents(series: Sequence[Series]) -> Iterator[tuple[str, str]]:
    yield from (("summary", "Summary"), ("guide", "Beside the guide"))
    yield from ((f"w-{workload.name}", workload.shown) for workload in _workloads(series))
    yield from (("figures", "All figures"), ("conditions", "Conditions"), ("data", "Raw data"))


def _lines(series: Sequence[Series]) -> Iterator[dict[str, Any]]:
    for line in guide_figures(series):
        printed, *cells = data.cells(line)
        times = [None if ratio is None or not line.compared else f"{ratio:.2f}" for ratio in line.times]
        own = [{"figure": cell, "times": ratio} for cell, ratio in zip(cells, times, strict=True)]
        yield {"label": data.labelled(line), "printed": printed, "ours": own}


def _workloads(series: Sequence[Series]) -> list[Workload]:
    """The workloads of which a run counts, in the order of the tables."""
    return list(dict.fromkeys(row.workload for each in series for row in each.rows if row.figures))


def _lengths(workload: Workload) -> str:
    return f"{workload.input_len:,} tokens in, {workload.output_len:,} out"


def _workload(series: Sequence[Series], workload: Workload, safe: type[str]) -> dict[str, Any]:
    lengths = _lengths(workload)
    name = (
        workload.name.replace("-", " ").capitalize() if workload.name != workload.lengths.replace("/", "x") else ""
    )
    shown = [
        {"title": plot.title, "caption": plot.caption, "html": safe(plot.html), "wide": plot.wide}
        for plot in _plots(series, workload)
    ]
    return {"id": f"w-{workload.name}", "name": f"{name}: {lengths}" if name else lengths, "plots": shown}


def _plots(series: Sequence[Series], workload: Workload) -> Iterator[Plot]:
    def drawn(name: str, figure: Figure) -> str:
        """Its id tells which values it holds."""
        return str(
            figure.to_html(
                full_html=False, include_plotlyjs=False, div_id=f"{workload.name}-{name}",
                config={"displayModeBar": False, "responsive": True},
            )
        )  # fmt: skip

    yield Plot("Throughput", "Higher is better.", drawn("throughput", plots.throughput(series, workload)))
    trade = "Up and to the right is better; each point is a number of prompts."
    yield Plot("Throughput against each reader's speed", trade, drawn("trade", plots.trade(series, workload)))
    for kind, meaning in (("ttft", "Time to the first token"), ("tpot", "Time per token after it")):
        figure = plots.latency(series, workload, kind)
        yield Plot(
            meaning,
            f"{kind.upper()}: the median, and dotted the 99th percentile. Lower is better.",
            drawn(kind, figure),
        )
    for kind, meaning in (
        ("ttft", "First tokens, request by request"),
        ("tpot", "Times per token, request by request"),
    ):
        figure = plots.distribution(series, workload, kind)
        box = "Half of the requests lie in the box, the line is the median."
        yield Plot(meaning, box, drawn(f"{kind}-requests", figure))
    samples = timeline.over_time(series, workload)
    if samples is not None:
        yield Plot(
            "The server while it was measured",
            "A sample a second of its own counters.",
            drawn("time", samples),
            True,
        )
