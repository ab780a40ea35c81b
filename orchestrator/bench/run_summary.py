"""A run in a line of words."""

from __future__ import annotations

from cluster.bench.record import Run


def summary_line(run: Run) -> str:
    """What it measured, and whether it counts."""
    reasons = "; ".join(run.verdict.reasons)
    if run.verdict.outcome == "failed" or run.figures is None:
        return f"{run.cell.shown}: failed; not part of the averages: {reasons}"
    figures = run.figures
    words = (
        f"{run.cell.shown}: {figures.output_per_second:,.1f} tokens/s generated, {figures.total_per_second:,.1f}"
        f" in all, TTFT {figures.ttft.mean:,.0f} ms, TPOT {figures.tpot.mean:,.1f} ms"
    )
    return f"{words}; invalid, not part of the averages: {reasons}" if reasons else f"{words}; {cache(run)}"


def cache(run: Run) -> str:
    """What the prefix cache gave."""
    if run.counts is None or run.counts.hits is None or run.counts.queries is None:
        return "prefix cache unknown"
    return f"{run.counts.hits:,} of {run.counts.queries:,} tokens from the prefix cache"


def duration(seconds: float) -> str:
    """A rough duration, because a guess needs no seconds: about 40 s, about 12 min, about 2 h 10 min."""
    if seconds < 55:
        return f"about {max(round(seconds, -1), 10):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"about {minutes} min"
    return f"about {minutes // 60} h {minutes % 60:02d} min"
