"""`plan`: whether the model fits, and what `up` would run. No host is asked without `--hosts`, nothing started."""

from __future__ import annotations

import sys

from cluster.inventory import Inventory
from cluster.plan import Answers, ask, plan
from cluster.values import Plan, PlannedPhase
from cluster.views import HostView, Observed
from orchestrator.cli.exit_codes import PREFLIGHT, UNREACHABLE
from orchestrator.cli.output import say
from orchestrator.local.settings import Patience, Settings
from orchestrator.phases.removed_hosts import CleanRemovedHosts
from orchestrator.plans import UP
from orchestrator.render import plan as shown
from orchestrator.render.text import marks_for
from orchestrator.run.phase import Phase
from orchestrator.session.removed_hosts import known_former_hosts
from orchestrator.session.session import Request, inventory_of, session


def run(request: Request, settings: Settings) -> int:
    inventory, answers = _known(request, settings)
    found = plan(inventory, answers)
    former = CleanRemovedHosts(known_former_hosts(settings.state, inventory))
    seen = _seen(inventory, answers)
    phases = [_phase(former if isinstance(one, CleanRemovedHosts) else one, inventory, seen) for one in UP]
    say(request, lambda: shown.text(found, phases, marks_for(sys.stdout)), lambda: shown.document(found, phases))
    return _status(found)


def _status(found: Plan) -> int:
    if found.silent == found.hosts:
        return UNREACHABLE
    return 0 if found.runs else PREFLIGHT


def _known(request: Request, settings: Settings) -> tuple[Inventory, Answers | None]:
    if not request.ask_hosts:
        return inventory_of(request, settings), None
    with session(request, settings, watched=False) as one:
        return one.inventory, ask(one.inventory, one.fleet)


def _seen(inventory: Inventory, answers: Answers | None) -> Observed:
    """Hosts on which nothing runs, where nobody has looked."""
    return answers.seen if answers else {spec.name: HostView(spec.name) for spec in inventory.hosts}


def _phase(phase: Phase, inventory: Inventory, seen: Observed) -> PlannedPhase:
    waits, skipped = phase.waits, phase.skip(inventory, seen) or ""
    looked = all(view.facts for view in seen.values())
    only = phase.only if skipped and not looked else ""
    return PlannedPhase(
        title=phase.title,
        waits=waits.what if waits else "",
        patience=waits.patience(Patience()) if waits else None,
        progress=waits.progress if waits else False,
        skipped="" if only else skipped,
        only=only,
    )
