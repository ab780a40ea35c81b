"""Preflight as a run carries it out: findings are reported, and blocking findings are raised."""

from __future__ import annotations

from cluster.preflight.report import excuse
from cluster.preflight.run import before_start, obstacle
from cluster.probes.open_ports import OPEN_PORTS, open_ports
from cluster.values import Finding
from orchestrator.events import FindingExcused, FindingReported
from orchestrator.run.phase import Stage


def check_hosts(stage: Stage) -> None:
    """Reports all findings of all hosts at once. Raises PreflightFailed, or Unreachable where that is the only
    problem."""
    result = before_start(stage.inventory, stage.fleet, stage.seen, stage.skip)
    for excused in result.excused:
        stage.sink(FindingExcused(excused))
    if error := obstacle(result, stage.seen):
        raise error
    for finding in result.findings:
        stage.sink(FindingReported(finding))


def check_ports(stage: Stage) -> None:
    """Reports from where else the ports of ranks are reachable, once they listen. Accepted findings are not
    probed."""
    tried = {name: view for name, view in stage.seen.items() if not _excuse_of_ports(stage, name)}
    for finding in open_ports(stage.inventory, stage.fleet, tried) if tried else ():
        stage.sink(FindingReported(finding))


def _excuse_of_ports(stage: Stage, host: str) -> str:
    return excuse(stage.inventory, Finding(OPEN_PORTS, host, "warning", ""), stage.skip)
