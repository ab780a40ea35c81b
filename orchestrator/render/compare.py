"""Two series side by side, as text, as Markdown and for a program."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from typing_extensions import TypedDict

from cluster.bench.compare import Difference, Group
from orchestrator.render.text import count

_HEAD = ("figure", "A", "B", "change", "95 %", "verdict")


def text(groups: Sequence[Group], otherwise: Sequence[str]) -> str:
    """A table for each workload and number of prompts; first what else is not the same."""
    shown = [line for group in groups for line in (heading(group), *_aligned(_rows(group)), "")]
    return "\n".join([*_otherwise(otherwise), *shown]).rstrip()


def markdown(groups: Sequence[Group], otherwise: Sequence[str]) -> str:
    lines = [line for group in groups for line in (f"### {heading(group)}", "", *_piped(_rows(group)), "")]
    return "\n".join([*_otherwise(otherwise), *lines]).rstrip()


class DifferenceDocument(TypedDict):
    """How one figure differs; `change` is a share, `low` and `high` are its bounds with 95 % confidence."""

    figure: str
    unit: str
    first: float
    second: float
    change: float
    low: float | None
    high: float | None
    verdict: str


class GroupDocument(TypedDict):
    """Pairs of one workload (tokens in and out) and number of prompts; null: of all of them together."""

    workload: str | None
    num_prompts: int | None
    pairs: int
    same_seed: int
    differences: Sequence[DifferenceDocument]


class CompareDocument(TypedDict):
    """Two series, pair by pair. `otherwise` says what else is not the same."""

    otherwise: Sequence[str]
    groups: Sequence[GroupDocument]


def document(groups: Sequence[Group], otherwise: Sequence[str]) -> CompareDocument:
    return {"otherwise": otherwise, "groups": [_group(group) for group in groups]}


def heading(group: Group) -> str:
    seeds = f", {group.same_seed} of them with the same prompts" if group.same_seed else ""
    return f"{group.shown}: {count(group.pairs, 'pair')}{seeds}"


def _otherwise(said: Sequence[str]) -> list[str]:
    return ["These conditions differ too:", "", *(f"- {line}" for line in said), ""] if said else []


def _rows(group: Group) -> Iterator[tuple[str, ...]]:
    yield _HEAD
    for one in group.differences:
        name = f"{one.metric.name}, {one.metric.unit}"
        yield name, f"{one.first:,.2f}", f"{one.second:,.2f}", _percent(one.change), _between(one), one.verdict


def _percent(share: float) -> str:
    return f"{100 * share:+.1f} %"


def _between(one: Difference) -> str:
    return "–" if one.low is None or one.high is None else f"{_percent(one.low)} to {_percent(one.high)}"


def _aligned(rows: Iterator[tuple[str, ...]]) -> list[str]:
    lines = list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    return [
        "  ".join(
            cell.ljust(width) if column in (0, len(_HEAD) - 1) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def _piped(rows: Iterator[tuple[str, ...]]) -> list[str]:
    head, *rest = rows
    rule = ("---", *["---:"] * (len(head) - 2), "---")
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rest)]


def _group(group: Group) -> GroupDocument:
    return {
        "workload": group.workload.lengths if group.workload else None,
        "num_prompts": group.num_prompts,
        "pairs": group.pairs,
        "same_seed": group.same_seed,
        "differences": [_difference(one) for one in group.differences],
    }


def _difference(one: Difference) -> DifferenceDocument:
    return {
        "figure": one.metric.name,
        "unit": one.metric.unit,
        "first": one.first,
        "second": one.second,
        "change": one.change,
        "low": one.low,
        "high": one.high,
        "verdict": one.verdict,
    }
