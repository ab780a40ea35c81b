"""`status`: what runs where, and whether tokens come."""

from __future__ import annotations

import sys

from orchestrator.outcome import say
from orchestrator.render import status as shown
from orchestrator.render.text import marks_for
from orchestrator.session import Request, session
from orchestrator.settings import Settings
from orchestrator.status import status


def run(request: Request, settings: Settings) -> None:
    with session(request, settings, watched=False) as one:
        hosts, endpoint = status(one.inventory, one.fleet)
    marks = marks_for(sys.stdout)
    say(request, lambda: shown.table(hosts, endpoint, marks), lambda: shown.document(hosts, endpoint))
