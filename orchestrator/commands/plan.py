"""`plan`: whether the model fits, and what `up` would run. No host is asked without `--hosts`, nothing started."""

from __future__ import annotations

import sys

from cluster.inventory import Inventory
from cluster.plan import Answers, ask, plan
from cluster.plan.results import Plan
from cluster.views import HostView
from orchestrator.local.settings import Patience
from orchestrator.outcome.exit_codes import PREFLIGHT, UNREACHABLE
from orchestrator.outcome.output import print_result
from orchestrator.plans import UpOptions, up
from orchestrator.render import plan as shown
from orchestrator.render import plan_document
from orchestrator.render.plan import PlannedPhase
from orchestrator.render.text import marks_for
from orchestrator.run.phase import Phase, Situation
from orchestrator.session.invocation import Invocation
from orchestrator.session.removed_hosts import removed_hosts
from orchestrator.session.session import inventory_of, session


def run(invocation: Invocation, *, ask_hosts: bool) -> int:
    inventory, answers = _known(invocation, ask_hosts)
    planned = plan(inventory, answers)
    # Nothing runs on hosts where nobody has looked.
    seen = answers.seen if answers else {spec.name: HostView(spec.name) for spec in inventory.hosts}
    situation = Situation(inventory, seen)
    options = UpOptions(removed=removed_hosts(invocation.settings.state, inventory))
    phases = [_phase(phase, situation) for phase in up(options)]
    print_result(
        invocation.output,
        lambda: shown.text(planned, phases, marks_for(sys.stdout)),
        lambda: plan_document.document(planned, phases),
    )
    return _status(planned)


def _status(planned: Plan) -> int:
    if planned.silent == planned.hosts:
        return UNREACHABLE
    return 0 if planned.runs else PREFLIGHT


def _known(invocation: Invocation, ask_hosts: bool) -> tuple[Inventory, Answers | None]:
    if not ask_hosts:
        return inventory_of(invocation), None
    with session(invocation, journaled=False) as opened:
        return opened.inventory, ask(opened.inventory, opened.fleet)


def _phase(phase: Phase, situation: Situation) -> PlannedPhase:
    waits, skipped = phase.waits, phase.skip(situation) or ""
    looked = all(view.facts for view in situation.seen.values())
    only = phase.only if skipped and not looked else ""
    return PlannedPhase(
        title=phase.title,
        waits=waits.what if waits else "",
        patience=waits.patience(Patience()) if waits else None,
        progress=waits.progress if waits else False,
        skipped="" if only else skipped,
        only=only,
    )
