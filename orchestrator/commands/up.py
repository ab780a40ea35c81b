"""`up`: brings the cluster up, and announces the endpoint that gave a token in this very run."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cluster.state.desired import Renew
from orchestrator.events import Announced
from orchestrator.outcome.output import print_result
from orchestrator.plans import UpOptions, up
from orchestrator.render import announce
from orchestrator.render.text import marks_for
from orchestrator.run.announcement import announcement
from orchestrator.session.invocation import Invocation
from orchestrator.session.removed_hosts import removed_hosts, teardown
from orchestrator.session.session import Session, session


def run(invocation: Invocation, *, keep: bool, renew: Renew, yes: bool, skip: Sequence[str], wait: bool) -> None:
    with session(invocation) as opened:
        opened.run(up(_options(opened, renew, yes)), keep=keep, skip=skip, wait=wait)
        proved = announcement(opened.inventory, opened.events)
        opened.sink(Announced(proved))
    print_result(
        invocation.output, lambda: announce.text(proved, marks_for(sys.stdout)), lambda: announce.document(proved)
    )


def _options(session: Session, renew: Renew, yes: bool) -> UpOptions:
    path = session.invocation.path
    assert path is not None
    removed = removed_hosts(session.settings.state, session.inventory)
    # Refused by whoever holds the lease, we know no more of the cluster than before.
    remember = session.local_state.remember(path, removed)
    return UpOptions(remember, removed, teardown(session), renew, session.consent(yes))
