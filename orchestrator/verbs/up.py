"""`up`: brings the cluster up, and announces the endpoint that gave a token in this very run."""

from __future__ import annotations

import sys

from orchestrator.announcement import announcement
from orchestrator.events import Announced
from orchestrator.outcome import say
from orchestrator.phases.lock import Lock
from orchestrator.plans import UP
from orchestrator.render import announce
from orchestrator.render.text import marks_for
from orchestrator.session import Request, session
from orchestrator.settings import Settings


def run(request: Request, settings: Settings) -> None:
    with session(request, settings) as one:
        # Refused by whoever holds the lease, we know no more of the cluster than before.
        taken = Lock(one.remember())
        one.run([taken if isinstance(phase, Lock) else phase for phase in UP])
        proved = announcement(one.inventory, one.events)
        one.sink(Announced(proved))
    say(request, lambda: announce.text(proved, marks_for(sys.stdout)), lambda: announce.document(proved))
