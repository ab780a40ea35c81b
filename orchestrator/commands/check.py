"""`check`: whether the hosts are fit, all findings at once; nothing is started."""

from __future__ import annotations

import sys

from cluster.plan import expected
from cluster.preflight import Evidence, report
from cluster.probes import all_reduce
from cluster.probes.active_checks import try_out
from cluster.state.desired import vllm_runs
from cluster.state.observe import observe
from cluster.values import AllReduceResult, CheckReport, Presence, UnitState
from cluster.views import Observed
from orchestrator.cli.exit_codes import PREFLIGHT, UNREACHABLE
from orchestrator.cli.output import say
from orchestrator.local.settings import Settings
from orchestrator.render import check as shown
from orchestrator.render.text import marks_for
from orchestrator.session.session import Request, Session, session


def run(request: Request, settings: Settings) -> int:
    with session(request, settings, watched=False) as one:
        found = _report(one)
    say(request, lambda: shown.text(found, request.all, marks_for(sys.stdout)), lambda: shown.document(found))
    return _status(found, request.strict)


def _report(one: Session) -> CheckReport:
    inventory, fleet, asked = one.inventory, one.fleet, one.request
    seen = observe(inventory, fleet)
    tried = try_out(inventory, fleet, seen, asked.deep)
    reduced = _fabric(one, seen) if asked.fabric or inventory.preflight.fabric else None
    # What runs as wanted has been weighed by running.
    plan = None if vllm_runs(inventory, seen) else expected(inventory, seen)
    return report(inventory, Evidence(seen, tried, reduced, plan), asked.skip)


def _fabric(one: Session, seen: Observed) -> AllReduceResult | None:
    """Not beside a vLLM that has the GPUs, and not without one of the hosts."""
    if not all(view.facts for view in seen.values()) or any(_is_there(view.vllm) for view in seen.values()):
        return None
    return all_reduce.measure(one.inventory, one.fleet, seen)


def _status(found: CheckReport, strict: bool) -> int:
    if found.blocking:
        lost = all(finding.name == "reachable" for finding in found.blocking)
        return UNREACHABLE if lost else PREFLIGHT
    return PREFLIGHT if strict and found.findings else 0


def _is_there(unit: UnitState) -> bool:
    return unit.presence is not Presence.ABSENT
