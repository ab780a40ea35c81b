"""`bench compare`: two folders of results, pair by pair; a verdict only where a difference exceeds its spread."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from cluster.bench.compare import compare, paired
from cluster.errors import UsageError
from orchestrator.local.settings import Settings
from orchestrator.render import compare as shown
from orchestrator.render.text import write
from orchestrator.report.series import Series, load
from orchestrator.session.session import Request


def run(request: Request, settings: Settings) -> None:
    """Raises UsageError where there is nothing to compare."""
    first, second = map(_only, request.folders)
    pairs = paired([one.run for one in first.runs], [one.run for one in second.runs])
    if not pairs:
        cure = "measure the same workloads and numbers of prompts in both"
        raise UsageError("no valid run of A has a counterpart in B", cure=cure)
    groups, differences = compare(pairs), first.conditions.differences(second.conditions)
    otherwise = [f"{what}: A {ours}, B {theirs}" for what, ours, theirs in differences]
    if request.form == "json":
        said = json.dumps(shown.document(groups, otherwise), indent=2)
    else:
        said = (shown.markdown if request.form == "markdown" else shown.text)(groups, otherwise)
    write(sys.stdout, said + "\n")


def _only(folder: Path) -> Series:
    found = load([folder])
    if len(found) > 1:
        names = ", ".join(str(one.folder) for one in found)
        raise UsageError(f"{folder} holds {len(found)} series", cause=names, cure="give one of them")
    return found[0]
