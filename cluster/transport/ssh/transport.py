"""One connection to a host, kept for the whole run, and the commands on its channels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import paramiko

from cluster.command import Command, Result
from cluster.errors import CommandTimedOut, Unreachable
from cluster.transport.ssh.command import SshCommand
from cluster.transport.ssh.dial import SshConnection, dial
from cluster.transport.ssh.hop import Hop

#: sshd allows 10 sessions on a connection (`MaxSessions`).
_MAX_SESSIONS = 8
#: Bytes that a host may send before they are read here: as much as a fast link of a long way holds.
_WINDOW = 2 << 20


class SshTransport:
    """Connects at first use, and once more when the connection is broken."""

    def __init__(self, host: str, timeout: float, route: Callable[[], Hop]) -> None:
        self._host = host
        self._timeout = timeout
        self._route = route
        self._connection: SshConnection | None = None
        self._connecting = threading.Lock()
        self._slots = threading.BoundedSemaphore(_MAX_SESSIONS)
        self._closed = False

    def execute(self, command: Command, on_text: Callable[[str], object] | None = None) -> Result:
        return self._launch(command, keep_stdin=False).finish(on_text)

    def open(self, command: Command) -> SshCommand:
        return self._launch(command, keep_stdin=True)

    def close(self) -> None:
        self._closed = True
        if self._connection:
            self._connection.close()

    def _launch(self, command: Command, keep_stdin: bool) -> SshCommand:
        if not self._slots.acquire(timeout=command.timeout):
            raise CommandTimedOut(self._host, command, f"{_MAX_SESSIONS} other commands were running")
        try:
            started = SshCommand(self._host, command, self._channel(command), self._slots.release)
        except BaseException:
            self._slots.release()
            raise
        started.start(keep_stdin)
        return started

    def _channel(self, command: Command) -> Any:
        """Returns a channel of the connection. If the connection broke since its last use, it is made again,
        once."""
        connection = self._connected()
        try:
            return self._session(connection, command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            if connection.is_alive:
                raise self._no_session(command, error) from error
        try:
            return self._session(self._connected(), command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._no_session(command, error) from error

    def _session(self, connection: SshConnection, command: Command) -> Any:
        """Returns a channel whose host can send ahead no more than half of what the command may say."""
        return connection.transport.open_session(min(command.most // 2, _WINDOW), timeout=self._timeout)

    def _connected(self) -> SshConnection:
        with self._connecting:
            if self._closed:
                cause = "this program has already closed the connection"
                raise Unreachable(self._host, "connect", cause=cause, cure="run the command again")
            if self._connection and self._connection.is_alive:
                return self._connection
            if self._connection:
                self._connection.close()
            self._connection = dial(self._route(), self._timeout)
            if self._closed:
                self._connection.close()
            return self._connection

    def _no_session(self, command: Command, error: Exception) -> Unreachable:
        if isinstance(error, paramiko.ChannelException):
            cause = "the SSH server refuses another session"
            cure = f"raise MaxSessions in sshd_config on {self._host} to at least {_MAX_SESSIONS}"
        else:
            cause = f"the SSH server opened no session within {self._timeout:g} s"
            cure = f"log in to {self._host} and find the process that hangs"
        return Unreachable(self._host, command.title, str(error), cause=cause, cure=cure)
