"""One host: runs commands and probes over the transport that reaches it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from pydantic import ValidationError

from cluster.command import Command, Probe, Result
from cluster.errors import CommandFailed, CommandTimedOut, HostError, MalformedAnswer, Unreachable, public_output
from cluster.transport.conversation import Channel, Conversation, deadline, within_budget

T = TypeVar("T")

#: The exit status of `timeout` at its limit.
_TIMED_OUT = 124
#: The exit status after SIGKILL: from `timeout -k` after the limit, from the kernel's OOM killer before it.
_KILLED = 137
#: Seconds that a program has beyond its own limit to report it, and seconds for each wait for a line.
_MARGIN, _PATIENCE = 10.0, 1.0
#: All exceptions that reading an answer can raise; an answer may hold anything.
_UNREADABLE = (AttributeError, LookupError, OverflowError, RecursionError, TypeError, ValueError)
#: Characters of the reason why an answer cannot be read: a parser may quote what it refuses.
_LONGEST_REASON = 300
#: Stands for an exit status that never came.
_NO_STATUS = -1


class Transport(Protocol):
    """The connection to one host. Tests replace it."""

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        """Run to the end.

        `on_text` gets each piece of stdout as it comes; the result then holds only the last piece. Never raises
        for a status other than 0; the status is -1 when the connection broke. Raises `Unreachable`,
        `CommandTimedOut` and `TooMuchOutput`.
        """

    def open(self, command: Command) -> Channel:
        """Start a command and leave its stdin open."""

    def close(self) -> None:
        """Close the connection for good."""


class Host:
    """A host by its name in the inventory."""

    def __init__(self, name: str, transport: Transport) -> None:
        self.name = name
        self._transport = transport

    def run(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        """Runs `command`. Raises a `HostError` for every status but 0."""
        started = time.monotonic()
        result = self._transport.execute(command, on_text)
        if result.status == 0:
            return result
        raise self._failure(command, result, time.monotonic() - started)

    def ask(self, probe: Probe[T]) -> T:
        """Returns the answer of this host. Raises `MalformedAnswer` as well."""
        return self._read(probe, self.run(probe.command).stdout)

    def attend(self, probe: Probe[T]) -> T:
        """Asks a program that must not outlive this one: its stdin stays open, and ends with this program."""
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
            cause = f"the answer cannot be read: {_reason(error)[:_LONGEST_REASON]}"
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
            cure = f"check that {self.name} is up; the command there ends within {command.timeout:g} s"
            return Unreachable(self.name, command.title, message, cause=cause, cure=cure)
        out_of_time = result.status == _KILLED and seconds >= command.timeout
        if result.status == _TIMED_OUT or out_of_time:
            return CommandTimedOut(self.name, command, message, stderr=result.stderr)
        return CommandFailed(self.name, command, result.status, result.stdout, result.stderr)

    def __repr__(self) -> str:
        return f"Host({self.name!r})"


def _reason(error: Exception) -> str:
    """Returns on one line why an answer cannot be read: the first wrong field of a model, and the number of
    others."""
    if not isinstance(error, ValidationError):
        return str(error)
    first, *others = error.errors(include_url=False, include_input=False, include_context=False)
    field = ".".join(map(str, first["loc"]))
    more = f", and {len(others)} more" if others else ""
    return ": ".join(filter(None, (field, first["msg"]))) + more
