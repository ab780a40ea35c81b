"""`check`: whether the hosts are fit, all findings at once; nothing is started."""

from __future__ import annotations

import sys
from collections.abc import Collection

from cluster.errors import ClusterError
from cluster.preflight.run import everything, obstacle
from cluster.state.observe import observe
from cluster.values import CheckReport
from orchestrator.outcome.exit_codes import DONE, PREFLIGHT, exit_code
from orchestrator.outcome.output import print_result
from orchestrator.render import check as shown
from orchestrator.render.text import marks_for
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import Session, session


def run(
    invocation: Invocation, *, all: bool, strict: bool, deep: bool, fabric: bool, skip: Collection[str]
) -> int:
    with session(invocation, journaled=False) as opened:
        result, error = _check(opened, deep, fabric, skip)
    print_result(
        invocation.output, lambda: shown.text(result, all, marks_for(sys.stdout)), lambda: shown.document(result)
    )
    if error:
        return exit_code(error)
    return PREFLIGHT if strict and result.findings else DONE


def _check(
    opened: Session, deep: bool, fabric: bool, skip: Collection[str]
) -> tuple[CheckReport, ClusterError | None]:
    inventory, fleet = opened.inventory, opened.fleet
    observed = observe(inventory, fleet)
    measure = fabric or inventory.preflight.fabric is not None
    result = everything(inventory, fleet, observed, skip, deep=deep, measure=measure)
    return result, obstacle(result, observed)
