"""`exec`: a command on the hosts, at once on all of them; their words come in the order of the hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cluster.errors import Unreachable
from cluster.transport.execute import command, execute
from cluster.transport.host import Host
from cluster.views import Executed
from orchestrator.commands.ordered_output import OrderedOutput
from orchestrator.local.settings import Settings
from orchestrator.outcome.exit_codes import COMMAND, UNREACHABLE, exit_code
from orchestrator.outcome.output import print_error, print_result
from orchestrator.outcome.result import put
from orchestrator.render import execute as shown
from orchestrator.render.text import marks_for, write
from orchestrator.run.interrupts import Interrupted
from orchestrator.session.session import Request, Session, session


def run(request: Request, settings: Settings) -> int:
    with session(request, settings, journaled=False) as opened:
        outcomes = _everywhere(opened)
    if request.output == "json":
        print_result(request, str, lambda: shown.document(request.command, outcomes))
    return _status(outcomes)


def _everywhere(opened: Session) -> list[Executed]:
    hosts, request = opened.chosen, opened.request
    words = command(request.command, opened.inventory.runtime.venv, request.timeout)
    show = OrderedOutput[Executed](hosts.names, lambda _, ended: _show(ended, len(hosts) > 1))

    def work(host: Host) -> Executed:
        ended = execute(host, words)
        if request.output != "json":
            show(host.name, ended)
        return ended

    try:
        return list(hosts.all(work).values())
    except KeyboardInterrupt:
        rest = f"its processes may keep running, for {request.timeout:g} s at most"
        raise Interrupted("interrupted", cause=rest) from None


def _show(ended: Executed, several: bool) -> None:
    put(shown.output(ended.host, ended.stdout, several, sys.stdout.isatty()))
    write(sys.stderr, shown.output(ended.host, ended.stderr, several, sys.stderr.isatty()))
    if ended.problem:
        print_error(ended.problem)
    elif ended.status and several:
        write(sys.stderr, f"{marks_for(sys.stderr).failed} {ended.host}: exit status {ended.status}\n")


def _status(outcomes: Sequence[Executed]) -> int:
    """The status of one host; of several, whether all went well."""
    if any(isinstance(outcome.problem, Unreachable) for outcome in outcomes):
        return UNREACHABLE
    if len(outcomes) > 1:
        return COMMAND if any(outcome.status != 0 for outcome in outcomes) else 0
    (only,) = outcomes
    return exit_code(only.problem) if only.problem else only.status or 0
