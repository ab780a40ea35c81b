"""Nothing is started on hosts that are not fit for it."""

from __future__ import annotations

from cluster.errors import FleetError, PreflightFailed, Unreachable
from cluster.preflight import check
from orchestrator.events import Found
from orchestrator.phase import Phase, Stage


class Preflight(Phase):
    title = "Check the hosts"
    acts = False

    def run(self, stage: Stage) -> None:
        """All findings of all hosts at once. Raises PreflightFailed, or Unreachable where that is all there is."""
        findings = check(stage.inventory, stage.seen)
        blocking = [finding for finding in findings if finding.blocking]
        if not blocking:
            for finding in findings:
                stage.sink(Found(finding))
            return
        lost = [view.problem for view in stage.seen.values() if isinstance(view.problem, Unreachable)]
        if len(lost) == len(blocking):
            raise lost[0] if len(lost) == 1 else FleetError(lost)
        raise PreflightFailed(findings)
