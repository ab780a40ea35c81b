"""`up`: brings the cluster up, and announces the endpoint that gave a token in this very run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cluster.inventory import Inventory
from cluster.state.desired import Renew, vllm_runs
from cluster.views import Observed
from orchestrator.cli.output import say
from orchestrator.events import Announced
from orchestrator.local.settings import Settings
from orchestrator.phases.acquire_lease import AcquireLease
from orchestrator.phases.removed_hosts import CleanRemovedHosts
from orchestrator.phases.stop_outdated import StopOutdated
from orchestrator.plans import UP
from orchestrator.render import announce
from orchestrator.render.text import marks_for
from orchestrator.run.announcement import announcement
from orchestrator.run.phase import Phase
from orchestrator.session.removed_hosts import former_hosts, leaving
from orchestrator.session.session import Request, Session, session


def run(request: Request, settings: Settings) -> None:
    with session(request, settings) as one:
        one.run(_plan(one))
        proved = announcement(one.inventory, one.events)
        one.sink(Announced(proved))
    say(request, lambda: announce.text(proved, marks_for(sys.stdout)), lambda: announce.document(proved))


def _plan(one: Session) -> Sequence[Phase]:
    assert one.request.path is not None
    former = leaving(one)
    # Refused by whoever holds the lease, we know no more of the cluster than before.
    mine: dict[type[Phase], Phase] = {
        AcquireLease: AcquireLease(one.memory.remember(one.request.path, former_hosts(one))),
        CleanRemovedHosts: former,
        StopOutdated: StopOutdated(lambda inventory, seen: _renew(one.request, former, inventory, seen)),
    }
    return [mine.get(type(phase), phase) for phase in UP]


def _renew(request: Request, former: CleanRemovedHosts, inventory: Inventory, seen: Observed) -> Renew:
    """A Ray that may still have a host that nobody can take out of it begins anew, without that host."""
    if request.recreate or (former.left and not vllm_runs(inventory, seen)):
        return "all"
    return "vllm" if request.restart else None
