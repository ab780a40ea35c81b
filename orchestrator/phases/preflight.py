"""Nothing is started on hosts that are not fit for it."""

from __future__ import annotations

from dataclasses import replace

from cluster.errors import FleetError, PreflightFailed, Unreachable
from cluster.plan import expected
from cluster.preflight import Evidence, report
from cluster.probes import all_reduce
from cluster.probes.active_checks import try_out
from cluster.state.desired import vllm_runs
from cluster.values import CheckReport
from orchestrator.events import FindingExcused, FindingReported
from orchestrator.run.phase import Phase, Stage


class Preflight(Phase):
    title = "Check the hosts"
    acts = False

    def run(self, stage: Stage) -> None:
        """All findings of all hosts at once. Raises PreflightFailed, or Unreachable where that is all there is."""
        found = _report(stage)
        for one in found.excused:
            stage.sink(FindingExcused(one))
        if not found.blocking:
            for finding in found.findings:
                stage.sink(FindingReported(finding))
            return
        lost = [view.problem for view in stage.seen.values() if isinstance(view.problem, Unreachable)]
        if len(lost) == len(found.blocking):
            raise lost[0] if len(lost) == 1 else FleetError(lost)
        raise PreflightFailed(found.findings)


def _report(stage: Stage) -> CheckReport:
    """What runs as wanted has been tried by running: only a start needs the second step, and only where the first
    found the hosts fit for it."""
    if vllm_runs(stage.inventory, stage.seen):
        return report(stage.inventory, Evidence(stage.seen), stage.skip)
    known = Evidence(stage.seen, plan=expected(stage.inventory, stage.seen))
    first = report(stage.inventory, known, stage.skip)
    if first.blocking:
        return first
    known = replace(known, trials=try_out(stage.inventory, stage.fleet, stage.seen))
    second = report(stage.inventory, known, stage.skip)
    if second.blocking or stage.inventory.preflight.fabric is None:
        return second
    # The longest comes last: a minute is lost on hosts that are unfit anyway.
    known = replace(known, fabric=all_reduce.measure(stage.inventory, stage.fleet, stage.seen))
    return report(stage.inventory, known, stage.skip)
