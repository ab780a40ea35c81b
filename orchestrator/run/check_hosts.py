"""Preflight as a run carries it out: what it finds is told, and what forbids a start is raised."""

from __future__ import annotations

from cluster.preflight.run import before_start, obstacle
from orchestrator.events import FindingExcused, FindingReported
from orchestrator.run.phase import Stage


def check_hosts(stage: Stage) -> None:
    """All findings of all hosts at once. Raises PreflightFailed, or Unreachable where that is all there is."""
    result = before_start(stage.inventory, stage.fleet, stage.seen, stage.skip)
    for excused in result.excused:
        stage.sink(FindingExcused(excused))
    if error := obstacle(result, stage.seen):
        raise error
    for finding in result.findings:
        stage.sink(FindingReported(finding))
