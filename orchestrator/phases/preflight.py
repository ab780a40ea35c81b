"""Nothing is started on hosts that are not fit for it."""

from __future__ import annotations

from orchestrator.run.check_hosts import check_hosts
from orchestrator.run.phase import Phase, Stage


class Preflight(Phase):
    title = "Check the hosts"
    acts = False

    def run(self, stage: Stage) -> None:
        """Raises PreflightFailed, or Unreachable where that is all there is."""
        check_hosts(stage)
