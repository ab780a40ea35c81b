"""Our figures beside those that the guide printed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cluster.bench import published_guide
from cluster.bench.figures import Figures
from orchestrator.report.series import Series


@dataclass(frozen=True)
class GuideFigure:
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
        return tuple(None if value is None else value / self.printed for value in self.ours)


_FIGURES: tuple[tuple[str, str, int, Callable[[Figures], float]], ...] = (
    ("Successful requests", "", 0, lambda figures: figures.completed),
    ("Duration", "s", 2, lambda figures: figures.seconds),
    ("Input tokens", "", 0, lambda figures: figures.input_tokens),
    ("Generated tokens", "", 0, lambda figures: figures.output_tokens),
    ("Requests", "/s", 2, lambda figures: figures.requests_per_second),
    ("Output tokens", "/s", 2, lambda figures: figures.output_per_second),
    ("Total tokens", "/s", 2, lambda figures: figures.total_per_second),
    ("TTFT mean", "ms", 2, lambda figures: figures.ttft.mean),
    ("TTFT median", "ms", 2, lambda figures: figures.ttft.median),
    ("TTFT P99", "ms", 2, lambda figures: figures.ttft.p99),
    ("TPOT mean", "ms", 2, lambda figures: figures.tpot.mean),
    ("TPOT median", "ms", 2, lambda figures: figures.tpot.median),
    ("TPOT P99", "ms", 2, lambda figures: figures.tpot.p99),
    ("ITL mean", "ms", 2, lambda figures: figures.itl.mean),
    ("ITL median", "ms", 2, lambda figures: figures.itl.median),
    ("ITL P99", "ms", 2, lambda figures: figures.itl.p99),
)


def own_figures(series: Series) -> Figures | None:
    """The mean of our valid runs of the work that the guide printed; None where there is none."""
    for row in series.rows:
        if (row.workload, row.num_prompts) == (published_guide.WORKLOAD, published_guide.NUM_PROMPTS):
            return row.figures
    return None


def guide_figures(series: Sequence[Series]) -> tuple[GuideFigure, ...]:
    """Every figure that the guide printed."""
    measured = [own_figures(each) for each in series]
    return tuple(
        GuideFigure(
            label,
            unit,
            take(published_guide.PRINTED),
            tuple(take(each) if each else None for each in measured),
            digits,
            bool(unit),
        )
        for label, unit, digits, take in _FIGURES
    )


def differences(series: Series) -> tuple[str, ...]:
    """What was not as it was for the guide, in words: a reader must know before they compare."""
    conditions = series.conditions
    names = ", ".join(sorted({gpu.name for gpu in conditions.gpus})) or "unnamed GPUs"
    cards = f"{'CPUs in place of ' if conditions.on_cpus else ''}{len(conditions.gpus)} × {names}"
    messages = [f"{cards} ({conditions.layout}); the guide's was {published_guide.HARDWARE}"]
    if conditions.dummy_weights:
        messages.append(
            "its weights are random numbers (--load-format dummy): the shapes and so the work are the model's, "
            "the routing to experts is not"
        )
    if published_guide.MODEL.rpartition("/")[2] not in conditions.model:
        messages.append(f"the model is {conditions.model}; the guide's was {published_guide.MODEL}")
    figures = own_figures(series)
    if figures and figures.bunched:
        messages.append(figures.bunched)
    return tuple(messages)
