"""One line to a host, kept for the whole run, and the commands on its channels."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import paramiko

from cluster.command import Command, Result
from cluster.errors import CommandTimedOut, Unreachable
from cluster.transport.ssh.command import SshCommand
from cluster.transport.ssh.dial import Line, dial
from cluster.transport.ssh.hop import Hop

#: sshd allows 10 sessions on a connection (`MaxSessions`).
_SESSIONS = 8


class SshTransport:
    """Connects at first use, and once more when the line turns out to be broken."""

    def __init__(self, host: str, patience: float, way: Callable[[], Hop]) -> None:
        self._host = host
        self._patience = patience
        self._way = way
        self._line: Line | None = None
        self._dialling = threading.Lock()
        self._sessions = threading.BoundedSemaphore(_SESSIONS)
        self._closed = False

    def execute(self, command: Command, said: Callable[[str], None] | None = None) -> Result:
        return self._launch(command, keep_stdin=False).finish(said)

    def open(self, command: Command) -> SshCommand:
        return self._launch(command, keep_stdin=True)

    def close(self) -> None:
        self._closed = True
        if self._line:
            self._line.close()

    def _launch(self, command: Command, keep_stdin: bool) -> SshCommand:
        if not self._sessions.acquire(timeout=command.timeout):
            raise CommandTimedOut(self._host, command, f"{_SESSIONS} commands were under way before it")
        try:
            running = SshCommand(self._host, command, self._channel(command), self._sessions.release)
        except BaseException:
            self._sessions.release()
            raise
        running.start(keep_stdin)
        return running

    def _channel(self, command: Command) -> Any:
        """A channel of the line; a line that broke since its last use is dialled again, once."""
        line = self._connected()
        try:
            return self._session(line)
        except (paramiko.SSHException, OSError, EOFError) as error:
            if line.is_alive:
                raise self._no_session(command, error) from error
        try:
            return self._session(self._connected())
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise self._no_session(command, error) from error

    def _session(self, line: Line) -> Any:
        return line.transport.open_session(timeout=self._patience)

    def _connected(self) -> Line:
        with self._dialling:
            if self._closed:
                cause = "we have hung up already"
                raise Unreachable(self._host, "connect", cause=cause, cure="start again")
            if self._line and self._line.is_alive:
                return self._line
            if self._line:
                self._line.close()
            self._line = dial(self._way(), self._patience)
            if self._closed:
                self._line.close()
            return self._line

    def _no_session(self, command: Command, error: Exception) -> Unreachable:
        if isinstance(error, paramiko.ChannelException):
            cause = "its SSH server refuses another session"
            cure = f"see MaxSessions in sshd_config on {self._host}: we need {_SESSIONS}"
        else:
            cause = f"its SSH server gave us no session within {self._patience:g} s"
            cure = f"log in to {self._host} and see what hangs there"
        return Unreachable(self._host, command.title, str(error), cause=cause, cure=cure)
