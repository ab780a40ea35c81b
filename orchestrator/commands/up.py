"""`up`: brings the cluster up, and announces the endpoint that gave a token in this very run."""

from __future__ import annotations

import sys

from cluster.state.desired import Renew
from orchestrator.events import Announced
from orchestrator.local.settings import Settings
from orchestrator.outcome.output import print_result
from orchestrator.plans import UpOptions, up
from orchestrator.render import announce
from orchestrator.render.text import marks_for
from orchestrator.run.announcement import announcement
from orchestrator.session.removed_hosts import removed_hosts, teardown
from orchestrator.session.session import Request, Session, session


def run(request: Request, settings: Settings) -> None:
    with session(request, settings) as opened:
        opened.run(up(_options(opened)))
        proved = announcement(opened.inventory, opened.events)
        opened.sink(Announced(proved))
    print_result(request, lambda: announce.text(proved, marks_for(sys.stdout)), lambda: announce.document(proved))


def _options(session: Session) -> UpOptions:
    path = session.request.path
    assert path is not None
    removed = removed_hosts(session.settings.state, session.inventory)
    # Refused by whoever holds the lease, we know no more of the cluster than before.
    remember = session.local_state.remember(path, removed)
    return UpOptions(remember, removed, teardown(session), _renew(session.request), session.consent)


def _renew(request: Request) -> Renew:
    if request.recreate:
        return "all"
    return "vllm" if request.restart else None
