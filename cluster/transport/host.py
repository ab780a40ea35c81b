"""One host: runs commands and probes over the transport that reaches it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from cluster.command import Command, Probe, Result
from cluster.errors import CommandFailed, CommandTimedOut, HostError, MalformedAnswer, Unreachable, public_output
from cluster.transport.conversation import Channel, Conversation, deadline, within_budget

T = TypeVar("T")

#: The status of `timeout` when the limit came.
_TIMED_OUT = 124
#: The status after SIGKILL: from `timeout -k` after the limit, from the kernel's OOM killer before it.
_KILLED = 137
#: Seconds that a program has beyond its own limit to say that it came, and that we wait for a line at a time.
_MARGIN, _PATIENCE = 10.0, 1.0
#: Whatever reading an answer can end in, which may be anything.
_UNREADABLE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
#: Characters of why an answer cannot be read: a model quotes what it refuses.
_LONGEST_REASON = 2000
#: In place of an exit status that never came.
_NO_STATUS = -1


class Transport(Protocol):
    """The connection to one host: the seam at which tests stand in."""

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        """Run to the end; `on_text` gets each piece of stdout as it comes, of which the result has the last only.

        Never raises for a status other than 0, which is -1 when the connection broke; raises `Unreachable`,
        `CommandTimedOut` and `TooMuchOutput`.
        """

    def open(self, command: Command) -> Channel:
        """Start a command and leave its stdin open."""

    def close(self) -> None:
        """Hang up, for good."""


class Host:
    """A host by its name in the inventory."""

    def __init__(self, name: str, transport: Transport) -> None:
        self.name = name
        self._transport = transport

    def run(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        """Run `command`; raises a `HostError` for everything but status 0."""
        started = time.monotonic()
        result = self._transport.execute(command, on_text)
        if result.status == 0:
            return result
        raise self._failure(command, result, time.monotonic() - started)

    def ask(self, probe: Probe[T]) -> T:
        """Returns the answer of this host. Raises `MalformedAnswer` as well."""
        return self._read(probe, self.run(probe.command).stdout)

    def attend(self, probe: Probe[T]) -> T:
        """Asks a program that must not outlive us: its stdin stays open, and ends when we do."""
        with Conversation(self.open(probe.command)) as conversation:
            started = time.monotonic()
            lines = conversation.lines(_PATIENCE, deadline(probe.command.timeout + _MARGIN))
            output = "\n".join(filter(None, within_budget(self.name, probe.command, lines)))
            if not conversation.ended:
                raise CommandTimedOut(self.name, probe.command, output)
            result = conversation.result()
        if result.status != 0:
            raise self._failure(probe.command, result, time.monotonic() - started)
        return self._read(probe, output)

    def _read(self, probe: Probe[T], output: str) -> T:
        try:
            return probe.parse(output)
        except _UNREADABLE as error:
            cause = f"its answer cannot be read: {str(error)[:_LONGEST_REASON]}"
            shown = "" if probe.command.secret else output
            raise MalformedAnswer(self.name, probe.command.title, shown, cause=cause) from error

    def open(self, command: Command) -> Channel:
        return self._transport.open(command)

    def close(self) -> None:
        self._transport.close()

    def _failure(self, command: Command, result: Result, seconds: float) -> HostError:
        message = public_output(command, result.stdout, result.stderr)
        if result.status == _NO_STATUS:
            cause = "the connection broke while the command ran"
            cure = f"see whether {self.name} is up; what runs there ends within {command.timeout:g} s"
            return Unreachable(self.name, command.title, message, cause=cause, cure=cure)
        out_of_time = result.status == _KILLED and seconds >= command.timeout
        if result.status == _TIMED_OUT or out_of_time:
            return CommandTimedOut(self.name, command, message, stderr=result.stderr)
        return CommandFailed(self.name, command, result.status, result.stdout, result.stderr)

    def __repr__(self) -> str:
        return f"Host({self.name!r})"
