"""Our figures beside those that the guide printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cluster.bench import published_guide
from cluster.bench.figures import Figures
from orchestrator.report.series import Series


@dataclass(frozen=True)
class Line:
    """One figure: the guide's, and ours in the order of the series, None where it was not measured.

    `digits` behind the point; `compared`: it says something to have more or less of it.
    """

    label: str
    unit: str
    printed: float
    ours: tuple[float | None, ...]
    digits: int = 2
    compared: bool = True

    @property
    def times(self) -> tuple[float | None, ...]:
        return tuple(None if one is None else one / self.printed for one in self.ours)


_LINES: tuple[tuple[str, str, int, Callable[[Figures], float]], ...] = (
    ("Successful requests", "", 0, lambda one: one.completed),
    ("Duration", "s", 2, lambda one: one.seconds),
    ("Input tokens", "", 0, lambda one: one.input_tokens),
    ("Generated tokens", "", 0, lambda one: one.output_tokens),
    ("Requests", "/s", 2, lambda one: one.requests_per_second),
    ("Output tokens", "/s", 2, lambda one: one.output_per_second),
    ("Total tokens", "/s", 2, lambda one: one.total_per_second),
    ("TTFT mean", "ms", 2, lambda one: one.ttft.mean),
    ("TTFT median", "ms", 2, lambda one: one.ttft.median),
    ("TTFT P99", "ms", 2, lambda one: one.ttft.p99),
    ("TPOT mean", "ms", 2, lambda one: one.tpot.mean),
    ("TPOT median", "ms", 2, lambda one: one.tpot.median),
    ("TPOT P99", "ms", 2, lambda one: one.tpot.p99),
    ("ITL mean", "ms", 2, lambda one: one.itl.mean),
    ("ITL median", "ms", 2, lambda one: one.itl.median),
    ("ITL P99", "ms", 2, lambda one: one.itl.p99),
)


def ours(series: Series) -> Figures | None:
    """The mean of our valid runs of the work that the guide printed; None where there is none."""
    for row in series.rows:
        if (row.workload, row.num_prompts) == (published_guide.WORKLOAD, published_guide.NUM_PROMPTS):
            return row.figures
    return None


def beside(series: Sequence[Series]) -> tuple[Line, ...]:
    """Every figure that the guide printed."""
    found = [ours(one) for one in series]
    return tuple(
        Line(
            label,
            unit,
            take(published_guide.PRINTED),
            tuple(take(one) if one else None for one in found),
            digits,
            bool(unit),
        )
        for label, unit, digits, take in _LINES
    )


def otherwise(series: Series) -> tuple[str, ...]:
    """What was not as it was for the guide, in words: a reader must know before they compare."""
    known = series.conditions
    names = ", ".join(sorted({gpu.name for gpu in known.gpus})) or "GPUs that nobody named"
    cards = f"{'CPUs in place of ' if known.on_cpus else ''}{len(known.gpus)} × {names}"
    said = [f"{cards} ({known.layout}); the guide's was {published_guide.HARDWARE}"]
    if known.dummy_weights:
        said.append(
            "its weights are random numbers (--load-format dummy): the shapes and so the work are the model's, "
            "the routing to experts is not"
        )
    if published_guide.MODEL.rpartition("/")[2] not in known.model:
        said.append(f"the model is {known.model}; the guide's was {published_guide.MODEL}")
    found = ours(series)
    if found and found.bunched:
        said.append(found.bunched)
    return tuple(said)
