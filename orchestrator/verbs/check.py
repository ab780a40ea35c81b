"""`check`: whether the hosts are fit, all findings at once; nothing is started."""

from __future__ import annotations

import sys

from cluster.observe import observe
from cluster.preflight import Evidence, report
from cluster.trials import try_out
from cluster.values import Report
from orchestrator.exit_codes import PREFLIGHT
from orchestrator.outcome import say
from orchestrator.render import check as shown
from orchestrator.render.text import marks_for
from orchestrator.session import Request, Session, session
from orchestrator.settings import Settings


def run(request: Request, settings: Settings) -> int:
    with session(request, settings, watched=False) as one:
        found = _report(one)
    say(request, lambda: shown.text(found, request.all, marks_for(sys.stdout)), lambda: shown.document(found))
    return PREFLIGHT if found.blocking or (request.strict and found.findings) else 0


def _report(one: Session) -> Report:
    seen = observe(one.inventory, one.fleet)
    tried = try_out(one.inventory, one.fleet, seen, one.request.deep)
    return report(one.inventory, Evidence(seen, tried), one.request.skip)
