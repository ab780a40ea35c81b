"""`bench compare`: two folders of results, pair by pair; a verdict only where a difference exceeds its spread."""

from __future__ import annotations

from pathlib import Path

from cluster.bench.compare import compare, paired
from cluster.errors import UsageError
from orchestrator.outcome.result import put
from orchestrator.render import compare as shown
from orchestrator.render.json_text import to_json
from orchestrator.report.series import Series, load


def run(folders: tuple[Path, Path], *, form: str) -> None:
    """Raises UsageError where there is nothing to compare."""
    first, second = map(_only, folders)
    pairs = paired([kept.run for kept in first.runs], [kept.run for kept in second.runs])
    if not pairs:
        cure = "measure the same workloads and numbers of prompts in both"
        raise UsageError("A and B share no workload with a valid run in both", cure=cure)
    groups, differences = compare(pairs), first.conditions.differences(second.conditions)
    otherwise = [f"{what}: A {ours}, B {theirs}" for what, ours, theirs in differences]
    if form == "json":
        output = to_json(shown.document(groups, otherwise), indent=2)
    else:
        output = (shown.markdown if form == "markdown" else shown.text)(groups, otherwise)
    put(output + "\n")


def _only(folder: Path) -> Series:
    series = load([folder])
    if len(series) > 1:
        names = ", ".join(str(each.folder) for each in series)
        raise UsageError(f"{folder} holds {len(series)} series", cause=names, cure="give one of them")
    return series[0]
