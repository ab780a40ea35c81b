"""A conversation with a program that has an open stdin: a heartbeat, its lines as they come, its end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Protocol

from cluster.command import Command, Result, json_lines
from cluster.errors import CommandFailed, HostError, TooMuchOutput, Unreachable

#: Bytes that a line takes besides its characters: an empty line is not free.
_LINE = 64
#: Seconds in which the end of a program may stay unnoticed after a request to end.
_ATTENTION = 0.5


class Channel(Protocol):
    """A running command with an open stdin."""

    def send(self, data: bytes) -> None:
        """Write to its stdin; `Unreachable` when the connection is broken."""

    def read_line(self, timeout: float) -> str | None:
        """Return its next line, a very long one in pieces.

        None when no line came within `timeout` seconds, `EOFError` at the end.
        """

    def result(self) -> Result:
        """Return its exit status and its whole output; to be asked after the `EOFError`."""

    def close(self) -> None:
        """Close the connection: the command reads the end of its stdin."""


class Conversation:
    """The conversation with one program; leaving the block closes it. `ended` is whether the program has
    exited."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._over = threading.Event()
        self.ended = False

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._channel.close()

    def keep_alive(self, interval: float) -> None:
        """Sends an empty line every `interval` seconds, until the conversation is closed or the connection
        breaks."""
        heartbeat(lambda: self._channel.send(b"\n"), interval, self._over)

    def lines(self, interval: float, over: Callable[[], bool] = lambda: False) -> Iterator[str | None]:
        """Yields each line, or None where no line came within `interval` seconds, until `over` or the program's
        end.

        Raises Unreachable.
        """
        while not over():
            try:
                line = self._channel.read_line(interval)
            except EOFError:
                self.ended = True
                return
            yield line

    def end(self, request: bytes, answer: str, patience: float) -> None:
        """Requests the end and waits up to `patience` seconds for a message with the key `answer`."""
        with suppress(HostError):
            self._channel.send(request)
            for line in self.lines(_ATTENTION, deadline(patience)):
                if any(answer in message for message in json_lines(line or "")):
                    return

    def result(self) -> Result:
        """Returns the exit status and the output of the program; to be asked once it has `ended`."""
        return self._channel.result()


def heartbeat(send: Callable[[], None], interval: float, over: threading.Event) -> None:
    """Calls `send` every `interval` seconds until it is `over`, or until it raises a HostError.

    It runs in its own thread: the reader of the lines may be slow, for example a pager.
    """

    def beat() -> None:
        with suppress(HostError):
            while not over.wait(interval):
                send()

    threading.Thread(target=beat, daemon=True).start()


def deadline(seconds: float) -> Callable[[], bool]:
    """Returns a function that tells whether `seconds` have passed since now."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def within_budget(host: str, command: Command, lines: Iterable[str | None]) -> Iterator[str | None]:
    """Yields the lines. Raises TooMuchOutput once they exceed the limit of the command."""
    size = 0
    for line in lines:
        size += 0 if line is None else len(line) + _LINE
        if size > command.most:
            raise TooMuchOutput(host, command)
        yield line


def first_answer(
    host: str, command: Command, channel: Channel, about: set[str], patience: float
) -> dict[str, Any]:
    """Returns the first message with one of the keys `about`: a user's shell may greet before it, in JSON as well.

    `patience` is in seconds. Raises Unreachable when no message comes, CommandFailed at the end.
    """
    conversation = Conversation(channel)
    for line in within_budget(host, command, conversation.lines(patience, deadline(patience))):
        if line is None:
            break
        for message in json_lines(line):
            if about & message.keys():
                return message
    if not conversation.ended:
        raise Unreachable(host, command.title, cause=f"the host did not answer within {patience:g} s")
    result = channel.result()
    raise CommandFailed(host, command, result.status, result.stdout, result.stderr)
