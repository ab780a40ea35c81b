"""`check`: whether the hosts are fit, all findings at once; nothing is started."""

from __future__ import annotations

import sys

from cluster.errors import ClusterError
from cluster.preflight.run import everything, obstacle
from cluster.state.observe import observe
from cluster.values import CheckReport
from orchestrator.local.settings import Settings
from orchestrator.outcome.exit_codes import DONE, PREFLIGHT, exit_code
from orchestrator.outcome.output import print_result
from orchestrator.render import check as shown
from orchestrator.render.text import marks_for
from orchestrator.session.session import Request, Session, session


def run(request: Request, settings: Settings) -> int:
    with session(request, settings, journaled=False) as opened:
        result, error = _check(opened)
    print_result(
        request, lambda: shown.text(result, request.all, marks_for(sys.stdout)), lambda: shown.document(result)
    )
    if error:
        return exit_code(error)
    return PREFLIGHT if request.strict and result.findings else DONE


def _check(opened: Session) -> tuple[CheckReport, ClusterError | None]:
    inventory, fleet, request = opened.inventory, opened.fleet, opened.request
    observed = observe(inventory, fleet)
    measure = request.fabric or inventory.preflight.fabric is not None
    result = everything(inventory, fleet, observed, request.skip, deep=request.deep, measure=measure)
    return result, obstacle(result, observed)
