"""`exec`: a command on the hosts, at once on all of them; their words come in the order of the hosts."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from typing import IO

from cluster.errors import Unreachable
from cluster.transport.execute import command, execute, stdout_file
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.views import Executed
from orchestrator.commands.ordered_output import OrderedOutput
from orchestrator.outcome.exit_codes import COMMAND, UNREACHABLE, exit_code
from orchestrator.outcome.output import print_error, print_result
from orchestrator.outcome.result import put
from orchestrator.render import execute as shown
from orchestrator.render.text import marks_for, write
from orchestrator.run.interrupts import Interrupted
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import Session, session

#: The outcome on a host without its stdout, and the file that holds it.
_Output = tuple[Executed, IO[str]]


def run(invocation: Invocation, *, hosts: Sequence[str], timeout: float, words: tuple[str, ...]) -> int:
    with session(invocation, journaled=False) as opened:
        outcomes = _everywhere(opened, opened.chosen(hosts), timeout, words)
    if invocation.output == "json":
        print_result("json", str, lambda: shown.document(words, outcomes))
    return _status(outcomes)


def _everywhere(opened: Session, hosts: Fleet, timeout: float, words: tuple[str, ...]) -> list[Executed]:
    remote = command(words, opened.inventory.runtime.venv, timeout)
    show = OrderedOutput[_Output](hosts.names, lambda _, output: _show(*output, len(hosts) > 1))

    def work(host: Host) -> Executed:
        stdout = stdout_file()
        ended = execute(host, remote, stdout)
        if opened.invocation.output == "json":
            with stdout:
                return replace(ended, stdout=stdout.read())
        show(host.name, (ended, stdout))
        return ended

    try:
        return list(hosts.all(work).values())
    except KeyboardInterrupt:
        rest = f"its processes may keep running, for {timeout:g} s at most"
        raise Interrupted("interrupted", cause=rest) from None


def _show(ended: Executed, stdout: IO[str], several: bool) -> None:
    with stdout:
        all(map(put, shown.output(ended.host, stdout, several, sys.stdout.isatty())))
    for piece in shown.output(ended.host, StringIO(ended.stderr), several, sys.stderr.isatty()):
        write(sys.stderr, piece)
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
