"""Checks the hosts: nothing starts on a host that is not fit."""

from __future__ import annotations

from orchestrator.run.check_hosts import check_hosts
from orchestrator.run.phase import Phase, Stage


class Preflight(Phase):
    title = "Check the hosts"
    acts = False

    def run(self, stage: Stage) -> None:
        """Raises PreflightFailed, or Unreachable where that is the only problem."""
        check_hosts(stage)
