"""What was measured, in sentences: the first thing on the page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cluster.bench import published_guide
from cluster.bench.record import Conditions
from cluster.bench.summary import Row
from cluster.bench.workload import Workload
from orchestrator.render.text import count
from orchestrator.report.guide_comparison import differences, own_figures
from orchestrator.report.series import Series


def title(series: Sequence[Series]) -> str:
    """The model and the GPUs."""
    models = dict.fromkeys(each.conditions.model.rstrip("/").rpartition("/")[2] for each in series)
    places = dict.fromkeys(_gpus(each.conditions) for each in series)
    return f"{', '.join(models)} on {', '.join(places)}"


def summary(series: Sequence[Series]) -> tuple[str, ...]:
    """A paragraph each."""
    return (*map(_what, series), _counted(series), *_against_the_guide(series))


def findings(series: Sequence[Series]) -> Iterator[tuple[str, str]]:
    """Each workload, and what its runs show."""
    for workload in dict.fromkeys(row.workload for each in series for row in each.rows):
        rows_by_series = [(each.name, _rows(each, workload)) for each in series]
        words = [f"{name} {_growth(rows)}" for name, rows in rows_by_series if rows]
        if words:
            yield workload.shown, "; ".join(words) + "."


def _rows(series: Series, workload: Workload) -> list[Row]:
    return [row for row in series.rows if row.workload == workload and row.figures]


@dataclass(frozen=True)
class Tile:
    """One figure that stands for many."""

    figure: str
    unit: str
    what: str


def tiles(series: Sequence[Series]) -> Iterator[Tile]:
    """The highest throughput of all, the shortest waits of it, and what stands beside the guide."""
    best = [(each.name, row) for each in series for row in each.rows if row.figures]
    if not best:
        return
    name, row = max(best, key=lambda pair: pair[1].figures.output_per_second if pair[1].figures else 0.0)
    assert row.figures
    where = f"{name}, {row.workload.shown}, {count(row.num_prompts, 'prompt')}"
    yield Tile(f"{row.figures.output_per_second:,.0f}", "tokens/s", f"generated at most: {where}")
    name, row = min(best, key=lambda pair: pair[1].figures.ttft.median if pair[1].figures else 0.0)
    assert row.figures
    where = f"{name}, {row.workload.shown}, {count(row.num_prompts, 'prompt')}"
    yield Tile(f"{row.figures.ttft.median:,.0f}", "ms", f"to the first token at best (median): {where}")
    compared = [(each.name, figures) for each in series if (figures := own_figures(each))]
    for name, figures in compared[:2]:
        times = figures.output_per_second / published_guide.PRINTED.output_per_second
        work = f"{published_guide.WORKLOAD.lengths}, {published_guide.NUM_PROMPTS} prompts"
        yield Tile(f"{times:.2f}×", "", f"the guide's output tokens a second ({work}), {name}")


def _gpus(conditions: Conditions) -> str:
    kinds: dict[str, int] = {}
    for gpu in conditions.gpus:
        kinds[gpu.name] = kinds.get(gpu.name, 0) + 1
    hosts = f" in {len(conditions.hosts)} hosts" if len(conditions.hosts) > 1 else ""
    cards = " and ".join(f"{number} × {name}" for name, number in kinds.items())
    return (f"CPUs in place of {cards}" if conditions.on_cpus else cards) + hosts


def _what(series: Series) -> str:
    conditions = series.conditions
    versions = conditions.hosts[0].versions
    began = min(kept.run.began for kept in series.runs)[:10]
    transport = f" over {conditions.transport}" if conditions.transport else ""
    return (
        f"{series.name}: {conditions.model}, served by vLLM {versions.get('vllm', 'of unknown version')}"
        f" as {conditions.layout} on {_gpus(conditions)}{transport}. Measured on {began}"
        f" with its own vllm bench serve, run on {series.runs[0].run.origin}."
    )


def _counted(series: Sequence[Series]) -> str:
    runs = [kept.run for each in series for kept in each.runs]
    valid = [run for run in runs if run.valid]
    shares = [run.counts.hit_share for run in valid if run.counts]
    if not valid:
        return f"None of {count(len(runs), 'run')} counts: see below, under what was left out."
    cold = "not one token" if not any(shares) else f"at most {100 * max(shares):.2g} % of a run's tokens"
    counting = "counts" if len(valid) == 1 else "count"
    words = (
        f"{len(valid)} of {count(len(runs), 'run')} {counting}: by the server's own counters all of their requests"
        f" were answered, {cold} came from the prefix cache, and no other client was served meanwhile."
    )
    return f"{words} The others are left out of every average and plot." if len(valid) < len(runs) else words


def _against_the_guide(series: Sequence[Series]) -> Iterator[str]:
    for each in series:
        measured, printed = own_figures(each), published_guide.PRINTED
        if measured:
            ratio = measured.output_per_second / printed.output_per_second
            yield (
                f"On the work that the published guide printed ({published_guide.WORKLOAD.lengths} tokens,"
                f" {published_guide.NUM_PROMPTS} prompts), {each.name} generated"
                f" {measured.output_per_second:,.2f} tokens a second, {ratio:.2f} times the guide's"
                f" {printed.output_per_second:,.2f}; the mean time to the first token was"
                f" {measured.ttft.mean:,.0f} ms against {printed.ttft.mean:,.0f}, and a token after it took"
                f" {measured.tpot.mean:,.2f} ms against {printed.tpot.mean:,.2f}."
                f" Not the same: {'; '.join(differences(each))}."
            )


def _growth(rows: Sequence[Row]) -> str:
    """The highest throughput, and how the waits grow from the fewest prompts to the most."""
    first, last = rows[0].figures, rows[-1].figures
    best = max(rows, key=lambda row: row.figures.output_per_second if row.figures else 0.0)
    assert first
    assert last
    assert best.figures
    most = (
        f"generated {best.figures.output_per_second:,.1f} tokens a second with {count(best.num_prompts, 'prompt')}"
    )
    if len(rows) == 1:
        return f"{most}, the first after {_seconds(first.ttft.median)} (median)"
    few, many = rows[0].num_prompts, rows[-1].num_prompts
    return (
        f"{most} at most ({first.output_per_second:,.1f} with {few}); from {few} to {many} the median first token"
        f" went from {_seconds(first.ttft.median)} to {_seconds(last.ttft.median)}, and a token after it from"
        f" {first.tpot.median:,.1f} to {last.tpot.median:,.1f} ms"
    )


def _seconds(ms: float) -> str:
    return f"{ms:,.0f} ms" if ms < 1000 else f"{ms / 1000:,.1f} s"
