"""The results of a benchmark, as a table for an operator and as a document for a program."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from typing_extensions import TypedDict

from cluster.bench.figures import Figures
from cluster.bench.record import Run, RunWithoutSamples
from cluster.bench.summary import Row, rows
from orchestrator.render.text import UNICODE, Marks, clean, count

_COLUMNS = (
    "WORKLOAD", "PROMPTS", "RUNS", "SECONDS", "OUT TOK/S", "ALL TOK/S",
    "TTFT MS mean/median/P99", "TPOT MS", "ITL MS",
)  # fmt: skip


def text(runs: Sequence[Run], folder: Path, marks: Marks = UNICODE) -> str:
    """A row for each workload and number of prompts, then every run that does not count, with the reason."""
    found = rows(runs)
    table = [_COLUMNS, *(_cells(row, marks) for row in found)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_COLUMNS))]
    shown = ["  ".join(map(_aligned, line, widths, range(len(line)))).rstrip() for line in table]
    where = f"{count(len(runs), 'run')} in {folder}; `orchestrator bench report {folder}` makes a page of them"
    return "\n".join([*shown, "", *_left_out(found, marks), where])


def _aligned(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column == 0 else cell.rjust(width)


def _cells(row: Row, marks: Marks) -> tuple[str, ...]:
    head = (row.workload.shown, str(row.num_prompts), f"{len(row.valid)}")
    found = row.figures
    if found is None:
        return (*head, *(marks.skipped,) * 6)
    return (
        *head,
        f"{found.seconds:,.2f}",
        f"{found.output_per_second:,.2f}",
        f"{found.total_per_second:,.2f}",
        *(f"{each.mean:,.2f}/{each.median:,.2f}/{each.p99:,.2f}" for each in (found.ttft, found.tpot, found.itl)),
    )


def _left_out(found: Iterable[Row], marks: Marks) -> list[str]:
    out = [run for row in found for run in row.left_out]
    lines = [
        f"{marks.failed} {run.cell.shown}: {run.verdict.outcome}: {clean('; '.join(run.verdict.reasons))}"
        for run in out
    ]
    return [*lines, ""] if lines else []


class RowDocument(TypedDict):
    """The runs of one workload and number of prompts. `figures` are the means of the `valid` ones, or null."""

    workload: str
    input_len: int
    output_len: int
    num_prompts: int
    valid: int
    left_out: int
    figures: Figures | None


class BenchDocument(TypedDict):
    """What a benchmark measured: every run as it is kept, without the samples, and where that is."""

    folder: str
    runs: Sequence[RunWithoutSamples]
    rows: Sequence[RowDocument]


def document(runs: Sequence[Run], folder: Path) -> BenchDocument:
    """For a program."""
    return {
        "folder": str(folder),
        "runs": [RunWithoutSamples(**dict(run)) for run in runs],
        "rows": [row_document(row) for row in rows(runs)],
    }


def row_document(row: Row) -> RowDocument:
    return {
        "workload": row.workload.name,
        "input_len": row.workload.input_len,
        "output_len": row.workload.output_len,
        "num_prompts": row.num_prompts,
        "valid": len(row.valid),
        "left_out": len(row.left_out),
        "figures": row.figures,
    }
