"""`logs`: what Ray, vLLM and the ranks have said on the hosts, and with `--follow` what they say from now on."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from cluster.diagnosis.logs import Kind, Logs, Message, Taken, follow, following, tail
from cluster.errors import FleetError, HostError
from cluster.launch.state_folder import state_taken
from cluster.transport.fleet import Fleet
from cluster.transport.host import Host
from cluster.values import LogLine
from orchestrator.commands.ordered_output import OrderedOutput
from orchestrator.outcome.exit_codes import exit_code
from orchestrator.outcome.output import print_error
from orchestrator.outcome.result import ResultLost, put
from orchestrator.render import logs as shown
from orchestrator.render.failure_report import report
from orchestrator.render.json_text import to_json
from orchestrator.render.text import marks_for, write
from orchestrator.session.invocation import Invocation
from orchestrator.session.session import Session, session


def run(invocation: Invocation, *, hosts: Sequence[str], units: tuple[Kind, ...], lines: int, follow: bool) -> int:
    with session(invocation, journaled=False) as opened:
        logs = _Logs(opened, opened.chosen(hosts), units or ("ray", "vllm"), lines)
        (logs.follow if follow else logs.read)()
    return exit_code(FleetError(logs.failed)) if logs.failed else 0


class _Logs:
    """The logs of the hosts that were asked for; `failed` is what kept us from reading some of them."""

    def __init__(self, opened: Session, hosts: Fleet, kinds: tuple[Kind, ...], lines: int) -> None:
        self._inventory = opened.inventory
        self._hosts = hosts
        self._output = opened.invocation.output
        self._kinds = kinds
        self._lines = lines
        self._several = len(self._hosts) > 1 or self._kinds not in (("ray",), ("vllm",))
        self._done = threading.Event()
        self.failed: list[HostError] = []

    def read(self) -> None:
        show = OrderedOutput[Logs | HostError](self._hosts.names, self._show)
        self._hosts.all(lambda host: show(host.name, self._read(host)))

    def follow(self) -> None:
        """Ends with Ctrl-C, which is its normal end, or when its reader has left."""
        try:
            self._hosts.all(self._follow)
        except KeyboardInterrupt:
            self._done.set()

    def _read(self, host: Host) -> Logs | HostError:
        try:
            return host.ask(tail(self._inventory, host.name, self._kinds, self._lines))
        except HostError as error:
            return error

    def _follow(self, host: Host) -> None:
        command = following(self._inventory, host.name, self._kinds, self._lines)
        try:
            follow(host, command, lambda heard: self._hear(host.name, heard), self._done)
        except HostError as error:
            # Once nobody reads, we hang up ourselves.
            if not self._done.is_set():
                self._explain(error)

    def _show(self, host: str, answer: Logs | HostError) -> None:
        if isinstance(answer, HostError):
            self._explain(answer)
            return
        self._hear(host, answer.taken or answer.files)
        for line in answer.lines:
            self._hear(host, line)

    def _hear(self, host: str, message: Message) -> None:
        """A line, how many files there are to read, or what is in the way of them."""
        if isinstance(message, LogLine):
            json_wanted = self._output == "json"
            document = shown.document(host, message)
            output = to_json(document) if json_wanted else shown.text(host, message, self._several)
            self._put(output + "\n")
        elif isinstance(message, Taken):
            self._explain(state_taken(self._inventory, host, message.uid, message.taken, "read the logs"))
        elif message == 0:
            what = " or ".join(self._kinds)
            write(sys.stderr, f"{marks_for(sys.stderr).dot} {host}: no log of {what}\n")

    def _put(self, line: str) -> None:
        try:
            read = put(line)
        except ResultLost:
            self._done.set()
            raise
        if not read:
            self._done.set()

    def _explain(self, error: HostError) -> None:
        self.failed.append(error)
        if self._output == "json":
            write(sys.stderr, to_json(report(error)) + "\n")
        else:
            print_error(error)
